/** The CLI left to itself, started as the bridge starts it: even where nobody ends it, it asks upstream once. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ClaudeProcess, type Surroundings } from "../src/claude-process.ts";
import { describeCommand } from "../src/command.ts";
import { initializeLine, settingsLine, userLine, SETTINGS_ID } from "../src/protocol.ts";
import { createRunDir } from "../src/run-dir.ts";
import { answerEvents, startMock, type Mock } from "./mock-messages-api.mjs";
import { clis } from "./support.ts";

const REAPER = { watch: () => undefined, forget: () => undefined, close: () => undefined };
const CASES = [
  ["ANTHROPIC_API_KEY", "max_tokens"],
  ["ANTHROPIC_API_KEY", "model_context_window_exceeded"],
  ["ANTHROPIC_API_KEY", "refusal"],
  ["ANTHROPIC_API_KEY", "tool_use"],
  ["CLAUDE_CODE_OAUTH_TOKEN", "max_tokens"],
  ["CLAUDE_CODE_OAUTH_TOKEN", "refusal"],
] as const;
const ANSWER = { blocks: [{ thinking: "hm" }, { text: ["a", "b"] }] };

for (const cli of clis()) {
  describe(`the ${cli.name} that nobody ends`, { skip: cli.skip, timeout: 60_000 }, () => {
    let mock: Mock;
    const folder = mkdtempSync(join(tmpdir(), "bridge-test-"));
    const runDir = createRunDir(folder);
    before(async () => void (mock = await startMock()));
    after(async () => {
      await mock.close();
      rmSync(folder, { recursive: true });
    });

    for (const [credential, stop] of CASES) {
      it(`asks once with ${credential} when the answer stops by ${stop}, and gives it whole`, async () => {
        mock.reset(() => ({ events: answerEvents({ ...ANSWER, stop, usage: { input_tokens: 0, cache_read_input_tokens: 0 } }), gapMs: 5 }));
        const env = { PATH: process.env.PATH, ANTHROPIC_BASE_URL: mock.url, [credential]: "sk-ant-test-key" };
        const around: Surroundings = { command: describeCommand(cli.file, env, "auto"), runDir, reaper: REAPER };
        const events = await wholeTurn(new ClaudeProcess(around, "sonnet"));
        assert.equal(mock.requests.length, 1);
        assert.deepEqual(events.slice(0, 8), answerEvents({ ...ANSWER, stop }).slice(0, 8).map((event) => event.type));
      });
    }
  });
}

/** The types of the events of one turn, up to its result. */
async function wholeTurn(claude: ClaudeProcess): Promise<string[]> {
  const events: string[] = [];
  const over = new Promise<void>((done) => {
    claude.listen((message) => {
      if (message.type === "stream_event") events.push((message.event as { type: string }).type);
      if (message.type === "result") done();
    });
  });
  const body = { max_tokens: 7, messages: [{ role: "user", content: "hi" }] };
  claude.send(initializeLine("S"), settingsLine(SETTINGS_ID, body), userLine("."));
  await Promise.race([over, claude.exited]);
  claude.kill();
  await claude.exited;
  return events;
}
