/** What the tests share: the CLIs to test with, a bridge in its own process, and a small client. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { locateClaude } from "../src/command.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
export const FAKE = join(HERE, "fake-claude.mjs");

export interface Cli {
  name: string;
  file: string;
  /** Why it cannot be tested here; false where it can. */
  skip: string | false;
}

/** The fake CLI always; the real one where FASTPROXY_TEST_CLAUDE_BIN or PATH has it. */
export function clis(): Cli[] {
  const file = locateClaude(process.env.FASTPROXY_TEST_CLAUDE_BIN, process.env);
  const skip = file === undefined && "no claude on PATH, and FASTPROXY_TEST_CLAUDE_BIN is not set";
  return [{ name: "fake claude", file: FAKE, skip: false }, { name: "real claude", file: file ?? "", skip }];
}

/** A launcher of the fake CLI with a script of its own. */
export function fakeClaude(folder: string, script: object): string {
  const file = join(folder, "claude");
  const lines = ["#!/usr/bin/env node", `process.env.FAKE_CLAUDE = ${JSON.stringify(JSON.stringify(script))};`, `void import(${JSON.stringify(FAKE)});`];
  writeFileSync(file, lines.join("\n"), { mode: 0o755 });
  return file;
}

export interface Bridge {
  url: string;
  port: number;
  process: ChildProcess;
  folder: string;
  stateDir: string;
  logs: string[];
  post(body: object, options?: { headers?: Record<string, string>; path?: string; signal?: AbortSignal }): Promise<Response>;
  health(): Promise<Health>;
  /** Pids of the CLI processes it has recorded. */
  pids(): number[];
  exit(): Promise<number | null>;
  stop(): Promise<void>;
}

export interface Health {
  status: string;
  cli: { found: boolean; version: string | null };
  auth: { mode: string; credentials: boolean | "unknown" };
  self_test: { mode: string; once: boolean } | null;
  pool: { busy: number; idle: number; starting: number; queued: number } | null;
}

export type Env = Record<string, string | undefined>;

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGTERM")));

/** Starts the bridge as a process of its own on a free port. `env` adds to (or, undefined, takes from) its environment. */
export async function startBridge(claudeBin: string, env: Env = {}): Promise<Bridge> {
  const folder = mkdtempSync(join(tmpdir(), "bridge-test-"));
  const stateDir = join(folder, "state");
  const child = spawnBridge({ FASTPROXY_BRIDGE_CLAUDE_BIN: claudeBin, FASTPROXY_BRIDGE_STATE_DIR: stateDir, HOME: folder, ...env });
  const logs: string[] = [];
  child.stderr?.on("data", (chunk: Buffer) => logs.push(...chunk.toString().split("\n").filter(Boolean)));
  const exited = new Promise<number | null>((done) => child.once("exit", done));
  const port = await listeningPort(child, exited, logs);
  const url = `http://127.0.0.1:${port}`;
  return {
    url, port, process: child, folder, stateDir, logs,
    post: (body, { headers = {}, path = "/v1/messages", signal } = {}) =>
      fetch(url + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body), ...(signal && { signal }) }),
    health: async () => (await (await fetch(`${url}/health`)).json()) as Health,
    pids: () => recordedPids(stateDir),
    exit: () => exited,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let built: string | undefined;

/** The bridge as it is shipped, built once for all that is started here. */
function bundle(): string {
  if (built !== undefined) return built;
  const folder = mkdtempSync(join(tmpdir(), "bridge-bundle-"));
  process.once("exit", () => rmSync(folder, { recursive: true }));
  built = join(folder, "bridge.cjs");
  execFileSync(process.execPath, ["build.mjs", built], { cwd: join(HERE, "..") });
  return built;
}

export function spawnBridge(env: Env, stdin: "ignore" | "pipe" = env.FASTPROXY_BRIDGE_WATCH_STDIN ? "pipe" : "ignore"): ChildProcess {
  const base = { PATH: process.env.PATH, ANTHROPIC_API_KEY: "sk-ant-test-key", FASTPROXY_BRIDGE_PORT: "0", FASTPROXY_BRIDGE_DRAIN_SECONDS: "2" };
  const child = spawn(process.execPath, [bundle()], { cwd: "/", env: { ...base, ...env }, stdio: [stdin, "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

async function listeningPort(child: ChildProcess, exited: Promise<number | null>, logs: string[]): Promise<number> {
  const line = new Promise<string>((done) => child.stdout?.once("data", (chunk: Buffer) => done(chunk.toString())));
  const first = await Promise.race([line, exited]);
  if (typeof first !== "string") throw new Error(`the bridge ended: ${logs.join(" ")}`);
  return (JSON.parse(first) as { listening: { port: number } }).listening.port;
}

function recordedPids(stateDir: string): number[] {
  try {
    return readdirSync(stateDir).flatMap((run) => readdirSync(join(stateDir, run, "pids")).map(Number));
  } catch {
    return [];
  }
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] !== "Z";
  } catch {
    return false;
  }
}

/** Resident bytes of a process. */
export function memoryOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4_096;
}

/** Waits until something is so; fails with its name when it does not come about. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`did not happen in ${limitMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

export interface SseEvent extends Record<string, unknown> {
  type: string;
}

export function sseEvents(text: string): SseEvent[] {
  const frames = text.split("\n\n").filter(Boolean);
  return frames.map((frame) => {
    const [name, data] = frame.split("\n");
    const event = JSON.parse(data?.slice(6) ?? "") as SseEvent;
    if (name !== `event: ${event.type}`) throw new Error(`event line ${name} of ${event.type}`);
    return event;
  });
}

export function ask(content: unknown, more: object = {}): { messages: unknown[] } & Record<string, unknown> {
  return { model: "claude-sonnet", max_tokens: 100, messages: [{ role: "user", content }], ...more };
}

export interface Answer {
  content: Record<string, unknown>[];
  stop_reason: string;
  stop_sequence: string | null;
  model: string;
  usage: Record<string, number>;
}

export const answer = async (response: Response): Promise<Answer> => (await response.json()) as Answer;

export interface Failure {
  type: string;
  error: { type: string; message: string };
  request_id: string;
}

export const failure = async (response: Response): Promise<Failure> => (await response.json()) as Failure;
