/**
 * One request on one process: what is written, what is read, when it is over.
 * Rules:
 * 1. The first stop reason ends the turn, whatever the CLI would do next: it re-prompts by itself after some.
 * 2. One message_start a turn: a second one means the CLI asked again, and its text may not be joined to the first.
 * 3. A body the CLI did not confirm is not answered: it would be the answer to another question.
 */
import { BridgeError, asBridgeError } from "./errors.ts";
import { errorFromCli, errorFromExit } from "./cli-errors.ts";
import type { ClaudeProcess } from "./claude-process.ts";
import { asNumber, asObject, asText, SETTINGS_ID, type CliMessage, type Json, type MessagesEvent } from "./protocol.ts";
import type { ReplayStep } from "./history.ts";

/** What one request makes the bridge write. */
export interface TurnPlan {
  /** Written first, at once: bind the system prompt, set the body. */
  opening: Json[];
  steps: ReplayStep[];
  /** A settings line is among the opening, so its confirmation must come. */
  needsSettings: boolean;
  model: string;
}

/** A promise asks the process to wait: the client does not read. */
export type OnEvent = (event: MessagesEvent) => Promise<void> | undefined;

/** Runs the plan and passes events on. Resolves after the message's end; rejects with `BridgeError`. The process is spent. */
export function runTurn(claude: ClaudeProcess, plan: TurnPlan, signal: AbortSignal, onEvent: OnEvent): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = new Turn(claude, plan, onEvent);
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      claude.kill();
      act();
    };
    const onAbort = () => settle(() => reject(asBridgeError(signal.reason)));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void claude.exited.then((exit) => settle(() => reject(errorFromExit(exit))));
    claude.listen((message) => {
      try {
        if (turn.read(message)) settle(resolve);
      } catch (error) {
        settle(() => reject(asBridgeError(error)));
      }
    });
    turn.start();
  });
}

class Turn {
  #claude: ClaudeProcess;
  #plan: TurnPlan;
  #onEvent: OnEvent;
  #nextStep = 0;
  #confirmed: boolean;
  #started = false;
  /** The stop reason, where a line of its own tells it before the event does. */
  #stop: string | undefined;
  #resetsAt: number | undefined;
  /** What the CLI says in the model's place when it fails. */
  #said = "";
  #reason: string | undefined;
  #type: string | undefined;
  /** Events that go out with the next one. */
  #held: MessagesEvent[] = [];

  constructor(claude: ClaudeProcess, plan: TurnPlan, onEvent: OnEvent) {
    this.#claude = claude;
    this.#plan = plan;
    this.#onEvent = onEvent;
    this.#confirmed = !plan.needsSettings;
  }

  start(): void {
    this.#claude.send(...this.#plan.opening, ...this.#takeSteps());
  }

