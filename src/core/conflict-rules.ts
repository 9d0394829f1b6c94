/** Files whose conflicts nobody has to decide: lock files, generated files, lists of lines. Pure. */
import { outsideOf } from "./touches.ts";

/** How a conflict in a file is settled: with what the run's branch has (`ours`), with the lines of both (`union`), or with what commands make of it anew. */
export type ConflictRule = { by: "ours" } | { by: "union" } | { by: "regenerate"; commands: string[] };

/** A file whose conflict a rule settled; `commands` made it anew, and are none where the rule is another one. */
export type Settled = { file: string; by: ConflictRule["by"]; commands: string[] };

/** A command that was to make a file in conflict anew, and the end of what it printed. `code` is 0 where it ended well and made no such file. */
export type FailedRule = { command: string; code: number; output: string };

/** What is told of a conflict of the command that failed in it; undefined where none did. */
export function failedRuleOf({ command, code, output }: Partial<FailedRule>): FailedRule | undefined {
  if (command === undefined || code === undefined || output === undefined) return undefined;
  return { command, code, output };
}

/** `; npm install, to make it anew, ended with 1`, behind the files in conflict; "" where no command failed. */
export function describeFailedRule({ command, code }: Partial<FailedRule>): string {
  const how = code === 0 ? "made no such file" : `ended with ${code}`;
  return command === undefined ? "" : `; ${command}, to make anew what is in conflict, ${how}`;
}

export type ConflictRules = {
  ours?: string[] | undefined;
  union?: string[] | undefined;
  regenerate?: Record<string, string | string[]> | undefined;
};

/** The rule for a path, read as `touches` is: what is made anew before the others, and the first that fits; null where somebody has to decide. */
export function ruleFor(path: string, { ours = [], union = [], regenerate = {} }: ConflictRules): ConflictRule | null {
  const fits = (pattern: string) => outsideOf([path], [pattern]).length === 0;
  const anew = Object.entries(regenerate).find(([pattern]) => fits(pattern));
  if (anew !== undefined) return { by: "regenerate", commands: [anew[1]].flat() };
  if (ours.some(fits)) return { by: "ours" };
  return union.some(fits) ? { by: "union" } : null;
}
