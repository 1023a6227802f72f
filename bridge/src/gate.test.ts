import assert from "node:assert/strict";
import { test } from "node:test";
import { BridgeError, overloaded } from "./errors.ts";
import { Gate } from "./gate.ts";

const never = new AbortController().signal;

test("places are given out in the order of arrival", async () => {
  const gate = new Gate(1, 5);
  const order: string[] = [];
  await gate.enter(never);
  const waiting = ["a", "b", "c"].map((name) => gate.enter(never).then(() => order.push(name)));
  for (const arrival of waiting) {
    gate.leave();
    await arrival;
  }
  assert.deepEqual(order, ["a", "b", "c"]);
  gate.leave();
  assert.deepEqual([gate.taken, gate.waiting], [0, 0]);
});

test("a newcomer does not slip in between a leave and the next in line", async () => {
  const gate = new Gate(1, 5);
  await gate.enter(never);
  const second = gate.enter(never);
  gate.leave();
  const third = gate.enter(never);
  await second;
  assert.deepEqual([gate.taken, gate.waiting], [1, 1]);
  gate.leave();
  await third;
  assert.equal(gate.taken, 1);
});

test("a full line refuses with a time to come back", async () => {
  const gate = new Gate(1, 0);
  await gate.enter(never);
  await assert.rejects(gate.enter(never), (error) => error instanceof BridgeError && error.status === 503 && error.retryAfter === 1);
});

test("who leaves the line gives nobody's place away", async () => {
  const gate = new Gate(1, 5);
  await gate.enter(never);
  const abort = new AbortController();
  const leaver = gate.enter(abort.signal);
  const stayer = gate.enter(never);
  abort.abort(new BridgeError("timeout_error", "late"));
  await assert.rejects(leaver, { type: "timeout_error" });
  gate.leave();
  await stayer;
  assert.deepEqual([gate.taken, gate.waiting], [1, 0]);
});

test("a signal that fired already takes no place", async () => {
  const gate = new Gate(1, 5);
  await assert.rejects(gate.enter(AbortSignal.abort(overloaded("x", 1))));
  assert.equal(gate.taken, 0);
});
