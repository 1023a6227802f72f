/** Everything that can go wrong with one request, with the fake CLI and the real one. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { answerEvents, startMock, type Mock } from "./mock-messages-api.mjs";
import { ask, clis, failure, isAlive, memoryOf, sseEvents, startBridge, until, type Bridge } from "./support.ts";

const UPSTREAM: [number, string, string, number, string][] = [
  [400, "invalid_request_error", "messages: wrong", 400, "invalid_request_error"],
  [400, "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum", 400, "invalid_request_error"],
  [401, "authentication_error", "invalid x-api-key", 401, "authentication_error"],
  [402, "billing_error", "credit is low", 402, "billing_error"],
  [403, "permission_error", "not for you", 403, "permission_error"],
  [404, "not_found_error", "model: nothing", 404, "not_found_error"],
  [413, "request_too_large", "too large", 413, "request_too_large"],
  [429, "rate_limit_error", "slow down", 429, "rate_limit_error"],
  [500, "api_error", "oh no", 500, "api_error"],
  [529, "overloaded_error", "Overloaded", 529, "overloaded_error"],
];

for (const cli of clis()) {
  describe(`a failure over the ${cli.name}`, { skip: cli.skip, timeout: 240_000 }, () => {
    let mock: Mock;
    let bridge: Bridge;

    before(async () => {
      mock = await startMock();
      bridge = await startBridge(cli.file, { ANTHROPIC_BASE_URL: mock.url });
    });
    beforeEach(() => mock.reset());
    after(async () => {
      await bridge.stop();
      await mock.close();
    });

    for (const [status, type, message, wantedStatus, wantedType] of UPSTREAM) {
      for (const stream of [false, true]) {
        it(`gives an upstream ${status} (${message}) its own status and asks once, ${stream ? "streaming" : "unary"}`, async () => {
          mock.reset(() => ({ status, error: { type, message } }));
          const response = await bridge.post(ask("hi", { stream }));
          assert.equal(response.status, wantedStatus);
          const body = await failure(response);
          assert.equal(body.type, "error");
          assert.equal(body.error.type, wantedType);
          assert.notEqual(body.error.message, "");
          assert.equal(body.request_id, response.headers.get("x-request-id"));
          const atMost = status === 404 ? 2 : 1; // the CLI asks a 404 twice
          assert.ok(mock.requests.length >= 1 && mock.requests.length <= atMost, `${mock.requests.length} requests`);
        });
      }
    }

    it("says when a usage limit ends", async () => {
      const resets = Math.floor(Date.now() / 1_000) + 600;
      const headers = { "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": String(resets), "anthropic-ratelimit-unified-representative-claim": "five_hour" };
      mock.reset(() => ({ status: 429, error: { type: "rate_limit_error", message: "limit" }, headers }));
      const login = await startBridge(cli.file, { ANTHROPIC_BASE_URL: mock.url, ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-test" });
      const response = await login.post(ask("hi"));
      assert.equal(response.status, 429);
      const wait = Number(response.headers.get("retry-after"));
      assert.ok(wait > 500 && wait <= 600, `retry-after ${wait}`);
      assert.equal((await login.health()).auth.mode, "token");
      await login.stop();
    });

    for (const cutAfter of [0, 2, 3]) {
      it(`reports a stream that breaks after ${cutAfter} events`, async () => {
        mock.reset(() => ({ cutAfter }));
        const response = await bridge.post(ask("hi", { stream: true }));
        if (cutAfter < 3) return assert.equal(response.status, 502); // there was no content yet
        const events = sseEvents(await response.text());
        assert.equal(events.at(-1)?.type, "error");
        assert.ok(!events.some((event) => event.type === "message_stop"));
        assert.equal(mock.requests.length, 1);
      });
    }

    it("reports an error inside a stream, and as a status where the client asked for no stream", async () => {
      const events = [...answerEvents().slice(0, 3), { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }];
      mock.reset(() => ({ events }));
      const streamed = sseEvents(await (await bridge.post(ask("hi", { stream: true }))).text());
      assert.equal(streamed.at(-1)?.type, "error");
      assert.equal((streamed.at(-1)?.error as { type: string }).type, "overloaded_error");
      assert.equal((await bridge.post(ask("hi"))).status, 529);
    });

    it("kills the CLI at once when the client leaves", async () => {
      mock.reset(() => ({ gapMs: 200, events: answerEvents({ blocks: [{ text: Array.from({ length: 100 }, () => "x") }] }) }));
      const leave = new AbortController();
      const response = await bridge.post(ask("hi", { stream: true }), { signal: leave.signal });
      await response.body?.getReader().read();
      leave.abort();
      await until("the upstream request is aborted", () => mock.aborted === 1, 2_000);
      await until("nobody is busy", async () => (await bridge.health()).pool?.busy === 0, 2_000);
    });

    it("kills the CLI when a client leaves before the first event", async () => {
      mock.reset(() => ({ delayMs: 5_000 }));
      const leave = new AbortController();
      const asked = bridge.post(ask("hi"), { signal: leave.signal }).catch(() => undefined);
      await until("it was asked", () => mock.requests.length === 1);
      leave.abort();
      await asked;
      await until("the upstream request is aborted", () => mock.aborted === 1, 2_000);
    });

    it("ends an answer at its deadline, with a status before the first content and an error event after it", async () => {
      mock.reset(() => ({ delayMs: 8_000 }));
      const late = await bridge.post(ask("hi"), { headers: { "x-fastproxy-deadline-ms": "1500" } });
      assert.equal(late.status, 504);
      assert.equal((await failure(late)).error.type, "timeout_error");
      await until("a spare is ready", async () => (await bridge.health()).pool?.idle === 2);
      mock.reset(() => ({ stallAfter: 2 }));
      const begun = await bridge.post(ask("hi", { stream: true }), { headers: { "x-fastproxy-deadline-ms": "1500" } });
      assert.equal(begun.status, 504); // there was no content yet
      await until("a spare is ready", async () => (await bridge.health()).pool?.idle === 2);
      mock.reset(() => ({ stallAfter: 3 }));
      const stalled = await bridge.post(ask("hi", { stream: true }), { headers: { "x-fastproxy-deadline-ms": "3000" } });
      assert.equal(sseEvents(await stalled.text()).at(-1)?.type, "error");
    });

    it("survives a CLI that is killed in the middle of its answer", async () => {
      mock.reset(() => ({ gapMs: 300, events: answerEvents({ blocks: [{ text: Array.from({ length: 50 }, () => "x") }] }) }));
      const response = await bridge.post(ask("hi", { stream: true }));
      const reader = response.body?.getReader();
      await reader?.read();
      for (const pid of bridge.pids()) process.kill(pid, "SIGKILL");
      let text = "";
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) text += new TextDecoder().decode(part.value as Uint8Array);
      assert.match(text, /event: error/);
      mock.reset();
      await until("it answers again", async () => (await bridge.post(ask("hi"))).status === 200);
    });

    it("reads no further while the client does not read", async () => {
      const big = "x".repeat(100_000);
      mock.reset(() => ({ events: answerEvents({ blocks: [{ text: Array.from({ length: 400 }, () => big) }] }) }));
      const response = await bridge.post(ask("hi", { stream: true }));
      const before = memoryOf(bridge.process.pid ?? 0);
      await new Promise((done) => setTimeout(done, 1_000));
      assert.ok(memoryOf(bridge.process.pid ?? 0) - before < 30_000_000, "the bridge took the answer in");
      const text = await response.text();
      assert.equal(text.length > 40_000_000, true);
      assert.match(text.slice(-60), /message_stop/);
      assert.deepEqual(bridge.logs.filter((line) => line.includes("Warning")), []);
    });

    it("queues what it cannot serve and refuses what it cannot queue", async () => {
      const narrow = await startBridge(cli.file, {
        ANTHROPIC_BASE_URL: mock.url, FASTPROXY_BRIDGE_MAX_PROCESSES: "1", FASTPROXY_BRIDGE_POOL_SIZE: "1", FASTPROXY_BRIDGE_QUEUE_LIMIT: "1",
      });
      mock.reset(() => ({ delayMs: 1_500 }));
      const first = narrow.post(ask("one"));
      await until("the first is upstream", () => mock.requests.length === 1);
      const second = narrow.post(ask("two"));
      await until("the second waits", async () => (await narrow.health()).pool?.queued === 1);
      const third = await narrow.post(ask("three"));
      assert.equal(third.status, 503);
      assert.equal((await failure(third)).error.type, "overloaded_error");
      assert.ok(Number(third.headers.get("retry-after")) >= 1);
      assert.deepEqual([(await first).status, (await second).status], [200, 200]);
      assert.ok(narrow.pids().length <= 1);
      await narrow.stop();
    });

    it("tells how to log in where nobody is", async () => {
      const nobody = await startBridge(cli.file === "" ? "claude" : cli.file, { ANTHROPIC_API_KEY: undefined, ANTHROPIC_BASE_URL: mock.url, FASTPROXY_BRIDGE_AUTH: "login" });
      if (cli.name === "real claude") {
        const response = await nobody.post(ask("hi"));
        assert.equal(response.status, 401);
        const { error } = await failure(response);
        assert.equal(error.type, "authentication_error");
        assert.match(error.message, /Run `claude` and log in, or set ANTHROPIC_API_KEY/);
        assert.equal(mock.requests.length, 0);
      }
      assert.deepEqual((await nobody.health()).auth, { mode: "login", credentials: false });
      await nobody.stop();
    });

    it("refuses a body it cannot read, without a process", async () => {
      const bad: [object, RegExp][] = [
        [{}, /model/],
        [{ model: "claude-sonnet", messages: [{ role: "user", content: "x" }] }, /max_tokens/],
        [ask("x", { messages: [] }), /messages/],
        [ask(7), /messages\.0\.content/],
        [ask("x", { model: "--help" }), /model/],
        [ask("x", { stream: "yes" }), /stream/],
      ];
      for (const [body, pattern] of bad) {
        const response = await bridge.post(body);
        assert.equal(response.status, 400);
        assert.match((await failure(response)).error.message, pattern);
      }
      assert.equal(mock.requests.length, 0);
    });

    it("logs no content and no secret", () => {
      const logs = bridge.logs.join("\n");
      assert.doesNotMatch(logs, /sk-ant-test-key|three|Overloaded/);
      for (const line of bridge.logs) JSON.parse(line);
    });

    it("leaves no process of a request behind", async () => {
      await until("only spares are left", async () => {
        const { pool } = await bridge.health();
        return pool?.busy === 0 && bridge.pids().filter(isAlive).length <= 2;
      });
    });
  });
}
