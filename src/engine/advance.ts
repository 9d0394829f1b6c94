/** What was merged and checked becomes the run's branch, moved by compare-and-set, and its tasks are done. */
import { textWorkedOn } from "../core/conversation.ts";
import type { Run } from "../core/run.ts";
import { checkedOutThere, isAncestor, moveRef } from "../git/branch.ts";
import { fastForwardCheckout } from "../git/fast-forward.ts";
import { endAttempt, readAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { forgetLanding } from "../store/runs.ts";
import { moveTask } from "../store/tasks.ts";
import { type Carried, moveOn, waitBehind } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { runTip } from "./run-tip.ts";
import { describeStay, endOfStay } from "./stays.ts";
import { verifyCommands } from "./verify.ts";

/** Makes the candidate the tip, and says so. When somebody else moved the branch meanwhile, the merge is made again. */
export async function advance(engine: Engine, all: readonly Carried[], from: string, candidate: string): Promise<void> {
  const { run } = all[0]!;
  const stays = await moveBranch(engine, run, from, candidate);
  // A lost race may have been won by an earlier process of ours, with this very candidate.
  const arrived = stays === null || (await isAncestor(engine.repo, candidate, await runTip(engine, run)));
  engine.store.transaction(() => {
    for (const carried of all) {
      if (arrived) integrated(engine, carried, candidate, all.length - 1);
      else if (stays !== null && stays !== "moved") heldByCheckout(engine, carried, stays);
      else moveOn(engine, carried, "merge", { candidate: null });
    }
  });
}

/** Where the run's branch is checked out, and why it stays there, in words. */
type Held = { checkout: string; why: string; end: string };

/** Moves the run's branch forward, and whoever has it checked out along with it. Null when it is there, `moved` when it stood elsewhere; else why it stays. */
async function moveBranch(engine: Engine, run: Run, from: string, to: string): Promise<"moved" | Held | null> {
  const { repo } = engine;
  const checkout = await checkedOutThere(repo, run.branch);
  if (checkout === null) return (await moveRef(repo, `refs/heads/${run.branch}`, from, to)) ? null : "moved";
  const forward = await fastForwardCheckout(repo, run.branch, from, to);
  if (forward.moved) return null;
  return forward.reason === "branch-moved"
    ? "moved"
    : { checkout, why: describeStay(forward), end: endOfStay(forward) };
}

/** Somebody has the run's branch checked out and works there: the branch is not moved under their hands. The work comes in, checked anew, once they say so. */
function heldByCheckout(engine: Engine, carried: Carried, { checkout, why, end }: Held): void {
  const reason = `${carried.run.branch} is checked out and cannot move on: ${why}; ${end}, or switch to another branch`;
  if (!endAttempt(engine.store, engine.now(), carried.attempt, { kind: "failed", reason, waits: true })) return;
  waitBehind(engine, carried, {
    park: { for: "git", reason, checkout },
    next: { kind: "by-hand", from: carried.attempt.id },
  });
}

function integrated(engine: Engine, { run, task, attempt }: Carried, candidate: string, others: number): void {
  const now = engine.now();
  if (!endAttempt(engine.store, now, attempt, { kind: "ok" })) return;
  const verified = verifyCommands(run, task).length > 0;
  // Done is what was asked of the agent, not what a later text asks for.
  const hash = textWorkedOn(readAttempts(engine.store, task.id), attempt.id) ?? task.hash;
  moveTask(engine.store, now, task, "done", { commit: candidate, verified, endedAt: now, reason: null, hash });
  forgetLanding(engine.store, run.id);
  const together = others > 0 ? { others } : {};
  appendEvent(
    engine.store,
    now,
    { run: run.id, task: task.id, attempt: attempt.id },
    { kind: "task-integrated", commit: candidate, verified, ...together },
  );
}
