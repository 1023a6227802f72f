/** The process: reads the configuration, listens, and ends in order however it is told to. */
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Backend } from "./backend.ts";
import { ConfigError, readConfig, type Config } from "./config.ts";
import { createLog, type Log } from "./log.ts";
import { cliModel } from "./models.ts";
import { startReaper } from "./reaper.ts";
import { createRunDir, openStateDir, reapStaleRuns } from "./run-dir.ts";
import { createServer } from "./server.ts";

/** Longer than the proxy keeps an idle connection, so that it is the proxy that closes it. */
const KEEP_ALIVE_MS = 120_000;

function main(): void {
  const config = readConfig(process.env);
  config.models.forEach(cliModel);
  const log = createLog(config.logLevel);
  const stateDir = openStateDir(config.stateDir);
  const reaped = reapStaleRuns(stateDir);
  if (reaped > 0) log("warn", "stale_processes_killed", { count: reaped });
  const app = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  app.on("error", (error: NodeJS.ErrnoException) => fail(listenFault(error, config)));
  app.listen(config.port, config.host, () => {
    const runDir = createRunDir(stateDir);
    const reaper = startReaper(runDir.root, process.env.PATH);
    const backend = new Backend(config, process.env, runDir, reaper, log);
    app.on("request", createServer(config, backend, log));
    const { address, port } = app.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ listening: { host: address, port, pid: process.pid } })}\n`);
    log("info", "listening", { host: address, port });
    backend.start().catch((error: unknown) => log("warn", "cli_unavailable", { reason: (error as Error).message }));
    const leave = (code: number): never => {
      backend.kill();
      reaper.close();
      runDir.remove();
      process.exit(code);
    };
    watchSignals(config, log, app, backend, leave);
  });
}

type HttpServer = ReturnType<typeof createHttpServer>;

function watchSignals(config: Config, log: Log, app: HttpServer, backend: Backend, leave: (code: number) => never): void {
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) leave(0);
    stopping = true;
    log("info", "stopping", { signal });
    backend.close();
    app.close(() => leave(0));
    setInterval(() => app.closeIdleConnections(), 50);
    setTimeout(() => leave(0), config.drainSeconds * 1_000);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("uncaughtException", (error) => {
    log("error", "crashed", { kind: error.name, at: error.stack?.split("\n")[1]?.trim() });
    leave(1);
  });
  if (!config.watchStdin) return;
  process.stdin.on("end", () => leave(0));
  process.stdin.on("error", () => leave(0));
  process.stdin.resume();
}

function listenFault(error: NodeJS.ErrnoException, { host, port }: Config): string {
  if (error.code === "EADDRINUSE") return `Port ${port} on ${host} is in use. Set FASTPROXY_BRIDGE_PORT to another one, or to 0 for a free one.`;
  if (error.code === "EACCES") return `Port ${port} on ${host} may not be used by this user. Set FASTPROXY_BRIDGE_PORT to one above 1023.`;
  return `The bridge cannot listen on ${host}:${port} (${error.code ?? error.name}).`;
}

function fail(message: string): never {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level: "error", event: "cannot_start", message })}\n`);
  process.exit(1);
}

try {
  main();
} catch (error) {
  if (error instanceof ConfigError || (error as { type?: string }).type === "invalid_request_error") fail((error as Error).message);
  throw error;
}
