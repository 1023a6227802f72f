import assert from "node:assert/strict";
import { test } from "node:test";
import { answerEvents } from "../test/mock-messages-api.mjs";
import { MessageBuilder } from "./message.ts";
import type { MessagesEvent } from "./protocol.ts";

function build(events: object[]) {
  const builder = new MessageBuilder();
  for (const event of events) builder.add(event as MessagesEvent);
  return builder.build();
}

test("events become the message they came from", () => {
  const blocks = [{ thinking: "t", signature: "s" }, { text: ["a", "b"] }, { tool: "f", id: "x", input: { a: [1, "é"] } }, { tool: "g", id: "y" }];
  const message = build(answerEvents({ blocks, stop: "tool_use" }));
  assert.deepEqual(message.content, [
    { type: "thinking", thinking: "t", signature: "s" },
    { type: "text", text: "ab" },
    { type: "tool_use", id: "x", name: "f", input: { a: [1, "é"] } },
    { type: "tool_use", id: "y", name: "g", input: {} },
  ]);
  assert.equal(message.stop_reason, "tool_use");
  assert.deepEqual(message.usage, { input_tokens: 11, output_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 7 });
});

test("a tool call cut in the middle is an error, not a guess", () => {
  const events = answerEvents({ blocks: [{ tool: "f", input: { a: 1 } }] });
  const cut = events.filter((event) => (event.delta as { partial_json?: string } | undefined)?.partial_json !== '":1}' );
  const half = cut.filter((event, index) => !(event.type === "content_block_delta" && index === 3));
  assert.throws(() => build(half), /no complete JSON/);
});
