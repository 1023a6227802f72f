/**
 * How a conversation reaches a CLI that cannot take a request body: replayed line by line, or flattened into one text.
 * Here client text does stand on user lines, so what the CLI would take for a command gets a space before it.
 */
import { randomUUID } from "node:crypto";
import { invalid } from "./errors.ts";
import { assistantLine, userLine, type ContentBlock, type Json, type MessageParam } from "./protocol.ts";
import { blocksOf, type MessagesRequest } from "./request.ts";

/** Parameters that change the answer's shape: without them the answer would be wrong, not just different. */
const NEEDED = ["tools", "tool_choice", "output_config", "thinking", "stop_sequences", "mcp_servers", "container"];

/** Names what will be left out; refuses what may not be. */
export function droppedParameters({ parameters }: MessagesRequest): string[] {
  const missing = NEEDED.find((name) => parameters[name] !== undefined && !isEmpty(parameters[name]));
  if (missing !== undefined) throw invalid(`${missing}: the installed claude CLI cannot take it. Update the CLI.`);
  return Object.keys(parameters);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** One step of a replay: lines to write, and whether a zero-turn result must come before the next step. */
export interface ReplayStep {
  lines: Json[];
  awaitResult: boolean;
}

/** Appends the history in order and ends with the question. User lines are queued by the CLI, assistant lines are not. */
export function replaySteps(messages: readonly MessageParam[], model: string): ReplayStep[] {
  const last = messages.at(-1);
  if (last?.role !== "user") throw invalid("messages: the last message must be the user's.");
  const steps = messages.slice(0, -1).map(({ role, content }): ReplayStep => {
    if (role === "user") return { lines: [userLine(asLiteral(content), false)], awaitResult: true };
    return { lines: [assistantLine(blocksOf(content), model, randomUUID())], awaitResult: false };
  });
  return [...steps, { lines: [userLine(asLiteral(last.content))], awaitResult: false }];
}

function asLiteral(content: string | ContentBlock[]): ContentBlock[] {
  return blocksOf(content).map((block) => {
    const text = block.text;
    return block.type === "text" && typeof text === "string" && text.startsWith("/") ? { ...block, text: ` ${text}` } : block;
  });
}

const SPEAKERS: Readonly<Record<string, string>> = { user: "User", assistant: "Assistant", system: "System" };

/** The whole conversation as one user message: images stay blocks, everything else becomes text. */
export function flatten(messages: readonly MessageParam[]): Json {
  const only = messages[0];
  if (messages.length === 1 && only?.role === "user") return userLine(asLiteral(only.content));
  const blocks = messages.flatMap(({ role, content }): ContentBlock[] => {
    const said = blocksOf(content).map(flatBlock);
    return [{ type: "text", text: `${SPEAKERS[role] ?? role}:` }, ...said];
  });
  const intro = "The conversation so far follows. Answer its last message, as the assistant.";
  return userLine([{ type: "text", text: intro }, ...blocks]);
}

function flatBlock(block: ContentBlock): ContentBlock {
  if (block.type === "image" || block.type === "document" || block.type === "text") return block;
  return { type: "text", text: JSON.stringify(block) };
}
