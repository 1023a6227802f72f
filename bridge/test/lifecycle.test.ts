/** Start and end of the bridge and of what it started. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { spawn, type ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startTime } from "../src/run-dir.ts";
import { answerEvents, startMock, type Mock } from "./mock-messages-api.mjs";
import { ask, clis, FAKE, fakeClaude, isAlive, spawnBridge, startBridge, until, type Env } from "./support.ts";

const slow = () => ({ gapMs: 100, events: answerEvents({ blocks: [{ text: Array.from({ length: 100 }, () => "x") }] }) });

for (const cli of clis()) {
  describe(`the life of a bridge over the ${cli.name}`, { skip: cli.skip, timeout: 240_000 }, () => {
    let mock: Mock;
    before(async () => void (mock = await startMock()));
    after(() => mock.close());
    const start = (env: Env = {}) => startBridge(cli.file, { ANTHROPIC_BASE_URL: mock.url, ...env });

    it("leaves no process and no file after many requests and an orderly stop", async () => {
      mock.reset();
      const bridge = await start({ FASTPROXY_BRIDGE_MAX_PROCESSES: "4" });
      const rounds = cli.name === "fake claude" ? 60 : 12;
      const seen = new Set<number>();
      const one = async () => {
        assert.equal((await bridge.post(ask("hi"))).status, 200);
        bridge.pids().forEach((pid) => seen.add(pid));
      };
      for (let i = 0; i < rounds / 3; i += 1) await Promise.all([one(), one(), one()]);
      assert.equal(mock.requests.length, rounds);
      const run = join(bridge.stateDir, readdirSync(bridge.stateDir)[0] ?? "");
      await until("the ended ones are swept", () => readdirSync(run).filter((name) => name.startsWith("p") && name !== "pids").length <= 4);
      bridge.process.kill("SIGTERM");
      assert.equal(await bridge.exit(), 0);
      await until("every process is gone", () => ![...seen].some(isAlive));
      assert.deepEqual(readdirSync(bridge.stateDir), []);
      rmSync(bridge.folder, { recursive: true });
    });

    it("leaves no orphan when it is killed with an answer under way", async () => {
      mock.reset(slow);
      const bridge = await start();
      const response = await bridge.post(ask("hi", { stream: true }));
      await response.body?.getReader().read();
      const pids = bridge.pids();
      assert.ok(pids.length > 0);
      bridge.process.kill("SIGKILL");
      await until("every process is gone", () => !pids.some(isAlive), 3_000);
      await until("its directory is gone", () => readdirSync(bridge.stateDir).length === 0, 3_000);
      rmSync(bridge.folder, { recursive: true });
    });

    it("lets running answers finish after SIGTERM and takes no new ones", async () => {
      mock.reset(() => ({ delayMs: 800 }));
      const bridge = await start();
      const running = bridge.post(ask("hi"));
      await until("it is upstream", () => mock.requests.length === 1);
      bridge.process.kill("SIGTERM");
      assert.equal((await running).status, 200);
      const finished = performance.now();
      assert.equal(await bridge.exit(), 0);
      assert.ok(performance.now() - finished < 1_500, "it waited for the whole drain time");
      rmSync(bridge.folder, { recursive: true });
    });

    it("ends with its parent, and with it everything it started", async () => {
      mock.reset(slow);
      const bridge = await start({ FASTPROXY_BRIDGE_WATCH_STDIN: "1" });
      const response = await bridge.post(ask("hi", { stream: true }));
      await response.body?.getReader().read();
      const pids = bridge.pids();
      bridge.process.stdin?.end();
      assert.equal(await bridge.exit(), 0);
      await until("every process is gone", () => !pids.some(isAlive), 3_000);
      rmSync(bridge.folder, { recursive: true });
    });
  });
}

describe("the start of a bridge", { timeout: 60_000 }, () => {
  const folders: string[] = [];
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), "bridge-test-"));
    folders.push(path);
    return path;
  };
  after(() => folders.forEach((path) => rmSync(path, { recursive: true, force: true })));

  const outcome = async (env: Env) => {
    const child = spawnBridge({ FASTPROXY_BRIDGE_STATE_DIR: join(folder(), "state"), ...env });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise((done) => child.once("exit", done));
    return { code, stderr };
  };

  it("says which port is in use and exits with 1", async () => {
    const first = await startBridge(FAKE);
    const { code, stderr } = await outcome({ FASTPROXY_BRIDGE_PORT: String(first.port) });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`Port ${first.port} .* in use`));
    await first.stop();
  });

  for (const [env, pattern] of [
    [{ FASTPROXY_BRIDGE_POOLSIZE: "3" }, /FASTPROXY_BRIDGE_POOLSIZE is unknown.*FASTPROXY_BRIDGE_POOL_SIZE/],
    [{ FASTPROXY_BRIDGE_POOL_SIZE: "many" }, /FASTPROXY_BRIDGE_POOL_SIZE must be a whole number/],
    [{ FASTPROXY_BRIDGE_LOG_LEVEL: "loud" }, /must be one of debug, info/],
    [{ FASTPROXY_BRIDGE_HOST: "0.0.0.0" }, /set FASTPROXY_BRIDGE_SECRET/],
    [{ FASTPROXY_BRIDGE_MODELS: "--help" }, /not a model name/],
  ] as [Env, RegExp][]) {
    it(`refuses ${JSON.stringify(env)}`, async () => {
      const { code, stderr } = await outcome(env);
      assert.equal(code, 1);
      assert.match(stderr, pattern);
    });
  }

  it("says so where there is no CLI, and finds one that comes later", async () => {
    const later = join(folder(), "claude");
    const bridge = await startBridge(later);
    const health = await fetch(`${bridge.url}/health`);
    assert.equal(health.status, 503);
    assert.equal(((await health.json()) as { status: string }).status, "unavailable");
    const response = await bridge.post(ask("hi"));
    assert.equal(response.status, 503);
    assert.match(await response.text(), /claude CLI was not found/);
    fakeClaude(join(later, ".."), {});
    assert.equal((await bridge.post(ask("hi"))).status, 200);
    await bridge.stop();
  });

  it("kills what an earlier run left behind, and nothing that merely has its number", async () => {
    const stateDir = join(folder(), "state");
    const [stale, other] = [idle(), idle()];
    const pids = join(stateDir, "run-999999-1", "pids");
    mkdirSync(pids, { recursive: true });
    writeFileSync(join(pids, String(stale.pid)), startTime(stale.pid ?? 0) ?? "");
    writeFileSync(join(pids, String(other.pid)), "1");
    const bridge = await startBridge(FAKE, { FASTPROXY_BRIDGE_STATE_DIR: stateDir });
    await until("the stale one is gone", () => !isAlive(stale.pid ?? 0));
    assert.ok(isAlive(other.pid ?? 0));
    assert.ok(!existsSync(join(stateDir, "run-999999-1")));
    other.kill();
    await bridge.stop();
  });

  it("keeps its secret and answers to loopback names only", async () => {
    const locked = await startBridge(FAKE, { FASTPROXY_BRIDGE_SECRET: "s3cret" });
    assert.equal((await locked.post(ask("hi"))).status, 401);
    assert.equal((await locked.post(ask("hi"), { headers: { "x-fastproxy-bridge-secret": "wrong" } })).status, 401);
    assert.equal((await locked.post(ask("hi"), { headers: { "x-fastproxy-bridge-secret": "s3cret" } })).status, 200);
    assert.deepEqual(Object.keys(await locked.health()), ["status"]);
    await locked.stop();
  });
});

function idle(): ChildProcess {
  return spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
}
