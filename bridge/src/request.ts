/** A client's Messages request, checked only as far as the bridge needs it: everything else is for the API to judge. */
import { limitBreakpoints } from "./cache-control.ts";
import { invalid } from "./errors.ts";
import { cliModel } from "./models.ts";
import { asObject, type ContentBlock, type Json, type MessageParam } from "./protocol.ts";

export interface MessagesRequest {
  /** The client's name of the model, and the CLI's. */
  model: string;
  cliModel: string;
  stream: boolean;
  system: string;
  messages: MessageParam[];
  /** Every other field that the API is to see: max_tokens, tools, temperature, thinking, ... */
  parameters: Json;
  /** The client's `anthropic-beta`, where it may be passed on. */
  betas: string | undefined;
}

/** `metadata` would replace the CLI's own identity; the others have their own way into the CLI. */
const NOT_PARAMETERS = new Set(["model", "system", "stream", "messages", "metadata"]);
const ROLES = new Set(["user", "assistant", "system"]);

export function parseRequest(body: unknown, betas: string | undefined): MessagesRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("The body must be a JSON object.");
  const { model, stream, system, messages, max_tokens: maxTokens } = body as Json;
  if (typeof model !== "string" || model === "") throw invalid("model: a model name is required.");
  if (stream !== undefined && typeof stream !== "boolean") throw invalid("stream: must be true or false.");
  if (!Number.isInteger(maxTokens) || (maxTokens as number) < 1) throw invalid("max_tokens: a whole number above 0 is required.");
  const parameters = Object.fromEntries(Object.entries(body).filter(([name]) => !NOT_PARAMETERS.has(name)));
  return {
    model,
    cliModel: cliModel(model),
    stream: stream ?? false,
    system: systemText(system),
    messages: checkMessages(messages),
    parameters,
    betas: checkBetas(betas),
  };
}

function checkBetas(betas = ""): string | undefined {
  if (!/^[\w.,\s-]*$/.test(betas)) throw invalid("anthropic-beta: must be a list of names.");
  return betas.replaceAll(/\s/g, "") || undefined;
}

/** The CLI takes one text; it joins several by an empty line itself. */
function systemText(system: unknown): string {
  if (system === undefined || system === null) return "";
  if (typeof system === "string") return system;
  if (!Array.isArray(system)) throw invalid("system: must be a text or a list of text blocks.");
  const texts = system.map((block: unknown) => asObject(block).text);
  if (!texts.every((text) => typeof text === "string")) throw invalid("system: only text blocks are allowed.");
  return texts.join("\n\n");
}

function checkMessages(messages: unknown): MessageParam[] {
  if (!Array.isArray(messages) || messages.length === 0) throw invalid("messages: at least one message is required.");
  messages.forEach((message: unknown, index) => {
    const { role, content } = asObject(message);
    if (typeof role !== "string" || !ROLES.has(role)) throw invalid(`messages.${index}.role: must be user or assistant.`);
    if (typeof content === "string") return;
    const typed = Array.isArray(content) && content.every((block: unknown) => typeof asObject(block).type === "string");
    if (!typed) throw invalid(`messages.${index}.content: must be a text or a list of content blocks.`);
  });
  return messages as MessageParam[];
}

/** What is merged over the CLI's request body: the client's messages and parameters, word for word but for cache marks. */
export function extraBody(request: MessagesRequest): Json {
  const systemBlocks = request.system === "" ? 1 : 2;
  return limitBreakpoints({ ...request.parameters, messages: request.messages }, systemBlocks);
}

export function blocksOf(content: string | ContentBlock[]): ContentBlock[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}
