/** Tasks that are written down and that a person took up by hand, with `owt create --task`: no run begins them beside that. */
import { existsSync } from "node:fs";
import { OwtError } from "../../core/errors.ts";
import type { PlannedTask } from "../../core/plan.ts";
import { nameOf, wordOf } from "../../core/worktree.ts";
import { isOwnerAlive } from "../../git/owner.ts";
import { readBacklog } from "../../store/backlog.ts";
import type { Store } from "../../store/database.ts";
import { noteWorktree, readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import type { Checkout } from "./place.ts";
import { shellWord } from "../../lib/printable.ts";

/** Makes a worktree that of a task while `open` opens its session; where that fails, it is what it was. `isKnown`: it was that of this task before.
 *  Throws `wrong-state` where a run has begun the task meanwhile, and where somebody has it in another worktree. */
export async function takeUp<T>(
  { store, now }: Engine,
  worktree: Checkout,
  task: PlannedTask,
  open: (isKnown: boolean) => Promise<T>,
): Promise<T> {
  const before = readWorktrees(store).get(worktree.path)?.task ?? null;
  store.transaction(() => {
    if (!readBacklog(store).some(({ id }) => id === task.id))
      throw new OwtError("wrong-state", `a run has begun ${task.id} meanwhile`, {
        hint: `take it over from that: owt switch ${task.id}`,
      });
    const elsewhere = takenUpElsewhere(store, task.id, worktree.path);
    if (elsewhere !== undefined) throw hasItAlready(task.id, elsewhere, worktree);
    noteWorktree(store, now(), worktree, { note: `${task.id}: ${task.title}`, task: task.id });
  });
  try {
    return await open(before === task.id);
  } catch (error) {
    noteWorktree(store, now(), worktree, { task: before });
    throw error;
  }
}

/** What a dead maker left half-made is nobody's. */
function takenUpElsewhere(store: Store, task: string, path: string): Checkout | undefined {
  return [...readWorktrees(store).values()].find(
    (each) =>
      each.task === task &&
      each.path !== path &&
      existsSync(each.path) &&
      (each.maker === null || isOwnerAlive(each.maker)),
  );
}

function hasItAlready(task: string, at: Checkout, wanted: Checkout): OwtError {
  const name = nameOf(at);
  return new OwtError("wrong-state", `somebody has ${task} by hand already, in ${at.path}`, {
    hint: `go there: owt switch ${shellWord(name)}; to give that up: owt delete ${shellWord(name)}; a worktree beside it, without the task: owt create ${wordOf(wanted)}`,
  });
}

/** By the task's id, where somebody has it: for as long as that worktree is there. */
export function readTakenUp({ store }: Pick<Engine, "store">): Map<string, Checkout> {
  const records = [...readWorktrees(store).values()].filter(({ task, path }) => task !== null && existsSync(path));
  return new Map(records.map(({ task, path, branch }) => [task!, { path, branch }]));
}

/** What of this a run leaves alone: what somebody has by hand, and what needs that. By id, with the one that somebody has. */
export function heldByTakenUp(
  wanted: ReadonlySet<string>,
  needs: ReadonlyMap<string, readonly string[]>,
  taken: ReadonlyMap<string, Checkout>,
): Map<string, { task: string; worktree: Checkout }> {
  const held = new Map<string, { task: string; worktree: Checkout }>();
  for (const [task, worktree] of taken) if (wanted.has(task)) held.set(task, { task, worktree });
  for (let before = -1; before < held.size;) {
    before = held.size;
    for (const id of wanted) {
      const upstream = (needs.get(id) ?? []).find((each) => held.has(each));
      if (!held.has(id) && upstream !== undefined) held.set(id, held.get(upstream)!);
    }
  }
  return held;
}

/** Why a run does not begin it. */
export function takenUpError(id: string, { task, worktree }: { task: string; worktree: Checkout }): OwtError {
  const name = nameOf(worktree);
  const why = id === task ? "" : `${id} needs ${task}, and `;
  return new OwtError("needs-person", `${why}somebody has ${task} by hand, in ${worktree.path}`, {
    hint: `where it is done: owt merge ${shellWord(name)}, then: owt task cancel ${task}; to let a run do it: owt delete ${shellWord(name)}`,
  });
}
