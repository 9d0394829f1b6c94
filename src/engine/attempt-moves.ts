/** The moves that the phases of an attempt make in the store: on to the next phase, back to the agent, to an end. */
import type { Attempt, StopCause } from "../core/attempt.ts";
import { diedBefore, endedByUsBefore } from "../core/conversation.ts";
import { isBroken, restartsAmong } from "../core/crash-loop.ts";
import { describeOutcome, type Outcome } from "../core/outcome.ts";
import { decideConsequence } from "../core/retry.ts";
import type { Run } from "../core/run.ts";
import { heldByHand } from "../core/take-over.ts";
import type { Park, Task } from "../core/task.ts";
import { parseDuration } from "../lib/duration.ts";
import { changeAttempt, endAttempt, moveAttempt, readAttempt, readAttempts, readLastEnded } from "../store/attempts.ts";
import { readRuns } from "../store/runs.ts";
import { readBareTasks } from "../store/bare-tasks.ts";
import { changeTask, moveTask, readTask, type TaskChange } from "../store/tasks.ts";
import { bookClockJump } from "./clock-jumps.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { disksFullBefore, excuse } from "./full-disk.ts";
import { noteLimit, settleProbe } from "./governor.ts";
import { noteOutage } from "./outage.ts";
import { beat } from "./suspension.ts";

/** Everything a phase works on, read anew before each. */
export type Carried = { run: Run; task: Task; attempt: Attempt };

/** What a phase says: go on with the next one, or leave the attempt as it stands. */
export type StepResult = "on" | "leave";

/** The task state that belongs to a phase. */
const TASK_STATE: Partial<Record<Attempt["phase"], Task["state"]>> = {
  verify: "verifying",
  contest: "contest",
  review: "review",
  merge: "integrating",
};

/** Moves an attempt to its next phase, and its task along with it. */
export function moveOn(
  engine: Engine,
  { attempt, task }: Carried,
  phase: Attempt["phase"],
  change: Parameters<typeof moveAttempt>[4] = {},
): void {
  engine.store.transaction(() => {
    // Before it is told by other clocks: that of a wait, or none any more.
    bookClockJump(engine);
    beat(engine);
    if (!moveAttempt(engine.store, engine.now(), attempt, phase, change)) return;
    const state = TASK_STATE[phase];
    if (state !== undefined && state !== task.state) moveTask(engine.store, engine.now(), task, state);
  });
}

/** Ends an attempt without success and decides what becomes of its task. */
export function finish(engine: Engine, { run, task, attempt }: Carried, judged: Outcome): void {
  const now = engine.now();
  const outcome = excuse(engine, attempt, judged);
  engine.store.transaction(() => {
    bookClockJump(engine);
    beat(engine);
    if (!endAttempt(engine.store, now, attempt, outcome)) return;
    // A word of approval was for this work, and not for what another attempt makes.
    if (task.approved) changeTask(engine.store, task.id, { approved: false });
    if (task.cancelWish || outcome.kind === "aborted") {
      moveTask(engine.store, now, task, "cancelled", { reason: "cancelled", endedAt: now, cancelWish: false });
      return;
    }
    const limits = { retries: run.options.retries };
    const attempts = readAttempts(engine.store, task.id);
    const before = {
      limit: outcome.kind === "limit" ? noteLimit(engine, attempt, outcome) : noteOutage(engine, attempt, outcome),
      disksFull: disksFullBefore(engine, attempt),
      endedByUs: endedByUsBefore(attempts, attempt.id),
      diedBefore: diedBefore(attempts, attempt.id),
      restarts: restartsAmong(attempts),
      restartPauseMs: parseDuration(engine.config.run.restart_pause) ?? 0,
    };
    settleProbe(engine, attempt, outcome);
    const isRefused = outcome.kind === "auth" || outcome.kind === "billing";
    const by = isRefused ? { ...attempt, credential: credentialOf(engine, attempt.agent) } : attempt;
    const then = decideConsequence(task, by, outcome, limits, before, now, engine.chance());
    if (isTaken(engine, attempt)) {
      const next = then.do === "fail" ? task.next : then.next;
      const held = heldByHand({ park: then.do === "park" ? then.park : null, next }, attempt, now);
      moveTask(engine.store, now, task, "pending", held);
      return;
    }
    const broken = brokenAgent(engine, attempt, outcome);
    if (broken !== null) {
      const next = then.do === "fail" ? task.next : then.next;
      moveTask(engine.store, now, task, "pending", { park: broken, next, notBefore: null });
      return;
    }
    switch (then.do) {
      case "again": {
        const { next, notBefore, failures, park } = then;
        moveTask(engine.store, now, task, "pending", { next, notBefore, failures, ...(park === null ? {} : { park }) });
        return;
      }
      case "park": {
        // What is amiss with an agent holds all its tasks: one of them tells of it.
        const isTold = then.park.for === "agent" && isToldOf(engine, then.park.agent);
        const park = isTold ? null : then.park;
        moveTask(engine.store, now, task, "pending", { park, next: then.next, notBefore: then.notBefore });
        return;
      }
      case "fail":
        moveTask(engine.store, now, task, "failed", { reason: then.reason, endedAt: now });
        return;
      default: {
        const never: never = then;
        return never;
      }
    }
  });
}

