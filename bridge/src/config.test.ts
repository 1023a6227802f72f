import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, isLoopback, readConfig } from "./config.ts";

test("the defaults hold where nothing is set, and an empty value counts as unset", () => {
  const config = readConfig({ PATH: "/bin", FASTPROXY_BRIDGE_PORT: "" });
  assert.equal(config.port, 4001);
  assert.equal(config.host, "127.0.0.1");
  assert.deepEqual(config.models, ["claude-sonnet"]);
  assert.equal(config.secret, undefined);
});

test("every value is read in its own type", () => {
  const config = readConfig({
    FASTPROXY_BRIDGE_PORT: "0",
    FASTPROXY_BRIDGE_MODELS: "claude-opus, claude-haiku",
    FASTPROXY_BRIDGE_WATCH_STDIN: "true",
    FASTPROXY_BRIDGE_LOG_LEVEL: "DEBUG",
  });
  assert.deepEqual([config.port, config.models, config.watchStdin, config.logLevel], [0, ["claude-opus", "claude-haiku"], true, "debug"]);
});

test("a malformed or unknown variable is named with its remedy", () => {
  for (const [name, value, pattern] of [
    ["PORT", "http", /FASTPROXY_BRIDGE_PORT must be a whole number from 0 to 65535/],
    ["PORT", "70000", /whole number/],
    ["POOL_SIZE", "-1", /whole number/],
    ["AUTH", "cookie", /must be one of auto, api_key, login/],
    ["PROT", "1", /FASTPROXY_BRIDGE_PROT is unknown/],
  ] as const) {
    assert.throws(() => readConfig({ [`FASTPROXY_BRIDGE_${name}`]: value }), (error) => error instanceof ConfigError && pattern.test(error.message));
  }
});

test("an address that others can reach needs a secret", () => {
  assert.throws(() => readConfig({ FASTPROXY_BRIDGE_HOST: "0.0.0.0" }), ConfigError);
  assert.equal(readConfig({ FASTPROXY_BRIDGE_HOST: "0.0.0.0", FASTPROXY_BRIDGE_SECRET: "x" }).host, "0.0.0.0");
});

test("only loopback names are loopback", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"]) assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "127.0.0.1.example.com", "10.0.0.1", "", "localhost.evil"]) assert.ok(!isLoopback(host), host);
});
