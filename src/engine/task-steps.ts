/** The phases of an attempt in its own worktree: making it, setting it up, checking what the agent left. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../core/errors.ts";
import type { SetupSaid } from "../core/reuse.ts";
import { slug } from "../core/names.ts";
import type { Attempt } from "../core/attempt.ts";
import { checkedOutWhere, isAncestor, moveRef, readRef } from "../git/branch.ts";
import { readTree } from "../git/commit.ts";
import { undoFootprint } from "../git/footprint.ts";
import { commitLeftovers } from "../git/leftovers.ts";
import { clearStaleLocks } from "../git/locks.ts";
import { startMerge, type StartedMerge } from "../git/merge.ts";
import { findPlace } from "../git/place.ts";
import { moveBack } from "../git/move.ts";
import { removeWorktree } from "../git/remove.ts";
import { bringBothSides } from "../git/submodules.ts";
import { createWorktree, type CreateRefused, type Worktree } from "../git/worktree.ts";
import { printableNames } from "../lib/printable.ts";
import { lastAttemptOn, readAttempt, readAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { type Carried, finish, moveOn, type StepResult } from "./attempt-moves.ts";
import { moveOnGreen } from "./contest.ts";
import { noteBegun, readBegun } from "./begun.ts";
import { verifyFailed } from "./clash.ts";
import { inCheckPlace } from "./check-places.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { beganRed, findKnownRed, isRedWhereItBegan } from "./red-tip.ts";
import { notingSlowGit } from "./slow-git.ts";
import { readySubmodules } from "./submodules.ts";
import { heldByCheck, verifyOnBranch } from "./strayed.ts";
import { type Verdict, verifyCommands } from "./verify.ts";
import { bringEnvironmentFiles, describeKept, environmentFiles, keepChangedEnvironment } from "./environment-files.ts";
import { noteSetup, runSetup } from "./run-setup.ts";
import { inRoomFor } from "./worktree-room.ts";
import { forgetSetup, knownFiles, noteEmptyBefore, readSetup, type SetupProblem, setupFootprint } from "./workspace.ts";

/** How long a place that is being cleared away is given before it is looked at again. */
const TIDYING_MS = 10;

/** Branch and worktree, and for a follow-up what it works on: a started merge, or work that came in meanwhile. */
export async function workspaceStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const { attempt, task } = carried;
  if (readBegun(engine, attempt.id) === null) noteBegun(engine, carried);
  // A conversation that goes on finds its branch where it left it, even if somebody removed the worktree.
  // So does a branch that the plan named: a new try goes on from the work of the one before.
  const goesOn = attempt.continues !== null || task.spec.branch !== null;
  if (attempt.continues === null && task.spec.branch !== null) await bringForward(engine, attempt);
  const base = (goesOn ? await readRef(engine.repo, attempt.branch) : null) ?? attempt.base;
  let made = await ensureWorktree(engine, carried, base);
  if ("refused" in made && made.refused === "checked-out" && (await clearEarlier(engine, carried, made.path)))
    made = await ensureWorktree(engine, carried, base);
  // The place of the try before is being cleared away: looked at again when that has ended.
  if ("refused" in made && made.refused === "checked-out" && isBeingTidied(engine, carried, made.path)) {
    await sleep(TIDYING_MS);
    return "leave";
  }
  if ("refused" in made) {
    finish(engine, carried, { kind: "failed", reason: describeRefusal(attempt, made) });
    return "on";
  }
  if (made.isNew) forgetSetup(engine, attempt.worktree);
  const tell = (said: SetupSaid) => noteSetup(engine, carried, said);
  bringEnvironmentFiles(engine, attempt.worktree, tell);
  const place = findPlace(engine.repo, attempt.worktree);
  if (place) await readySubmodules(engine, place, base, { asked: false, tell });
  // Nobody works here before the agent's turn, and no git of an earlier owt is left: a lock is one that a power cut left.
  if (!made.isNew) await clearStaleLocks(engine.repo, made.gitDir, { branches: [attempt.branch] });
  const started = await startFollowUp(engine, carried);
  if (typeof started === "object" && "inTheWay" in started) {
    const reason = `ignored files are in the way of the merge: ${printableNames(started.inTheWay)}`;
    finish(engine, carried, { kind: "failed", reason });
    return "on";
  }
  if (place && typeof started === "object") await bringBothSides(engine.repo, place);
  const needsSetup = (await readSetup(engine, attempt.worktree)).hash !== "";
  if (needsSetup && made.isNew && started === "nothing") noteEmptyBefore(engine, attempt.worktree);
  moveOn(engine, carried, needsSetup ? "setup" : "launch");
  return "on";
}

