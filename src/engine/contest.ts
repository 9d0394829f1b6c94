/** Rivals in a run: what is written down of green work before it waits for the others, and the decision, in one transaction. */
import { decideContest, phaseAfterChecks, RED_AS_BEGAN, type RivalStand, standOf } from "../core/contest.ts";
import type { Attempt } from "../core/attempt.ts";
import { contestsIn, nameOfRival, type WorkSize } from "../core/rival.ts";
import type { Run } from "../core/run.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { sizeBetween } from "../git/line-count.ts";
import { endAttempt, type moveAttempt, readAttempt, readOpenAttempts, tidyAgain } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { changeRival, moveTask, readTask } from "../store/tasks.ts";
import { type Carried, moveOn } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { verifyCommands } from "./verify.ts";
import { viewRun } from "./view.ts";

/** Moves an attempt on whose own checks are green; the size of a rival's work is written with that. */
export async function moveOnGreen(
  engine: Engine,
  carried: Carried,
  head: string,
  change: Parameters<typeof moveAttempt>[4],
): Promise<void> {
  const { task } = carried;
  const size = await sizeForContest(engine, carried, head);
  engine.store.transaction(() => {
    if (size !== null) changeRival(engine.store, { ...task, rival: { ...task.rival!, size } });
    moveOn(engine, carried, phaseAfterChecks(task), change);
  });
}

/** How large the work of an undecided rival is; null for any other task. */
export async function sizeForContest(
  engine: Engine,
  { task, attempt }: Carried,
  head: string,
): Promise<WorkSize | null> {
  return phaseAfterChecks(task) === "contest" ? sizeBetween(engine.repo, attempt.base, head) : null;
}

/** A rival, where it stands, and what is open of it. */
type Standing = RivalStand & { task: Task; open?: Attempt };

/** Decides what can be decided among a run's rivals. True when something was. */
export function decideContests(
  engine: Engine,
  run: Run,
  tasks: readonly Task[],
  attempts: readonly Attempt[],
): boolean {
  if (!tasks.some(({ state }) => state === "contest")) return false;
  const waiting = attempts.filter(({ phase, stop }) => phase === "contest" && stop === null);
  const open = new Map(waiting.map((attempt) => [attempt.task, attempt]));
  // An attempt that is being ended, or whose place is being tidied, is let come to its end first.
  const busy = new Set(attempts.filter((attempt) => !waiting.includes(attempt)).map(({ task }) => task));
  const views = new Map(viewRun(engine, run, [...tasks]).map((view) => [view.task.id, view]));
  const contests = [...contestsIn(tasks).values()];
  const standingsOf = (rivals: readonly Task[], hasRoom: boolean) =>
    rivals.map((task): Standing => {
      const attempt = open.get(task.id);
      const isGreen = verifyCommands(run, task).length === 0 || attempt?.verifiedTree != null;
      const at = { isBusy: busy.has(task.id), isGreen, hasRoom, now: engine.now() };
      const stand = standOf(views.get(task.id)!, at);
      return { rival: task.rival!, task, ...stand, ...(attempt === undefined ? {} : { open: attempt }) };
    });
  const decide = (rivals: readonly Task[], hasRoom: boolean) => {
    const standings = standingsOf(rivals, hasRoom);
    const contest = decideContest(standings);
    return contest.do === "decide" && settle(engine, run, standings, contest);
  };
  const decided = contests.filter((rivals) => decide(rivals, true));
  if (decided.length > 0) return true;
  // Those that wait for each other hold the worktrees that the others would need: one is decided, and makes room.
  return isAllStill(engine) && contests.some((rivals) => decide(rivals, false));
}

/** Whether nothing is under way, in any run, that would make room by coming to its end. */
function isAllStill(engine: Engine): boolean {
  return readOpenAttempts(engine.store).every(({ phase }) => phase === "contest" || phase === "review");
}

type Decided = Extract<ReturnType<typeof decideContest<Standing>>, { do: "decide" }>;

