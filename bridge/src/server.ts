/**
 * The HTTP face: routes, secrets, limits, errors in Anthropic's envelope. Knows nothing of processes.
 * Express finds the handler and catches what is thrown. The route that answers stands first and passes through nothing
 * else: a request that comes after a pause finds everything cold, and each layer of middleware would add to its answer.
 */
import { randomUUID, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import { readJson } from "./body.ts";
import { isLoopback, type Config } from "./config.ts";
import { asBridgeError, BridgeError } from "./errors.ts";
import type { Log } from "./log.ts";
import { listModels } from "./models.ts";
import type { MessagesRequest } from "./request.ts";
import type { Route } from "./backend.ts";
import type { Json } from "./protocol.ts";
import type { OnEvent } from "./turn.ts";
import { serveMessages } from "./messages-handler.ts";

/** What the server needs of the CLI's side. */
export interface Answerer {
  answer(request: MessagesRequest, signal: AbortSignal, onRoute: (route: Route) => void, onEvent: OnEvent): Promise<void>;
  health(): Json;
}

export const SECRET_HEADER = "x-fastproxy-bridge-secret";

export function createServer(config: Config, answerer: Answerer, log: Log): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  const admit = admission(config);
  app.post(["/v1/messages", "/anthropic/chat"], async (request, response) => {
    nameRequest(request, response);
    admit(request);
    const body = await readJson(request, config.maxBodyBytes);
    await serveMessages(config, answerer, log, body, request, response);
  });
  app.use((request, response, next) => {
    nameRequest(request, response);
    next();
  });
  app.get("/health", health(config, answerer));
  app.get("/v1/models", (request, response) => {
    admit(request);
    response.json(listModels(config.models));
  });
  app.use((request) => {
    admit(request);
    throw new BridgeError("not_found_error", `${request.method} ${request.path} is not served here.`);
  });
  app.use(sendError(log));
  return app;
}

export function requestId(response: ServerResponse): string {
  return String(response.getHeader("x-request-id"));
}

function nameRequest({ headers }: IncomingMessage, response: ServerResponse): void {
  const given = headers["x-request-id"];
  const id = typeof given === "string" && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
  response.setHeader("x-request-id", id);
  response.setHeader("request-id", id);
}

/** Everybody may know whether it works; the details are for those who hold the secret. */
function health(config: Config, answerer: Answerer): RequestHandler {
  const holdsSecret = keyCheck(config);
  return (request, response) => {
    const state = answerer.health();
    const up = state.status !== "unavailable" && state.status !== "stopping";
    response.status(up ? 200 : 503).json(holdsSecret(request) ? state : { status: state.status });
  };
}

/** The shared secret where there is one; else only what is addressed to loopback (a page that rebinds its name is not). */
function admission(config: Config): (request: IncomingMessage) => void {
  const holdsSecret = keyCheck(config);
  return (request) => {
    if (!holdsSecret(request)) {
      throw new BridgeError("authentication_error", `${SECRET_HEADER}: missing or wrong.`, { shouldRetry: false });
    }
    if (config.secret === undefined && !isLoopback((request.headers.host ?? "").replace(/:\d+$/, ""))) {
      throw new BridgeError("permission_error", "Without a secret the bridge answers to loopback names only.");
    }
  };
}

/** Whether a request holds the secret. How long that takes tells the secret's length, and nothing else of it. */
function keyCheck({ secret }: Config): (request: IncomingMessage) => boolean {
  if (secret === undefined) return () => true;
  const wanted = Buffer.from(secret);
  return ({ headers }) => {
    const given = Buffer.from(String(headers[SECRET_HEADER] ?? ""));
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  };
}

function sendError(log: Log): ErrorRequestHandler {
  return (cause: unknown, _request, response, next) => {
    const error = asBridgeError(cause);
    if (error !== cause && error.status >= 500) log("error", "unexpected", { request_id: requestId(response), kind: describe(cause) });
    if (response.headersSent) return next(cause);
    response.status(error.status).set(error.headers()).json(error.envelope(requestId(response)));
  };
}

function describe(cause: unknown): string {
  return cause instanceof Error ? `${cause.name} ${cause.stack?.split("\n")[1]?.trim() ?? ""}` : typeof cause;
}