/** A branch that an earlier attempt left is moved forward to where this one starts, where it holds nothing else and nobody has it
 *  checked out. Else it stays: a new try in the same run goes on from the work of the one before. */
async function bringForward(engine: Engine, { id, branch, base }: Attempt): Promise<void> {
  const tip = await readRef(engine.repo, branch);
  if (tip === null || tip === base || lastAttemptOn(engine.store, branch, id) === null) return;
  if ((await checkedOutWhere(engine.repo, branch)) !== null || !(await isAncestor(engine.repo, tip, base))) return;
  await moveRef(engine.repo, branch, tip, base);
}

/** A try of an earlier run kept its worktree: what it holds is saved, and the branch is free again. False when it is not such a place. */
async function clearEarlier(engine: Engine, { run, task, attempt }: Carried, path: string): Promise<boolean> {
  const earlier = lastAttemptOn(engine.store, attempt.branch, attempt.id);
  if (earlier === null || earlier.worktree !== path || earlier.phase !== "closed") return false;
  const id = `${earlier.run}-${slug(task.key)}-${earlier.id}-kept`;
  const rescue = { id, note: `what was kept at ${path} of an earlier try of ${task.key}`, at: engine.now() };
  const keep = [`refs/heads/${attempt.branch}`];
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  const kept = await keepChangedEnvironment(engine, path, id);
  const removed = await removeWorktree(engine.repo, path, {
    keep,
    known: knownFiles(engine, path),
    save: true,
    rescue,
  });
  if (removed.removed && kept.length > 0)
    appendEvent(engine.store, engine.now(), about, { kind: "note", text: describeKept(kept, id) });
  if (removed.removed && removed.rescue !== null) {
    appendEvent(engine.store, engine.now(), about, { kind: "rescued", rescue: id, what: rescue.note });
  }
  return removed.removed;
}

function isBeingTidied(engine: Engine, { task }: Carried, worktree: string): boolean {
  return readAttempts(engine.store, task.id).some((each) => each.phase === "tidy" && each.worktree === worktree);
}

/** The attempt's worktree on its branch. Where somebody deleted its files, or an agent left its HEAD elsewhere, what is there is saved
 *  and cleared away first. */
export async function ensureWorktree(
  engine: Engine,
  carried: Carried,
  base: string,
): Promise<Worktree | CreateRefused> {
  const { attempt } = carried;
  const want = { path: attempt.worktree, branch: attempt.branch, base };
  if (!existsSync(attempt.worktree)) await clearAway(engine, carried);
  const create = () =>
    inRoomFor(engine, { path: attempt.worktree, commit: base }, () => createWorktree(engine.repo, want));
  const made = await create();
  const isElsewhere =
    "refused" in made && made.refused === "path-exists" && findPlace(engine.repo, attempt.worktree) !== null;
  if (!isElsewhere) return made;
  await clearAway(engine, carried);
  return create();
}

async function clearAway(engine: Engine, { run, task, attempt }: Carried): Promise<void> {
  const id = `${run.id}-${slug(task.key)}-${attempt.id}-before`;
  const rescue = { id, note: `what was at ${attempt.worktree} before ${attempt.branch}`, at: engine.now() };
  const keep = [`refs/heads/${attempt.branch}`];
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  const kept = await keepChangedEnvironment(engine, attempt.worktree, id);
  const removed = await removeWorktree(engine.repo, attempt.worktree, {
    keep,
    known: knownFiles(engine, attempt.worktree),
    save: true,
    rescue,
  });
  if (removed.removed && kept.length > 0)
    appendEvent(engine.store, engine.now(), about, { kind: "note", text: describeKept(kept, id) });
  if (!removed.removed || removed.rescue === null) return;
  appendEvent(engine.store, engine.now(), about, { kind: "rescued", rescue: id, what: rescue.note });
}

