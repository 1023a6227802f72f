#!/usr/bin/env node
/**
 * A stand-in for the claude CLI: speaks its stream-json protocol, asks ANTHROPIC_BASE_URL as it would, or answers by
 * itself where that is unset. It repeats the CLI's bad habits too: it asks again after max_tokens, reports upstream
 * errors as results, keeps user lines that ask nothing.
 *
 * FAKE_CLAUDE, JSON (a launcher sets it; the bridge's environment allow-list would not let it through):
 *   noBody, noReplay, noBudget   mechanisms this "version" does not have
 *   loggedOut             every turn says so
 *   tools                 tools of its own, named in system/init
 *   startDelayMs          how long it takes to start
 *   exitAtStart           {code, stderr}: never gets going
 * Directives in the last user text, where there is no upstream: [[error 429]] [[crash]] [[stall]] [[tool NAME {"a":1}]]
 */
import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** The real one takes 20 to 50 ms from one request to the next. */
const PAUSE_BEFORE_ASKING_AGAIN_MS = 15;
const script = JSON.parse(process.env.FAKE_CLAUDE ?? "{}");
const argument = (name) => process.argv[process.argv.indexOf(name) + 1];
const session = randomUUID();
const hasBudget = process.argv.includes("--max-budget-usd") && !script.noBudget;
const state = { model: argument("--model"), system: "", initialized: false, history: [], body: {}, betas: "" };

const say = (line) => process.stdout.write(`${JSON.stringify({ ...line, session_id: session })}\n`);

if (process.argv.includes("--version")) {
  process.stdout.write("9.9.9 (Fake Claude)\n");
  process.exit(0);
}
if (script.exitAtStart) {
  process.stderr.write(`${script.exitAtStart.stderr ?? ""}\n`);
  process.exit(script.exitAtStart.code ?? 1);
}
if (script.startDelayMs) await sleep(script.startDelayMs);
for await (const line of createInterface({ input: process.stdin })) await handle(JSON.parse(line));

async function handle(line) {
  if (line.type === "control_request") return control(line.request_id, line.request);
  if (line.type === "assistant" && !script.noReplay) return void state.history.push({ role: "assistant", content: line.message.content });
  if (line.type !== "user") return;
  state.initialized = true;
  const { content } = line.message;
  if (content.length > 0) state.history.push({ role: "user", content });
  if (line.shouldQuery === false) return void say({ type: "result", subtype: "success", is_error: false, num_turns: 0, result: "" });
  await turn();
}

function control(id, request) {
  const success = { type: "control_response", response: { subtype: "success", request_id: id } };
  if (request.subtype === "initialize") {
    if (!state.initialized) state.system = request.systemPrompt.join("\n\n");
    state.initialized = true;
    return say(success);
  }
  if (request.subtype === "apply_flag_settings" && !script.noBody) {
    state.model = request.settings.model ?? state.model;
    state.body = JSON.parse(request.settings.env?.CLAUDE_CODE_EXTRA_BODY ?? "{}");
    state.betas = request.settings.env?.ANTHROPIC_BETAS ?? "";
    return say(success);
  }
  say({ type: "control_response", response: { subtype: "error", request_id: id, error: `Unsupported ${request.subtype}` } });
}

async function turn() {
  say({ type: "system", subtype: "init", tools: script.tools ?? [], mcp_servers: [], model: state.model });
  say({ type: "system", subtype: "status", status: "requesting" });
  if (script.loggedOut) return failed({ text: "Not logged in · Please run /login", reason: "authentication_failed" });
  const body = requestBody();
  if (!process.env.ANTHROPIC_BASE_URL) return answerAlone(body);
  for (let again = 0; again < 4; again += 1) {
    const stop = await ask(body);
    if (stop !== "max_tokens") return;
    if (hasBudget) return overBudget({ stop_reason: stop });
    await sleep(PAUSE_BEFORE_ASKING_AGAIN_MS);
    body.messages = [...body.messages, { role: "user", content: "Output token limit hit. Resume directly." }];
  }
  failed({ text: "API Error: Claude's response exceeded the output token maximum." });
}

function requestBody() {
  const identity = [{ type: "text", text: "billing" }, { type: "text", text: "You are a Claude agent.", cache_control: { type: "ephemeral" } }];
  const own = state.system ? [{ type: "text", text: state.system, cache_control: { type: "ephemeral" } }] : [];
  const base = { model: state.model, messages: state.history, system: [...identity, ...own], tools: [], metadata: { user_id: "fake" } };
  return { ...base, max_tokens: 32_000, ...state.body, stream: true };
}

