/** What becomes of work that does not go together with what came in meanwhile, be it in its text or only when both are checked: it goes back to its
 *  own conversation, then another attempt begins from what is there, then a person has it. What was resolved, and overtaken meanwhile, has not failed: it
 *  stays where it is on that way. */
import type { FailedRule } from "../core/conflict-rules.ts";
import { conflictBefore, conflictsBefore } from "../core/conversation.ts";
import { describeLost, howLost, type LostChange } from "../core/lost-change.ts";
import { type RedCheck, timeOf } from "../core/red-check.ts";
import { isMended, type NextStart, ontoOf, type Park, type Task, turnOf } from "../core/task.ts";
import type { Resolved } from "../core/resolved.ts";
import type { Attempt } from "../core/attempt.ts";
import { isAncestor } from "../git/branch.ts";
import { endAttempt, readAttempts } from "../store/attempts.ts";
import { readTasks } from "../store/tasks.ts";
import { type Carried, finish, sendBack, waitBehind } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";

/** `conflicts` of a task: sent back once; begun anew; that one sent back once, too. */
const SENT_BACK = 1;
const BEGUN_ANEW = 2;
const SENT_BACK_AGAIN = 3;

type Rung = "conversation" | "anew" | "person";

function rungOfConflict(task: Task, overtaken: boolean): Rung {
  if (overtaken) return "conversation";
  if (task.conflicts === 0 || task.conflicts === BEGUN_ANEW) return "conversation";
  return task.conflicts < BEGUN_ANEW && mayBeginAnew(task) ? "anew" : "person";
}

function rungOfRed({ run, task }: Carried, overtaken: boolean): Rung {
  if (overtaken || task.repairs < run.options.verifyAttempts) return "conversation";
  return task.conflicts < BEGUN_ANEW && mayBeginAnew(task) ? "anew" : "person";
}

/** A branch that the plan named holds the work of every attempt, so another one would meet the same; and what a person did is not done again by an agent. */
function mayBeginAnew({ spec, next }: Task): boolean {
  return spec.branch === null && next.kind !== "by-hand";
}

/** Whether its work is done anew, from what it could not be brought together with. */
export function isBegunAnew({ conflicts }: Pick<Task, "conflicts">): boolean {
  return conflicts >= BEGUN_ANEW;
}

/** Whether the task has resolved a conflict since its last beginning, or a person has done so for it. */
export function hasResolved({ conflicts, next }: Task): boolean {
  return conflicts > 0 && next.kind !== "fresh";
}

/** Whether work that conflicts with the run's branch does so only because that moved on while its last conflict was resolved: then nothing failed, and it has
 *  another round. Each time somebody else came in, so that there are no more rounds than tasks. */
export async function isOvertaken(engine: Engine, { run, task, attempt }: Carried): Promise<boolean> {
  const next = turnOf(task.next);
  if (!hasResolved(task)) return false;
  if (next.kind === "conflict" && !(await isAncestor(engine.repo, next.theirs, attempt.head!))) return false;
  const rounds = conflictsBefore(readAttempts(engine.store, task.id), attempt.id);
  return rounds <= readTasks(engine.store, run.id).length;
}

/** The same of work that is red with the run's branch at `tip`: what it was red with before is mended, and others came in meanwhile. */
export async function isRedOvertaken(engine: Engine, { run, task, attempt }: Carried, tip: string): Promise<boolean> {
  const next = turnOf(task.next);
  if (next.kind !== "repair" || next.onto === null || next.onto === tip) return false;
  if (!(await isAncestor(engine.repo, next.onto, attempt.head!))) return false;
  const rounds = readAttempts(engine.store, task.id).filter(({ outcome }) => outcome?.kind === "verify_failed").length;
  return rounds <= readTasks(engine.store, run.id).length;
}

/** Whether a person is next, who is to find the merge started in the worktree. */
export function isForPerson(carried: Carried, how: "conflict" | "red", overtaken = false): boolean {
  return (how === "conflict" ? rungOfConflict(carried.task, overtaken) : rungOfRed(carried, overtaken)) === "person";
}

/** Work (`ours`) that conflicts with `theirs` in these files. `failed`: what was to make one of them anew, and did not. `overtaken`: as {@link isOvertaken} says. */
export function conflicted(
  engine: Engine,
  carried: Carried,
  {
    files,
    theirs,
    ours,
    failed,
    overtaken = false,
  }: { files: string[]; theirs: string; ours: string; failed?: FailedRule | undefined; overtaken?: boolean },
): void {
  const { task, attempt } = carried;
  const outcome = { kind: "conflict", files, ours, theirs, ...failed } as const;
  switch (rungOfConflict(task, overtaken)) {
    case "conversation": {
      const next = { kind: "conflict", from: attempt.id, files, ours, theirs, ...failed } as const;
      const sentBack = task.conflicts === 0 ? SENT_BACK : SENT_BACK_AGAIN;
      const conflicts = overtaken ? task.conflicts : sentBack;
      return sendBack(engine, carried, outcome, next, { conflicts });
    }
    case "anew": {
      const next = { kind: "fresh", met: { files, command: "", output: "", ours } } as const;
      return sendBack(engine, carried, outcome, next, { conflicts: BEGUN_ANEW, repairs: 0 });
    }
    case "person":
      return parkFor(engine, carried, outcome, {
        for: "conflict",
        files,
        ours,
        theirs,
        worktree: attempt.worktree,
        ...failed,
      });
  }
}

