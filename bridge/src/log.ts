/** One JSON line an event on standard error. Callers pass names, numbers and ids: never content, never secrets. */

export const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type Level = (typeof LEVELS)[number];
export type Fields = Record<string, string | number | boolean | null | undefined>;
export type Log = (level: Exclude<Level, "silent">, event: string, fields?: Fields) => void;

export function createLog(threshold: Level, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const least = LEVELS.indexOf(threshold);
  return (level, event, fields = {}) => {
    if (LEVELS.indexOf(level) < least) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
  };
}
