/** Where a request's process comes from, how many there are, and when they go. The fake CLI plays them all. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startMock, type Mock } from "./mock-messages-api.mjs";
import { ask, FAKE, isAlive, startBridge, until, type Bridge, type Env } from "./support.ts";

describe("the pool", { timeout: 120_000 }, () => {
  let mock: Mock;
  const bridges: Bridge[] = [];
  before(async () => void (mock = await startMock()));
  after(async () => {
    for (const bridge of bridges) await bridge.stop();
    await mock.close();
  });

  async function start(env: Env): Promise<Bridge> {
    mock.reset();
    const bridge = await startBridge(FAKE, { ANTHROPIC_BASE_URL: mock.url, ...env });
    bridges.push(bridge);
    return bridge;
  }
  const spares = async (bridge: Bridge, count: number) =>
    until(`${count} spares`, async () => {
      const { pool } = await bridge.health();
      return pool?.idle === count && pool.starting === 0 && pool.busy === 0;
    });
  const origin = async (bridge: Bridge, system: string, model = "claude-sonnet") => {
    const response = await bridge.post(ask("hi", { system, model }));
    assert.equal(response.status, 200);
    await response.text();
    const { body } = mock.requests.at(-1) ?? assert.fail("nothing was asked");
    assert.deepEqual([(body.system as { text: string }[]).at(-1)?.text, body.model], [system, model === "claude-sonnet" ? "sonnet" : model]);
    return response.headers.get("x-fastproxy-bridge-process");
  };

  it("binds a spare to a system prompt seen twice in a row, and takes another for every other prompt", async () => {
    const bridge = await start({ FASTPROXY_BRIDGE_POOL_SIZE: "2" });
    const origins: (string | null)[] = [];
    for (const system of ["A", "A", "A", "B", "A"]) {
      await spares(bridge, 2);
      origins.push(await origin(bridge, system));
    }
    assert.deepEqual(origins, ["warm", "warm", "bound", "warm", "bound"]);
  });

  it("lends a spare to another model, and keeps spares of it until nobody has asked for it in a while", async () => {
    const bridge = await start({ FASTPROXY_BRIDGE_POOL_SIZE: "1", FASTPROXY_BRIDGE_IDLE_SECONDS: "1" });
    await spares(bridge, 1);
    assert.equal(await origin(bridge, "S", "claude-other-1"), "rebound");
    await spares(bridge, 2);
    const both = bridge.pids();
    await spares(bridge, 1);
    await until("its process is gone", () => both.filter(isAlive).length === 1);
    assert.equal(await origin(bridge, "S"), "warm");
  });

  it("starts a process for a request where it keeps none, and ends it with the answer", async () => {
    const bridge = await start({ FASTPROXY_BRIDGE_POOL_SIZE: "0" });
    assert.equal(await origin(bridge, "S"), "cold");
    await until("none is left", () => bridge.pids().length === 0);
  });

  it("never has more processes than allowed, and serves in the order of asking", async () => {
    const bridge = await start({ FASTPROXY_BRIDGE_POOL_SIZE: "3", FASTPROXY_BRIDGE_MAX_PROCESSES: "2" });
    await spares(bridge, 2);
    let most = 0;
    let over = false;
    const watching = (async () => {
      while (!over) {
        const { pool } = await bridge.health();
        if (pool) most = Math.max(most, pool.busy + pool.idle + pool.starting);
      }
    })();
    mock.reset(() => ({ delayMs: 60 }));
    const answers = Array.from({ length: 8 }, async (_, n) => {
      await new Promise((done) => setTimeout(done, 25 * n));
      const response = await bridge.post(ask(`question ${n}`));
      return response.status;
    });
    assert.deepEqual([...new Set(await Promise.all(answers))], [200]);
    over = true;
    await watching;
    assert.equal(most, 2);
    const asked = mock.requests.map(({ body }) => Number(/\d/.exec(JSON.stringify(body.messages))?.[0]));
    asked.forEach((n, place) => assert.ok(Math.abs(n - place) <= 1, `asked in the order ${asked.join(" ")}`));
  });
});
