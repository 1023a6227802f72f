/** One CLI process: lines in, lines out, killed with its group. It serves one request and is never used again. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import { argumentsFor, configDir, environmentFor, type Command } from "./command.ts";
import { parseLine, initializeLine, settingsLine, userLine, WARM_ID, type CliMessage, type Json } from "./protocol.ts";
import { killGroup, sweepSessions, type RunDir } from "./run-dir.ts";
import type { Reaper } from "./reaper.ts";

export interface Exit {
  code: number | null;
  signal: string | null;
  /** The end of standard error. */
  stderr: string;
}

export interface Surroundings {
  command: Command;
  runDir: RunDir;
  reaper: Reaper;
}

/** What a process does before anybody asks it something. */
export interface Warmth {
  /** Touch the settings once: the first change is the slow one. */
  settings: boolean;
  /** Bind this system prompt ahead of time, then run an empty turn. */
  system?: string | undefined;
}

const STDERR_KEPT = 4_096;
const LONGEST_LINE = 128 * 1024 * 1024;

export class ClaudeProcess {
  readonly model: string;
  /** The system prompt it was bound to ahead of time, if any. */
  readonly system: string | undefined;
  readonly exited: Promise<Exit>;
  readonly bornAt = performance.now();
  ready = false;
  ended = false;
  #child: ChildProcessWithoutNullStreams;
  #listener: (message: CliMessage) => void = () => undefined;
  #decoder = new StringDecoder("utf8");
  #partial: string[] = [];
  #partialLength = 0;
  #stderr = "";
  /** Once is enough, and later the number may be somebody else's. */
  #killed = false;

  constructor(around: Surroundings, model: string, system?: string) {
    this.model = model;
    this.system = system;
    const dirs = around.runDir.processDirs();
    const env = { ...environmentFor(around.command, around.runDir), TMPDIR: dirs.tmp };
    const args = argumentsFor(around.command.auth, model);
    this.#child = spawn(around.command.file, args, { cwd: dirs.cwd, env, detached: process.platform !== "win32" });
    const { pid } = this.#child;
    if (pid !== undefined) {
      around.runDir.recordPid(pid);
      around.reaper.watch(pid);
    }
    this.exited = this.#watchExit(() => {
      dirs.remove();
      if (pid === undefined) return;
      around.runDir.forgetPid(pid);
      sweepSessions(configDir(around.command, around.runDir), pid);
      around.reaper.forget(pid);
    });
    this.#child.stdout.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-STDERR_KEPT)));
    this.#child.stdin.on("error", () => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  #watchExit(cleanUp: () => void): Promise<Exit> {
    return new Promise((done) => {
      const finish = (exit: Exit) => {
        if (this.ended) return;
        this.ended = true;
        cleanUp();
        done(exit);
      };
      this.#child.on("error", (error) => finish({ code: null, signal: null, stderr: error.message }));
      this.#child.on("close", (code, signal) => finish({ code, signal, stderr: this.#stderr }));
    });
  }

  #read(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    let from = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", from)) {
      this.#partial.push(text.slice(from, end));
      const message = parseLine(this.#partial.join(""));
      this.#partial = [];
      this.#partialLength = 0;
      from = end + 1;
      if (message) this.#listener(message);
    }
    if (from < text.length) this.#partial.push(text.slice(from));
    this.#partialLength += text.length - from;
    if (this.#partialLength > LONGEST_LINE) this.kill();
  }

  /** Who hears every message from now on. */
  listen(listener: (message: CliMessage) => void): void {
    this.#listener = listener;
  }

  send(...lines: Json[]): void {
    if (!this.ended) this.#child.stdin.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  pause(): void {
    this.#child.stdout.pause();
  }

  resume(): void {
    this.#child.stdout.resume();
  }

  kill(): void {
    if (this.#killed || this.ended || this.pid === undefined) return;
    this.#killed = true;
    this.#listener = () => undefined;
    killGroup(this.pid);
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  /** Does what can be done ahead; true once the process has answered everything. Lines may be sent before it has. */
  warmUp(warmth: Warmth): Promise<boolean> {
    const steps: Json[] = [];
    if (warmth.settings) steps.push(settingsLine(WARM_ID, {}));
    if (warmth.system !== undefined) steps.push(initializeLine(warmth.system), userLine([], false));
    const last = warmth.system !== undefined ? "result" : "control_response";
    if (steps.length === 0) return Promise.resolve((this.ready = true));
    const warm = new Promise<boolean>((done) => {
      this.listen((message) => {
        if (message.type !== last) return;
        this.ready = true;
        done(true);
      });
      void this.exited.then(() => done(false));
    });
    this.send(...steps);
    return warm;
  }
}
