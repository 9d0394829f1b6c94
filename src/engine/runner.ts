/** The loop that carries every open run: look, decide, act, wait for something to happen. It holds nothing in memory
 *  that is not in the store, so whoever takes over goes on where it stopped. */
import { setImmediate as turnOfTheWorld } from "node:timers/promises";
import type { Attempt } from "../core/attempt.ts";
import type { Run } from "../core/run.ts";
import { isMergeHeld } from "../core/held-merges.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { countFinal, findSkips } from "../core/view.ts";
import { outlastDeadGit } from "../git/dead-git.ts";
import { clearLocksFromBeforeBoot, clearOldLocks } from "../git/locks.ts";
import { endPrograms } from "../git/patience.ts";
import { sweepTrash } from "../git/remove.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readHeldMerges } from "../store/resolving.ts";
import { endRun, readRuns } from "../store/runs.ts";
import { moveTask, readTasks } from "../store/tasks.ts";
import { stopBelow } from "../system/marked.ts";
import { standForReview } from "./attempt.ts";
import { requestStop } from "./attempt-moves.ts";
import { markParked } from "./parked.ts";
import { noteAstray } from "./astray.ts";
import { keepBackups } from "./backups.ts";
import { Carriers, LOOP } from "./carriers.ts";
import { catchUp } from "./catch-up.ts";
import { bookClockJump } from "./clock-jumps.ts";
import { decideContests } from "./contest.ts";
import { graceMs } from "./check.ts";
import { type DiskWatch, watchDisk } from "./disk-watch.ts";
import { bookDeadTimes } from "./dead-time.ts";
import { type Engine, isLost, strayFallOvers } from "./engine.ts";
import { expectedEndIn, noteExpectedEnd } from "./expected-end.ts";
import { outlastFullDisk, STALL_MS, unlessFullDisk } from "./full-disk.ts";
import { freeHeld } from "./held-checkout.ts";
import { idleFallOvers } from "./credentials.ts";
import { closeForecasts } from "./merge-order.ts";
import { keepNotifying } from "./notify.ts";
import { type Look, soonest } from "./next-look.ts";
import { pruneAttempts } from "./prune.ts";
import { findLooker, leaveRedTip, lookAnew } from "./red-tip.ts";
import { letGoOn } from "./resolving.ts";
import { noteShortage } from "./room.ts";
import { watchSessionLimits } from "./session-limits.ts";
import { shareLimits } from "./shared-limits.ts";
import { ENDS_ANYWAY, isSettledNow } from "./settled.ts";
import { startReady, type Turn } from "./start-ready.ts";
import { attemptsFolder } from "./taken-ids.ts";
import { noteTakenOut } from "./taken-out.ts";
import { tellRoomWait } from "./tell-room.ts";
import { allEmptied, leaveHome, removeIntegrationWorktree } from "./tidy.ts";
import { nextChange } from "./wake.ts";
import { knownFiles } from "./workspace.ts";

export type CarryOptions = {
  /** Aborted when this process is to leave: agents are parked with their conversations. */
  signal: AbortSignal;
  /** Return as soon as this run is settled; without it, when every open run is. */
  until?: string;
  /** Only what was stopped is brought to its end; nothing is started. */
  endings?: boolean;
};

function look(engine: Engine): Look {
  const at = engine.now();
  const runs = readRuns(engine.store, "open");
  const tasks = new Map(runs.map((run) => [run.id, readTasks(engine.store, run.id)]));
  return { at, runs, tasks, attempts: readOpenAttempts(engine.store) };
}

/** Carries all open runs. The caller holds the lease. */
export async function carryRuns(engine: Engine, options: CarryOptions): Promise<void> {
  engine.store.assertSound();
  // Who only brings something to its end leaves what there is no room for to the next one.
  const patience = options.endings === true ? AbortSignal.abort() : options.signal;
  const jumpMs = await outlastFullDisk(engine, patience, async () => {
    pruneAttempts(engine);
    await outlastDeadGit(engine.repo);
    await clearLocksFromBeforeBoot(engine.repo);
    await catchUp(engine);
    return bookClockJump(engine);
  });
  const lastBackup = keepBackups(engine);
  const lastNotices = keepNotifying(engine);
  const disk = watchDisk(engine);
  try {
    await carryOn(engine, options, disk, jumpMs);
  } finally {
    await disk.close();
    await closeForecasts(engine);
    await lastNotices();
    // What went wrong is told; a store that is damaged has no copy to give.
    await lastBackup().catch(() => {});
  }
}

