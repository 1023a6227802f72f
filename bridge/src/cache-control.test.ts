import assert from "node:assert/strict";
import { test } from "node:test";
import { limitBreakpoints } from "./cache-control.ts";

const mark = { type: "ephemeral" };
const text = (n: number) => ({ type: "text", text: String(n), cache_control: mark });

test("a body without marks is the very same body", () => {
  const body = { messages: [{ role: "user", content: "x" }], tools: [{ name: "t" }] };
  assert.equal(limitBreakpoints(body, 2), body);
});

test("the last marks on messages stay, the surplus and those on tools go", () => {
  const body = { tools: [{ name: "t", cache_control: mark }], messages: [{ role: "user", content: [text(1), text(2)] }, { role: "assistant", content: [text(3)] }] };
  assert.deepEqual(limitBreakpoints(body, 2), {
    tools: [{ name: "t" }],
    messages: [{ role: "user", content: [{ type: "text", text: "1" }, text(2)] }, { role: "assistant", content: [text(3)] }],
  });
});

test("a longer lifetime becomes the default one, also inside a tool's result", () => {
  const inner = { type: "text", text: "r", cache_control: { type: "ephemeral", ttl: "1h" } };
  const body = { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: [inner] }] }] };
  assert.deepEqual(limitBreakpoints(body, 1), {
    messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: [{ ...inner, cache_control: mark }] }] }],
  });
});
