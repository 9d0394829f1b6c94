/** Agents that a store started which is no more: nobody will ever collect what they do, so they are told of and can be ended. */
import { join, relative, sep } from "node:path";
import { readAttempt } from "../store/attempts.ts";
import { readTakenIds } from "../store/ids.ts";
import { findLiveBelow, stopBelow } from "../system/marked.ts";
import { graceMs } from "./check.ts";
import type { Engine } from "./engine.ts";
import { attemptsFolder } from "./taken-ids.ts";

/** The folders of live attempts that this store does not know. */
export function findLostAgents(engine: Engine): string[] {
  // Only a store that was made where another had been can lack any.
  const before = readTakenIds(engine.store)?.attempts ?? 0;
  if (before === 0) return [];
  const folder = attemptsFolder(engine.repo);
  const names = findLiveBelow(folder).map((dir) => relative(folder, dir).split(sep, 1)[0]!);
  const unknown = [...new Set(names)].filter(
    (name) => Number(name) <= before && readAttempt(engine.store, Number(name)) === null,
  );
  return unknown.map((name) => join(folder, name));
}

/** What to say of them; null when there is none. */
export function describeLostAgents(lost: readonly string[]): { text: string; hint: string } | null {
  if (lost.length === 0) return null;
  const who = lost.length === 1 ? "an agent works on" : `${lost.length} agents work on`;
  const text = `${who} that a lost store of this repository started; nobody takes up what they do (${lost.join(", ")})`;
  return { text, hint: "end them: owt doctor --fix" };
}

/** Stops them with everything that they started. Their worktrees stay as they are. */
export async function endLostAgents(engine: Engine, lost: readonly string[]): Promise<void> {
  await Promise.all(lost.map((folder) => stopBelow(folder, { graceMs: graceMs(engine) })));
}
