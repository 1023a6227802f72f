"use strict";
// One streamed chat: asks, reads its events, and takes its times.

/** Streams an answer. `hear` is called with ("text" | "reasoning", piece); returns what is known at the end:
 *  { text, usage, finish, timing, served, warning }. Raises Refusal, and AbortError when `signal` stops it; both
 *  carry what is known until then as `partial`. */
async function streamChat(body, signal, hear) {
  const began = performance.now();
  const known = { text: "", usage: null, finish: "", served: {}, warning: "", requestId: "", first: null, ended: null };
  known.elapsed = () => (known.ended ?? performance.now()) - began;
  const request = { ...body, stream: true, stream_options: { include_usage: true } };
  try {
    const response = await ask("v1/chat/completions", {
      method: "POST", signal, body: JSON.stringify(request), headers: { "content-type": "application/json" },
    });
    readHeaders(response.headers, known);
    await readEvents(response, (line) => readLine(line, known, (kind, piece) => {
      known.first ??= performance.now() - began;
      if (kind === "text") known.text += piece;
      hear(kind, piece);
    }));
    if (!known.done) throw new Refusal("The answer broke off before its end.", { requestId: known.requestId });
    return known;
  } catch (error) {
    error.partial = known;
    throw error;
  } finally {
    known.ended = performance.now();
  }
}

function readHeaders(headers, known) {
  known.requestId = headers.get("x-request-id") || "";
  known.warning = headers.get("x-fastproxy-warning") || "";
  known.served = {
    provider: headers.get("x-fastproxy-provider"),
    model: headers.get("x-fastproxy-model"),
    attempts: headers.get("x-fastproxy-attempts"),
  };
  const timing = headers.get("server-timing") || "";
  const proxy = /\bproxy;dur=([\d.]+)/.exec(timing);
  known.overhead = proxy ? Number(proxy[1]) : null;
}

/** Calls `take` with every whole line of the body, as they come. */
async function readEvents(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  }
}

function readLine(line, known, hear) {
  if (line.startsWith(": x-fastproxy-")) { // the headers had left before anybody knew who answers
    for (const [, name, value] of line.matchAll(/x-fastproxy-(\w+): ([^;]*)/g)) known.served[name] = value;
  }
  if (!line.startsWith("data:")) return;
  const data = line.slice(5).trim();
  if (data === "[DONE]") {
    known.done = true;
    return;
  }
  const event = JSON.parse(data);
  if (event.error) {
    throw new Refusal(event.error.message, { ...fault(event.error), requestId: known.requestId });
  }
  known.usage = event.usage || known.usage;
  const choice = event.choices?.[0];
  known.finish = choice?.finish_reason || known.finish;
  const delta = choice?.delta || {};
  if (delta.reasoning_content) hear("reasoning", delta.reasoning_content);
  const text = (delta.content || "") + (delta.refusal || "");
  if (text) hear("text", text);
}
