/** Brings a task's work into its run's branch: merge at the tip, check the merge, compare-and-set the branch.
 *  One at a time in each run, so that every task is checked against exactly what it will land on. */
import { join } from "node:path";
import { textWorkedOn } from "../core/conversation.ts";
import { OwtError } from "../core/errors.ts";
import { oneLine } from "../core/names.ts";
import { isAncestor, moveRef, readParents } from "../git/branch.ts";
import { readTree, writeCommit } from "../git/commit.ts";
import { clearStaleLocks } from "../git/locks.ts";
import { mergeTrees } from "../git/merge.ts";
import { mendEntry } from "../git/mend.ts";
import { moveDetached } from "../git/move.ts";
import { findPlace } from "../git/place.ts";
import { noteStanding } from "../git/standing.ts";
import { createWorktree } from "../git/worktree.ts";
import { endAttempt, readAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { moveTask } from "../store/tasks.ts";
import { type Carried, finish, moveOn, sendBack, type StepResult, waitBehind } from "./attempt-moves.ts";
import { attemptDir, type Engine, integrationWorktree } from "./engine.ts";
import { runTip } from "./run-tip.ts";
import { mergeHere, verifyCommands, verifyFailed } from "./task-steps.ts";
import { readySubmodules } from "./submodules.ts";
import { type Verdict, verifyAt } from "./verify.ts";
import { bringEnvironmentFiles, environmentFiles } from "./environment-files.ts";
import { forgetSetup, setUp } from "./workspace.ts";

export function mergeStep(engine: Engine, carried: Carried): Promise<StepResult> {
  return inTurn(engine, carried.run.id, () => mergeAtTip(engine, carried));
}

/** The intent stands: `candidate` is to become the tip. After a crash it may have become it already. */
export function advanceStep(engine: Engine, carried: Carried): Promise<StepResult> {
  return inTurn(engine, carried.run.id, async (): Promise<StepResult> => {
    const candidate = carried.attempt.candidate!;
    const [from] = await readParents(engine.repo, candidate);
    await advance(engine, carried, from!, candidate);
    return "on";
  });
}

/** Queues work behind what the run is integrating right now. */
function inTurn<T>(engine: Engine, run: string, work: () => Promise<T>): Promise<T> {
  const before = engine.queues.get(run) ?? Promise.resolve();
  const mine = before.then(work, work);
  engine.queues.set(
    run,
    mine.catch(() => {}),
  );
  return mine;
}

async function mergeAtTip(engine: Engine, carried: Carried): Promise<StepResult> {
  const { run, task, attempt } = carried;
  const tip = await runTip(engine, carried.run);
  const head = attempt.head!;
  const merged = await mergeTrees(engine.repo, tip, head, attempt.worktree);
  if ("unrelated" in merged) {
    finish(engine, carried, { kind: "failed", reason: `${attempt.branch} shares no history with ${run.branch}` });
    return "on";
  }
  if ("files" in merged) {
    // A person finds the merge started, with both sides in the files.
    if (task.conflicts >= 1) await mergeHere(engine, carried, tip);
    conflicted(engine, carried, merged.files, tip, head);
    return "on";
  }
  const commands = verifyCommands(run, task);
  // What repeated work that is there already left is in the tip: there is nothing to merge, but it is checked all the same.
  const isIn = merged.tree === (await readTree(engine.repo, tip)) && (await isAncestor(engine.repo, head, tip));
  const message = mergeMessage(carried, commands.length > 0);
  const merge = { tree: merged.tree, parents: [tip, head], message, identity: await engine.identity() };
  const candidate = isIn ? tip : await writeCommit(engine.repo, merge);
  const seen = commands.length === 0 || merged.tree === attempt.verifiedTree;
  if (!seen) {
    const verdict = await verifyCandidate(engine, carried, candidate, commands);
    if (verdict.kind === "interrupted") return "leave";
    if (verdict.kind === "red") {
      engine.redMerges.add(candidate);
      verifyFailed(engine, carried, verdict, tip);
      return "on";
    }
  }
  moveOn(engine, carried, "advance", { candidate });
  await advance(engine, { ...carried, attempt: { ...attempt, phase: "advance", candidate } }, tip, candidate);
  return "on";
}

/** Makes the candidate the tip, and says so. When somebody else moved the branch meanwhile, the merge is made again. */
async function advance(engine: Engine, carried: Carried, from: string, candidate: string): Promise<void> {
  const { run, task, attempt } = carried;
  const ref = `refs/heads/${run.branch}`;
  // A lost race may have been won by an earlier process of ours, with this very candidate.
  const arrived =
    (await moveRef(engine.repo, ref, from, candidate)) ||
    (await isAncestor(engine.repo, candidate, await runTip(engine, carried.run)));
  if (!arrived) {
    moveOn(engine, carried, "merge", { candidate: null });
    return;
  }
  const now = engine.now();
  engine.store.transaction(() => {
    if (!endAttempt(engine.store, now, attempt, { kind: "ok" })) return;
    const verified = verifyCommands(run, task).length > 0;
    // Done is what was asked of the agent, not what a later text asks for.
    const hash = textWorkedOn(readAttempts(engine.store, task.id), attempt.id) ?? task.hash;
    moveTask(engine.store, now, task, "done", { commit: candidate, verified, endedAt: now, reason: null, hash });
    appendEvent(
      engine.store,
      now,
      { run: run.id, task: task.id, attempt: attempt.id },
      { kind: "task-integrated", commit: candidate, verified },
    );
  });
}

/** Sends a conflict back once to the agent, with both sides named; the second time it waits for a person. */
export function conflicted(engine: Engine, carried: Carried, files: string[], theirs: string, ours: string): void {
  const { task, attempt } = carried;
  if (task.conflicts < 1) {
    const next = { kind: "conflict", from: attempt.id, files, ours, theirs } as const;
    sendBack(engine, carried, { kind: "conflict", files }, next, { conflicts: task.conflicts + 1 });
    return;
  }
  const now = engine.now();
  engine.store.transaction(() => {
    if (!endAttempt(engine.store, now, attempt, { kind: "conflict", files })) return;
    waitBehind(engine, carried, {
      park: { for: "conflict", files, ours, theirs, worktree: attempt.worktree },
      next: { kind: "by-hand", from: attempt.id },
    });
  });
}

/** Moves the run's own worktree to the candidate and checks it there. */
async function verifyCandidate(
  engine: Engine,
  carried: Carried,
  candidate: string,
  commands: string[],
): Promise<Verdict> {
  const { run, attempt } = carried;
  const path = await standAt(engine, run.id, candidate);
  const dir = join(attemptDir(engine, attempt.id), `merge-${candidate.slice(0, 12)}`);
  const { timeoutMs } = run.options;
  const problem = await setUp(engine, {
    attempt: attempt.id,
    dir,
    worktree: path,
    timeoutMs,
  });
  if (problem === "interrupted") return { kind: "interrupted" };
  if (problem) return { kind: "red", command: problem.failed, output: problem.output };
  return verifyAt(engine, attempt, { dir, cwd: path, commands, where: "run", timeoutMs });
}

/** The run's own worktree, detached at a commit, with its environment files. */
export async function standAt(engine: Engine, run: string, commit: string): Promise<string> {
  const path = integrationWorktree(engine, run);
  const mended = await mendEntry(engine.repo, path, { detached: commit });
  const made = await createWorktree(engine.repo, { path, base: commit });
  if ("refused" in made) {
    throw new OwtError("environment", `the integration worktree ${path} cannot be made (${made.refused})`, {
      hint: `move away what is at ${path}, then: owt resume`,
    });
  }
  // Only we work here, and no git of an earlier owt is left: a lock is one that a power cut left.
  if (!made.isNew) await clearStaleLocks(engine.repo, made.gitDir, { branches: [] });
  if (!made.isNew) await moveDetached(engine.repo, path, commit, environmentFiles(engine));
  // What a setup brought before the machine went down may be in pieces.
  if (mended !== null) forgetSetup(engine, path);
  bringEnvironmentFiles(engine, path);
  if (mended !== null) noteStanding(mended);
  const place = findPlace(engine.repo, path);
  if (place) await readySubmodules(engine, place, commit, { asked: false, present: "ours" });
  return path;
}

function mergeMessage({ run, task, attempt }: Carried, verified: boolean): string {
  return `${oneLine(task.spec.title)}\n\nOwt-Task: ${task.key}\nOwt-Run: ${run.id}\nOwt-Attempt: ${attempt.id}\nOwt-Verified: ${verified ? "yes" : "no"}\n`;
}