/** What was resolved, or mended, throws a side away, by a person's hand or in a later step than its resolution: a person is asked whether that is meant. */
export function askPerson(engine: Engine, carried: Carried, resolved: Resolved, lost: LostChange[]): void {
  const { attempt } = carried;
  const reason = `${howLost(lost, isMended(resolved))}: ${describeLost(lost)}`;
  engine.store.transaction(() => {
    if (!endAttempt(engine.store, engine.now(), attempt, { kind: "failed", reason })) return;
    const { worktree } = attempt;
    const { files, ours, theirs } = resolved;
    const next = { kind: "by-hand", from: attempt.id, resolved, isAsked: true } as const;
    waitBehind(engine, carried, { park: { for: "conflict", files, ours, theirs, worktree, lost }, next });
  });
}

/** Checked work that is red. `merged`: with what it is red, and whose work that is, where it was green alone; it is left out where it is red in its own
 *  worktree. Only what never was green by itself, nor met a conflict, is over after the last round; what a person handed in is theirs again. */
export function verifyFailed(
  engine: Engine,
  carried: Carried,
  { command, output, timedOutMs }: RedCheck & { output: string },
  merged?: { onto: string; others: string[]; overtaken: boolean },
): void {
  const { task, attempt } = carried;
  const check = { command, ...timeOf({ timedOutMs }) };
  const outcome = { kind: "verify_failed", ...check, output } as const;
  // What was merged into the worktree in an earlier round is there still.
  const together = merged?.onto ?? ontoOf(task.next);
  const others = merged?.others ?? othersOf(task.next);
  const withOthers = others.length === 0 ? {} : { others };
  const overtaken = merged?.overtaken ?? false;
  const rung = rungOfRed(carried, overtaken);
  const resolved = conflictBefore(readAttempts(engine.store, task.id), attempt.id);
  const isOfOthers = together !== null || resolved !== null || isBegunAnew(task);
  if (rung === "conversation") {
    const next = { kind: "repair", from: attempt.id, ...check, output, onto: together, ...withOthers } as const;
    sendBack(engine, carried, outcome, next, { repairs: overtaken ? task.repairs : task.repairs + 1 });
  } else if (!isOfOthers && task.next.kind !== "by-hand") {
    finish(engine, carried, outcome);
  } else if (rung === "anew") {
    const met = { files: resolved?.files ?? [], ...check, output, ours: attempt.head!, ...withOthers };
    const next = { kind: "fresh", met } as const;
    sendBack(engine, carried, outcome, next, { conflicts: BEGUN_ANEW, repairs: 0 });
  } else {
    const isOwn = merged === undefined && others.length === 0;
    const park = { for: "red", ...check, worktree: attempt.worktree, ...(isOwn ? { isOwn } : withOthers) } as const;
    parkFor(engine, carried, outcome, park, together);
  }
}

/** With whose work it was red before. */
function othersOf(start: NextStart): string[] {
  const next = turnOf(start);
  switch (next.kind) {
    case "fresh":
      return next.met?.others ?? [];
    case "repair":
    case "resume":
    case "by-hand":
      return next.others ?? [];
    default:
      return [];
  }
}

/** `onto`: with what the work is red. */
function parkFor(
  engine: Engine,
  carried: Carried,
  outcome: Parameters<typeof endAttempt>[3],
  park: Extract<Park, { for: "conflict" | "red" }>,
  onto: string | null = null,
): void {
  const { attempt } = carried;
  engine.store.transaction(() => {
    if (!endAttempt(engine.store, engine.now(), attempt, outcome)) return;
    const others = park.for === "red" && park.others !== undefined ? { others: park.others } : {};
    const resolved = resolvedBy(park, attempt, onto);
    waitBehind(engine, carried, { park, next: { kind: "by-hand", from: attempt.id, ...others, ...resolved } });
  });
}

/** What a person brings together as they resolve or mend this. */
function resolvedBy(
  park: Extract<Park, { for: "conflict" | "red" }>,
  { head }: Attempt,
  onto: string | null,
): { resolved?: Resolved } {
  if (park.for === "conflict") return { resolved: { files: park.files, ours: park.ours, theirs: park.theirs } };
  return onto === null || head === null ? {} : { resolved: { files: [], ours: head, theirs: onto } };
}