async function ask(body) {
  const headers = { "content-type": "application/json", "x-api-key": process.env.ANTHROPIC_API_KEY ?? "", "anthropic-beta": state.betas };
  let reply;
  try {
    reply = await post(`${process.env.ANTHROPIC_BASE_URL}/v1/messages?beta=true`, headers, JSON.stringify(body));
  } catch {
    return failed({ text: "API Error: Unable to connect to API (ECONNREFUSED)", reason: "server_error" });
  }
  return reply.statusCode === 200 ? relay(reply) : upstreamError(reply);
}

function post(url, headers, body) {
  return new Promise((resolve, reject) => request(url, { method: "POST", headers }, resolve).on("error", reject).end(body));
}

async function upstreamError(reply) {
  const chunks = [];
  for await (const chunk of reply) chunks.push(chunk);
  const { error } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  const resetsAt = Number(reply.headers["anthropic-ratelimit-unified-reset"]);
  if (resetsAt) say({ type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt } });
  return failed({ status: reply.statusCode, text: `API Error: ${reply.statusCode} ${error.message}` });
}

async function relay(reply) {
  const decoder = new TextDecoder();
  let buffered = "";
  let stop;
  try {
    for await (const chunk of reply) {
      buffered += decoder.decode(chunk, { stream: true });
      for (let end = buffered.indexOf("\n\n"); end !== -1; end = buffered.indexOf("\n\n")) {
        const event = JSON.parse(buffered.slice(buffered.indexOf("data: ") + 6, end));
        buffered = buffered.slice(end + 2);
        if (event.type === "error") return failed({ text: `API Error: ${event.error.message}` });
        stop = event.delta?.stop_reason ?? stop;
        if (stop === "refusal" && hasBudget) return refused(event.usage);
        say({ type: "stream_event", event, parent_tool_use_id: null });
      }
    }
  } catch {
    return failed({ text: "API Error: Connection closed mid-response", reason: "server_error" });
  }
  if (!stop) return failed({ text: "API Error: Connection closed mid-response", reason: "server_error" });
  if (stop !== "max_tokens") say({ type: "result", subtype: "success", is_error: false, num_turns: 1, result: "", stop_reason: stop });
  return stop;
}

function overBudget(fields) {
  say({ type: "result", subtype: "error_max_budget_usd", is_error: true, num_turns: 1, errors: ["Reached maximum budget"], ...fields });
}

/** As 2.1.197 does it: the stop reason's event does not come before the end. */
function refused(usage) {
  say({ type: "system", subtype: "model_refusal_no_fallback" });
  overBudget({ stop_reason: null, modelUsage: { m: { outputTokens: usage.output_tokens } } });
  return "refusal";
}

function failed({ status, text, reason = "unknown" }) {
  const message = { id: randomUUID(), model: "<synthetic>", role: "assistant", content: [{ type: "text", text }] };
  say({ type: "assistant", message, error: reason });
  say({ type: "result", subtype: "success", is_error: true, api_error_status: status ?? null, result: text });
  return "error";
}

async function answerAlone(body) {
  const { content } = body.messages.at(-1);
  const text = typeof content === "string" ? content : content.map((block) => block.text ?? "").join("");
  const [, verb, rest] = /\[\[(\w+) ?(.*?)\]\]/s.exec(text) ?? [];
  if (verb === "error") return failed({ status: Number(rest), text: `API Error: ${rest} as asked` });
  const event = (value) => say({ type: "stream_event", event: value, parent_tool_use_id: null });
  const usage = { input_tokens: 10, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const message = { id: `msg_${randomUUID()}`, type: "message", role: "assistant", model: body.model, content: [], stop_reason: null, stop_sequence: null, usage };
  event({ type: "message_start", message });
  const [, name, input] = verb === "tool" ? /^(\S+) ?(.*)$/s.exec(rest) : [];
  event({ type: "content_block_start", index: 0, content_block: name ? { type: "tool_use", id: `toolu_${randomUUID()}`, name, input: {} } : { type: "text", text: "" } });
  const words = name ? [input || "{}"] : `echo: ${text}`.match(/\S+\s*/g);
  for (const [index, word] of words.entries()) {
    event({ type: "content_block_delta", index: 0, delta: name ? { type: "input_json_delta", partial_json: word } : { type: "text_delta", text: word } });
    if (index === 0 && verb === "crash") process.exit(3);
    if (index === 0 && verb === "stall") return sleep(3_600_000);
  }
  event({ type: "content_block_stop", index: 0 });
  event({ type: "message_delta", delta: { stop_reason: name ? "tool_use" : "end_turn", stop_sequence: null }, usage: { output_tokens: words.length } });
  event({ type: "message_stop" });
  say({ type: "result", subtype: "success", is_error: false, num_turns: 1, result: "" });
}
