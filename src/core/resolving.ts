/** Who waits, with a conflict in a file, for somebody who resolves one in the same file: resolved side by side, all but one would have to do it again. Pure. */
import type { Attempt } from "./attempt.ts";
import { type BareTask, type NextStart, turnOf } from "./task.ts";

/** `task`, by its row number, waits behind the one with the row number `by` and the key `behind`, which resolves `path`. */
export type WaitsBehind = { task: number; by: number; behind: string; path: string };

type Resolver = Pick<BareTask, "id" | "key" | "state" | "park" | "notBefore" | "next">;

/** The files in which a turn resolves a conflict. */
function filesOf(start: NextStart): readonly string[] {
  const next = turnOf(start);
  if (next.kind === "conflict") return next.files;
  return next.kind === "resume" ? (next.resolved?.files ?? []) : [];
}

/** Whether a task resolves a conflict right now, or brings home how it was resolved. Who waits for anybody but an agent, or waits behind another one itself, does not. */
export function isResolving({ id, state, park, notBefore, next }: Resolver, waiting: readonly WaitsBehind[]): boolean {
  if (filesOf(next).length === 0 || waiting.some((each) => each.task === id)) return false;
  if (state === "pending") return park === null && notBefore === null;
  return state === "running" || state === "verifying" || state === "integrating";
}

/** Behind whom a task with conflicts in these files waits; null where nobody resolves any of them. */
export function findResolver(
  task: number,
  files: readonly string[],
  tasks: readonly Resolver[],
  waiting: readonly WaitsBehind[],
): WaitsBehind | null {
  for (const each of tasks) {
    const path = each.id === task ? undefined : filesOf(each.next).find((file) => files.includes(file));
    if (path !== undefined && isResolving(each, waiting)) return { task, by: each.id, behind: each.key, path };
  }
  return null;
}

/** Those that still wait: whom they wait for resolves still. */
export function stillBehind(waiting: readonly WaitsBehind[], tasks: readonly Resolver[]): WaitsBehind[] {
  return waiting.filter(({ by }) => tasks.some((each) => each.id === by && isResolving(each, waiting)));
}

/** Why it waits. */
export function describeBehind({ behind, path }: Pick<WaitsBehind, "behind" | "path">): string {
  return `waits behind ${behind}, which resolves the same file (${path})`;
}

/** Whether the merge of an attempt waits behind somebody. */
export function waitsBehind(
  waiting: readonly WaitsBehind[],
  { phase, task }: Pick<Attempt, "phase" | "task">,
): boolean {
  return phase === "merge" && waiting.some((each) => each.task === task);
}
