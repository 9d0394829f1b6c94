/** Merges of a run that wait for something beside their turn. Pure. */
import type { Astray } from "./astray.ts";
import type { Attempt } from "./attempt.ts";
import { isHeldByTip, type RedTip, waitsForTip } from "./red-tip.ts";
import { waitsBehind, type WaitsBehind } from "./resolving.ts";
import type { BareTask } from "./task.ts";

/** For the branch to be mended or put right, or for somebody to resolve a conflict in the same file. */
export type HeldMerges = { red: RedTip | null; behind: readonly WaitsBehind[]; astray: Astray | null };

/** Of a run in which no merge is held. */
export const NOTHING_HELD: HeldMerges = { red: null, behind: [], astray: null };

/** Whether something is amiss with the branch itself, which a person puts right. */
export function isBranchAmiss({ red, astray }: HeldMerges): boolean {
  return red !== null || astray !== null;
}

/** Whether the work of a task waits so. */
export function isHeldMerge({ red, behind, astray }: HeldMerges, task: Pick<BareTask, "id" | "state">): boolean {
  if (astray !== null && task.state === "integrating") return true;
  return isHeldByTip(red, task) || behind.some((each) => each.task === task.id);
}

/** Whether the merge of an attempt waits so. */
export function isMergeHeld({ red, behind, astray }: HeldMerges, attempt: Pick<Attempt, "phase" | "task">): boolean {
  if (astray?.halts === true && attempt.phase !== "agent") return true;
  // What was about to advance is led to its end once the branch can be moved.
  if (astray !== null && (attempt.phase === "merge" || attempt.phase === "advance")) return true;
  return waitsForTip(red, attempt) || waitsBehind(behind, attempt);
}
