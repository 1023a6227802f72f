import assert from "node:assert/strict";
import { test } from "node:test";
import { errorFromCli, errorFromExit, words } from "./cli-errors.ts";

const base = { now: 1_000_000_000, model: "claude-sonnet", text: "API Error: something" };

test("an upstream's status decides before the text does", () => {
  const cases: [number, string][] = [
    [400, "invalid_request_error"], [401, "authentication_error"], [402, "billing_error"], [403, "permission_error"],
    [404, "not_found_error"], [413, "request_too_large"], [429, "rate_limit_error"], [500, "api_error"], [503, "api_error"],
    [529, "overloaded_error"], [422, "invalid_request_error"],
  ];
  for (const [status, type] of cases) {
    const error = errorFromCli({ ...base, status, text: "rate limit reached" });
    assert.deepEqual([error.status, error.type], [status, type]);
  }
});

test("a failure without a status is told by its words", () => {
  const cases: [string, number, string][] = [
    ["Not logged in · Please run /login", 401, "authentication_error"],
    ["Invalid API key · Fix external API key", 401, "authentication_error"],
    ["Prompt is too long", 400, "invalid_request_error"],
    ["You've hit your session limit · resets 5am", 429, "rate_limit_error"],
    ["API Error: Overloaded", 529, "overloaded_error"],
    ["API Error: Unable to connect to API (ECONNREFUSED)", 502, "api_error"],
    ["API Error: Connection dropped (ECONNRESET). Check the gateway set in ANTHROPIC_BASE_URL, then try again.", 502, "api_error"],
    ["who knows", 500, "api_error"],
  ];
  for (const [text, status, type] of cases) {
    const error = errorFromCli({ ...base, text });
    assert.deepEqual([error.status, error.type], [status, type], text);
  }
});

test("the CLI's own reason counts where the words say nothing", () => {
  assert.equal(errorFromCli({ ...base, text: "?", reason: "rate_limit" }).status, 429);
  assert.equal(errorFromCli({ ...base, text: "?", reason: "model_not_found" }).status, 404);
});

test("a limit's end becomes retry-after, from the event or from the text", () => {
  const limit = { ...base, status: 429, text: "Claude AI usage limit reached|1000000090" };
  assert.deepEqual(errorFromCli(limit).headers(), { "retry-after": "90" });
  assert.deepEqual(errorFromCli({ ...limit, resetsAt: 1_000_000_030 }).headers(), { "retry-after": "30" });
  assert.deepEqual(errorFromCli({ ...limit, resetsAt: 5 }).headers(), {});
});

test("the CLI's prefix, advice and escape codes are not the client's business", () => {
  const text = "\u001b[31mAPI Error: 500 Internal. This is a server-side issue, usually temporary. If it persists, check your inference gateway (h).";
  assert.equal(words(text), "Internal.");
  assert.equal(words("Failed to authenticate. API Error: 403 no permission"), "no permission");
  assert.equal(words(""), "The claude CLI failed without saying why.");
});

test("an early end tells how it came and the last line of standard error", () => {
  const error = errorFromExit({ code: 1, signal: null, stderr: "a\n\u001b[1mlast\u001b[0m\n" });
  assert.deepEqual([error.status, error.message], [502, "The claude CLI ended before the answer did (exit code 1): last"]);
  assert.match(errorFromExit({ code: null, signal: "SIGKILL", stderr: "" }).message, /signal SIGKILL/);
});
