/**
 * The warm pool: spares started ahead, one request each, never more processes than allowed.
 * Rules:
 * 1. busy + spares <= maxProcesses. Spares give way to requests; requests wait in one FIFO queue.
 * 2. A spare is for a model. One spare a model is bound to the system prompt last seen twice in a row.
 * 3. Spares are started after an answer ended, not while one begins: starting costs the CPU the answer needs.
 */
import type { ClaudeProcess, Warmth } from "./claude-process.ts";
import type { Capabilities } from "./self-test.ts";
import { overloaded, type BridgeError } from "./errors.ts";
import { Gate } from "./gate.ts";
import type { Log } from "./log.ts";

export interface PoolLimits {
  poolSize: number;
  maxProcesses: number;
  queueLimit: number;
  idleSeconds: number;
}

/** How a process was come by, best first: bound to the system prompt, of the model, of another model, started now. */
export type Origin = "bound" | "warm" | "rebound" | "cold";

export interface Lease {
  claude: ClaudeProcess;
  origin: Origin;
  /** Ends the process and refills the pool. What was answered is likely to be asked again; what failed is not. */
  release(answered: boolean): void;
}

export interface PoolState {
  busy: number;
  idle: number;
  starting: number;
  queued: number;
  /** Processes started since the bridge's start. */
  spawned: number;
  closing: boolean;
}

type Spawn = (model: string, system?: string) => ClaudeProcess;

interface Demand {
  lastUsed: number;
  lastSystem?: string;
  /** The system prompt worth binding a spare to. */
  hotSystem?: string | undefined;
  permanent: boolean;
}

