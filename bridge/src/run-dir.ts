/**
 * The private directories of one run, and what earlier runs left behind.
 * `STATE/run-<pid>-<start>/` holds everything a run writes; `pids/<pid>` in it holds the start time of a CLI process.
 * A process is killed only if its start time is the one recorded: a recycled number is somebody else's.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { ConfigError } from "./config.ts";
import type { PrivateDirs } from "./command.ts";

export interface RunDir extends PrivateDirs {
  root: string;
  /** A fresh working directory and temporary directory for one process. */
  processDirs(): { cwd: string; tmp: string; remove: () => void };
  recordPid(pid: number): void;
  forgetPid(pid: number): void;
  remove(): void;
}

export function openStateDir(configured: string | undefined): string {
  const { uid, username } = userInfo();
  const path = configured ?? join(tmpdir(), `fastproxy-bridge-${uid >= 0 ? uid : username}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || (uid >= 0 && found.uid !== uid)) {
    throw new ConfigError(`${path} is not a directory of this user. Remove it, or set FASTPROXY_BRIDGE_STATE_DIR.`);
  }
  chmodSync(path, 0o700);
  return path;
}

export function createRunDir(stateDir: string): RunDir {
  const root = join(stateDir, `run-${process.pid}-${startTime(process.pid) ?? "unknown"}`);
  const dirs = { home: join(root, "home"), config: join(root, "config"), tmp: join(root, "tmp") };
  const pids = join(root, "pids");
  for (const path of [...Object.values(dirs), pids]) mkdirSync(path, { recursive: true, mode: 0o700 });
  let count = 0;
  return {
    ...dirs,
    root,
    processDirs() {
      const base = join(root, `p${(count += 1)}`);
      const own = { cwd: join(base, "empty"), tmp: join(base, "tmp") };
      for (const path of Object.values(own)) mkdirSync(path, { recursive: true, mode: 0o700 });
      return { ...own, remove: () => rmSync(base, { recursive: true, force: true }) };
    },
    recordPid: (pid) => writeFileSync(join(pids, String(pid)), startTime(pid) ?? "", { mode: 0o600 }),
    forgetPid: (pid) => rmSync(join(pids, String(pid)), { force: true }),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A killed CLI leaves its session's files behind. */
export function sweepSessions(configDir: string, pid: number): void {
  const folder = join(configDir, "sessions");
  for (const name of list(folder)) if (name.startsWith(`${pid}.`)) rmSync(join(folder, name), { force: true });
}

/** Kills the CLI processes of runs whose bridge is gone and removes their directories. Returns how many were killed. */
export function reapStaleRuns(stateDir: string): number {
  let killed = 0;
  for (const name of list(stateDir)) {
    const [, pid, start] = /^run-(\d+)-(\w+)$/.exec(name) ?? [];
    if (pid === undefined || startTime(Number(pid)) === start) continue;
    const root = join(stateDir, name);
    for (const child of list(join(root, "pids"))) killed += killIfSame(Number(child), join(root, "pids", child)) ? 1 : 0;
    rmSync(root, { recursive: true, force: true });
  }
  return killed;
}

function killIfSame(pid: number, record: string): boolean {
  const recorded = readFileSync(record, "utf8");
  return recorded !== "" && recorded === startTime(pid) && killGroup(pid);
}

/** Kills a process and its group at once. Returns false where it was already gone. */
export function killGroup(pid: number): boolean {
  for (const target of process.platform === "win32" ? [pid] : [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
      return true;
    } catch {
      continue;
    }
  }
  return false;
}

/** When a process started, as the kernel counts it; undefined where there is none (or no /proc: then nothing is reaped). */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
