/**
 * Keeps a request within the API's four cache breakpoints.
 * The CLI sets one on each of its system blocks, which stand after the tools: a mark on a tool is covered by those and
 * goes. Of the marks on messages the last ones stay, in the default lifetime (a longer one may not follow a shorter).
 */
import type { Json } from "./protocol.ts";

const MOST = 4;

/** A copy of the body with at most `4 - taken` marks left; the body itself where it has none. */
export function limitBreakpoints(body: Json, taken: number): Json {
  const marks = countMarks(body.messages);
  if (marks === 0 && countMarks(body.tools) === 0) return body;
  const surplus = { left: Math.max(0, marks - (MOST - taken)) };
  const tools = body.tools === undefined ? {} : { tools: strip(body.tools, { left: Infinity }) };
  return { ...body, ...tools, messages: strip(body.messages, surplus) };
}

function countMarks(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + countMarks(item), 0);
  if (!isBlock(value)) return 0;
  return (value.cache_control ? 1 : 0) + countMarks(value.content);
}

function strip(value: unknown, surplus: { left: number }): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => strip(item, surplus));
  if (!isBlock(value)) return value;
  const { cache_control: mark, ...rest } = value;
  const content = rest.content === undefined ? {} : { content: strip(rest.content, surplus) };
  if (!mark) return { ...rest, ...content };
  if (surplus.left > 0) {
    surplus.left -= 1;
    return { ...rest, ...content };
  }
  return { ...rest, ...content, cache_control: { type: "ephemeral" } };
}

function isBlock(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
