"""What a client sees of a fault: an exception of its SDK, before the answer or in its middle."""

import openai

client = openai.OpenAI(base_url="http://127.0.0.1:4000/v1", api_key="any text", max_retries=0)
messages = [{"role": "user", "content": "Hello"}]

for model in ("demo-error-400", "demo-error-429", "demo-error-503", "no-such-model"):
    try:
        client.chat.completions.create(model=model, messages=messages)
    except openai.APIStatusError as error:
        print(f"{model}: {type(error).__name__} {error.status_code} {error.code}: {error.body['message']}")

try:
    for chunk in client.chat.completions.create(model="demo-error-midstream", messages=messages, stream=True):
        print(chunk.choices[0].delta.content or "", end="", flush=True)
except openai.APIError as error:
    print(f"\nit broke off: {error.message}")
