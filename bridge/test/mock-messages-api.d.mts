import type { IncomingHttpHeaders } from "node:http";

export type Json = Record<string, unknown>;

export interface Plan {
  status?: number;
  error?: { type: string; message: string };
  headers?: Record<string, string>;
  events?: Json[];
  delayMs?: number;
  gapMs?: number;
  cutAfter?: number;
  stallAfter?: number;
}

export interface Block {
  text?: string | string[];
  thinking?: string;
  signature?: string;
  tool?: string;
  id?: string;
  input?: unknown;
}

export interface Seen {
  url: string;
  headers: IncomingHttpHeaders;
  body: Json;
  at: number;
  firstByteAt: number | undefined;
}

export type Script = (body: Json, n: number) => Plan;

export interface Mock {
  url: string;
  script: Script;
  requests: Seen[];
  others: string[];
  aborted: number;
  lastEventAt: number[];
  close(): Promise<void>;
  reset(script?: Script): void;
}

export function answerEvents(options?: { blocks?: Block[]; stop?: string; stopSequence?: string | null; usage?: Json; model?: string }): Json[];
export function startMock(script?: Script): Promise<Mock>;