/** Set where the agent itself is at fault, and not this task: then a person is asked, before every other task has been tried with it in vain. One task tells of it. */
function brokenAgent(engine: Engine, { agent }: Attempt, outcome: Outcome): Park | null {
  if (!isBroken(readLastEnded(engine.store, agent, LOOKED_BACK), engine.now())) return null;
  if (isToldOf(engine, agent)) return null;
  const reason = `${agent} dies as soon as it is started, in one task after the other: ${describeOutcome(outcome)}; nothing more is started with it`;
  return { for: "agent", agent, reason };
}

/** Whether a task waits already for a person to see to that agent. */
function isToldOf(engine: Engine, agent: string): boolean {
  const open = readRuns(engine.store, "open").flatMap((run) => readBareTasks(engine.store, run.id));
  return open.some(({ state, park }) => state === "pending" && park?.for === "agent" && park.agent === agent);
}

/** So many ends of an agent tell whether it is broken: three tasks, each tried as often as a task is. */
const LOOKED_BACK = 12;

/** Whether a person takes the attempt's task over; they may have said so while a phase went on. */
function isTaken(engine: Engine, { id }: Attempt): boolean {
  return readAttempt(engine.store, id)?.stop === "taken";
}

/** Lets a task wait, behind an attempt that was ended, for what comes next; where a person takes it over, for them. */
export function waitBehind(engine: Engine, { task, attempt }: Carried, change: Pick<Task, "next"> & TaskChange): void {
  const now = engine.now();
  const held = isTaken(engine, attempt)
    ? heldByHand({ park: change.park ?? null, next: change.next }, attempt, now)
    : {};
  moveTask(engine.store, now, task, "pending", { ...change, ...held });
}

/** Asks for the end of an attempt. The cause is written first, so that it holds even if we die on the way. */
export function requestStop(engine: Engine, attempt: Attempt, cause: StopCause): void {
  if (attempt.stop === null) changeAttempt(engine.store, attempt.id, { stop: cause });
  engine.live.get(attempt.id)?.(cause);
}

/** Whether a later attempt works on in this one's worktree. */
export function isContinued(engine: Engine, attempt: Attempt): boolean {
  const task = readTask(engine.store, attempt.task);
  if (task && task.next.kind !== "fresh" && task.next.from === attempt.id && task.state === "pending") return true;
  return readAttempts(engine.store, attempt.task).some((later) => later.continues === attempt.id);
}

/** Sends a task back to its agent. */
export function sendBack(
  engine: Engine,
  carried: Carried,
  outcome: Outcome,
  next: Task["next"],
  counts: { repairs?: number; conflicts?: number },
): void {
  const { task, attempt } = carried;
  const now = engine.now();
  engine.store.transaction(() => {
    if (!endAttempt(engine.store, now, attempt, outcome)) return;
    // What was approved is not what will come back.
    changeTask(engine.store, task.id, { ...counts, approved: false });
    waitBehind(engine, carried, { next });
  });
}
