/** Reads a request's body: JSON in UTF-8, up to a limit. The only way in for bytes. */
import type { IncomingMessage } from "node:http";
import { BridgeError, invalid } from "./errors.ts";

/** The parsed body; rejects with `BridgeError`. */
export function readJson(request: IncomingMessage, limit: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    checkHead(request, limit);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      chunks.length = 0; // what still comes is dropped
      reject(tooLarge());
    });
    request.on("end", () => {
      if (size > limit) return;
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      } catch {
        reject(invalid("The body is not valid JSON."));
      }
    });
    request.on("error", () => reject(invalid("The body ended early.")));
  });
}

/** A page in a browser cannot send this type to another origin without asking first, and it is never answered. */
function checkHead({ headers }: IncomingMessage, limit: number): void {
  if (!/^application\/json\b/i.test(headers["content-type"] ?? "")) throw unsupported("content-type: must be application/json.");
  if ((headers["content-encoding"] ?? "identity") !== "identity") throw unsupported("content-encoding: must not be compressed.");
  if (Number(headers["content-length"] ?? 0) > limit) throw tooLarge();
}

function unsupported(message: string): BridgeError {
  return new BridgeError("invalid_request_error", message, { status: 415 });
}

function tooLarge(): BridgeError {
  return new BridgeError("request_too_large", "The body is larger than the bridge allows.");
}