/** The winner goes on as the task; what the others have is saved and cleared away, as that of a cancelled task is. False where a person had their say meanwhile, from
 *  another process: then it is looked at anew. */
function settle(engine: Engine, run: Run, standings: readonly Standing[], { winner, why, losers }: Decided): boolean {
  return engine.store.transaction(() => {
    if (!standings.every((each) => isAsSeen(engine, each))) return false;
    const task = crown(engine, winner, why, losers);
    moveOn(engine, { run, task, attempt: winner.open! }, phaseAfterChecks(task));
    return true;
  });
}

function isAsSeen(engine: Engine, { task, open }: Standing): boolean {
  const now = readTask(engine.store, task.id)!;
  const attempt = open === undefined ? null : readAttempt(engine.store, open.id);
  const isSame = now.state === task.state && now.cancelWish === task.cancelWish;
  const waitsAsBefore = JSON.stringify([now.park, now.next]) === JSON.stringify([task.park, task.next]);
  return isSame && waitsAsBefore && (attempt === null || (attempt.phase === "contest" && attempt.stop === null));
}

/** Writes who won and who lost. Returns the winner's row, which is the task from now on. */
function crown(
  engine: Engine,
  { task, open }: Omit<Standing, "stand" | "why">,
  why: string,
  losers: readonly { of: Loser; why: string }[],
): Task {
  const now = engine.now();
  const rival = task.rival!;
  for (const loser of losers) lose(engine, now, loser.of, loser.why);
  changeRival(engine.store, { ...task, key: rival.of, rival: { ...rival, end: { isWinner: true, why } } });
  const { of, agent, model } = rival;
  const over = losers.map(({ of: loser }) => loser.task.key);
  const about = { run: task.run, task: task.id, ...(open === undefined ? {} : { attempt: open.id }) };
  appendEvent(engine.store, now, about, { kind: "contest-decided", of, agent, model, why, over });
  return readTask(engine.store, task.id)!;
}

/** The run's branch holds a rival's work, and the store is older than the decision: it was that one. `by` is the attempt that was merged. Null where it is no rival's. */
export function crownFromBranch(engine: Engine, tasks: readonly Task[], id: string, by: Attempt | null): Task | null {
  const rivals = contestsIn(tasks).get(id);
  if (rivals === undefined) return null;
  const winner =
    rivals.find((task) => task.id === by?.task) ?? rivals.find(({ rival }) => rival!.agent === by?.agent) ?? rivals[0]!;
  const name = nameOfRival(winner.rival!);
  return engine.store.transaction(() => {
    const open = readOpenAttempts(engine.store).filter(({ outcome }) => outcome === null);
    const losers = rivals
      .filter((task) => task !== winner)
      .map((task) => {
        const attempt = open.find((each) => each.task === task.id);
        return { of: { task, ...(attempt === undefined ? {} : { open: attempt }) }, why: `lost to ${name}` };
      });
    return crown(engine, { task: winner, rival: winner.rival! }, "its work is on the run's branch", losers);
  });
}

/** Of whom it is not told how they stand, that is not known any more. */
type Loser = Pick<Standing, "task" | "open"> & Partial<Pick<Standing, "stand">>;

function lose(engine: Engine, now: number, { task, open, stand }: Loser, why: string): void {
  changeRival(engine.store, { ...task, rival: { ...task.rival!, end: { isWinner: false, why } } });
  const isRed = stand === "as-began";
  if (open !== undefined)
    endAttempt(engine.store, now, open, isRed ? { kind: "failed", reason: RED_AS_BEGAN } : { kind: "ok" });
  if (task.state === "cancelled") return;
  moveTask(engine.store, now, task, "cancelled", { reason: why, endedAt: task.endedAt ?? now, park: null });
  // What it kept to go on in, or to be looked at.
  if (task.state === "pending" || FINAL_STATES.has(task.state)) tidyAgain(engine.store, task.id);
}
