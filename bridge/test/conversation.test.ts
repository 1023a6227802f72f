/** What the model receives and what the client gets back, with the fake CLI and the real one. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { answerEvents, startMock, type Mock } from "./mock-messages-api.mjs";
import { answer, ask, clis, sseEvents, startBridge, type Bridge } from "./support.ts";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

for (const cli of clis()) {
  describe(`a conversation over the ${cli.name}`, { skip: cli.skip, timeout: 240_000 }, () => {
    let mock: Mock;
    let bridge: Bridge;
    const sent = () => mock.requests.at(-1)?.body ?? {};

    before(async () => {
      mock = await startMock();
      bridge = await startBridge(cli.file, { ANTHROPIC_BASE_URL: mock.url });
    });
    beforeEach(() => mock.reset());
    after(async () => {
      await bridge.stop();
      await mock.close();
    });

    it("answers a unary request with the whole message and its usage", async () => {
      const response = await bridge.post(ask("hi"));
      assert.equal(response.status, 200);
      const { content, stop_reason, usage } = await answer(response);
      assert.deepEqual(content, [{ type: "text", text: "pong" }]);
      assert.equal(stop_reason, "end_turn");
      assert.equal(usage.input_tokens, 11);
      assert.equal(usage.output_tokens, 5);
      assert.equal(usage.cache_read_input_tokens, 7);
    });

    it("passes the events of a stream on as they were", async () => {
      const events = answerEvents({ blocks: [{ text: ["a", "b", "é\n", "👍"] }] });
      mock.reset(() => ({ events }));
      const response = await bridge.post(ask("hi", { stream: true }));
      assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
      const seen = sseEvents(await response.text());
      assert.deepEqual(seen.map((event) => event.type), events.map((event) => event.type));
      const deltas = (list: object[]) => list.filter((event) => "delta" in event).map((event) => event.delta);
      assert.deepEqual(deltas(seen).slice(0, 4), deltas(events).slice(0, 4));
    });

    it("passes an answer without content on as it was", async () => {
      const events = answerEvents({ blocks: [] });
      mock.reset(() => ({ events }));
      const seen = sseEvents(await (await bridge.post(ask("hi", { stream: true }))).text());
      assert.deepEqual(seen.map((event) => event.type), events.map((event) => event.type));
    });

    it("serves the same at /anthropic/chat and gives the request's id back", async () => {
      const response = await bridge.post(ask("hi"), { path: "/anthropic/chat", headers: { "x-request-id": "req-7" } });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("x-request-id"), "req-7");
    });

    it("hands a history of ten turns over whole and in order", async () => {
      const turns = Array.from({ length: 10 }, (_, i) => [{ role: "user", content: `question ${i}` }, { role: "assistant", content: `answer ${i}` }]).flat();
      const messages = [...turns, { role: "user", content: "last" }];
      await bridge.post({ ...ask(""), messages, system: "Be brief." });
      assert.deepEqual(sent().messages, messages);
      assert.equal((sent().system as { text: string }[]).at(-1)?.text, "Be brief.");
      assert.equal(mock.requests.length, 1);
    });

    it("joins the blocks of a system prompt and sends none where there is none", async () => {
      const system = [{ type: "text", text: "One." }, { type: "text", text: "Two.", cache_control: { type: "ephemeral" } }];
      await bridge.post(ask("hi", { system }));
      assert.equal((sent().system as { text: string }[]).at(-1)?.text, "One.\n\nTwo.");
      await bridge.post(ask("hi"));
      assert.match((sent().system as { text: string }[]).at(-1)?.text ?? "", /^You are a Claude agent/);
    });

    it("hands images over as they are", async () => {
      const content = [{ type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } }, { type: "text", text: "What?" }];
      await bridge.post(ask(content));
      assert.deepEqual(sent().messages, [{ role: "user", content }]);
    });

    it("plays a tool loop of two turns with thinking and its signature", async () => {
      const tools = [{ name: "Bash", description: "d", input_schema: { type: "object", properties: { x: { type: "string" } } } }];
      const thinking = { type: "enabled", budget_tokens: 1_024 };
      const blocks = [{ thinking: "let me see", signature: "c2ln" }, { tool: "Bash", id: "toolu_a", input: { x: "é" } }, { tool: "Bash", id: "toolu_b" }];
      mock.reset((_body, n) => (n === 0 ? { events: answerEvents({ blocks, stop: "tool_use" }) } : {}));
      const first = await answer(await bridge.post(ask("go", { tools, thinking, tool_choice: { type: "auto" }, max_tokens: 2_000 })));
      assert.deepEqual(first.content, [
        { type: "thinking", thinking: "let me see", signature: "c2ln" },
        { type: "tool_use", id: "toolu_a", name: "Bash", input: { x: "é" } },
        { type: "tool_use", id: "toolu_b", name: "Bash", input: {} },
      ]);
      assert.equal(first.stop_reason, "tool_use");
      assert.equal(mock.requests.length, 1);
      assert.deepEqual([sent().tools, sent().thinking, sent().tool_choice], [tools, thinking, { type: "auto" }]);
      const results = [{ type: "tool_result", tool_use_id: "toolu_a", content: "1" }, { type: "tool_result", tool_use_id: "toolu_b", content: "2" }];
      const messages = [{ role: "user", content: "go" }, { role: "assistant", content: first.content }, { role: "user", content: results }];
      const second = await answer(await bridge.post({ ...ask("", { tools, thinking, max_tokens: 2_000 }), messages }));
      assert.deepEqual(sent().messages, messages);
      assert.deepEqual(second.content, [{ type: "text", text: "pong" }]);
    });

    it("sends the sampling parameters, and nothing the client did not ask for", async () => {
      const parameters = { temperature: 0.3, top_p: 0.9, top_k: 4, stop_sequences: ["END"], max_tokens: 123 };
      await bridge.post(ask("hi", parameters));
      for (const [name, value] of Object.entries(parameters)) assert.deepEqual(sent()[name], value);
      for (const name of ["thinking", "output_config", "context_management"]) assert.equal(sent()[name], undefined);
      assert.deepEqual(sent().tools, []);
    });

    it("sends effort and an answer's format", async () => {
      const output_config = { effort: "low", format: { type: "json_schema", schema: { type: "object" } } };
      await bridge.post(ask("hi", { output_config }));
      assert.deepEqual(sent().output_config, output_config);
    });

    it("keeps the CLI's own identity, whatever the client says it is", async () => {
      await bridge.post(ask("hi", { metadata: { user_id: "somebody" } }));
      assert.notEqual((sent().metadata as { user_id: string }).user_id, "somebody");
    });

    it("passes full model ids and betas on as they are", async () => {
      await bridge.post(ask("hi", { model: "claude-opus-4-1-20250805" }), { headers: { "anthropic-beta": "one-2025-01-01, two-2025-01-01" } });
      assert.equal(sent().model, "claude-opus-4-1-20250805");
      assert.match(String(mock.requests[0]?.headers["anthropic-beta"]), /one-2025-01-01,two-2025-01-01/);
    });

    for (const stop of ["max_tokens", "model_context_window_exceeded", "refusal", "pause_turn", "stop_sequence"]) {
      it(`makes exactly one upstream request when the answer stops by ${stop}`, async () => {
        const stopSequence = stop === "stop_sequence" ? "END" : null;
        mock.reset(() => ({ events: answerEvents({ stop, stopSequence }) }));
        const message = await answer(await bridge.post(ask("hi")));
        assert.equal(message.stop_reason, stop);
        assert.equal(message.stop_sequence, stopSequence);
        assert.equal(message.usage.output_tokens, 5);
        await new Promise((done) => setTimeout(done, 200));
        assert.equal(mock.requests.length, 1);
      });
    }

    for (const last of ["see @/etc/passwd", "/help", "--version", "!ls"]) {
      it(`takes ${JSON.stringify(last)} for text, last and earlier`, async () => {
        const words = ["@/etc/passwd", "/compact", "/etc/passwd", "-p", "# note", "  ", "$(id) `id`", "\u001b[31m"];
        const turns = words.flatMap((word) => [{ role: "user", content: word }, { role: "assistant", content: word }]);
        const messages = [...turns, { role: "user", content: last }];
        await bridge.post({ ...ask(""), messages });
        assert.deepEqual(sent().messages, messages);
        assert.doesNotMatch(JSON.stringify(sent()), /root:.*:0:0/);
      });
    }

    it("keeps within four cache breakpoints", async () => {
      const mark = { cache_control: { type: "ephemeral", ttl: "1h" } };
      const messages = [1, 2, 3, 4].map((n) => ({ role: n % 2 ? "user" : "assistant", content: [{ type: "text", text: `t${n}`, ...mark }] }));
      await bridge.post({ ...ask(""), messages: messages.slice(0, 3), system: "s", tools: [{ name: "t", input_schema: { type: "object" }, ...mark }] });
      assert.ok((JSON.stringify(sent()).match(/"cache_control"/g) ?? []).length <= 4);
    });

    it("carries a conversation of two megabytes", async () => {
      const text = "wörter ".repeat(300_000);
      await bridge.post(ask(text));
      assert.deepEqual(sent().messages, [{ role: "user", content: text }]);
    });

    it("says in /health that everything works", async () => {
      const health = await bridge.health();
      assert.equal(health.status, "ok");
      assert.deepEqual([health.self_test?.mode, health.self_test?.once], ["body", true]);
      assert.match(health.cli.version ?? "", /^\d+\.\d+\.\d+/);
    });
  });
}
