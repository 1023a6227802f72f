// The bodies of fastproxy's API. Made from openapi.json by `make docs`; do not edit.
//
//   import type { ChatCompletionRequest, CreateChatCompletion } from "./fastproxy";

/** OpenAI's Chat Completions request. Fields that a provider has no equivalent for are named in the answer's x-fastproxy-warning header. */
export interface ChatCompletionRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model: string;
  messages: Message[];
  /** Answer with server-sent events. */
  stream?: boolean;
  stream_options?: {
    include_usage?: boolean;
  };
  temperature?: number;
  top_p?: number;
  n?: number;
  max_completion_tokens?: number;
  max_tokens?: number;
  stop?: string | string[];
  seed?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  logit_bias?: Record<string, number>;
  logprobs?: boolean;
  top_logprobs?: number;
  tools?: Tool[];
  tool_choice?: ToolChoice;
  parallel_tool_calls?: boolean;
  response_format?: ResponseFormat;
  /** none, minimal, low, medium, high, xhigh: as far as the model can. */
  reasoning_effort?: string;
  user?: string;
  metadata?: Record<string, unknown>;
}

export type ResponseFormat = {
  type: "text" | "json_object";
} | {
  type: "json_schema";
  json_schema: {
    name: string;
    description?: string;
    schema: Record<string, unknown>;
    strict?: boolean;
  };
};

/** A ChatCompletionRequest whose `model` is not read. */
export interface DeploymentChatCompletionRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model?: string;
  messages: Message[];
  /** Answer with server-sent events. */
  stream?: boolean;
  stream_options?: {
    include_usage?: boolean;
  };
  temperature?: number;
  top_p?: number;
  n?: number;
  max_completion_tokens?: number;
  max_tokens?: number;
  stop?: string | string[];
  seed?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  logit_bias?: Record<string, number>;
  logprobs?: boolean;
  top_logprobs?: number;
  tools?: Tool[];
  tool_choice?: ToolChoice;
  parallel_tool_calls?: boolean;
  response_format?: ResponseFormat;
  /** none, minimal, low, medium, high, xhigh: as far as the model can. */
  reasoning_effort?: string;
  user?: string;
  metadata?: Record<string, unknown>;
}

export interface InstructionMessage {
  role: "system" | "developer";
  content: Content;
}

export interface UserMessage {
  role: "user";
  content: Content;
  name?: string;
}

/** A model's turn as it came. What a client drops of it (signatures, reasoning) is added again here. */
export interface AssistantMessage {
  role: "assistant";
  content?: string | ContentPart[] | null;
  reasoning_content?: string | null;
  refusal?: string | null;
  tool_calls?: ToolCall[];
}

export interface ToolMessage {
  role: "tool";
  tool_call_id: string;
  content: Content;
}

export type Message = InstructionMessage | UserMessage | AssistantMessage | ToolMessage;

export interface TextPart {
  type: "text";
  text: string;
}

export interface ImagePart {
  type: "image_url";
  image_url: {
    /** A data: URL, or an address that the provider itself can fetch. */
    url: string;
    detail?: "auto" | "low" | "high";
  };
}

export interface AudioPart {
  type: "input_audio";
  input_audio: {
    /** Base64. */
    data: string;
    format: string;
  };
}

export interface FilePart {
  type: "file";
  file: {
    /** A data: URL. */
    file_data?: string;
    file_id?: string;
    filename?: string;
  };
}

export type ContentPart = TextPart | ImagePart | AudioPart | FilePart;

export type Content = string | ContentPart[];

export interface ToolCall {
  id: string;
  type: "function";
  function: {
    name: string;
    /** A JSON object. */
    arguments: string;
  };
}

export interface Tool {
  type: "function";
  function: {
    name: string;
    description?: string;
    /** A JSON schema. */
    parameters?: Record<string, unknown>;
    strict?: boolean;
  };
}

export type ToolChoice = "auto" | "none" | "required" | {
  type: "function";
  function: {
    name: string;
  };
};

export interface EmbeddingsRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model: string;
  input: string | string[];
  encoding_format?: "float" | "base64";
  dimensions?: number;
  user?: string;
}

