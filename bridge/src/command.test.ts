import assert from "node:assert/strict";
import { test } from "node:test";
import { argumentsFor, describeCommand, environmentFor } from "./command.ts";

const DIRS = { home: "/run/home", config: "/run/config", tmp: "/run/tmp" };
const MACHINE = {
  PATH: "/bin", HOME: "/home/me", LANG: "C", AWS_SECRET_ACCESS_KEY: "x", OPENAI_API_KEY: "x", CLAUDECODE: "1", NODE_OPTIONS: "--inspect",
  CLAUDE_CODE_EXTRA_BODY: "{}", FASTPROXY_BRIDGE_SECRET: "x", HTTPS_PROXY: "http://proxy:1", CLAUDE_CONFIG_DIR: "/home/me/.claude",
};

test("the CLI sees what it needs of the environment, and nothing else", () => {
  const env = environmentFor(describeCommand("claude", { ...MACHINE, ANTHROPIC_API_KEY: "k" }, "auto"), DIRS);
  for (const name of ["AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "CLAUDECODE", "NODE_OPTIONS", "CLAUDE_CODE_EXTRA_BODY", "FASTPROXY_BRIDGE_SECRET"]) {
    assert.equal(env[name], undefined, name);
  }
  assert.deepEqual([env.PATH, env.ANTHROPIC_API_KEY, env.HTTPS_PROXY], ["/bin", "k", "http://proxy:1"]);
});

test("a key or a token gets an empty home, a login the user's own", () => {
  for (const [credentials, auth, home] of [
    [{ ANTHROPIC_API_KEY: "k" }, "key", "/run/home"],
    [{ ANTHROPIC_AUTH_TOKEN: "t" }, "key", "/run/home"],
    [{ CLAUDE_CODE_OAUTH_TOKEN: "t" }, "token", "/run/home"],
    [{}, "login", "/home/me"],
  ] as const) {
    const command = describeCommand("claude", { ...MACHINE, ...credentials }, "auto");
    assert.deepEqual([command.auth, environmentFor(command, DIRS).HOME], [auth, home]);
  }
});

test("a login is used where it is wanted, and the key beside it is not passed on", () => {
  const command = describeCommand("claude", { ...MACHINE, ANTHROPIC_API_KEY: "k" }, "login");
  assert.deepEqual([command.auth, environmentFor(command, DIRS).ANTHROPIC_API_KEY], ["login", undefined]);
});

test("an upstream on loopback is not asked through a proxy", () => {
  const env = { ...MACHINE, ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: "http://127.0.0.1:9" };
  assert.equal(environmentFor(describeCommand("claude", env, "auto"), DIRS).HTTPS_PROXY, undefined);
});

test("the command line bypasses no permission check and allows no tool", () => {
  for (const auth of ["key", "token", "login"] as const) {
    const given = argumentsFor(auth, "sonnet");
    assert.equal(given[given.indexOf("--tools") + 1], "");
    assert.equal(given[given.indexOf("--setting-sources") + 1], "");
    assert.doesNotMatch(given.join(" "), /permission|bypass|allowed|--mcp-config /i);
    assert.equal(given.includes("--bare"), auth === "key");
  }
});
