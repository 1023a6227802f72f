// Drives the Vercel AI SDK: `node ai_sdk.mjs BASE_URL KEY MODEL SCENARIO`; prints one JSON line.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const [baseURL, apiKey, name, scenario] = process.argv.slice(2);
const model = createOpenAICompatible({ name: "fastproxy", baseURL, apiKey, includeUsage: true })(name);
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const ran = [];
const get_weather = tool({
  description: "The weather of a city.",
  inputSchema: jsonSchema(city),
  execute: async (given) => {
    ran.push(given.city);
    return `sunny in ${given.city}`;
  },
});
const question = { model, prompt: "How is the weather?", maxRetries: 0 };
const loop = { ...question, tools: { get_weather }, stopWhen: stepCountIs(5) };

const scenarios = {
  async unary() {
    const { text, finishReason, usage, steps } = await generateText(loop);
    return { text, finish: finishReason, usage, steps: steps.length, ran };
  },
  async stream() {
    const kinds = [];
    const result = streamText(loop);
    for await (const part of result.fullStream) if (kinds.at(-1) !== part.type) kinds.push(part.type);
    const { length } = await result.steps;
    return { text: await result.text, finish: await result.finishReason, usage: await result.usage, steps: length, ran, kinds };
  },
  async error() {
    try {
      await generateText(question);
      return { raised: null };
    } catch (error) {
      return { raised: APICallError.isInstance(error), status: error.statusCode, message: error.message };
    }
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
