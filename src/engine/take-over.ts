/** A person takes a run's task over by hand, in its worktree and its agent's conversation. That they have it stands in the store, as what the task
 *  waits for: whoever carries the run, now or after a kill, leaves it alone. `hand-back.ts` is how they give it back. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import { OwtError } from "../core/errors.ts";
import { heldByHand, mayTakeOver } from "../core/take-over.ts";
import { stateWords, type Task } from "../core/task.ts";
import { readRef } from "../git/branch.ts";
import { createWorktree } from "../git/worktree.ts";
import { printable } from "../lib/printable.ts";
import { changeAttempt, readAttempt, readAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { changeTask, moveTask, readTask } from "../store/tasks.ts";
import { noteWorktree } from "../store/worktrees.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { windDown } from "./carry.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { bringEnvironmentFiles } from "./environment-files.ts";
import { isCarried } from "./holder.ts";
import { restartSkipped } from "./tasks.ts";
import { settleLost, stopUncarried } from "./uncarried.ts";
import { nextChange } from "./wake.ts";

/** How often we look whether it is ours by now. */
const LOOK_MS = 250;

/** Takes a task over: what runs of it is stopped with its conversation kept, and nothing of ours goes to its worktree until it is given back.
 *  Resolves with the attempt whose place it is once everything has ended there. Repeatable. Throws `wrong-state` for a task that nobody has begun,
 *  or that is over. `onWait` is called when there is something to wait for. */
export async function takeOver(
  engine: Engine,
  task: Task,
  { signal, onWait }: { signal: AbortSignal; onWait: () => void },
): Promise<Attempt> {
  await settleLost(engine);
  claim(engine, task.id);
  for (let isTold = false; ;) {
    const change = nextChange(engine, signal);
    const attempt = heldAttempt(engine, task.id);
    if (attempt?.phase === "closed") {
      await ensurePlace(engine, attempt);
      noteWorktree(
        engine.store,
        engine.now(),
        { path: attempt.worktree, branch: attempt.branch },
        conversationOf(attempt),
      );
      return attempt;
    }
    if (signal.aborted)
      throw new OwtError("interrupted", `${task.key} is still being taken over`, {
        hint: `again: owt switch ${task.key}`,
      });
    if (!isTold) onWait();
    isTold = true;
    // Whoever carries the runs stops it, and tidies up; where nobody does, we do.
    if (isCarried(engine) === null) {
      await stopUncarried(engine, "taken", (each) => each.task === task.id && each.stop === "taken");
      await windDown(engine);
      change.now();
    }
    await change.happened(LOOK_MS);
  }
}

function conversationOf({ agent, session }: Attempt) {
  return { agent, conversation: session };
}

/** Writes the wish down, or the fact where nothing runs. */
function claim(engine: Engine, id: number): void {
  const { store } = engine;
  store.transaction(() => {
    const task = readTask(store, id)!;
    if (task.park?.for === "hand") return;
    const last = readAttempts(store, id).at(-1);
    if (last === undefined || !mayTakeOver(task)) throw notToBeTaken(task);
    if (task.cancelWish) throw new OwtError("wrong-state", `${task.key} is being cancelled`, { hint: "owt status" });
    const about = { run: task.run, task: id };
    if (last.outcome === null) {
      changeAttempt(store, last.id, { stop: "taken" });
      appendEvent(store, engine.now(), about, { kind: "note", text: "is being taken over by hand" });
      return;
    }
    const held = heldByHand(task, last, engine.now());
    if (task.state === "failed") {
      moveTask(store, engine.now(), task, "pending", { ...held, reason: null, endedAt: null });
      restartSkipped(engine, task);
    } else {
      changeTask(store, id, held);
      appendEvent(store, engine.now(), about, { kind: "task-parked", park: held.park, notBefore: null });
    }
  });
}

/** Why a task cannot be taken over. */
export function notToBeTaken({ key, run, state, startedAt }: Task): OwtError {
  const isOver = startedAt !== null;
  return new OwtError(
    "wrong-state",
    `${key} (${run}): ${isOver ? stateWords(state) : "nobody has begun it, so there is nothing to take over"}`,
    {
      hint: isOver
        ? `see: owt task show ${key}`
        : `in a worktree of your own: owt create <branch>; or let it begin: owt resume ${run}`,
    },
  );
}

/** The attempt in whose place a task is held; null where it is not ours yet. Throws where it came to its end instead. */
function heldAttempt(engine: Engine, id: number): Attempt | null {
  const task = readTask(engine.store, id)!;
  if (task.park?.for === "hand" && task.next.kind !== "fresh") return readAttempt(engine.store, task.next.from);
  if (task.state === "done" || task.state === "cancelled") throw notToBeTaken(task);
  return null;
}

/** Its worktree may have been cleared away, or never made: its branch is where its agent left it. */
async function ensurePlace(engine: Engine, { worktree, branch, base }: Attempt): Promise<void> {
  if (existsSync(worktree)) return;
  const tip = (await readRef(engine.repo, branch)) ?? base;
  const made = await createWorktree(engine.repo, { path: worktree, branch, base: tip });
  if ("refused" in made)
    throw new OwtError("environment", `the worktree ${worktree} cannot be made (${made.refused})`, {
      hint: `see what is there: git worktree list`,
    });
  bringEnvironmentFiles(engine, worktree);
}

/** What an agent that only works unattended was told, as a file that a terminal can show. */
export function writeTold(engine: Engine, { id }: Attempt, task: Task): string {
  const folder = attemptDir(engine, id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "told");
  writeFileAtomically(file, `${printable(readTextIfThere(join(folder, "prompt")) ?? task.spec.content)}\n`);
  return file;
}
