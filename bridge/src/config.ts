/** The only reader of the bridge's own environment variables. A name or value that makes no sense stops the start. */
import { LEVELS, type Level } from "./log.ts";

export interface Config {
  host: string;
  port: number;
  secret: string | undefined;
  /** Ready processes kept for each warm model. */
  poolSize: number;
  /** Bound of all CLI processes, busy and idle. */
  maxProcesses: number;
  /** Requests that may wait for a process. */
  queueLimit: number;
  /** Spares of a model nobody asked for this long are ended; 0: never. */
  idleSeconds: number;
  /** Upper bound of one answer, where the caller gives no deadline. */
  timeoutSeconds: number;
  /** How long SIGTERM waits for running answers. */
  drainSeconds: number;
  maxBodyBytes: number;
  claudeBin: string | undefined;
  /** Client names of the models that are kept warm from the start. */
  models: readonly string[];
  auth: "auto" | "api_key" | "login";
  logLevel: Level;
  /** Parent of the private directories of every run. */
  stateDir: string | undefined;
  /** End when standard input ends: the parent is gone. */
  watchStdin: boolean;
}

export class ConfigError extends Error {}

type Reader<T> = (value: string) => T;

const text: Reader<string> = (value) => value;
const list: Reader<readonly string[]> = (value) => value.split(",").map((part) => part.trim()).filter(Boolean);

function integer(least: number, most: number): Reader<number> {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new ConfigError(`must be a whole number from ${least} to ${most}`);
  };
}

function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  return (value) => {
    const word = words.find((candidate) => candidate === value.toLowerCase());
    if (word !== undefined) return word;
    throw new ConfigError(`must be one of ${words.join(", ")}`);
  };
}

const flag: Reader<boolean> = (value) => ["1", "true"].includes(oneOf("0", "1", "false", "true")(value));
const DAY = 86_400;

const READERS: { [K in keyof Config]: readonly [name: string, read: Reader<Config[K]>, fallback: Config[K]] } = {
  host: ["HOST", text, "127.0.0.1"],
  port: ["PORT", integer(0, 65_535), 4001],
  secret: ["SECRET", text, undefined],
  poolSize: ["POOL_SIZE", integer(0, 64), 2],
  maxProcesses: ["MAX_PROCESSES", integer(1, 256), 8],
  queueLimit: ["QUEUE_LIMIT", integer(0, 10_000), 32],
  idleSeconds: ["IDLE_SECONDS", integer(0, DAY), 600],
  timeoutSeconds: ["TIMEOUT_SECONDS", integer(1, DAY), 1_800],
  drainSeconds: ["DRAIN_SECONDS", integer(0, 3_600), 10],
  maxBodyBytes: ["MAX_BODY_BYTES", integer(1_024, 1 << 30), 33_554_432],
  claudeBin: ["CLAUDE_BIN", text, undefined],
  models: ["MODELS", list, ["claude-sonnet"]],
  auth: ["AUTH", oneOf("auto", "api_key", "login"), "auto"],
  logLevel: ["LOG_LEVEL", oneOf(...LEVELS), "info"],
  stateDir: ["STATE_DIR", text, undefined],
  watchStdin: ["WATCH_STDIN", flag, false],
};

export const PREFIX = "FASTPROXY_BRIDGE_";

/** Reads the configuration; an empty value counts as unset. Raises `ConfigError` naming the variable and the remedy. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const known = new Set(Object.values(READERS).map(([name]) => PREFIX + name));
  const unknown = Object.keys(env).find((name) => name.startsWith(PREFIX) && !known.has(name));
  if (unknown !== undefined) throw new ConfigError(`${unknown} is unknown. Known are: ${[...known].sort().join(", ")}.`);
  const entries = Object.entries(READERS).map(([key, [name, read, fallback]]) => [key, readOne(env, name, read, fallback)]);
  const config = Object.fromEntries(entries) as Config;
  if (!isLoopback(config.host) && config.secret === undefined) {
    throw new ConfigError(`${PREFIX}HOST=${config.host} is open to other machines: set ${PREFIX}SECRET too, or keep to 127.0.0.1.`);
  }
  return config;
}

function readOne<T>(env: NodeJS.ProcessEnv, suffix: string, read: Reader<T>, fallback: T): T {
  const name = PREFIX + suffix;
  const value = env[name];
  if (value === undefined || value === "") return fallback;
  try {
    return read(value);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${name} ${error.message}.`);
    throw error;
  }
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
