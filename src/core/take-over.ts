/** A task that a person takes over: how it is held meanwhile, and how it goes on when they give it back. Pure. */
import type { NextStart, Park, Task } from "./task.ts";

/** What holds a task for a person from `now` on (epoch ms), in the place of this attempt of it. */
export function heldByHand(
  { park, next }: { park: Park | null; next: NextStart },
  attempt: { id: number; worktree: string },
  now: number,
): { park: Park & { for: "hand" }; next: NextStart; notBefore: null } {
  const asked = park?.for === "answer" ? { asked: park.question } : {};
  return {
    park: { for: "hand", since: now, worktree: attempt.worktree, ...asked },
    next: keptNext(next, attempt.id),
    notBefore: null,
  };
}

/** An answer that was not told yet still has to be. Red checks and conflicts are looked at anew when the work is merged: what a person did
 *  meanwhile may have mended them, and a merge that is started again would set their files aside. */
function keptNext(next: NextStart, attempt: number): NextStart {
  return next.kind === "answer" ? { ...next, from: attempt } : { kind: "resume", from: attempt };
}

/** What a person's work begins with once it is given back: no agent, only checks and integration. Null where nothing was taken over. */
export function doneByHand({ park, next }: Pick<Task, "park" | "next">): NextStart | null {
  return park?.for === "hand" && next.kind !== "fresh" ? { kind: "by-hand", from: next.from } : null;
}

/** Whether a task can be taken over: somebody has begun it, and it is not over. */
export function mayTakeOver({ state, startedAt }: Pick<Task, "state" | "startedAt">): boolean {
  return startedAt !== null && !OVER.has(state);
}

/** One that failed can still be mended. */
const OVER = new Set<Task["state"]>(["done", "cancelled", "skipped"]);