/** Puts a follow-up's merge into the worktree. */
async function startFollowUp(engine: Engine, carried: Carried): Promise<StartedMerge> {
  const { next } = carried.task;
  if (next.kind === "conflict") return mergeHere(engine, carried, next.theirs);
  if (next.kind === "repair" && next.onto) return bringIn(engine, carried, next.onto);
  return "nothing";
}

/** Merges what the run's branch holds, so that the agent sees the checks fail as they failed there. */
async function bringIn(engine: Engine, carried: Carried, onto: string): Promise<StartedMerge> {
  const { attempt, task } = carried;
  const started = await mergeHere(engine, carried, onto);
  if (started !== "clean") return started;
  const message = `Merge the work of the run into ${task.key}\n\nOwt-Task: ${task.key}\n`;
  await commitLeftovers(engine.repo, attempt.worktree, {
    branch: attempt.branch,
    exclude: environmentFiles(engine),
    footprint: setupFootprint(engine, attempt.worktree),
    message,
    identity: await engine.identity(),
  });
  return started;
}

/** Starts a merge in the attempt's worktree. What an agent left there was committed before; uncommitted changes are those of a merge
 *  that was cut off (or what may not be committed): they are saved, and the merge is started anew. */
export async function mergeHere(engine: Engine, carried: Carried, theirs: string): Promise<StartedMerge> {
  const { run, task, attempt } = carried;
  try {
    return await notingSlowGit(engine, carried, () => mergeOverSetup(engine, attempt.worktree, theirs));
  } catch (error) {
    if (!(error instanceof OwtError) || error.code !== "wrong-state") throw error;
    const id = `${run.id}-${slug(task.key)}-${attempt.id}-merge`;
    const rescue = { id, note: `before ${theirs} was merged into ${attempt.branch}`, at: engine.now() };
    await moveBack(engine.repo, attempt.worktree, environmentFiles(engine), rescue);
    const about = { run: run.id, task: task.id, attempt: attempt.id };
    appendEvent(engine.store, engine.now(), about, {
      kind: "rescued",
      rescue: id,
      what: `${task.key}: ${error.message}`,
    });
    return startMerge(engine.repo, attempt.worktree, theirs);
  }
}

/** What the setup rewrote is no change of the worktree's own, and what it made is not in the way. */
async function mergeOverSetup(engine: Engine, worktree: string, theirs: string): Promise<StartedMerge> {
  const left = setupFootprint(engine, worktree);
  await undoFootprint(engine.repo, worktree, left, { untracked: false });
  const started = await startMerge(engine.repo, worktree, theirs);
  if (left.size === 0 || typeof started !== "object" || !("inTheWay" in started)) return started;
  await undoFootprint(engine.repo, worktree, left, { untracked: true });
  return startMerge(engine.repo, worktree, theirs);
}

function describeRefusal(attempt: Attempt, refusal: CreateRefused): string {
  switch (refusal.refused) {
    case "path-exists":
      return `the worktree cannot be made: something else is at ${refusal.path}`;
    case "branch-exists":
      return `the worktree cannot be made: the branch ${attempt.branch} exists already at ${refusal.at}`;
    case "checked-out":
      return `the worktree cannot be made: ${attempt.branch} is checked out in ${refusal.path}`;
    case "being-made":
      return `the worktree cannot be made: another process is making ${refusal.path}`;
    default: {
      const never: never = refusal;
      return never;
    }
  }
}

export async function setupStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const problem = await runSetup(engine, carried);
  if (problem === "interrupted") return "leave";
  if (problem) finishUnready(engine, carried, problem);
  else moveOn(engine, carried, "launch");
  return "on";
}

