"""Anthropic's SDK: /v1/messages answers with any model, not Claude's alone."""

from anthropic import Anthropic

client = Anthropic(base_url="http://127.0.0.1:4000", api_key="any text")  # without /v1: the SDK adds it

with client.messages.stream(
    model="demo-echo",
    max_tokens=100,
    messages=[{"role": "user", "content": "Hello from Anthropic's SDK"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