/** The provider's own count; absent where it gave none. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: {
    cached_tokens?: number;
  };
  completion_tokens_details?: {
    reasoning_tokens?: number;
  };
}

export interface AnswerMessage {
  role: "assistant";
  content: string | null;
  refusal?: string | null;
  reasoning_content?: string | null;
  tool_calls?: ToolCall[];
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Unix time in seconds. */
  created: number;
  /** The name that was asked for; x-fastproxy-model tells who answered. */
  model: string;
  choices: ({
    index: number;
    message: AnswerMessage;
    finish_reason: "stop" | "length" | "tool_calls" | "content_filter";
    logprobs?: Record<string, unknown> | null;
  })[];
  usage?: Usage;
}

export interface ToolCallDelta {
  index: number;
  /** In the first delta of a call only, as `type` and `function.name`. */
  id?: string;
  type?: "function";
  function?: {
    name?: string;
    /** A piece of the JSON. */
    arguments?: string;
  };
}

/** One `data:` event of a stream. The stream ends with `data: [DONE]`; one that broke ends with an Error event and without it. */
export interface ChatCompletionChunk {
  /** The same in all chunks, as `created` and `model`. */
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: ({
    index: number;
    delta: {
      role?: "assistant";
      content?: string | null;
      reasoning_content?: string | null;
      refusal?: string | null;
      tool_calls?: ToolCallDelta[];
    };
    finish_reason?: "stop" | "length" | "tool_calls" | "content_filter" | null;
    logprobs?: Record<string, unknown> | null;
  })[];
  usage?: Usage | null;
}

export interface Embeddings {
  object: "list";
  data: ({
    object: "embedding";
    index: number;
    embedding: number[] | string;
  })[];
  model: string;
  usage: {
    prompt_tokens: number;
    total_tokens: number;
  };
}

export interface Model {
  id: string;
  object: "model";
  created: number;
  /** The provider's name in the configuration. */
  owned_by: string;
  name?: string;
  context_length?: number;
  context_window?: number;
  max_output_tokens?: number;
  input_modalities?: string[];
  output_modalities?: string[];
  supports_tool_use?: boolean;
  supports_reasoning?: boolean;
  capabilities?: Record<string, boolean>;
}

export interface ModelList {
  object: "list";
  data: Model[];
}

export interface Status {
  status: "ok" | "draining";
}

export interface Health {
  status: "ok" | "draining";
  version: string;
  uptime_seconds: number;
  in_flight: number;
  /** Each configured provider's state, by name. */
  providers: Record<string, unknown>;
}

/** OpenAI's error envelope, for every fault. */
export interface Error {
  error: {
    /** What happened, and what to do. */
    message: string;
    type: string;
    /** The field of the request that is wrong: `messages[2].content`. */
    param: string | null;
    /** Stable; see docs/failure-modes.md. */
    code: string | null;
  };
}

/** A content block of Anthropic's, with the fields of its type. */
export interface MessagesBlock {
  /** text, image, tool_use, tool_result, thinking, document, ... */
  type: string;
}

export interface MessagesTurn {
  role: "user" | "assistant";
  content: string | MessagesBlock[];
}

/** Anthropic's Messages request. It passes untouched to a Claude, and is translated for other models. */
export interface MessagesRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model: string;
  messages: MessagesTurn[];
  system?: string | MessagesBlock[];
  tools?: Record<string, unknown>[];
  tool_choice?: Record<string, unknown>;
  thinking?: Record<string, unknown>;
  /** Limit of the answer's length. */
  max_tokens: number;
  stream?: boolean;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  stop_sequences?: string[];
  metadata?: Record<string, unknown>;
}

export interface CountTokensRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model: string;
  messages: MessagesTurn[];
  system?: string | MessagesBlock[];
  tools?: Record<string, unknown>[];
  tool_choice?: Record<string, unknown>;
  thinking?: Record<string, unknown>;
}

export interface AnthropicMessage {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: MessagesBlock[];
  stop_reason: string | null;
  stop_sequence?: string | null;
  usage: {
    input_tokens: number;
    output_tokens: number;
  };
}

export interface MessagesEvent {
  /** message_start, content_block_delta, ..., ping, error. */
  type: string;
}

export interface TokenCount {
  input_tokens: number;
}

/** Anthropic's error envelope: for these paths, and for clients that send `anthropic-version`. */
export interface AnthropicError {
  type: "error";
  error: {
    type: string;
    message: string;
  };
  request_id?: string;
}