/** The end of an attempt whose worktree cannot be made ready. */
export function finishUnready(engine: Engine, carried: Carried, { failed, output, hook, code }: SetupProblem): void {
  const what = hook === undefined ? failed : `[hooks] ${hook} ended with exit code ${code}: ${failed}`;
  finish(engine, carried, { kind: "failed", reason: `setup failed: ${what}`, output });
}

export async function verifyStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const { run, task, attempt } = carried;
  const commands = verifyCommands(run, task);
  const head = attempt.head!;
  const tree = await readTree(engine.repo, head);
  if (tree === attempt.verifiedTree) {
    await moveOnGreen(engine, carried, head, {});
    return "on";
  }
  // One folder for each state of the work: what was said about another one says nothing about this.
  const dir = join(attemptDir(engine, attempt.id), `verify-${head.slice(0, 12)}`);
  // The checks may leave anything behind.
  engine.seenClean.delete(attempt.id);
  const knownRed = await findKnownRed(engine, attempt.base, commands);
  const { timeoutMs } = run.options;
  // What waits for the branch is checked with it.
  if (knownRed !== undefined && (await wasRedAlready(engine, attempt, { tree, command: knownRed }))) {
    await moveOnGreen(engine, carried, head, {});
    return "on";
  }
  const isRedAnyway = (command: string) => isRedWhereItBegan(engine, carried, command);
  const place = { dir, cwd: attempt.worktree, commands, where: "task", timeoutMs, knownRed, isRedAnyway } as const;
  const check = () => verifyOnBranch(engine, carried, place);
  const verdict = commands.length === 0 ? await check() : await inCheckPlace(engine, carried, check);
  if (verdict === "interrupted" || verdict.kind === "interrupted") return "leave";
  if (verdict.kind === "strayed") {
    heldByCheck(engine, carried, verdict, "the task's worktree");
    return "on";
  }
  if (verdict.kind === "red") {
    const began = await beganRed(engine, carried, verdict.command);
    if (began === "interrupted") return "leave";
    if (!began) verifyFailed(engine, carried, verdict);
    else if (began !== "mended" && mayMend(carried)) mendOnce(engine, carried, verdict);
    // What counts then is whether it is green with the branch as that will be.
    else await moveOnGreen(engine, carried, head, {});
    return "on";
  }
  await moveOnGreen(engine, carried, head, { verifiedTree: commands.length > 0 ? tree : null });
  return "on";
}

/** Whether the turn before, in the same worktree, ended with the same files, and they were red with this command. */
async function wasRedAlready(
  { repo, store }: Engine,
  { continues }: Attempt,
  { tree, command }: { tree: string; command: string },
): Promise<boolean> {
  const before = continues === null ? null : readAttempt(store, continues);
  if (before?.outcome?.kind !== "verify_failed" || before.outcome.command !== command) return false;
  return before.head !== null && (await readTree(repo, before.head)) === tree;
}

type Red = Extract<Verdict, { kind: "red" }>;

/** To mend what its run begins with may be what a task is there for: it is told once that its check is still red. What was committed on the branch later is not. */
function mayMend({ run, task, attempt }: Carried): boolean {
  return (
    run.options.verifyAttempts > 0 && attempt.base === run.base && task.repairs === 0 && task.next.kind !== "by-hand"
  );
}

function mendOnce(engine: Engine, carried: Carried, red: Red): void {
  const { run, task, attempt } = carried;
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  const text = `its check is red without its work too, since ${attempt.base.slice(0, 10)}, where it began: ${red.command}`;
  appendEvent(engine.store, engine.now(), about, { kind: "note", text });
  verifyFailed(engine, carried, { ...red, output: tellBegan(attempt, red.output) });
}

function tellBegan({ base }: Attempt, output: string): string {
  const since = base.slice(0, 10);
  return `The check is red without this task's work too, since ${since}, where its branch began. Mend that only where the task asks for it; else see that nothing more is red with your work, and leave it.\n\n${output}`;
}
