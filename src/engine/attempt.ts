/** Carries one attempt from its intent to its end, one phase after the other. Each phase can be repeated: after a crash
 *  the next process calls the same function, and there is no other recovery. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import { type ErrorCode, OwtError } from "../core/errors.ts";
import { slug } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { isBrokenFilter } from "../git/git.ts";
import { isOutOfTime } from "../git/patience.ts";
import { findUnwritable } from "../git/unwritable.ts";
import { moveAttempt, openAttempt, readAttempt, readOpenAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readRun } from "../store/runs.ts";
import { moveTask, readTask } from "../store/tasks.ts";
import { type Carried, finish, moveOn, requestStop, type StepResult } from "./attempt-moves.ts";
import { agentStep, launchStep } from "./agent-turn.ts";
import { collectStep } from "./collect.ts";
import { stopSoon } from "./check.ts";
import { attemptDir, type Engine, isAgent, taskBranch, worktreeHome } from "./engine.ts";
import { isFullDisk } from "./full-disk.ts";
import { noteProbe } from "./governor.ts";
import { advanceStep, mergeStep } from "./integrate.ts";
import { tidyStep } from "./tidy.ts";
import { needsSettling, settleReboot } from "./reboot.ts";
import { finishUnready, setupStep, verifyStep, workspaceStep } from "./task-steps.ts";

const STEPS: Record<
  Exclude<Attempt["phase"], "closed" | "review" | "contest">,
  (engine: Engine, carried: Carried) => Promise<StepResult>
> = {
  workspace: workspaceStep,
  setup: setupStep,
  launch: launchStep,
  agent: agentStep,
  collect: collectStep,
  verify: verifyStep,
  merge: mergeStep,
  advance: advanceStep,
  tidy: tidyStep,
};

/** Phases in which a wish to stop is obeyed at once; in the others it is too early or too late to. */
const STOPPABLE = new Set<Attempt["phase"]>(["workspace", "setup", "launch", "verify", "contest", "review", "merge"]);

const BEFORE_AGENT = new Set<Attempt["phase"]>(["workspace", "setup", "launch"]);
const CHECKS = new Set<Attempt["phase"]>(["verify", "merge"]);

/** Opens the next attempt of a pending task: the intent to try it, from `base`, the tip of its run. Another agent than that of the attempt which it goes on
 *  from works on in its worktree, in a conversation of its own. Null when it was taken. */
export function startAttempt(
  engine: Engine,
  run: Run,
  task: Task,
  { agent, model, base }: { agent: string; model: string | null; base: string },
): Attempt | null {
  const before = task.next.kind === "fresh" ? null : readAttempt(engine.store, task.next.from);
  const talks = before?.agent === agent ? before : null;
  return engine.store.transaction(() => {
    const now = engine.now();
    const change = { park: null, notBefore: null, startedAt: task.startedAt ?? now };
    if (!moveTask(engine.store, now, task, "running", change)) return null;
    const attempt = openAttempt(engine.store, now, {
      run: run.id,
      task: task.id,
      continues: before?.id ?? null,
      phase: task.next.kind === "by-hand" ? "collect" : "workspace",
      agent,
      model: talks?.model ?? model,
      session: talks?.session ?? randomUUID(),
      base: before?.base ?? base,
      place: (id) => (before ? { branch: before.branch, worktree: before.worktree } : placeOf(engine, task, id)),
    });
    if (task.next.kind !== "by-hand") noteProbe(engine, attempt);
    return attempt;
  });
}

/** The branch and folder of a new attempt. */
function placeOf(engine: Engine, task: Task, id: number): Pick<Attempt, "branch" | "worktree"> {
  const name = slug(task.key);
  return {
    branch: taskBranch(task.spec, id, task.key),
    worktree: join(worktreeHome(engine), `${name}-${id}`),
  };
}

/** Carries an attempt until it is closed, waits for a person, or is interrupted; from `leave` on it is parked. */
export async function carryAttempt(engine: Engine, id: number, leave: AbortSignal): Promise<void> {
  for (;;) {
    const carried = readCarried(engine, id);
    if (!carried) return;
    const { attempt, task } = carried;
    const isLeaving = leave.aborted || carried.run.wish === "stop";
    // What has not begun is not begun any more. A check is repeated by whoever comes next; before its agent there is nothing to go on with.
    if (isLeaving && attempt.stop === null && CHECKS.has(attempt.phase)) return;
    if (isLeaving && attempt.stop === null && BEFORE_AGENT.has(attempt.phase)) {
      finish(engine, carried, { kind: "stopped" });
      continue;
    }
    // It was started in the very moment in which everything was told to stop.
    if (isLeaving && attempt.stop === null && attempt.phase === "agent") {
      requestStop(engine, attempt, "stopped");
      continue;
    }
    // Checks cost nothing: what a budget stopped was its agent.
    if (attempt.stop && attempt.stop !== "budget" && STOPPABLE.has(attempt.phase)) {
      finish(engine, carried, attempt.stop === "aborted" ? { kind: "aborted" } : { kind: "stopped" });
      continue;
    }
    if (attempt.phase === "review") {
      if (!task.approved) return;
      // What a person changed in the worktree meanwhile belongs to what was approved: it is taken in and checked.
      moveOn(engine, carried, "collect");
      continue;
    }
    // What becomes of it is decided by the loop, which sees its rivals.
    if (attempt.phase === "closed" || attempt.phase === "contest") return;
    if (isWithoutAgent(engine, carried)) {
      await holdWithoutAgent(engine, carried);
      continue;
    }
    try {
      const result = await standAndStep(engine, carried);
      // What was interrupted because everything stops is looked at once more, above.
      if (result === "leave" && !leave.aborted && readRun(engine.store, attempt.run)?.wish !== "stop") return;
    } catch (error) {
      if (!isInterrupted(error)) contain(engine, id, error);
      // As where a step says so itself.
      else if (!leave.aborted && readRun(engine.store, attempt.run)?.wish !== "stop") return;
    }
  }
}

