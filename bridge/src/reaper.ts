/**
 * A shell that outlives the bridge by a moment: it reads "+ PID" and "- PID" from a pipe and, when the pipe ends
 * (the bridge is gone, however it went), kills what is left and removes the run's directory.
 */
import { spawn, type ChildProcess } from "node:child_process";

const SCRIPT = `
live=' '
while read -r sign pid; do
  case $sign in
    +) live="$live$pid " ;;
    -) case $live in *" $pid "*) live="\${live%%" $pid "*} \${live#*" $pid "}" ;; esac ;;
  esac
done
for pid in $live; do kill -9 "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null; done
rm -rf -- "$1"
`;

export interface Reaper {
  watch(pid: number): void;
  forget(pid: number): void;
  /** Lets the reaper do its work and end: the last act of an orderly stop. */
  close(): void;
}

/** Starts the reaper; where there is no `sh` the bridge goes without, and stale processes are reaped at the next start. */
export function startReaper(runDir: string, path: string | undefined): Reaper {
  if (process.platform === "win32") return { watch: () => undefined, forget: () => undefined, close: () => undefined };
  const shell: ChildProcess = spawn("sh", ["-c", SCRIPT, "fastproxy-bridge-reaper", runDir], {
    detached: true,
    env: { PATH: path ?? "/usr/bin:/bin" },
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.on("error", () => undefined);
  shell.stdin?.on("error", () => undefined);
  shell.unref();
  const tell = (sign: string, pid: number) => void shell.stdin?.write(`${sign} ${pid}\n`);
  return { watch: (pid) => tell("+", pid), forget: (pid) => tell("-", pid), close: () => void shell.stdin?.end() };
}