async function carryOn(engine: Engine, options: CarryOptions, disk: DiskWatch, jumpMs: number): Promise<void> {
  const carriers = new Carriers(engine, options.signal, disk);
  const taken = new Set<string>();
  const fail = (error: unknown) => {
    carriers.fail(error, LOOP);
    carriers.onEnd();
  };
  const sessions = watchSessionLimits(engine, fail);
  const shared = shareLimits(engine, () => carriers.onEnd(), fail);
  while (!options.signal.aborted && !carriers.failure) {
    // A turn of this loop may wait for nothing but promises; the world gets its say between two of them.
    await turnOfTheWorld();
    // Watching begins before looking, so that nothing which happens meanwhile is missed.
    const change = nextChange(engine, options.signal);
    carriers.onEnd = () => change.now();
    disk.onChange = () => change.now();
    try {
      const seen = look(engine);
      for (const run of seen.runs) if (!taken.has(run.id)) await takeUp(engine, run, jumpMs, options);
      for (const run of seen.runs) taken.add(run.id);
      const acted = await carryAll(engine, seen, carriers, { endings: options.endings ?? false });
      carriers.goesWell(LOOP);
      if (options.endings === true && carriers.isStalled) break;
      if (!acted && carriers.size === 0 && (options.endings || isOver(engine, seen, options.until))) break;
      const next = earlier(soonest(engine, seen), expectedEndIn(engine, seen.runs));
      await change.happened(acted ? 0 : earlier(next, carriers.lookAgainIn));
    } catch (error) {
      // Told below, once what runs has been waited for, or parked where a Ctrl-C was the cause.
      carriers.fail(error, LOOP);
      if (options.endings === true && carriers.isStalled) break;
      if (carriers.failure === null) await unlessFullDisk(engine, async () => noteShortage(engine, carriers.shortage));
      await change.happened(carriers.failure ? 0 : STALL_MS);
    }
  }
  // Whoever is to leave may be told so while what runs is waited for: a Ctrl-C, or a store that was cut off.
  try {
    await Promise.race([carriers.allEnded(), aborted(options.signal)]);
    if (options.signal.aborted) await parkAll(engine, carriers);
    clearInterval(sessions);
    await carriers.allEnded();
  } finally {
    shared.close();
  }
  await unlessFullDisk(engine, () => allEmptied(engine));
  await unlessFullDisk(engine, () => sweepTrash(engine.repo, (path) => knownFiles(engine, path)));
  if (carriers.failure) throw carriers.failure.error;
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}

/** For so long a disk may be full under the word that is written before the first signal. */
const PARK_MS = 3_000;

/** Stops all that runs, and keeps its conversations. Where that can be written down no more it is stopped all the same, and what failed first is told. */
async function parkAll(engine: Engine, { failure }: Carriers): Promise<void> {
  try {
    await outlastFullDisk(engine, AbortSignal.any([engine.hurry, AbortSignal.timeout(PARK_MS)]), () => {
      for (const attempt of readOpenAttempts(engine.store)) interrupt(engine, attempt);
    });
    endPrograms(engine.repo.patience);
  } catch (error) {
    for (const attempt of readOpenAttempts(engine.store)) markParked(engine, attempt);
    await stopBelow(attemptsFolder(engine.repo), { graceMs: graceMs(engine) });
    throw failure === null ? error : failure.error;
  }
}

/** Once for each run, also one that comes while we carry others: its branch is there and free, and who carries it is told. */
async function takeUp(engine: Engine, run: Run, jumpMs: number, { endings }: CarryOptions): Promise<void> {
  await clearOldLocks(engine.repo, [run.branch]);
  await noteAstray(engine, run);
  if (endings !== true) lookAnew(engine, run);
  await standForReview(engine, run);
  noteStrayFallOvers(engine, run);
  noteIdleFallOvers(engine, run);
  engine.store.transaction(() => {
    const dead = bookDeadTimes(engine, run, { jumpMs });
    const fact = { kind: "run-carried" as const, pid: process.pid, ...(dead.length > 0 ? { dead } : {}) };
    appendEvent(engine.store, engine.now(), { run: run.id }, fact);
  });
}

/** Whoever starts a run is refused with one; whoever carries it on unasked does without. */
function noteStrayFallOvers(engine: Engine, { id: run }: Run): void {
  for (const { agent, to } of strayFallOvers(engine)) {
    const text = `[agent.${agent}] fall_over is ignored: there is no agent named ${to}; see: owt config validate`;
    appendEvent(engine.store, engine.now(), { run }, { kind: "note", text });
  }
}

/** A limit of one would hold the other as well. */
function noteIdleFallOvers(engine: Engine, { id: run }: Run): void {
  for (const { agent, to } of idleFallOvers(engine)) {
    const text = `[agent.${agent}] fall_over does nothing: ${to} works with the same login; see: owt config validate`;
    appendEvent(engine.store, engine.now(), { run }, { kind: "note", text });
  }
}

function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

async function carryAll(
  engine: Engine,
  seen: Look,
  carriers: Carriers,
  options: { endings: boolean },
): Promise<boolean> {
  let acted = false;
  const turn: Turn = { short: null };
  for (const run of seen.runs) {
    try {
      acted = (await carryRun(engine, run, seen, carriers, { ...options, turn })) || acted;
    } catch (error) {
      // The others go on.
      if (!(await carriers.isAstray(run.id, error))) throw error;
    }
  }
  if (!acted) {
    const short = turn.short ?? carriers.shortage ?? carriers.held;
    noteShortage(engine, short);
    tellRoomWait(engine, seen.runs, short);
    carriers.isShort = short !== null;
  }
  return acted;
}

/** One look at one run: obey wishes, skip what cannot run, start what can, carry what is open, end what is over.
 *  True when something was changed, so that another look is due. */
