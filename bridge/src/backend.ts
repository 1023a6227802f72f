/** The CLI as the server sees it: found, tested, pooled; one request in, Messages events out. */
import { describeCommand, hasCredentials, locateClaude, readVersion, type Command } from "./command.ts";
import type { Config } from "./config.ts";
import { ClaudeProcess, type Surroundings } from "./claude-process.ts";
import { BridgeError } from "./errors.ts";
import { droppedParameters, flatten, replaySteps } from "./history.ts";
import type { Log } from "./log.ts";
import { cliModel } from "./models.ts";
import { Pool, type Lease, type Origin } from "./pool.ts";
import { initializeLine, settingsLine, userLine, SETTINGS_ID, type Json } from "./protocol.ts";
import type { Reaper } from "./reaper.ts";
import { extraBody, type MessagesRequest } from "./request.ts";
import type { RunDir } from "./run-dir.ts";
import { modeOf, runSelfTest, type Capabilities, type Mode } from "./self-test.ts";
import { runTurn, type OnEvent, type TurnPlan } from "./turn.ts";

/** What an answer says about how it was made. */
export interface Route {
  origin: Origin;
  mode: Mode;
  dropped: string[];
}

interface Ready {
  command: Command;
  version: string | undefined;
  capabilities: Capabilities;
  pool: Pool;
}

/** In body mode the CLI never reads this: the body's messages take its place. */
const PLACEHOLDER = ".";

export class Backend {
  #config: Config;
  #env: NodeJS.ProcessEnv;
  #runDir: RunDir;
  #reaper: Reaper;
  #log: Log;
  #ready: Promise<Ready> | undefined;
  #current: Ready | undefined;
  #stopping = false;

  constructor(config: Config, env: NodeJS.ProcessEnv, runDir: RunDir, reaper: Reaper, log: Log) {
    this.#config = config;
    this.#env = env;
    this.#runDir = runDir;
    this.#reaper = reaper;
    this.#log = log;
  }

  /** Finds and tests the CLI and starts the pool, once; a CLI that is missing is looked for again. */
  start(): Promise<Ready> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #prepare(): Promise<Ready> {
    const file = locateClaude(this.#config.claudeBin, this.#env);
    if (file === undefined) throw missing(this.#config.claudeBin);
    const command = describeCommand(file, this.#env, this.#config.auth);
    const around: Surroundings = { command, runDir: this.#runDir, reaper: this.#reaper };
    const [version, capabilities] = await Promise.all([readVersion(command, this.#runDir), runSelfTest(around)]);
    if (this.#stopping) throw new BridgeError("overloaded_error", "The bridge is stopping.", { status: 503 });
    const spawn = (model: string, system?: string) => new ClaudeProcess(around, model, system);
    const models = this.#config.models.map(cliModel);
    const pool = new Pool(this.#config, models, capabilities, spawn, this.#log);
    this.#log("info", "cli_ready", { version, auth: command.auth, mode: modeOf(capabilities), ...capabilities });
    return (this.#current = { command, version, capabilities, pool });
  }

  /** Answers one request: `onRoute` once a process is found, then events. Rejects with `BridgeError`. */
  async answer(request: MessagesRequest, signal: AbortSignal, onRoute: (route: Route) => void, onEvent: OnEvent): Promise<void> {
    const { pool, capabilities, command } = this.#current ?? (await orAborted(this.start(), signal));
    const mode = modeOf(capabilities);
    const dropped = mode === "body" ? [] : droppedParameters(request);
    const lease = await pool.acquire(request.cliModel, request.system, signal);
    let answered = false;
    try {
      onRoute({ origin: lease.origin, mode, dropped });
      const betas = command.auth === "key" ? request.betas : undefined;
      await runTurn(lease.claude, planFor(request, lease, mode, betas), signal, onEvent);
      answered = true;
    } catch (error) {
      if (command.auth === "login" && error instanceof BridgeError && error.type === "authentication_error") pool.refresh();
      throw error;
    } finally {
      lease.release(answered);
    }
  }

  health(): Json {
    const file = this.#current?.command.file ?? locateClaude(this.#config.claudeBin, this.#env);
    const command = file === undefined ? undefined : describeCommand(file, this.#env, this.#config.auth);
    const ready = this.#current;
    return {
      status: this.#status(command !== undefined),
      cli: { found: command !== undefined, version: ready?.version ?? null },
      auth: command && { mode: command.auth, credentials: hasCredentials(command) ?? "unknown" },
      self_test: ready ? { mode: modeOf(ready.capabilities), ...ready.capabilities } : null,
      pool: ready?.pool.state() ?? null,
    };
  }

  #status(found: boolean): string {
    if (this.#stopping) return "stopping";
    if (!found) return "unavailable";
    if (!this.#current) return "starting";
    const { body, once } = this.#current.capabilities;
    return body && once ? "ok" : "degraded";
  }

  /** No new requests; running ones go on. */
  close(): void {
    this.#stopping = true;
    this.#current?.pool.close();
  }

  kill(): void {
    this.close();
    this.#current?.pool.kill();
  }
}

function planFor(request: MessagesRequest, lease: Lease, mode: Mode, betas: string | undefined): TurnPlan {
  const opening = lease.origin === "bound" ? [] : [initializeLine(request.system)];
  const base = { model: request.model, needsSettings: mode === "body" };
  if (mode === "body") {
    const model = lease.origin === "rebound" ? request.cliModel : undefined;
    const lines = [...opening, settingsLine(SETTINGS_ID, extraBody(request), model, betas)];
    return { ...base, opening: lines, steps: [{ lines: [userLine(PLACEHOLDER)], awaitResult: false }] };
  }
  const steps = mode === "replay" ? replaySteps(request.messages, request.cliModel) : [{ lines: [flatten(request.messages)], awaitResult: false }];
  return { ...base, opening, steps };
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    const leave = () => reject(signal.reason as BridgeError);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
  });
}

function missing(configured: string | undefined): BridgeError {
  const where = configured === undefined ? "on PATH" : "where FASTPROXY_BRIDGE_CLAUDE_BIN says";
  const remedy = "Install it (npm install -g @anthropic-ai/claude-code) or set FASTPROXY_BRIDGE_CLAUDE_BIN.";
  return new BridgeError("api_error", `The claude CLI was not found ${where}. ${remedy}`, { status: 503 });
}