const STARTING_AT_ONCE = 2;
/** The answer's last bytes are still on their way: to start a process takes the processors that they need. */
const REFILL_AFTER_MS = 25;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export class Pool {
  #limits: PoolLimits;
  #spawn: Spawn;
  #log: Log;
  #capabilities: Capabilities;
  #spares: ClaudeProcess[] = [];
  #busy = new Set<ClaudeProcess>();
  #spawned = 0;
  #gate: Gate;
  #demand = new Map<string, Demand>();
  #closing = false;
  #pauseMs = 0;
  #pausedUntil = 0;
  #timer: NodeJS.Timeout;

  constructor(limits: PoolLimits, models: readonly string[], capabilities: Capabilities, spawn: Spawn, log: Log) {
    this.#limits = limits;
    this.#gate = new Gate(limits.maxProcesses, limits.queueLimit);
    this.#spawn = (model, system) => {
      this.#spawned += 1;
      return spawn(model, system);
    };
    this.#log = log;
    this.#capabilities = capabilities;
    for (const model of models) this.#demand.set(model, { lastUsed: performance.now(), permanent: true });
    this.#timer = setInterval(() => this.#tick(), 1_000).unref();
    this.#fill();
  }

  /** A process for one request: at once, or after the requests before it. Rejects when the queue is full or the signal says so. */
  async acquire(model: string, system: string, signal: AbortSignal): Promise<Lease> {
    if (this.#closing) throw stopping();
    await this.#gate.enter(signal);
    try {
      return this.#lease(model, system);
    } catch (error) {
      this.#gate.leave();
      throw error;
    }
  }

  #lease(model: string, system: string): Lease {
    const [claude, origin] = this.#take(model, system);
    this.#busy.add(claude);
    const release = (answered: boolean) => {
      if (!this.#busy.delete(claude)) return;
      if (answered) this.#noteDemand(model, system);
      claude.kill();
      this.#gate.leave();
      if (this.#gate.waiting === 0) setTimeout(() => this.#fill(), REFILL_AFTER_MS).unref();
    };
    return { claude, origin, release };
  }

  #take(model: string, system: string): [ClaudeProcess, Origin] {
    const free = this.#spares.filter((spare) => !spare.ended);
    const unbound = free.filter((spare) => spare.system === undefined);
    const ready = (spares: ClaudeProcess[]) => spares.find((spare) => spare.ready);
    const own = unbound.filter((spare) => spare.model === model);
    const choices: [ClaudeProcess | undefined, Origin][] = [
      [ready(free.filter((spare) => spare.model === model && spare.system === system)), "bound"],
      [ready(own) ?? own[0], "warm"],
      [this.#capabilities.model ? (ready(unbound) ?? unbound[0]) : undefined, "rebound"],
    ];
    const [claude, origin] = choices.find(([spare]) => spare !== undefined) ?? [undefined, "cold" as const];
    if (claude) {
      this.#spares = this.#spares.filter((spare) => spare !== claude);
      return [claude, origin];
    }
    this.#makeRoom();
    return [this.#spawn(model), "cold"];
  }

  /** A request comes before a spare that cannot serve it. */
  #makeRoom(): void {
    while (this.#gate.taken + this.#spares.length > this.#limits.maxProcesses && this.#spares.length > 0) {
      this.#spares.shift()?.kill();
    }
  }

  #noteDemand(model: string, system: string): void {
    const known = this.#demand.get(model);
    const hotSystem = known?.lastSystem === system ? system : known?.hotSystem;
    const permanent = known?.permanent ?? false;
    this.#demand.set(model, { lastUsed: performance.now(), lastSystem: system, hotSystem, permanent });
  }

  /** Starts the spares that are missing, the model used last first, a few at a time. */
  #fill(): void {
    if (this.#closing || performance.now() < this.#pausedUntil) return;
    const models = [...this.#demand].sort(([, a], [, b]) => b.lastUsed - a.lastUsed);
    for (const [model, demand] of models) {
      const mine = this.#spares.filter((spare) => spare.model === model);
      this.#dropStale(mine, demand.hotSystem);
      const bound = mine.some((spare) => spare.system !== undefined && !spare.ended);
      const wanted = this.#wantsBound(demand) && !bound ? demand.hotSystem : undefined;
      for (let missing = this.#limits.poolSize - mine.length; missing > 0 && this.#hasRoom(); missing -= 1) {
        this.#start(model, missing === 1 ? wanted : undefined);
      }
    }
  }

  #wantsBound({ hotSystem }: Demand): boolean {
    return hotSystem !== undefined && this.#limits.poolSize > 1 && this.#capabilities.emptyTurn && this.#capabilities.body;
  }

  /** A spare bound to a prompt that is no longer asked for serves nobody. */
  #dropStale(mine: ClaudeProcess[], hotSystem: string | undefined): void {
    const stale = mine.filter((spare) => spare.system !== undefined && spare.system !== hotSystem);
    for (const spare of stale) {
      mine.splice(mine.indexOf(spare), 1);
      this.#forget(spare);
      spare.kill();
    }
  }

  #hasRoom(): boolean {
    const starting = this.#spares.filter((spare) => !spare.ready).length;
    return starting < STARTING_AT_ONCE && this.#gate.taken + this.#spares.length < this.#limits.maxProcesses;
  }

  #start(model: string, system: string | undefined): void {
    const claude = this.#spawn(model, system);
    const warmth: Warmth = { settings: this.#capabilities.body, system };
    this.#spares.push(claude);
    void claude.warmUp(warmth).then((warm) => {
      if (!warm) return;
      this.#pauseMs = 0;
      this.#log("debug", "spare_ready", { model, bound: system !== undefined, ms: Math.round(performance.now() - claude.bornAt) });
      this.#fill();
    });
    void claude.exited.then((exit) => {
      if (!this.#forget(claude)) return;
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
      this.#pausedUntil = performance.now() + this.#pauseMs;
      this.#log("warn", "spare_died", { model, code: exit.code, signal: exit.signal, pause_ms: this.#pauseMs });
    });
  }

  #forget(claude: ClaudeProcess): boolean {
    const before = this.#spares.length;
    this.#spares = this.#spares.filter((spare) => spare !== claude);
    return this.#spares.length < before;
  }

  #tick(): void {
    const { idleSeconds } = this.#limits;
    const oldest = performance.now() - idleSeconds * 1_000;
    for (const [model, demand] of this.#demand) {
      if (idleSeconds === 0 || demand.permanent || demand.lastUsed > oldest) continue;
      this.#demand.delete(model);
      this.#discard((spare) => spare.model === model);
    }
    if (this.#busy.size === 0) this.#fill();
  }

  #discard(which: (spare: ClaudeProcess) => boolean): void {
    const gone = this.#spares.filter(which);
    this.#spares = this.#spares.filter((spare) => !which(spare));
    for (const spare of gone) spare.kill();
  }

  /** Ends every spare and starts new ones: what they read at their start (a login) is no longer true. */
  refresh(): void {
    this.#discard(() => true);
    setImmediate(() => this.#fill());
  }

  state(): PoolState {
    const starting = this.#spares.filter((spare) => !spare.ready).length;
    const idle = this.#spares.length - starting;
    return { busy: this.#busy.size, idle, starting, queued: this.#gate.waiting, spawned: this.#spawned, closing: this.#closing };
  }

  /** No spares and no new requests from now on; running ones go on. */
  close(): void {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#discard(() => true);
    this.#gate.dismiss(stopping());
  }

  /** Ends the running ones too. */
  kill(): void {
    this.close();
    for (const claude of this.#busy) claude.kill();
  }
}

function stopping(): BridgeError {
  return overloaded("The bridge is stopping.", 1);
}
