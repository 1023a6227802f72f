/** The HTTP face: routes, secrets, limits, errors in Anthropic's envelope. Knows nothing of processes. */
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler, type Response } from "express";
import { isLoopback, type Config } from "./config.ts";
import { asBridgeError, BridgeError, invalid } from "./errors.ts";
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
  app.use(nameRequest);
  app.get("/health", health(config, answerer));
  app.use(admit(config));
  app.get("/v1/models", (_request, response) => void response.json(listModels(config.models)));
  const read = [requireJson, express.json({ limit: config.maxBodyBytes, type: () => true, strict: false })];
  const serve: RequestHandler = (request, response) => serveMessages(config, answerer, log, request, response);
  app.post(["/v1/messages", "/anthropic/chat"], ...read, serve);
  app.use((request) => {
    throw new BridgeError("not_found_error", `${request.method} ${request.path} is not served here.`);
  });
  app.use(sendError(log));
  return app;
}

export function requestId(response: Response): string {
  return String(response.getHeader("x-request-id"));
}

const nameRequest: RequestHandler = (request, response, next) => {
  const given = request.get("x-request-id") ?? "";
  const id = /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
  response.setHeader("x-request-id", id);
  response.setHeader("request-id", id);
  next();
};

/** Everybody may know whether it works; the details are for those who hold the secret. */
function health(config: Config, answerer: Answerer): RequestHandler {
  return (request, response) => {
    const state = answerer.health();
    const up = state.status !== "unavailable" && state.status !== "stopping";
    response.status(up ? 200 : 503).json(holdsSecret(config, request) ? state : { status: state.status });
  };
}

/** The shared secret where there is one; else only what is addressed to loopback (a page that rebinds its name is not). */
function admit(config: Config): RequestHandler {
  return (request, _response, next) => {
    if (!holdsSecret(config, request)) {
      throw new BridgeError("authentication_error", `${SECRET_HEADER}: missing or wrong.`, { shouldRetry: false });
    }
    if (config.secret === undefined && !isLoopback(hostOf(request))) {
      throw new BridgeError("permission_error", "Without a secret the bridge answers to loopback names only.");
    }
    next();
  };
}

function hostOf(request: Request): string {
  return (request.get("host") ?? "").replace(/:\d+$/, "");
}

function holdsSecret({ secret }: Config, request: Request): boolean {
  if (secret === undefined) return true;
  const [given, wanted] = [request.get(SECRET_HEADER) ?? "", secret].map((text) => createHash("sha256").update(text).digest());
  return given !== undefined && wanted !== undefined && timingSafeEqual(given, wanted);
}

/** A page in a browser cannot send this type to another origin without asking first, and it is never answered. */
const requireJson: RequestHandler = (request, _response, next) => {
  if (/^application\/json\b/i.test(request.get("content-type") ?? "")) return next();
  throw new BridgeError("invalid_request_error", "content-type: must be application/json.", { status: 415 });
};

function sendError(log: Log): ErrorRequestHandler {
  return (cause: unknown, _request, response, next) => {
    const error = (cause instanceof BridgeError ? undefined : fromBodyReader(cause)) ?? asBridgeError(cause);
    if (error !== cause && error.status >= 500) log("error", "unexpected", { request_id: requestId(response), kind: describe(cause) });
    if (response.headersSent) return next(cause);
    response.status(error.status).set(error.headers()).json(error.envelope(requestId(response)));
  };
}

function describe(cause: unknown): string {
  return cause instanceof Error ? `${cause.name} ${cause.stack?.split("\n")[1]?.trim() ?? ""}` : typeof cause;
}

/** The errors of express.json, which carry a status and a type of their own. */
function fromBodyReader(cause: unknown): BridgeError | undefined {
  const { type, status } = (cause ?? {}) as { type?: unknown; status?: unknown };
  if (type === "entity.too.large") return new BridgeError("request_too_large", "The body is larger than the bridge allows.");
  if (type === "entity.parse.failed") return invalid("The body is not valid JSON.");
  if (typeof type !== "string" || typeof status !== "number" || status >= 500) return undefined;
  return new BridgeError("invalid_request_error", `The body could not be read (${type}).`, { status });
}
