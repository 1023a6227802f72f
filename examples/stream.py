"""A stream with OpenAI's SDK: pieces as they come, then the usage."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:4000/v1", api_key="any text")

stream = client.chat.completions.create(
    model="demo-chat",
    messages=[{"role": "user", "content": "Who are you?"}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n{chunk.usage.prompt_tokens} + {chunk.usage.completion_tokens} tokens")