/** An item of OpenAI's Responses API, with the fields of its type. */
export interface ResponseItem {
  /** message, function_call, function_call_output, reasoning, ... */
  type?: string;
}

/** OpenAI's Responses request. Nothing is stored here: send the whole conversation in `input`. */
export interface ResponsesRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model: string;
  input: string | ResponseItem[];
  instructions?: string;
  stream?: boolean;
  tools?: Record<string, unknown>[];
  tool_choice?: string | Record<string, unknown>;
  parallel_tool_calls?: boolean;
  max_output_tokens?: number;
  temperature?: number;
  top_p?: number;
  reasoning?: Record<string, unknown>;
  text?: Record<string, unknown>;
  include?: string[];
  metadata?: Record<string, unknown>;
}

export interface Response {
  id: string;
  object: "response";
  created_at: number;
  status: "completed" | "incomplete" | "failed" | "in_progress";
  model: string;
  output: ResponseItem[];
  usage?: {
    input_tokens: number;
    output_tokens: number;
    total_tokens: number;
  } | null;
}

export interface ResponseEvent {
  /** response.created, response.output_text.delta, ..., response.completed. */
  type: string;
}

/** DeepSeek, Ollama and OpenAI-compatible servers go on with the text or fill the gap; other models are asked in a chat. */
export interface CompletionRequest {
  /** A name of GET /v1/models, or an alias of the configuration. */
  model: string;
  /** The text to go on with; one for each request. */
  prompt: string;
  /** What follows the gap that is to be filled. */
  suffix?: string;
  stream?: boolean;
  stream_options?: {
    include_usage?: boolean;
  };
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
  stop?: string | string[];
}

export interface Completion {
  id: string;
  object: "text_completion";
  /** Unix time in seconds. */
  created: number;
  /** The name that was asked for. */
  model: string;
  choices: ({
    text: string;
    index: number;
    logprobs?: null;
    finish_reason: "stop" | "length" | "content_filter";
  })[];
  usage?: Usage;
}

/** What happened to one request; never what was said in it. */
export interface FinishedRequest {
  /** Its x-request-id. */
  id: string;
  /** Unix time of its end. */
  at: number;
  path: string;
  /** The name of the key. */
  caller: string;
  /** As it was asked for. */
  model: string;
  /** Who answered, or was asked last; "": nobody was. */
  provider: string;
  provider_model?: string;
  stream?: boolean;
  status: number;
  error_code?: string;
  client_gone?: boolean;
  attempts?: number;
  duration_ms: number;
  /** Streams only. */
  first_token_ms?: number | null;
  /** What the proxy added until the answer began. */
  overhead_ms?: number | null;
  input_tokens?: number | null;
  output_tokens?: number | null;
}

/** The last 120 whole seconds, the oldest first, by the ends of their requests. */
export interface Seconds {
  requests: number[];
  errors: number[];
  overhead_p50_ms?: (number | null)[];
  overhead_p99_ms?: (number | null)[];
  first_token_p50_ms?: (number | null)[];
  first_token_p99_ms?: (number | null)[];
}

/** The state and the last two minutes of the worker process that answers. */
export interface StatusData {
  status: "ok" | "draining";
  version: string;
  uptime_seconds: number;
  in_flight: number;
  waiting: number;
  tasks?: number;
  /** Whether what is said is logged. */
  log_bodies?: boolean;
  /** As in Health, each with its `last_error` where it had one. */
  providers: Record<string, unknown>;
  caller: {
    name: string;
    has_key: boolean;
    sees_all: boolean;
  };
  worker: {
    pid: number;
    workers: number;
  };
  /** Unix time here. */
  now: number;
  seconds: Seconds;
  /** The last 50, the newest first. */
  requests: FinishedRequest[];
}

export interface CreateChatCompletion {
  path: "/v1/chat/completions";
  method: "POST";
  body: ChatCompletionRequest;
  answers: {
    200: ChatCompletion | string;
    400: Error;
    401: Error;
    403: Error;
    404: Error;
    408: Error;
    413: Error;
    415: Error;
    429: Error;
    500: Error;
    502: Error;
    503: Error;
    504: Error;
  };
}

