// Drives the OpenAI Node SDK's responses: `node responses.mjs BASE_URL KEY MODEL`; prints one JSON line.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20_000 });
const tools = [
  { type: "function", name: "get_weather", strict: false, parameters: { type: "object", properties: { city: { type: "string" } } } },
];

const input = [{ role: "user", content: "weather?" }];
const stream = client.responses.stream({ model, input, tools });
const types = [];
stream.on("event", (event) => types.push(event.type));
const first = await stream.finalResponse();
const calls = first.output.filter((item) => item.type === "function_call");
input.push(...first.output, ...calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "sunny" })));
const second = await client.responses.create({ model, input, tools });
console.log(
  JSON.stringify({
    types: [types[0], types.at(-1)],
    calls: calls.map((call) => call.arguments),
    status: second.status,
    text: second.output_text,
  }),
);
