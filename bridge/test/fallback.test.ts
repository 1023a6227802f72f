/** CLIs that lack a mechanism, or misbehave: what the bridge makes of them. The fake CLI plays them all. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startMock, type Mock } from "./mock-messages-api.mjs";
import { answer, ask, failure, fakeClaude, sseEvents, startBridge, type Bridge, type Env } from "./support.ts";

const HISTORY = [{ role: "user", content: "one" }, { role: "assistant", content: "two" }, { role: "user", content: "/three" }];

describe("a CLI that lacks something", { timeout: 60_000 }, () => {
  let mock: Mock;
  const cleanUps: (() => Promise<void>)[] = [];
  before(async () => void (mock = await startMock()));
  after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
    await mock.close();
  });

  async function bridgeOver(script: object, env: Env = {}): Promise<Bridge> {
    mock.reset();
    const folder = mkdtempSync(join(tmpdir(), "bridge-test-"));
    const bridge = await startBridge(fakeClaude(folder, script), { ANTHROPIC_BASE_URL: mock.url, ...env });
    cleanUps.push(async () => {
      await bridge.stop();
      rmSync(folder, { recursive: true });
    });
    return bridge;
  }

  it("gets the history replayed in order when it takes no body", async () => {
    const bridge = await bridgeOver({ noBody: true });
    const response = await bridge.post({ ...ask(""), messages: HISTORY, system: "S", temperature: 0.5 });
    assert.equal((await answer(response)).stop_reason, "end_turn");
    const roles = (mock.requests[0]?.body.messages as { role: string }[]).map(({ role }) => role);
    assert.deepEqual(roles, ["user", "assistant", "user"]);
    assert.match(JSON.stringify(mock.requests[0]?.body.messages), /one.*two.* \/three/);
    assert.equal(response.headers.get("x-fastproxy-bridge-mode"), "replay");
    assert.equal(response.headers.get("x-fastproxy-bridge-dropped"), "max_tokens,temperature");
    const health = await bridge.health();
    assert.deepEqual([health.status, health.self_test?.mode], ["degraded", "replay"]);
  });

  it("gets one flat text when it takes no history either", async () => {
    const bridge = await bridgeOver({ noBody: true, noReplay: true });
    await bridge.post({ ...ask(""), messages: HISTORY });
    const messages = mock.requests[0]?.body.messages as unknown[];
    assert.equal(messages.length, 1);
    assert.match(JSON.stringify(messages), /User:.*one.*Assistant:.*two.*User:.*\/three/);
    assert.equal((await bridge.health()).self_test?.mode, "flattened");
  });

  it("is not asked with tools it cannot pass on", async () => {
    const bridge = await bridgeOver({ noBody: true });
    const response = await bridge.post(ask("hi", { tools: [{ name: "t", input_schema: { type: "object" } }] }));
    assert.equal(response.status, 400);
    assert.match((await failure(response)).error.message, /^tools: /);
    assert.equal(mock.requests.length, 0);
  });

  it("is told of when nothing but its end keeps it from asking again", async () => {
    const bridge = await bridgeOver({ noBudget: true });
    assert.equal((await answer(await bridge.post(ask("hi")))).stop_reason, "end_turn");
    const health = await bridge.health();
    assert.deepEqual([health.status, health.self_test?.mode, health.self_test?.once], ["degraded", "body", false]);
  });

  it("is refused when it brings tools of its own", async () => {
    const bridge = await bridgeOver({ tools: ["Bash"] });
    const response = await bridge.post(ask("hi"));
    assert.equal(response.status, 502);
    assert.match((await failure(response)).error.message, /tools or MCP servers of its own/);
  });

  it("is reported when it does not start, with its last words", async () => {
    const bridge = await bridgeOver({ exitAtStart: { code: 3, stderr: "\u001b[31mno good\u001b[0m" } });
    const response = await bridge.post(ask("hi"));
    assert.equal(response.status, 502);
    assert.match((await failure(response)).error.message, /exit code 3\): no good/);
  });

  it("is reported when nobody is logged in", async () => {
    const bridge = await bridgeOver({ loggedOut: true });
    const response = await bridge.post(ask("hi"));
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("x-should-retry"), "false");
    assert.match((await failure(response)).error.message, /Run `claude` and log in, or set ANTHROPIC_API_KEY/);
  });

  it("may crash in the middle of an answer", async () => {
    const bridge = await bridgeOver({}, { ANTHROPIC_BASE_URL: undefined });
    const events = sseEvents(await (await bridge.post(ask("[[crash]]", { stream: true }))).text());
    assert.equal(events.at(-1)?.type, "error");
    assert.equal((await bridge.post(ask("[[error 429]]"))).status, 429);
    assert.deepEqual((await answer(await bridge.post(ask("hello")))).content, [{ type: "text", text: "echo: hello" }]);
  });

  it("serves the first request while it still starts", async () => {
    const bridge = await bridgeOver({ startDelayMs: 300 });
    assert.equal((await bridge.post(ask("hi"))).status, 200);
  });
});