export interface CreateDeploymentChatCompletion {
  path: "/openai/deployments/{deployment}/chat/completions";
  method: "POST";
  body: DeploymentChatCompletionRequest;
  answers: {
    200: ChatCompletion | string;
    400: Error;
    401: Error;
    403: Error;
    404: Error;
    408: Error;
    413: Error;
    415: Error;
    429: Error;
    500: Error;
    502: Error;
    503: Error;
    504: Error;
  };
}

export interface CreateCompletion {
  path: "/v1/completions";
  method: "POST";
  body: CompletionRequest;
  answers: {
    200: Completion | string;
    400: Error;
    401: Error;
    403: Error;
    404: Error;
    408: Error;
    413: Error;
    415: Error;
    429: Error;
    500: Error;
    502: Error;
    503: Error;
    504: Error;
  };
}

export interface CreateEmbedding {
  path: "/v1/embeddings";
  method: "POST";
  body: EmbeddingsRequest;
  answers: {
    200: Embeddings;
    400: Error;
    401: Error;
    403: Error;
    404: Error;
    408: Error;
    413: Error;
    415: Error;
    429: Error;
    500: Error;
    502: Error;
    503: Error;
    504: Error;
  };
}

export interface CreateResponse {
  path: "/v1/responses";
  method: "POST";
  body: ResponsesRequest;
  answers: {
    200: Response | string;
    400: Error;
    401: Error;
    403: Error;
    404: Error;
    408: Error;
    413: Error;
    415: Error;
    429: Error;
    500: Error;
    502: Error;
    503: Error;
    504: Error;
  };
}

export interface GetResponse {
  path: "/v1/responses/{id}";
  method: "GET";
  answers: {
    400: Error;
    401: Error;
    404: Error;
  };
}

export interface DeleteResponse {
  path: "/v1/responses/{id}";
  method: "DELETE";
  answers: {
    400: Error;
    401: Error;
    404: Error;
  };
}

export interface CreateMessage {
  path: "/v1/messages";
  method: "POST";
  body: MessagesRequest;
  answers: {
    200: AnthropicMessage | string;
    400: AnthropicError;
    401: AnthropicError;
    403: AnthropicError;
    404: AnthropicError;
    408: AnthropicError;
    413: AnthropicError;
    415: AnthropicError;
    429: AnthropicError;
    500: AnthropicError;
    502: AnthropicError;
    503: AnthropicError;
    504: AnthropicError;
  };
}

export interface CountTokens {
  path: "/v1/messages/count_tokens";
  method: "POST";
  body: CountTokensRequest;
  answers: {
    200: TokenCount;
    400: AnthropicError;
    401: AnthropicError;
    403: AnthropicError;
    404: AnthropicError;
    408: AnthropicError;
    413: AnthropicError;
    415: AnthropicError;
    429: AnthropicError;
    500: AnthropicError;
    502: AnthropicError;
    503: AnthropicError;
    504: AnthropicError;
  };
}

export interface ListModels {
  path: "/v1/models";
  method: "GET";
  answers: {
    200: ModelList;
    400: Error;
    401: Error;
  };
}

export interface RetrieveModel {
  path: "/v1/models/{model}";
  method: "GET";
  answers: {
    200: Model;
    404: Error;
    400: Error;
    401: Error;
  };
}

export interface GetHealth {
  path: "/health";
  method: "GET";
  answers: {
    200: Health;
  };
}

export interface GetLiveness {
  path: "/health/live";
  method: "GET";
  answers: {
    200: Status;
  };
}

export interface GetReadiness {
  path: "/health/ready";
  method: "GET";
  answers: {
    200: Status;
    503: Status;
  };
}

export interface GetRoot {
  path: "/";
  method: "GET";
  answers: {
    200: Status | string;
  };
}

export interface GetStatus {
  path: "/status";
  method: "GET";
  answers: {
    200: StatusData;
    400: Error;
    401: Error;
  };
}

export interface GetHello {
  path: "/api/hello";
  method: "GET";
  answers: {
    200: Status;
  };
}

export interface GetMetrics {
  path: "/metrics";
  method: "GET";
  answers: {
    200: string;
    400: Error;
    401: Error;
  };
}

export interface GetOpenapi {
  path: "/openapi.json";
  method: "GET";
  answers: {
    200: Record<string, unknown>;
  };
}

export interface GetDocs {
  path: "/docs";
  method: "GET";
  answers: {
    200: string;
  };
}
