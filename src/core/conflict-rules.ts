/** Files whose conflicts nobody has to decide: lock files, generated files, lists of lines. Pure. */
import { outsideOf } from "./touches.ts";

/** How a conflict in a file is settled: with what the run's branch has (`ours`), with the lines of both (`union`), or with what commands make of it anew. */
export type ConflictRule = { by: "ours" } | { by: "union" } | { by: "regenerate"; commands: string[] };

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
