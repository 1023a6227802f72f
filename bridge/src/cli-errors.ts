/** How the CLI says that something went wrong, turned into a `BridgeError`. The status decides before the text. */
import stripAnsi from "strip-ansi";
import { BridgeError, typeOfStatus, STATUS, type ErrorType } from "./errors.ts";

/** What is known about a failure once the CLI has given up. */
export interface CliFailure {
  /** `result.api_error_status`: the upstream's status, where it answered. */
  status?: number | undefined;
  /** `result.api_error_type` (newer CLIs). */
  type?: string | undefined;
  /** `assistant.error` of the synthetic message: rate_limit, authentication_failed, ... */
  reason?: string | undefined;
  /** The CLI's own words. */
  text: string;
  /** Unix seconds when a usage limit ends, from `rate_limit_event`. */
  resetsAt?: number | undefined;
  /** Now, in Unix seconds. */
  now: number;
  model: string;
}

/** Words by which the CLI names a failure that has no status. */
const BY_TEXT: readonly (readonly [RegExp, ErrorType, number?])[] = [
  [/not logged in|please run \/login|invalid api key|authentication|oauth token|token (has )?expired/i, "authentication_error"],
  [/prompt is too long|context window/i, "invalid_request_error"],
  [/(usage|session|weekly|hour|rate) limit|limit reached/i, "rate_limit_error"],
  [/overloaded/i, "overloaded_error"],
  [/credit balance|billing/i, "billing_error"],
  [/request too large/i, "request_too_large"],
  [/unable to connect|connection|econnre|etimedout|enotfound|socket|fetch failed/i, "api_error", 502],
];

const BY_REASON: Readonly<Record<string, ErrorType>> = {
  authentication_failed: "authentication_error",
  billing_error: "billing_error",
  rate_limit: "rate_limit_error",
  invalid_request: "invalid_request_error",
  model_not_found: "not_found_error",
  overloaded: "overloaded_error",
};

export function errorFromCli(failure: CliFailure): BridgeError {
  const [type, status] = classify(failure);
  if (type === "authentication_error") return authenticationError(failure.text);
  if (type === "not_found_error") {
    return new BridgeError(type, `model: ${failure.model} does not exist upstream, or these credentials may not use it.`);
  }
  if (type === "rate_limit_error") {
    return new BridgeError(type, words(failure.text), { retryAfter: secondsUntilReset(failure) });
  }
  return new BridgeError(type, words(failure.text), { status });
}

function classify(failure: CliFailure): [ErrorType, number] {
  if (failure.status !== undefined) {
    const type = failure.type !== undefined && failure.type in STATUS ? (failure.type as ErrorType) : typeOfStatus(failure.status);
    return [type, failure.status];
  }
  const row = BY_TEXT.find(([pattern]) => pattern.test(failure.text));
  if (row) return [row[1], row[2] ?? STATUS[row[1]]];
  const type = BY_REASON[failure.reason ?? ""] ?? "api_error";
  return [type, STATUS[type]];
}

function authenticationError(text: string): BridgeError {
  const remedy = "Run `claude` and log in, or set ANTHROPIC_API_KEY for the bridge.";
  return new BridgeError("authentication_error", `The claude CLI could not authenticate (${words(text)}). ${remedy}`, {
    shouldRetry: false,
  });
}

/** A limit's end comes in an event of its own or, from older CLIs, behind a bar in the text. */
function secondsUntilReset({ resetsAt, text, now }: CliFailure): number | undefined {
  const at = resetsAt ?? Number(/\|(\d{9,11})\b/.exec(text)?.[1] ?? Number.NaN);
  return Number.isFinite(at) && at > now ? at - now : undefined;
}

/** The CLI's text without its prefix, its advice about gateways and its escape codes. */
export function words(text: string): string {
  const plain = stripAnsi(text).replace(/^(Failed to authenticate\. )?API Error: (\d{3} )?/, "");
  const bare = plain.replace(/ (This is a server-side issue|Check the gateway set in|If it persists, check).*$/s, "");
  return bare.trim().slice(0, 2_000) || "The claude CLI failed without saying why.";
}

/** A process that ended before it answered. Its standard error is the only witness. */
export function errorFromExit(exit: { code: number | null; signal: string | null; stderr: string }): BridgeError {
  const how = exit.signal === null ? `exit code ${exit.code ?? "unknown"}` : `signal ${exit.signal}`;
  const said = stripAnsi(exit.stderr).trim().split("\n").at(-1)?.slice(0, 300) ?? "";
  return new BridgeError("api_error", `The claude CLI ended before the answer did (${how})${said ? `: ${said}` : "."}`, { status: 502 });
}