/** Whether a git of ours was ended so that something can stop. */
function isInterrupted(error: unknown): boolean {
  return error instanceof OwtError && error.code === "interrupted";
}

/** Phases that go by what the agent is: how it is started, what its output means. */
const BY_AGENT = new Set<Attempt["phase"]>(["workspace", "launch", "agent", "collect"]);

/** Whether the configuration does not know the agent any more that this attempt was begun with. */
function isWithoutAgent(engine: Engine, { attempt, task }: Carried): boolean {
  return BY_AGENT.has(attempt.phase) && task.next.kind !== "by-hand" && !isAgent(engine, attempt.agent);
}

/** Nobody can tell what such an agent does or did: it is ended, and its task goes on from its worktree once a person has seen to it. */
async function holdWithoutAgent(engine: Engine, carried: Carried): Promise<void> {
  const { attempt } = carried;
  if (attempt.phase === "agent") await stopSoon(engine, attemptDir(engine, attempt.id));
  const reason = `there is no agent named ${attempt.agent} any more: set it up again, as [agent.${attempt.agent}]`;
  finish(engine, carried, { kind: "failed", reason, unknownAgent: true });
}

/** Phases that go by what lies in the worktree. */
const IN_WORKTREE = new Set<Attempt["phase"]>(["workspace", "collect", "verify", "merge", "tidy"]);
/** What is made ready for an agent that was not started: it is made ready anew. */
const READIED = new Set<Attempt["phase"]>(["setup", "launch"]);

/** Does an attempt's next step, in a worktree that can be believed. */
async function standAndStep(engine: Engine, carried: Carried): Promise<StepResult> {
  const { phase } = carried.attempt as { phase: keyof typeof STEPS };
  if (READIED.has(phase) && needsSettling(engine, carried)) {
    moveOn(engine, carried, "workspace");
    return "on";
  }
  const problem = IN_WORKTREE.has(phase) ? await settleReboot(engine, carried) : null;
  if (problem === "interrupted") return "leave";
  if (problem === null) return STEPS[phase](engine, carried);
  finishUnready(engine, carried, problem);
  return "on";
}

/** What waits for a person's approval is made such as can be believed before they work on there. Where that cannot be done now, it is tried again behind their word. */
export async function standForReview(engine: Engine, run: Run): Promise<void> {
  const waiting = readOpenAttempts(engine.store).filter((each) => each.run === run.id && each.phase === "review");
  for (const { id } of waiting) {
    const carried = readCarried(engine, id);
    if (carried !== null) await settleReboot(engine, carried).catch(() => {});
  }
}

/** What goes wrong in one attempt's place (its worktree is gone, git refuses there) fails that attempt and not the run.
 *  Anything else is thrown on: a store that cannot be written, a mistake of ours. */
function contain(engine: Engine, id: number, error: unknown): void {
  const carried = readCarried(engine, id);
  // With the next room it goes on where it was.
  if (isFullDisk(engine, error)) throw error;
  // The same once git can write again.
  if (findUnwritable(engine.repo, { all: true }) !== null) throw error;
  if (!carried || !(error instanceof Error) || !isOfOnePlace(error)) throw error;
  const { attempt, run, task } = carried;
  if (attempt.phase === "tidy") {
    const text = `kept ${attempt.worktree}: ${error.message}`;
    engine.store.transaction(() => {
      appendEvent(engine.store, engine.now(), { run: run.id, task: task.id, attempt: id }, { kind: "note", text });
      moveAttempt(engine.store, engine.now(), attempt, "closed");
    });
    return;
  }
  if (attempt.outcome !== null || attempt.phase === "advance" || attempt.phase === "agent") throw error;
  finish(engine, carried, {
    kind: "failed",
    reason: error.message,
    ...(isBrokenFilter(error) || isOutOfTime(error) ? { waits: true as const } : {}),
  });
}

/** Errors that say something about one folder or one git command there. A full disk or an unwritable store concerns every task. */
function isOfOnePlace(error: Error): boolean {
  if (error instanceof OwtError) return CONTAINED.has(error.code);
  return "code" in error && typeof error.code === "string" && CONTAINED_SYSTEM.has(error.code);
}

const CONTAINED = new Set<ErrorCode>(["tool-failed", "environment", "wrong-state", "usage"]);
const CONTAINED_SYSTEM = new Set(["ENOENT", "ENOTDIR", "EEXIST", "EACCES", "EPERM", "EROFS", "ENAMETOOLONG", "ELOOP"]);

function readCarried(engine: Engine, id: number): Carried | null {
  const attempt = readAttempt(engine.store, id);
  const task = attempt && readTask(engine.store, attempt.task);
  const run = attempt && readRun(engine.store, attempt.run);
  return attempt && task && run ? { attempt, task, run } : null;
}
