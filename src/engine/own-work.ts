/** Whether a task's branch holds anything of the task: what was reset away, or only follows the run, is no work of its own. */
import type { Attempt } from "../core/attempt.ts";
import { redHeadsBefore } from "../core/conversation.ts";
import type { Run } from "../core/run.ts";
import { ontoOf, type Task } from "../core/task.ts";
import { isAncestor, readRef } from "../git/branch.ts";
import { forkOf } from "../git/changes.ts";
import { readTree } from "../git/commit.ts";
import type { Oid } from "../git/git.ts";
import { holdsMadeHere } from "../git/made-here.ts";
import { readAttempt, readAttempts } from "../store/attempts.ts";
import type { Engine } from "./engine.ts";

/** Whether `head` holds work of its own: it differs from where the attempt began, and the run's branch has not all of it without what was done before. What another
 *  task merged in flight, and brought in with its own, is work all the same. `isNew`: it was committed just now, so that no branch but its own can have it. */
export async function holdsOwnWork(
  engine: Engine,
  { run, attempt }: { run: Run; attempt: Attempt },
  { head, isNew = false }: { head: Oid; isNew?: boolean },
): Promise<boolean> {
  const { repo } = engine;
  if ((await readTree(repo, head)) === (await readTree(repo, attempt.base))) return false;
  if (isNew) return true;
  const tip = (await readRef(repo, `refs/heads/${run.branch}`)) ?? run.base;
  if (!(await isAncestor(repo, head, tip))) return true;
  // Somebody may have merged it by hand: then it is not gone.
  const before = headBefore(engine, attempt);
  if (before !== null) return isAncestor(repo, before, tip);
  return holdsMadeHere(repo, attempt, head);
}

/** What the attempt, or the newest before it in its worktree that came so far, had come to. */
export function headBefore({ store }: Engine, attempt: Attempt): Oid | null {
  for (
    let at: Attempt | null = attempt;
    at !== null;
    at = at.continues === null ? null : readAttempt(store, at.continues)
  )
    if (at.head !== null) return at.head;
  return null;
}

/** What the first attempt of its conversation that came so far had come to. */
export function firstHead({ store }: Engine, attempt: Attempt): Oid | null {
  let first: Oid | null = null;
  for (
    let at: Attempt | null = attempt;
    at !== null;
    at = at.continues === null ? null : readAttempt(store, at.continues)
  )
    first = at.head ?? first;
  return first;
}

/** What the attempt's conversation had come to when its check was red with `theirs`, before that was merged into it; null where it was not. */
export async function workBeforeMending({ repo, store }: Engine, attempt: Attempt, theirs: Oid): Promise<Oid | null> {
  for (const head of redHeadsBefore(readAttempts(store, attempt.task), attempt.id))
    if (!(await isAncestor(repo, theirs, head))) return head;
  return null;
}

/** Whether `head`, which was to mend a check that is red with the work of others, holds that and nothing else. */
export async function undoesItsOwn(
  engine: Engine,
  { run, task, attempt }: { run: Run; task: Task; attempt: Attempt },
  head: Oid,
): Promise<boolean> {
  const { repo } = engine;
  const onto = ontoOf(task.next);
  const before = onto === null ? null : await workBeforeMending(engine, attempt, onto);
  if (before === null) return false;
  const tip = (await readRef(repo, `refs/heads/${run.branch}`)) ?? run.base;
  // What came in with the work of another task is not undone.
  if (await isAncestor(repo, before, tip)) return false;
  return (await readTree(repo, head)) === (await readTree(repo, await forkOf(repo, tip, head)));
}
