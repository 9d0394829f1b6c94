/** The plans that a path which is not there was probably meant to name. */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { nearest } from "../core/names.ts";

/** As the word was written, seen from a folder, nearest first; none where nothing near it can be a plan. */
export function nearestPlans(from: string, word: string): string[] {
  const parts = word.replace(/\/+$/, "").split("/");
  let ways = [""];
  for (const part of parts) ways = ways.flatMap((way) => nearIn(from, way, part).map((name) => `${way}${name}/`));
  return ways.map((way) => way.slice(0, -1)).filter((path) => path !== word && mayBePlan(resolve(from, path)));
}

/** What lies in a folder and is that part of a path, else what is near it. */
function nearIn(from: string, way: string, part: string): string[] {
  // Of what leads through folders, and into no new one.
  if (part === "" || part === "." || part === "..") return [part];
  const names = namesIn(resolve(from, way));
  return names.includes(part) ? [part] : nearest(part, names);
}

const PLAN = /\.(md|markdown|jsonc?)$/i;

/** A file of a plan's kind, or a folder that holds one within two levels. */
function mayBePlan(path: string, levels = 2): boolean {
  if (PLAN.test(path)) return true;
  return levels >= 0 && namesIn(path).some((name) => mayBePlan(resolve(path, name), levels - 1));
}

/** Hidden ones, and what tools install, hold no plans. Empty for what is no folder. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith(".") && name !== "node_modules");
  } catch {
    return [];
  }
}
