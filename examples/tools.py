"""The loop of tool calls: the model asks, we answer, until it has what it needs."""

import json

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:4000/v1", api_key="any text")


def weather(city: str) -> str:
    return f"12 degrees and rain in {city}"


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]

messages = [{"role": "user", "content": "What is the weather in Bern?"}]
while True:
    answer = client.chat.completions.create(model="demo-tools", messages=messages, tools=TOOLS)
    message = answer.choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    if not message.tool_calls:
        print(message.content)
        break
    for call in message.tool_calls:
        result = weather(**json.loads(call.function.arguments))
        print(f"{call.function.name}({call.function.arguments}) -> {result}")
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
