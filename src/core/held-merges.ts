/** Merges of a run that wait for something beside their turn. Pure. */
import type { Attempt } from "./attempt.ts";
import { isHeldByTip, type RedTip, waitsForTip } from "./red-tip.ts";
import { waitsBehind, type WaitsBehind } from "./resolving.ts";
import type { BareTask } from "./task.ts";

/** For the branch to be mended, or for somebody to resolve a conflict in the same file. */
export type HeldMerges = { red: RedTip | null; behind: readonly WaitsBehind[] };

/** Whether the work of a task waits so. */
export function isHeldMerge({ red, behind }: HeldMerges, task: Pick<BareTask, "id" | "state">): boolean {
  return isHeldByTip(red, task) || behind.some((each) => each.task === task.id);
}

/** Whether the merge of an attempt waits so. */
export function isMergeHeld({ red, behind }: HeldMerges, attempt: Pick<Attempt, "phase" | "task">): boolean {
  return waitsForTip(red, attempt) || waitsBehind(behind, attempt);
}
