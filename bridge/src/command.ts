/** How the CLI is started: which file, which flags, which environment. The one place that knows its switches. */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { execFile } from "node:child_process";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { isLoopback } from "./config.ts";

/** `key`: credentials of the API in the environment. `token`: an OAuth token there. `login`: the user's own ~/.claude. */
export type AuthMode = "key" | "token" | "login";

export interface Command {
  file: string;
  auth: AuthMode;
  /** What the CLI inherits: an allow-list, without the private directories. */
  env: Record<string, string>;
}

/** Directories of one run that belong to nobody else. */
export interface PrivateDirs {
  home: string;
  config: string;
  tmp: string;
}

const FLAGS = [
  "-p",
  "--input-format", "stream-json",
  "--output-format", "stream-json",
  "--include-partial-messages",
  "--verbose",
  "--tools", "",
  "--setting-sources", "",
  "--strict-mcp-config",
  "--no-session-persistence",
  "--disable-slash-commands",
  "--max-turns", "1",
  // Less than any answer costs: the CLI ends with the first one, where it would else ask for more (after max_tokens).
  "--max-budget-usd", "0.000000001",
] as const;

/** No second request, no side traffic, nothing of the machine in the prompt, no model or effort but the client's. */
const SWITCHES: Readonly<Record<string, string>> = {
  CLAUDE_CODE_MAX_RETRIES: "0",
  CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: "1",
  CLAUDE_CODE_DISABLE_ATTACHMENTS: "1",
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  CLAUDE_CODE_DISABLE_CLAUDE_MDS: "1",
  CLAUDE_CODE_DISABLE_AUTO_MEMORY: "1",
  CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS: "1",
  CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP: "1",
  CLAUDE_CODE_DISABLE_THINKING: "1",
  CLAUDE_CODE_EFFORT_LEVEL: "unset",
  DISABLE_AUTOUPDATER: "1",
  DISABLE_AUTO_COMPACT: "1",
  DISABLE_BUG_COMMAND: "1",
  DISABLE_ERROR_REPORTING: "1",
  DISABLE_TELEMETRY: "1",
};

const INHERITED = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
  "ANTHROPIC_BASE_URL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL",
  "SystemRoot", "ComSpec", "PATHEXT",
];
const PROXIES = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"];
const CREDENTIALS: Readonly<Record<AuthMode, readonly string[]>> = {
  key: ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"],
  token: ["CLAUDE_CODE_OAUTH_TOKEN"],
  login: ["HOME", "USER", "LOGNAME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"],
};

export function describeCommand(file: string, env: NodeJS.ProcessEnv, wanted: "auto" | "api_key" | "login"): Command {
  const auth = authMode(env, wanted);
  const proxies = upstreamIsLocal(env.ANTHROPIC_BASE_URL) ? [] : PROXIES;
  const names = [...INHERITED, ...proxies, ...CREDENTIALS[auth]];
  const inherited = names.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  return { file, auth, env: Object.fromEntries(inherited) };
}

function authMode(env: NodeJS.ProcessEnv, wanted: "auto" | "api_key" | "login"): AuthMode {
  const key = Boolean(env.ANTHROPIC_API_KEY ?? env.ANTHROPIC_AUTH_TOKEN);
  if (wanted === "api_key" || (wanted === "auto" && key)) return "key";
  return env.CLAUDE_CODE_OAUTH_TOKEN ? "token" : "login";
}

function upstreamIsLocal(baseUrl: string | undefined): boolean {
  return baseUrl !== undefined && URL.canParse(baseUrl) && isLoopback(new URL(baseUrl).hostname);
}

/** The arguments. Nothing of a request stands here but the model's name. `--bare` never reads a login, so it is for keys. */
export function argumentsFor(auth: AuthMode, model: string): string[] {
  return [...FLAGS, "--model", model, ...(auth === "key" ? ["--bare"] : [])];
}

/** The environment of one process. Only a login sees the user's own home; everybody else gets an empty one. */
export function environmentFor(command: Command, dirs: PrivateDirs): Record<string, string> {
  const isolated = command.auth === "login" ? {} : { HOME: dirs.home, CLAUDE_CONFIG_DIR: dirs.config };
  return { ...command.env, ...SWITCHES, ...isolated, TMPDIR: dirs.tmp };
}

/** Where the CLI keeps its own files. */
export function configDir({ auth, env }: Command, dirs: PrivateDirs): string {
  return auth === "login" ? (env.CLAUDE_CONFIG_DIR ?? join(env.HOME ?? env.USERPROFILE ?? dirs.home, ".claude")) : dirs.config;
}

/** The CLI's file: the configured one, else `claude` on PATH, else where its own installers put it. */
export function locateClaude(configured: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (configured !== undefined && (isAbsolute(configured) || /[\\/]/.test(configured))) {
    return isExecutable(resolve(configured)) ? resolve(configured) : undefined;
  }
  const folders = (env.PATH ?? "").split(delimiter).filter(Boolean);
  const home = env.HOME;
  const own = home === undefined ? [] : [join(home, ".local", "bin"), join(home, ".claude", "local")];
  return [...folders, ...own].map((folder) => join(folder, configured ?? "claude")).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The version the CLI states about itself, or undefined where it will not say. */
export function readVersion(command: Command, dirs: PrivateDirs): Promise<string | undefined> {
  const options = { env: environmentFor(command, dirs), timeout: 10_000, cwd: dirs.tmp };
  return new Promise((done) => {
    execFile(command.file, ["--version"], options, (error, stdout) => {
      done(error ? undefined : /\d+\.\d+\.\d+[\w.-]*/.exec(stdout)?.[0]);
    });
  });
}

/** Whether credentials are there: true, false, or undefined where only the CLI could tell (a keychain). */
export function hasCredentials(command: Command): boolean | undefined {
  if (command.auth !== "login") return CREDENTIALS[command.auth].some((name) => command.env[name] !== undefined);
  const home = command.env.HOME ?? command.env.USERPROFILE;
  const config = command.env.CLAUDE_CONFIG_DIR ?? join(home ?? "", ".claude");
  if (existsSync(join(config, ".credentials.json"))) return true;
  return process.platform === "darwin" ? undefined : home !== undefined && hasOauthAccount(join(home, ".claude.json"));
}

function hasOauthAccount(file: string): boolean {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { oauthAccount?: unknown }).oauthAccount !== undefined;
  } catch {
    return false;
  }
}
