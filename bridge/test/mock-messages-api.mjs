/** A programmable Messages API on loopback: keeps every request it gets, answers as its `script` says. */
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const JSON_HEADERS = { "content-type": "application/json" };

/** The events of one answer. `blocks`: {text} | {thinking, signature} | {tool, id, input}; text may be a list of deltas. */
export function answerEvents({ blocks = [{ text: "pong" }], stop = "end_turn", stopSequence = null, usage = {}, model = "m" } = {}) {
  const message = {
    id: "msg_mock", type: "message", role: "assistant", model, content: [], stop_reason: null, stop_sequence: null,
    usage: { input_tokens: 11, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 7, ...usage },
  };
  const events = [{ type: "message_start", message }];
  blocks.forEach((block, index) => events.push(...blockEvents(block, index)));
  const delta = { stop_reason: stop, stop_sequence: stopSequence };
  events.push({ type: "message_delta", delta, usage: { output_tokens: 5 } }, { type: "message_stop" });
  return events;
}

function blockEvents(block, index) {
  const start = (content_block) => ({ type: "content_block_start", index, content_block });
  const delta = (delta) => ({ type: "content_block_delta", index, delta });
  const stop = { type: "content_block_stop", index };
  if (block.tool) {
    const json = JSON.stringify(block.input ?? {});
    const partial = (partial_json) => delta({ type: "input_json_delta", partial_json });
    const use = { type: "tool_use", id: block.id ?? `toolu_${index}`, name: block.tool, input: {} };
    return [start(use), partial(json.slice(0, 3)), partial(json.slice(3)), stop];
  }
  if (block.thinking) {
    const thinking = [delta({ type: "thinking_delta", thinking: block.thinking })];
    const signature = delta({ type: "signature_delta", signature: block.signature ?? "sig" });
    return [start({ type: "thinking", thinking: "", signature: "" }), ...thinking, signature, stop];
  }
  const texts = [block.text].flat().map((text) => delta({ type: "text_delta", text }));
  return [start({ type: "text", text: "" }), ...texts, stop];
}

/**
 * Starts a mock on a free port. `script(body, n)` returns what to do with the n-th request:
 *   {status, error: {type, message}, headers}   an error answer
 *   {events, delayMs, gapMs, cutAfter, stallAfter}   an SSE answer, optionally paced, cut or stalled after N events
 */
export async function startMock(script = () => ({})) {
  const mock = { script, requests: [], others: [], aborted: 0, lastEventAt: [] };
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => void answer(mock, request, Buffer.concat(chunks).toString("utf8"), response));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  mock.url = `http://127.0.0.1:${server.address().port}`;
  mock.close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  mock.reset = (next = () => ({})) => { mock.script = next; mock.requests.length = 0; mock.others.length = 0; mock.aborted = 0; };
  return mock;
}

async function answer(mock, request, text, response) {
  if (request.method !== "POST" || !request.url.startsWith("/v1/messages") || request.url.includes("count_tokens")) {
    mock.others.push(`${request.method} ${request.url}`);
    response.writeHead(request.method === "HEAD" ? 200 : 404).end();
    return;
  }
  const body = JSON.parse(text);
  const seen = { url: request.url, headers: request.headers, body, at: performance.now(), firstByteAt: undefined };
  const plan = mock.script(body, mock.requests.push(seen) - 1) ?? {};
  response.on("close", () => { if (!response.writableFinished) mock.aborted += 1; });
  if (plan.status && plan.status !== 200) {
    response.writeHead(plan.status, { ...JSON_HEADERS, ...plan.headers });
    response.end(JSON.stringify({ type: "error", error: plan.error ?? { type: "api_error", message: "scripted" } }));
    return;
  }
  const events = plan.events ?? answerEvents({ model: body.model });
  if (plan.delayMs) await sleep(plan.delayMs);
  seen.firstByteAt = performance.now();
  if (body.stream !== true) {
    response.writeHead(200, JSON_HEADERS).end(JSON.stringify(wholeMessage(events)));
    return;
  }
  await stream(mock, plan, events, response);
}

async function stream(mock, plan, events, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "request-id": "req_mock", ...plan.headers });
  for (const [index, event] of events.entries()) {
    if (index === plan.cutAfter) { await sleep(50); response.destroy(); return; }
    if (index === plan.stallAfter) return;
    if (plan.gapMs && event.type === "content_block_delta") await sleep(plan.gapMs);
    mock.lastEventAt[index] = performance.now();
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
  response.end();
}

function wholeMessage(events) {
  const message = { ...events[0].message, stop_reason: "end_turn" };
  const text = events.filter((e) => e.delta?.type === "text_delta").map((e) => e.delta.text).join("");
  return { ...message, content: [{ type: "text", text }] };
}
