/** The HTTP face alone, with an answerer that says one word. */
import assert from "node:assert/strict";
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { readConfig } from "./config.ts";
import { createServer, type Answerer } from "./server.ts";
import type { MessagesEvent } from "./protocol.ts";

const EVENTS: MessagesEvent[] = [
  { type: "message_start", message: { id: "m", role: "assistant" } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "ö" } },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
];
const answerer: Answerer = {
  answer: (_request, _signal, _onRoute, onEvent) => Promise.resolve(EVENTS.forEach((event) => void onEvent(event))),
  health: () => ({ status: "ok" }),
};
const config = readConfig({ FASTPROXY_BRIDGE_MAX_BODY_BYTES: "2000" });
const server = createHttpServer(createServer(config, answerer, () => undefined));
before(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)));
after(() => void server.close());

const QUESTION = JSON.stringify({ model: "claude-sonnet", max_tokens: 5, messages: [{ role: "user", content: "hi" }] });
const JSON_TYPE = { "content-type": "application/json" };

interface Answer {
  status: number | undefined;
  headers: IncomingMessage["headers"];
  text: string;
}

function send(pieces: string[], headers: Record<string, string> = JSON_TYPE, path = "/v1/messages", method = "POST"): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

test("a body in pieces is answered as a whole", async () => {
  const { status, headers, text } = await send([QUESTION.slice(0, 20), QUESTION.slice(20)]);
  assert.deepEqual([status, headers["content-type"]], [200, "application/json; charset=utf-8"]);
  const { content, stop_reason } = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual([content, stop_reason], [[{ type: "text", text: "ö" }], "end_turn"]);
});

for (const [what, pieces, headers, status, pattern] of [
  ["no JSON", ["{"], JSON_TYPE, 400, /not valid JSON/],
  ["nothing", [""], JSON_TYPE, 400, /not valid JSON/],
  ["a list", ["[]"], JSON_TYPE, 400, /must be a JSON object/],
  ["too much, announced", ["x".repeat(2_001)], { ...JSON_TYPE, "content-length": "2001" }, 413, /larger than/],
  ["too much, in pieces", ["x".repeat(1_500), "x".repeat(1_500)], JSON_TYPE, 413, /larger than/],
  ["a form", [QUESTION], { "content-type": "text/plain" }, 415, /content-type: must be application\/json/],
  ["compressed", [QUESTION], { ...JSON_TYPE, "content-encoding": "gzip" }, 415, /content-encoding/],
  ["for another name", [QUESTION], { ...JSON_TYPE, host: "evil.example" }, 403, /loopback names only/],
] as [string, string[], Record<string, string>, number, RegExp][]) {
  test(`a body that is ${what} is refused`, async () => {
    const answer = await send(pieces, { ...headers, "x-request-id": "req-1" });
    const { type, error, request_id } = JSON.parse(answer.text) as { type: string; error: { message: string }; request_id: string };
    assert.deepEqual([answer.status, type, request_id], [status, "error", "req-1"]);
    assert.match(error.message, pattern);
  });
}

test("what is not served is said", async () => {
  const { status, headers, text } = await send([], {}, "/v1/other", "GET");
  assert.equal(status, 404);
  assert.match(text, /GET \/v1\/other is not served here/);
  assert.match(String(headers["x-request-id"]), /^[0-9a-f-]{36}$/);
});
