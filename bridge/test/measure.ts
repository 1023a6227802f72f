/**
 * The time the bridge adds to the first token, against asking the mock directly, one request each 600 ms.
 * `npm run measure [CLI ...]`: the fake CLI and those given (else `claude` on PATH). Prints one line a case.
 */
import { answerEvents, startMock, type Mock } from "./mock-messages-api.mjs";
import { ask, clis, startBridge, type Bridge } from "./support.ts";

const N = Number(process.env.MEASURE_REQUESTS ?? 25);
const PAUSE_MS = 600;
const UPSTREAM_MS = 300;
const TOKENS = 60;
const TOKEN_GAP_MS = 5;

const history = Array.from({ length: 10 }, (_, i) => [{ role: "user", content: `question ${i}` }, { role: "assistant", content: `answer ${i}` }]).flat();
const system = "You are a terse assistant of a test. ".repeat(10);
const CASES: Record<string, (n: number) => object> = {
  "short prompt": () => ask("hello", { stream: true, system }),
  "short prompt, a new system each time": (n) => ask("hello", { stream: true, system: `${system}${n}` }),
  "history of 10 turns": () => ({ ...ask("", { stream: true, system }), messages: [...history, { role: "user", content: "last" }] }),
  "sampling parameters": () => ask("hello", { stream: true, system, temperature: 0.3, top_p: 0.9, stop_sequences: ["END"] }),
};

/** Milliseconds to the first text delta and when each delta came. */
async function timed(url: string, body: object): Promise<{ first: number; deltas: number[]; origin: string }> {
  const began = performance.now();
  const response = await fetch(`${url}/v1/messages`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const deltas: number[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const count = decoder.decode(chunk as Uint8Array).split("text_delta").length - 1;
    for (let i = 0; i < count; i += 1) deltas.push(performance.now());
  }
  return { first: (deltas[0] ?? Number.NaN) - began, deltas, origin: response.headers.get("x-fastproxy-bridge-process") ?? "direct" };
}

const at = (values: number[], share: number) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
const show = (values: number[]) => `P50 ${at(values, 0.5).toFixed(1)}  P90 ${at(values, 0.9).toFixed(1)}  max ${Math.max(...values).toFixed(1)}`;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

async function firstTokens(name: string, bridge: Bridge, mock: Mock, make: (n: number) => object): Promise<void> {
  mock.reset(() => ({ delayMs: UPSTREAM_MS }));
  const [added, origins] = [[] as number[], new Map<string, number>()];
  for (let n = 0; n < N + 3; n += 1) {
    const direct = await timed(mock.url, make(n));
    await pause(PAUSE_MS / 2);
    const bridged = await timed(bridge.url, make(n));
    await pause(PAUSE_MS);
    if (n < 3) continue;
    added.push(bridged.first - direct.first);
    origins.set(bridged.origin, (origins.get(bridged.origin) ?? 0) + 1);
  }
  console.log(`${name}: added to the first token, ms: ${show(added)}  (${[...origins].map((pair) => pair.join(" ")).join(", ")})`);
}

async function perEvent(name: string, bridge: Bridge, mock: Mock): Promise<void> {
  const events = answerEvents({ blocks: [{ text: Array.from({ length: TOKENS }, (_, i) => `t${i} `) }] });
  const delays: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    mock.reset(() => ({ events, gapMs: TOKEN_GAP_MS }));
    const { deltas } = await timed(bridge.url, ask("hello", { stream: true, system }));
    deltas.slice(1).forEach((time, index) => delays.push(time - (mock.lastEventAt[index + 3] ?? Number.NaN)));
    await pause(1_500);
  }
  console.log(`${name}: from the mock's write to the client's read of an event, ms: ${show(delays)}`);
}

const given = process.argv.slice(2).map((file) => ({ name: file, file, skip: false as const }));
const [fake, found] = clis();
for (const cli of [fake, ...(given.length > 0 ? given : [found])]) {
  if (!cli || cli.skip) continue;
  const mock = await startMock();
  const bridge = await startBridge(cli.file, { ANTHROPIC_BASE_URL: mock.url });
  await pause(4_000);
  const { version } = (await bridge.health()).cli;
  for (const [name, make] of Object.entries(CASES)) await firstTokens(`${cli.name} ${version}, ${name}`, bridge, mock, make);
  await perEvent(`${cli.name} ${version}`, bridge, mock);
  await bridge.stop();
  await mock.close();
}
