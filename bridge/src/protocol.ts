/** The CLI's stream-json protocol: the lines we write and the lines it writes. Unknown types and fields are ignored. */

export type Json = Record<string, unknown>;

export interface ContentBlock extends Json {
  type: string;
}

export interface MessageParam extends Json {
  role: string;
  content: string | ContentBlock[];
}

/** An event of Anthropic's stream, passed on as it came. */
export interface MessagesEvent extends Json {
  type: string;
}

/** A line of the CLI's standard output. Fields are checked where they are used. */
export interface CliMessage extends Json {
  type: string;
}

export function parseLine(line: string): CliMessage | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line) as CliMessage;
    return typeof value.type === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

export function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

export const INITIALIZE_ID = "initialize";
export const SETTINGS_ID = "settings";
export const WARM_ID = "warm";

/** Binds the system prompt. Only the first one of a process counts, and it must come before the first user line. */
export function initializeLine(systemPrompt: string): Json {
  return control(INITIALIZE_ID, { subtype: "initialize", systemPrompt: [systemPrompt] });
}

/** Sets the model of the next turn and what is merged over its request body. */
export function settingsLine(id: string, body: Json, model?: string, betas?: string): Json {
  const env = { CLAUDE_CODE_EXTRA_BODY: JSON.stringify(body), ...(betas === undefined ? {} : { ANTHROPIC_BETAS: betas }) };
  return control(id, { subtype: "apply_flag_settings", settings: { ...(model === undefined ? {} : { model }), env } });
}

function control(requestId: string, request: Json): Json {
  return { type: "control_request", request_id: requestId, request };
}

/** A user message. `query: false` only appends it to the history: the CLI answers with a result and asks nobody. */
export function userLine(content: MessageParam["content"], query = true): Json {
  const line = { type: "user", message: { role: "user", content }, parent_tool_use_id: null, session_id: "" };
  return { ...line, client_composed: true, ...(query ? {} : { shouldQuery: false }) };
}

/** An earlier answer, appended to the history at once. */
export function assistantLine(content: ContentBlock[], model: string, id: string): Json {
  const usage = { input_tokens: 0, output_tokens: 0 };
  const message = { id: `msg_${id}`, type: "message", role: "assistant", model, content, stop_reason: "end_turn", stop_sequence: null, usage };
  return { type: "assistant", message, parent_tool_use_id: null, session_id: "", uuid: id };
}
