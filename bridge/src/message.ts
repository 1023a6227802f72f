/** Puts a stream's events together again: the whole message for a client that asked for no stream. */
import { BridgeError } from "./errors.ts";
import { asObject, asText, type Json, type MessagesEvent } from "./protocol.ts";

const APPENDED: Readonly<Record<string, string>> = { text_delta: "text", thinking_delta: "thinking", signature_delta: "signature" };

export class MessageBuilder {
  #message: Json = {};
  #blocks: Json[] = [];
  #json: string[] = [];

  add(event: MessagesEvent): void {
    const index = typeof event.index === "number" ? event.index : 0;
    if (event.type === "message_start") this.#message = { ...asObject(event.message) };
    else if (event.type === "content_block_start") this.#blocks[index] = { ...asObject(event.content_block) };
    else if (event.type === "content_block_delta") this.#addDelta(index, asObject(event.delta));
    else if (event.type === "message_delta") this.#finish(event);
  }

  #addDelta(index: number, delta: Json): void {
    const block = (this.#blocks[index] ??= {});
    const type = asText(delta.type) ?? "";
    const field = APPENDED[type];
    if (field !== undefined) block[field] = (asText(block[field]) ?? "") + (asText(delta[field]) ?? "");
    else if (type === "input_json_delta") this.#json[index] = (this.#json[index] ?? "") + (asText(delta.partial_json) ?? "");
    else if (type === "citations_delta") block.citations = [...((block.citations ?? []) as unknown[]), delta.citation];
  }

  #finish(event: MessagesEvent): void {
    const usage = { ...asObject(this.#message.usage), ...asObject(event.usage) };
    Object.assign(this.#message, asObject(event.delta), { usage });
  }

  /** The message, its tool inputs parsed. */
  build(): Json {
    const content = this.#blocks.map((block, index) => {
      const json = this.#json[index];
      return json ? { ...block, input: parseInput(json) } : block;
    });
    return { ...this.#message, content };
  }
}

/** An input that was cut by max_tokens is not JSON; the API gives what it has, we cannot. */
function parseInput(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new BridgeError("api_error", "A tool call in the answer holds no complete JSON. Raise max_tokens.", { status: 502 });
  }
}
