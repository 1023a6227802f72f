/** Every failure of the bridge: one exception, one table, Anthropic's envelope. Messages never hold a key or a prompt. */

/** The error types of the Messages API and the status each is sent with. */
export const STATUS = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

export type ErrorType = keyof typeof STATUS;

export interface ErrorDetails {
  /** Sent instead of the type's usual status. */
  status?: number;
  /** Seconds until it is worth trying again: becomes `retry-after`. */
  retryAfter?: number | undefined;
  /** `false` becomes `x-should-retry: false`: the same request will fail again. */
  shouldRetry?: boolean;
}

export interface Envelope {
  type: "error";
  error: { type: ErrorType; message: string };
  request_id: string;
}

export class BridgeError extends Error {
  readonly type: ErrorType;
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly shouldRetry: boolean | undefined;

  constructor(type: ErrorType, message: string, details: ErrorDetails = {}) {
    super(message);
    this.type = type;
    this.status = details.status ?? STATUS[type];
    this.retryAfter = details.retryAfter;
    this.shouldRetry = details.shouldRetry;
  }

  envelope(requestId: string): Envelope {
    return { type: "error", error: { type: this.type, message: this.message }, request_id: requestId };
  }

  headers(): Record<string, string> {
    return {
      ...(this.retryAfter === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(this.retryAfter))) }),
      ...(this.shouldRetry === undefined ? {} : { "x-should-retry": String(this.shouldRetry) }),
    };
  }
}

/** The error type that belongs to an upstream's status. */
export function typeOfStatus(status: number): ErrorType {
  const exact = (Object.keys(STATUS) as ErrorType[]).find((type) => STATUS[type] === status);
  return exact ?? (status >= 500 ? "api_error" : "invalid_request_error");
}

export function invalid(message: string): BridgeError {
  return new BridgeError("invalid_request_error", message);
}

export function overloaded(message: string, retryAfter: number): BridgeError {
  return new BridgeError("overloaded_error", message, { status: 503, retryAfter });
}

/** Whatever was thrown, as an error a client may see: the unexpected loses its text. */
export function asBridgeError(cause: unknown): BridgeError {
  return cause instanceof BridgeError ? cause : new BridgeError("api_error", "The bridge failed; its log has the reason.");
}