  /** The lines up to the next result that must be waited for. */
  #takeSteps(): Json[] {
    const { steps } = this.#plan;
    const pause = steps.findIndex((step, index) => index >= this.#nextStep && step.awaitResult);
    const end = pause === -1 ? steps.length : pause + 1;
    const lines = steps.slice(this.#nextStep, end).flatMap((step) => step.lines);
    this.#nextStep = end;
    return lines;
  }

  /** True when the answer is complete. Throws `BridgeError` when it never will be. */
  read(message: CliMessage): boolean {
    switch (message.type) {
      case "stream_event":
        return message.parent_tool_use_id ? false : this.#readEvent(asObject(message.event) as MessagesEvent);
      case "control_response":
        return this.#readConfirmation(asObject(message.response));
      case "system":
        return this.#readSystem(message);
      case "rate_limit_event":
        return this.#readLimit(asObject(message.rate_limit_info));
      case "assistant":
        this.#reason = asText(message.error) ?? this.#reason;
        this.#type = asText(message.api_error_type) ?? this.#type;
        if (message.error !== undefined) this.#said = textOf(asObject(message.message).content);
        return false;
      case "result":
        return this.#readResult(message);
      default:
        return false;
    }
  }

  #readEvent(event: MessagesEvent): boolean {
    if (event.type === "message_start") {
      if (this.#started) throw broken("The claude CLI began its answer a second time.");
      if (!this.#confirmed) throw broken("The claude CLI did not confirm the request's body.");
      this.#started = true;
    }
    if (!this.#started || event.type === "message_stop") return false;
    const stopped = event.type === "message_delta" && asObject(event.delta).stop_reason;
    if (event.type === "message_delta" && !stopped) return false;
    if (stopped) this.#claude.kill();
    this.#pass(event);
    if (stopped) this.#pass({ type: "message_stop" });
    return Boolean(stopped);
  }

  #pass(event: MessagesEvent): void {
    this.#held.push(event);
    if (isOpening(event)) return;
    for (const one of this.#held.splice(0)) this.#send(one);
  }

  #send(event: MessagesEvent): void {
    const drained = this.#onEvent(event);
    if (drained === undefined) return;
    this.#claude.pause();
    void drained.then(() => this.#claude.resume());
  }

  #readConfirmation(response: Json): boolean {
    if (response.request_id === SETTINGS_ID && response.subtype === "success") this.#confirmed = true;
    else if (response.subtype === "error" && response.request_id === SETTINGS_ID) {
      throw broken("The claude CLI refused the request's body.");
    }
    return false;
  }

  #readSystem(message: CliMessage): boolean {
    if (message.subtype === "init") {
      const own = [message.tools, message.mcp_servers].some((list) => Array.isArray(list) && list.length > 0);
      if (own) throw broken("The claude CLI brought tools or MCP servers of its own.");
    }
    if (message.subtype === "model_refusal_no_fallback" && this.#started) this.#stop = "refusal";
    if (message.subtype === "api_retry") {
      throw this.#failure(asNumber(message.error_status), asText(message.error) ?? "The claude CLI tried again.");
    }
    return false;
  }

  #readLimit(info: Json): boolean {
    if (info.status === "rejected") this.#resetsAt = asNumber(info.resetsAt);
    return false;
  }

  #readResult(message: CliMessage): boolean {
    if (this.#stop !== undefined) return this.#endEarly(this.#stop, message);
    if (message.is_error === true) {
      this.#type = asText(message.api_error_type) ?? this.#type;
      throw this.#failure(asNumber(message.api_error_status), asText(message.result) ?? this.#said);
    }
    if (this.#nextStep < this.#plan.steps.length) {
      this.#claude.send(...this.#takeSteps());
      return false;
    }
    throw broken(this.#started ? "The answer ended without a stop reason." : "The claude CLI ended its turn without an answer.");
  }

  /** The budget, which ends every answer, ended it before the CLI passed the stop reason on: 2.1.197 after a refusal. */
  #endEarly(stop: string, result: CliMessage): boolean {
    const spent = Object.values(asObject(result.modelUsage)).map((usage) => asNumber(asObject(usage).outputTokens) ?? 0);
    const usage = { output_tokens: spent.reduce((sum, tokens) => sum + tokens, 0) };
    this.#pass({ type: "message_delta", delta: { stop_reason: stop, stop_sequence: null }, usage });
    this.#pass({ type: "message_stop" });
    return true;
  }

  #failure(status: number | undefined, text: string): BridgeError {
    const { model } = this.#plan;
    const now = Date.now() / 1_000;
    return errorFromCli({ status, type: this.#type, reason: this.#reason, text, resetsAt: this.#resetsAt, now, model });
  }
}

/**
 * Whether an event tells nothing until the next one comes, which the CLI writes a moment later. Whoever is woken by the
 * first would take the processor that the CLI needs to write the second.
 */
function isOpening(event: MessagesEvent): boolean {
  if (event.type === "message_start") return true;
  return event.type === "content_block_start" && !("name" in asObject(event.content_block));
}

function textOf(content: unknown): string {
  return Array.isArray(content) ? content.map((block) => asText(asObject(block).text) ?? "").join("") : "";
}

function broken(message: string): BridgeError {
  return new BridgeError("api_error", message, { status: 502 });
}
