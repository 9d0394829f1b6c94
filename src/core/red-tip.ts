/** A run's branch that is red by itself: somebody committed there what the checks do not pass. No task is at fault, and what is merged with it waits. Pure. */

import { few, IN_A_LINE } from "../lib/few.ts";
import type { Attempt } from "./attempt.ts";
import { describeCheck, type RedCheck } from "./red-check.ts";
import type { BareTask } from "./task.ts";

/** What came onto the branch behind what was last seen green, newest first. */
export type Culprit = { oid: string; subject: string; author: string };

/** `tip`: where the branch is red, with this command. `tasks`: whose merges wait for it to be mended, by row number. `target`: where the run is to land, and
 *  began, at the commit `began`; absent where the branch was green once. */
export type RedTip = {
  tip: string;
  branch: string;
  commits: Culprit[];
  tasks: number[];
  target?: string;
  began?: string;
} & RedCheck;

/** Why tasks wait, in words. */
export function describeRedTip({ tip, branch, commits, target, began = tip, ...check }: RedTip): string {
  if (target !== undefined)
    return `the check is red without the work of any task, since ${began.slice(0, 10)}, where the run began: ${describeCheck(check)}; no task is at fault, and those that wait come in once it is mended on ${target} or by one of them`;
  const named = commits.map(({ oid, subject, author }) => `${oid.slice(0, 10)} (${subject}, by ${author})`);
  const since = commits.length === 1 ? named[0] : `one of ${few(named, IN_A_LINE)}`;
  return `${branch} itself is red since ${since}: ${describeCheck(check)}; no task is at fault, and those that wait for it come in once it is mended there`;
}

/** Whether a task waits for the branch to be mended. */
export function isHeldByTip(red: RedTip | null, { id, state }: Pick<BareTask, "id" | "state">): boolean {
  return red !== null && state === "integrating" && red.tasks.includes(id);
}

/** Whether the merge of an attempt waits for the branch to be mended. */
export function waitsForTip(red: RedTip | null, { phase, task }: Pick<Attempt, "phase" | "task">): boolean {
  return red !== null && phase === "merge" && red.tasks.includes(task);
}
