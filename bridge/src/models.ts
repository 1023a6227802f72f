/** The names a client may ask for. Aliases follow the CLI's newest model; every other name is passed as it is. */
import { invalid } from "./errors.ts";

export const ALIASES: Readonly<Record<string, string>> = {
  "claude-opus": "opus",
  "claude-sonnet": "sonnet",
  "claude-haiku": "haiku",
};

/** The CLI's name for a client's model. A name is a word on a command line, so it may not look like an option. */
export function cliModel(model: string): string {
  if (!/^[A-Za-z0-9][\w.:@/[\]-]{0,127}$/.test(model)) throw invalid(`model: ${JSON.stringify(model.slice(0, 60))} is not a model name.`);
  return ALIASES[model] ?? model;
}

/** The body of `GET /v1/models`, in Anthropic's shape. */
export function listModels(extra: readonly string[]): object {
  const ids = [...new Set([...Object.keys(ALIASES), ...extra])];
  const data = ids.map((id) => ({ type: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" }));
  return { data, has_more: false, first_id: ids[0], last_id: ids.at(-1) };
}
