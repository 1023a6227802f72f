/**
 * `POST /v1/messages`: one client request from its headers to its last byte.
 * Nothing is sent before there is content, so a failure until then has a status of its own.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Config } from "./config.ts";
import { asBridgeError, BridgeError, invalid } from "./errors.ts";
import type { Log } from "./log.ts";
import { MessageBuilder } from "./message.ts";
import type { MessagesEvent } from "./protocol.ts";
import { parseRequest } from "./request.ts";
import type { Route } from "./backend.ts";
import { requestId, type Answerer } from "./server.ts";

export const DEADLINE_HEADER = "x-fastproxy-deadline-ms";
const CLIENT_LEFT = new BridgeError("api_error", "The client left.", { status: 499 });

export async function serveMessages(
  config: Config, answerer: Answerer, log: Log, body: unknown, request: IncomingMessage, response: ServerResponse,
): Promise<void> {
  const asked = parseRequest(body, request.headers["anthropic-beta"]?.toString());
  const began = performance.now();
  const limit = limitRequest(config, request, response);
  const record: Record<string, string | number | boolean> = { request_id: requestId(response), model: asked.model, stream: asked.stream };
  const onRoute = (route: Route) => {
    Object.assign(record, { origin: route.origin, mode: route.mode, waited_ms: since(began) });
    setRouteHeaders(response, route);
  };
  const sink = asked.stream ? new StreamSink(response) : new UnarySink(response);
  const onEvent = (event: MessagesEvent) => {
    record.first_event_ms ??= since(began);
    return sink.send(event);
  };
  try {
    await answerer.answer(asked, limit.signal, onRoute, onEvent);
    sink.end();
    log("info", "answered", { ...record, total_ms: since(began) });
  } catch (cause) {
    const error = asBridgeError(cause);
    log(error.status >= 500 ? "warn" : "info", "failed", { ...record, total_ms: since(began), status: error.status, type: error.type });
    if (error === CLIENT_LEFT) return;
    if (!response.headersSent) throw cause;
    (sink as StreamSink).fail(error, requestId(response));
  } finally {
    limit.done();
  }
}

function since(began: number): number {
  return Math.round(performance.now() - began);
}

/** A signal that fires when the client leaves or the time is up. Its reason is the error to send. */
function limitRequest(config: Config, request: IncomingMessage, response: ServerResponse): { signal: AbortSignal; done: () => void } {
  const abort = new AbortController();
  const timer = setTimeout(() => {
    abort.abort(new BridgeError("timeout_error", "The answer did not come within the time allowed."));
  }, millisecondsLeft(request) ?? config.timeoutSeconds * 1_000);
  const onClose = () => {
    if (!response.writableFinished) abort.abort(CLIENT_LEFT);
  };
  response.on("close", onClose);
  return {
    signal: abort.signal,
    done: () => {
      clearTimeout(timer);
      response.off("close", onClose);
    },
  };
}

function millisecondsLeft(request: IncomingMessage): number | undefined {
  const given = request.headers[DEADLINE_HEADER]?.toString();
  if (given === undefined) return undefined;
  if (!/^\d{1,9}$/.test(given)) throw invalid(`${DEADLINE_HEADER}: must be a whole number of milliseconds.`);
  return Number(given);
}

function setRouteHeaders(response: ServerResponse, { origin, mode, dropped }: Route): void {
  if (response.headersSent) return;
  response.setHeader("x-fastproxy-bridge-process", origin);
  response.setHeader("x-fastproxy-bridge-mode", mode);
  if (dropped.length > 0) response.setHeader("x-fastproxy-bridge-dropped", dropped.join(",").replaceAll(/[^\w,.-]/g, "_"));
}

/** Events as they come; headers with the first. */
class StreamSink {
  #response: ServerResponse;
  #drained: Promise<void> | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  send(event: MessagesEvent): Promise<void> | undefined {
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    }
    const more = this.#response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    return more ? undefined : (this.#drained ??= this.#drain());
  }

  #drain(): Promise<void> {
    return new Promise((drained) => {
      this.#response.once("drain", () => {
        this.#drained = undefined;
        drained();
      });
    });
  }

  end(): void {
    this.#response.end();
  }

  /** Too late for a status: the error is the last event, and no message_stop comes. */
  fail(error: BridgeError, id: string): void {
    this.#response.end(`event: error\ndata: ${JSON.stringify(error.envelope(id))}\n\n`);
  }
}

/** The whole message at the end. */
class UnarySink {
  #response: ServerResponse;
  #message = new MessageBuilder();

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  send(event: MessagesEvent): undefined {
    this.#message.add(event);
  }

  end(): void {
    const body = JSON.stringify(this.#message.build());
    this.#response.writeHead(200, { "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(body) }).end(body);
  }
}