async function carryRun(
  engine: Engine,
  run: Run,
  seen: Look,
  carriers: Carriers,
  { endings, turn }: { endings: boolean; turn: Turn },
): Promise<boolean> {
  const tasks = seen.tasks.get(run.id)!;
  const attempts = seen.attempts.filter((attempt) => attempt.run === run.id);
  if (await leaveRedTip(engine, run)) return true;
  await noteTakenOut(engine, run);
  const astray = await noteAstray(engine, run);
  letGoOn(engine, run, tasks);
  const freed = run.wish === null && !endings && (await freeHeld(engine, run, tasks));
  const obeyed = obeyWishes(engine, run, tasks, attempts);
  const skipped = skipUnreachable(engine, tasks);
  const decided = run.wish !== "stop" && !endings && decideContests(engine, run, tasks, attempts);
  if (freed || obeyed || skipped || decided) return true;
  const goesOn = run.wish === null && !endings;
  const isOpen = goesOn && astray === null && !carriers.isStalled;
  const started = isOpen ? await startReady(engine, run, tasks, attempts, { shortage: carriers.shortage, turn }) : [];
  const held = readHeldMerges(engine.store, run.id);
  const looker = findLooker(engine, run, held.red, attempts);
  for (const attempt of [...attempts, ...started]) {
    const behind = attempt === looker ? { ...held, red: null } : held;
    if (isMergeHeld(behind, attempt) && attempt.stop === null) continue;
    if (endings && !isEnding(engine, run, attempt)) continue;
    if (mayCarry(run, attempt, tasks)) carriers.carry(attempt);
  }
  // Nobody waits for it, and who was just begun works meanwhile.
  if (goesOn) noteExpectedEnd(engine, run, tasks);
  if (started.length > 0) return false;
  return endIfOver(engine, run, tasks, attempts);
}

/** What a person wrote into the store from elsewhere: cancel a task, stop the run. True when a task was moved. */
function obeyWishes(engine: Engine, run: Run, tasks: Task[], attempts: Attempt[]): boolean {
  let moved = false;
  for (const task of tasks.filter((each) => each.cancelWish)) {
    const attempt = attempts.find((each) => each.task === task.id && each.outcome === null);
    const change = { reason: "cancelled", endedAt: engine.now(), cancelWish: false };
    if (attempt) requestStop(engine, attempt, "aborted");
    else if (task.state === "pending") moved = moveTask(engine.store, engine.now(), task, "cancelled", change) || moved;
  }
  // Written by the process of whoever takes the task over.
  for (const attempt of attempts) if (attempt.stop === "taken") requestStop(engine, attempt, "taken");
  if (run.wish === "stop") {
    for (const attempt of attempts) interrupt(engine, attempt);
    // Another run's merge that is ended with it is made again.
    endPrograms(engine.repo.patience);
  }
  return moved;
}

/** Stops what an attempt does right now; its agent is parked with its conversation. */
function interrupt(engine: Engine, attempt: Attempt): void {
  if (attempt.phase === "agent") requestStop(engine, attempt, "stopped");
  else engine.live.get(attempt.id)?.("stopped");
}

/** What was stopped, and what is over but for its last steps. */
function isEnding(engine: Engine, run: Run, attempt: Attempt): boolean {
  if (attempt.stop !== null || run.wish === "stop") return true;
  return attempt.phase === "advance" || attempt.phase === "tidy" || isLost(engine, attempt);
}

/** A stopped run leaves its attempts as they are, but an ended agent's work is still collected. */
function mayCarry(run: Run, attempt: Attempt, tasks: Task[]): boolean {
  if (attempt.phase === "contest") return attempt.stop !== null;
  if (attempt.phase === "review")
    return attempt.stop !== null || (tasks.find((task) => task.id === attempt.task)?.approved ?? false);
  return run.wish !== "stop" || attempt.stop === "taken" || ENDS_ANYWAY.has(attempt.phase);
}

function skipUnreachable(engine: Engine, tasks: Task[]): boolean {
  const skips = findSkips(tasks);
  for (const { task, reason } of skips)
    moveTask(engine.store, engine.now(), task, "skipped", { reason, endedAt: engine.now() });
  return skips.length > 0;
}

async function endIfOver(engine: Engine, run: Run, tasks: Task[], attempts: Attempt[]): Promise<boolean> {
  if (attempts.length > 0 || !tasks.every((task) => FINAL_STATES.has(task.state))) return false;
  await removeIntegrationWorktree(engine, run.id);
  await allEmptied(engine);
  leaveHome(engine);
  // The end is written last: after it no process may ever look here again.
  await sweepTrash(engine.repo, (path) => knownFiles(engine, path));
  return endRun(engine.store, engine.now(), run.id, countFinal(tasks));
}

/** Whether nothing is left to do without a person. */
function isOver(engine: Engine, seen: Look, until: string | undefined): boolean {
  return seen.runs
    .filter((run) => until === undefined || run.id === until)
    .every((run) => isSettledNow(engine, run, seen.tasks.get(run.id)!, seen.attempts));
}
