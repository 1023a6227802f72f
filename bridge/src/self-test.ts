/**
 * Finds out, at the start, which undocumented mechanisms the installed CLI supports.
 * The CLI talks to a server of the bridge's own on loopback, with a made-up key: nothing reaches the real API.
 */
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ClaudeProcess, type Surroundings } from "./claude-process.ts";
import { assistantLine, asObject, initializeLine, settingsLine, userLine, SETTINGS_ID, type CliMessage, type Json } from "./protocol.ts";

export interface Capabilities {
  /** A request body set after the start, with its messages: the exact way. */
  body: boolean;
  /** A model set after the start. */
  model: boolean;
  /** An empty turn that warms a process up and leaves nothing behind. */
  emptyTurn: boolean;
  /** One question upstream, even after an answer that max_tokens cut. */
  once: boolean;
  /** Earlier answers accepted on standard input: the second-best way; null where the best one made the test needless. */
  replay: boolean | null;
}

export const NOTHING: Capabilities = { body: false, model: false, emptyTurn: false, once: false, replay: false };

/** How conversations are handed over with these capabilities. */
export type Mode = "body" | "replay" | "flattened";

export function modeOf(capabilities: Capabilities): Mode {
  if (capabilities.body) return "body";
  return capabilities.replay ? "replay" : "flattened";
}

const PATIENCE_MS = 30_000;
const MODEL = "claude-self-test-1";
const HISTORY = [
  { role: "user", content: "first" },
  { role: "assistant", content: "second" },
  { role: "user", content: "/third" },
];

export async function runSelfTest(around: Surroundings): Promise<Capabilities> {
  const body = await trial(around, testBody);
  if (body.body === true) return { ...NOTHING, ...body, replay: null };
  return { ...NOTHING, ...body, ...(await trial(around, testReplay)) };
}

/** What one trial sees: the process's messages and the request bodies the CLI sent. */
interface Trial {
  claude: ClaudeProcess;
  next: (type: string) => Promise<CliMessage>;
  requests: Json[];
}

async function trial(around: Surroundings, test: (trial: Trial) => Promise<Partial<Capabilities>>): Promise<Partial<Capabilities>> {
  const requests: Json[] = [];
  const server = await listen(requests);
  const { port } = server.address() as AddressInfo;
  const { PATH, LANG, SystemRoot } = around.command.env;
  const env = Object.fromEntries(Object.entries({ PATH, LANG, SystemRoot }).filter(([, value]) => value !== undefined)) as Record<string, string>;
  const auth = around.command.auth === "key" ? "key" : "token";
  const command = { ...around.command, auth, env: { ...env, ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`, ANTHROPIC_API_KEY: "self-test" } } as const;
  const claude = new ClaudeProcess({ ...around, command }, "sonnet");
  try {
    return await test({ claude, requests, next: (type) => nextMessage(claude, type) });
  } catch {
    return {};
  } finally {
    claude.kill();
    await claude.exited;
    server.closeAllConnections();
    server.close();
  }
}

async function testBody({ claude, next, requests }: Trial): Promise<Partial<Capabilities>> {
  claude.send(initializeLine("self-test"), userLine([], false));
  await next("result");
  const emptyTurn = requests.length === 0;
  const extra = { messages: HISTORY, max_tokens: 7, temperature: 0.5, tools: [{ name: "t", input_schema: { type: "object" } }] };
  const done = next("result");
  claude.send(settingsLine(SETTINGS_ID, extra, MODEL), userLine("."));
  await done;
  const seen = requests[0] ?? {};
  const body = Object.entries(extra).every(([name, value]) => same(seen[name], value));
  return { emptyTurn, once: requests.length === 1, body, model: body && seen.model === MODEL };
}

async function testReplay({ claude, next, requests }: Trial): Promise<Partial<Capabilities>> {
  const zeroTurn = next("result");
  claude.send(initializeLine("self-test"), userLine("first", false));
  await zeroTurn;
  const done = next("result");
  claude.send(assistantLine([{ type: "text", text: "second" }], "sonnet", randomUUID()), userLine("third"));
  await done;
  const messages = (requests[0]?.messages ?? []) as unknown[];
  const order = messages.map((message) => asObject(message).role).filter((role) => role !== "system");
  const text = JSON.stringify(messages);
  const places = ["first", "second", "third"].map((word) => text.indexOf(word));
  const ordered = places.every((place, index) => place >= 0 && place > (places[index - 1] ?? -1));
  return { replay: same(order, ["user", "assistant", "user"]) && ordered };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function nextMessage(claude: ClaudeProcess, type: string): Promise<CliMessage> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${type}`)), PATIENCE_MS).unref();
    void claude.exited.then(() => reject(new Error("exited")));
    claude.listen((message) => {
      if (message.type !== type) return;
      clearTimeout(timer);
      resolve(message);
    });
  });
}

const ANSWER = [
  { type: "message_start", message: { id: "msg_t", type: "message", role: "assistant", model: MODEL, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "ok" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "max_tokens", stop_sequence: null }, usage: { output_tokens: 1 } },
  { type: "message_stop" },
];
const ANSWER_BYTES = ANSWER.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");

/** The smallest Messages API that satisfies a CLI. */
function listen(requests: Json[]): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method !== "POST") return void response.writeHead(200).end();
      requests.push(parse(Buffer.concat(chunks).toString("utf8")));
      response.writeHead(200, { "content-type": "text/event-stream" }).end(ANSWER_BYTES);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function parse(text: string): Json {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}
