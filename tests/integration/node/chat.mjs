// Drives the OpenAI Node SDK: `node chat.mjs BASE_URL KEY MODEL SCENARIO`; prints one JSON line.
import OpenAI from "openai";

const [baseURL, apiKey, model, scenario] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20_000 });
const messages = [{ role: "user", content: "hello" }];
const tools = [
  { type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
];

const scenarios = {
  async unary() {
    const answer = await client.chat.completions.create({ model, messages });
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, model: answer.model };
  },
  async stream() {
    let text = "";
    const ids = new Set();
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      ids.add(chunk.id);
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    return { text, ids: ids.size };
  },
  async tools() {
    const stream = client.chat.completions.stream({ model, messages, tools });
    const answer = await stream.finalChatCompletion();
    return { calls: answer.choices[0].message.tool_calls, finish: answer.choices[0].finish_reason };
  },
  async error() {
    try {
      await client.chat.completions.create({ model, messages, stream: true });
      return { raised: null };
    } catch (error) {
      return { raised: error.constructor.name, status: error.status, code: error.code };
    }
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
