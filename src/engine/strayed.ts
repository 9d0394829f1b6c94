/** A check that switches the worktree which it is to check, or removes it: what it says is of nothing that was asked, and that is nobody's doing but the configuration's. */
import { existsSync } from "node:fs";
import { backOnBranch, leftBranch } from "../git/move.ts";
import { endAttempt } from "../store/attempts.ts";
import { type Carried, waitBehind } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { type Verdict, verifyAt, type VerifyPlace } from "./verify.ts";

/** A command that switched the worktree to another branch or commit, or (null) removed it. */
export type Strayed = { kind: "strayed"; command: string; to: string | null };

/** Lets the task wait, to be merged again once somebody has mended the command. */
export function heldByCheck(
  engine: Engine,
  carried: Carried,
  { command, to }: Strayed,
  where: "the run's own worktree" | "the task's worktree",
): void {
  const did = to === null ? `removed ${where}` : `switched ${where} to ${to}`;
  const reason = `the verify command ${did}: ${command}; it says nothing of what it was to check`;
  if (!endAttempt(engine.store, engine.now(), carried.attempt, { kind: "failed", reason, waits: true })) return;
  waitBehind(engine, carried, {
    park: { for: "git", reason, verify: command },
    next: { kind: "by-hand", from: carried.attempt.id },
  });
}

/** Checks a task's work in its worktree. What made a check say nothing may have been somebody else, a process that the agent left, say: it is made once more. */
export async function verifyOnBranch(engine: Engine, carried: Carried, place: VerifyPlace): Promise<Verdict | Strayed> {
  const first = await verifyOnce(engine, carried, place);
  if (first.kind !== "strayed") return first;
  const anew = await verifyOnce(engine, carried, { ...place, dir: `${place.dir}-anew` });
  // What cannot be done twice (`git switch -c`).
  return anew.kind === "red" ? first : anew;
}

async function verifyOnce(engine: Engine, { attempt }: Carried, place: VerifyPlace): Promise<Verdict | Strayed> {
  const on = { branch: attempt.branch, at: attempt.head! };
  // Where it was elsewhere before, that is nobody's doing but the agent's.
  const isThere = existsSync(place.cwd) && (await leftBranch(engine.repo, place.cwd, on)) === null;
  let strayed: Strayed | null = null;
  const isVoid = async (command: string) => {
    const to = isThere && existsSync(place.cwd) ? await leftBranch(engine.repo, place.cwd, on) : null;
    if (to !== null) strayed = { kind: "strayed", command, to };
    return to !== null;
  };
  const verdict = await verifyAt(engine, attempt, { ...place, isVoid });
  if (strayed === null) return verdict;
  await backOnBranch(engine.repo, place.cwd, on);
  return strayed;
}
