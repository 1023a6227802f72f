import assert from "node:assert/strict";
import { test } from "node:test";
import { BridgeError } from "./errors.ts";
import { extraBody, parseRequest } from "./request.ts";

const valid = { model: "claude-sonnet", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };

test("aliases become the CLI's names and full ids stay", () => {
  assert.equal(parseRequest(valid, undefined).cliModel, "sonnet");
  assert.equal(parseRequest({ ...valid, model: "claude-opus-4-1-20250805" }, undefined).cliModel, "claude-opus-4-1-20250805");
});

test("parameters pass through untouched, identity and routing do not", () => {
  const body = { ...valid, temperature: 0, thinking: { type: "adaptive" }, future_field: [1], metadata: { user_id: "x" }, stream: true, system: "s" };
  const { parameters } = parseRequest(body, undefined);
  assert.deepEqual(parameters, { max_tokens: 5, temperature: 0, thinking: { type: "adaptive" }, future_field: [1] });
});

test("a request is never changed in place", () => {
  const body = structuredClone({ ...valid, tools: [{ name: "t", cache_control: { type: "ephemeral" } }] });
  const before = structuredClone(body);
  extraBody(parseRequest(body, undefined));
  assert.deepEqual(body, before);
});

test("whatever is not a request is refused with the field's name", () => {
  const cases: [unknown, RegExp][] = [
    [null, /JSON object/], [[], /JSON object/], ["x", /JSON object/],
    [{ ...valid, model: 7 }, /^model/], [{ ...valid, model: "-p" }, /^model/],
    [{ ...valid, max_tokens: 0 }, /^max_tokens/], [{ ...valid, max_tokens: "5" }, /^max_tokens/],
    [{ ...valid, messages: {} }, /^messages/], [{ ...valid, messages: [null] }, /^messages\.0\.role/],
    [{ ...valid, messages: [{ role: "tool", content: "" }] }, /^messages\.0\.role/],
    [{ ...valid, messages: [{ role: "user", content: [{}] }] }, /^messages\.0\.content/],
    [{ ...valid, system: 5 }, /^system/], [{ ...valid, system: [{ type: "image" }] }, /^system/],
  ];
  for (const [body, pattern] of cases) {
    assert.throws(() => parseRequest(body, undefined), (error) => error instanceof BridgeError && error.status === 400 && pattern.test(error.message));
  }
});

test("betas are a list of names or nothing", () => {
  assert.equal(parseRequest(valid, " a-1, b-2 ").betas, "a-1,b-2");
  assert.equal(parseRequest(valid, " ").betas, undefined);
  assert.throws(() => parseRequest(valid, "a\nb: c"), BridgeError);
});
