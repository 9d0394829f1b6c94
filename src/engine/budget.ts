/** Keeps runs within their budgets: reads what was spent, says what has to wait, stops what goes on for too long, and tells of it. */
import {
  decideHold,
  decideHolds,
  decideStop,
  decideYields,
  type Expected,
  heldBy,
  type Holds,
  isUsedUp,
  leftFor,
  levelsOf,
  levelsToWarnOf,
  NO_HOLDS,
  onTop,
  type RunSpending,
  type Spending,
  taskLevelsToWarnOf,
} from "../core/budget.ts";
import { type Budget, budgetFrom, hasLimit, hasLimitOf, type Level, saidNow } from "../core/budget-limits.ts";
import { describeLevel, describeLimit, raiseCommand } from "../core/budget-words.ts";
import type { Attempt } from "../core/attempt.ts";
import { addUsages, tokensIn, type Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Run } from "../core/run.ts";
import { describeTimeOver, moreTimeCommand } from "../core/run-time.ts";
import type { Task } from "../core/task.ts";
import { MapPer } from "../lib/map-per.ts";
import {
  readAttempt,
  readAttemptsOfRun,
  readOpenAttempts,
  readUsagesSince,
  readWorkedSince,
  readWorkedTimes,
} from "../store/attempts.ts";
import type { Store } from "../store/database.ts";
import { appendEvent } from "../store/events.ts";
import { readHeld, readWarnedAt } from "../store/run-words.ts";
import { readRun, readRuns, setRunOptions } from "../store/runs.ts";
import { changeTask, countBegunSince, readTask, readTasks } from "../store/tasks.ts";
import { type Carried, requestStop } from "./attempt-moves.ts";
import { workedFor } from "./begun.ts";
import { readExpectedUses } from "./budget-estimates.ts";
import { isThere } from "./conversations.ts";
import { dearestTurn, noteDearest } from "./dearest-turn.ts";
import { type Engine, findAgent } from "./engine.ts";
import { timeOverOf } from "./run-time.ts";

/** Takes the limits that are configured now, and those of the command line, into a run; tasks that waited for more go on. `slot`: of a batch, for
 *  which they count from now on. */
export function setBudget(engine: Engine, runId: string, runUsd: number | null, slot = false): void {
  const run = readRun(engine.store, runId);
  if (!run) return;
  engine.store.transaction(() => {
    const { runUsd: more, ...others } = slot ? limitsOnTop(engine, run, runUsd) : {};
    const flag = more ?? runUsd ?? run.options.budgetUsd;
    const budgetSaid = { ...run.options.budgetSaid, ...saidNow(engine.layers), ...others };
    const budget = { ...budgetFrom(engine.layers, flag), ...budgetSaid };
    const options = { ...run.options, budgetUsd: flag, budgetSaid, budget };
    setRunOptions(engine.store, run.id, options);
    const holds = readHolds(engine, { ...run, options });
    for (const task of readTasks(engine.store, run.id)) {
      if (task.state !== "pending" || task.park?.for !== "budget") continue;
      const level = heldBy(holds, task);
      if (level !== null && isUsedUp(level)) {
        // It waits on, for the limit that counts now.
        const park = { ...task.park, reason: describeLevel(level), scope: level.scope };
        changeTask(engine.store, task.id, { park });
        continue;
      }
      changeTask(engine.store, task.id, { park: null, notBefore: null });
      appendEvent(engine.store, engine.now(), { run: run.id, task: task.id }, { kind: "task-next", next: task.next });
    }
  });
}

function limitsOnTop(engine: Engine, run: Run, runUsd: number | null): Partial<Budget> {
  const budget = budgetFrom(engine.layers, runUsd);
  return onTop(budget, readSpending(engine, { ...run, options: { ...run.options, budget } }));
}

/** What is spent; for who asks what may start, or go on (`starts`) with what is expected of tasks, where something is to be kept for them: where the day is limited,
 *  of those of the other open runs too. */
function readSpending(engine: Engine, run: Run, starts = false): Spending {
  const { store } = engine;
  const { budget } = run.options;
  const isShared = starts && hasLimitOf(budget, { scope: "day" });
  const runs = [run, ...(isShared ? readSharers(store, run) : [])];
  const attempts = runs.map(({ id }) => readAttemptsOfRun(store, id));
  const keeps = starts && (["usd", "tokens", "ms"] as const).some((unit) => hasLimitOf(budget, { unit }));
  const isAnyOpen = attempts.flat().some(({ outcome }) => outcome === null);
  const [own, ...besides] = runs.map((each, at) =>
    readRunSpending(engine, each, attempts[at]!, budget, keeps && isAnyOpen),
  );
  // Of one and the same day, which may be over in a moment.
  const at = engine.now();
  return { ...own!, day: readDay(engine, budget, at), dayEnds: dayEnds(at), besides };
}

/** The other runs that may use up the day: one that is to pause or stop does as long as its agents are at work. */
function readSharers(store: Store, run: Run): Run[] {
  const atWork = new Set(readOpenAttempts(store).map((attempt) => attempt.run));
  return readRuns(store, "open").filter(({ id, wish }) => id !== run.id && (wish === null || atWork.has(id)));
}

/** What counts of a run for a budget, which can be another run's; `keeps`: with what is expected of its tasks. */
function readRunSpending(engine: Engine, run: Run, attempts: Attempt[], budget: Budget, keeps: boolean): RunSpending {
  const ended = attempts.filter(({ outcome }) => outcome !== null).length;
  const expected = keeps ? readExpectedUses(engine, run, ended) : new Map<number, Expected>();
  return {
    attempts,
    workedMs: readWorked(engine, run, budget, attempts),
    dearest: dearestTurn(engine.store, run, attempts, expected),
    expected,
  };
}

function readWorked(engine: Engine, run: Run, budget: Budget, attempts: Spending["attempts"]): Map<number, number> {
  if (!hasLimitOf(budget, { unit: "ms" })) return new Map();
  const times = readWorkedTimes(engine.store, run.id);
  for (const attempt of attempts) if (attempt.phase === "agent") times.set(attempt.id, workedFor(engine, attempt));
  return times;
}

function readDay(engine: Engine, budget: Budget, at: number): Spending["day"] {
  const { store } = engine;
  const since = midnight(at, 0);
  const workedStill = (id: number) => {
    const attempt = readAttempt(store, id);
    return attempt === null ? 0 : workedFor(engine, attempt);
  };
  const counts = (unit: keyof Spending["day"]) => hasLimitOf(budget, { scope: "day", unit });
  const cost = addUsages(counts("usd") || counts("tokens") ? readUsagesSince(store, since) : []);
  return {
    usd: cost.usd ?? 0,
    tokens: tokensIn(cost),
    ms: counts("ms") ? readWorkedSince(store, since, at, workedStill) : 0,
    tasks: counts("tasks") ? countBegunSince(store, since) : 0,
  };
}

/** When the day began whose budget counts, in epoch milliseconds. */
export function today(engine: Engine): number {
  return midnight(engine.now(), 0);
}

/** When the budget of the day behind that of a moment begins; both in epoch milliseconds. */
export function dayEnds(at: number): number {
  return midnight(at, 1);
}

/** The midnight, local time, with which the day so many days after that of a moment begins. */
function midnight(at: number, days: number): number {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() + days);
  return day.getTime();
}

/** What may not start now in a run. */
export function readHolds(engine: Engine, run: Run): Holds {
  const { budget } = run.options;
  const holds = hasLimit(budget) ? decideHolds(budget, readSpending(engine, run, true)) : NO_HOLDS;
  const timeOver = timeOverOf(engine, run);
  return timeOver === null ? holds : { ...holds, timeOver };
}

const noted = new MapPer<Store, string, string>();

/** Writes down when a budget begins and ceases to keep tasks back: for how long they waited for it is told from that. */
export function noteHolds(engine: Engine, run: Run): void {
  if (!hasLimit(run.options.budget) && run.options.time == null) return;
  const holds = readHolds(engine, run);
  const { all, unbegun, timeOver } = holds;
  const level = [all, unbegun].find((each) => each !== null && isUsedUp(each)) ?? null;
  const isOfDay = level?.scope === "day";
  const usedUp = level !== null ? describeLimit(level) : timeOver == null ? null : describeTimeOver(timeOver);
  const single = heldTasks(engine, run, holds);
  const held = {
    by: all?.scope ?? (timeOver != null ? ("time" as const) : single.all),
    tasks: single.all === null ? single.tasks : [],
    ...(usedUp === null ? {} : { usedUp }),
    ...(isOfDay ? { until: holds.dayEnds } : {}),
  };
  const runs = noted.of(engine.store);
  // Who takes a run up whose day is used up says so anew: nothing else would be heard of it until midnight.
  const before = runs.get(run.id) ?? (isOfDay ? null : JSON.stringify(readHeld(engine.store, run.id)));
  const now = JSON.stringify(held);
  runs.set(run.id, now);
  if (now !== before) appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "run-held", ...held });
}

/** The tasks that wait for nothing but the budget; where that is each that could start, `all` says whose budget it is, instead of a list of them. */
function heldTasks(engine: Engine, run: Run, holds: Holds): { all: Level["scope"] | null; tasks: number[] } {
  if (holds.all !== null || (holds.tasks.size === 0 && holds.unbegun === null)) return { all: null, tasks: [] };
  const tasks = readTasks(engine.store, run.id);
  const done = new Set(tasks.filter(({ state }) => state === "done").map(({ key }) => key));
  const ready = tasks.filter(({ state, needs }) => state === "pending" && needs.every((key) => done.has(key)));
  const levels = ready.map((task) => ({ id: task.id, level: heldBy(holds, task) }));
  const held = levels.flatMap(({ id, level }) => (level === null ? [] : [{ id, level }]));
  const isEach = held.length > 1 && held.length === ready.length;
  return { all: isEach ? held[0]!.level.scope : null, tasks: held.map(({ id }) => id) };
}

/** How far the limits of a run are used up. */
export function readLevels(engine: Engine, run: Run): Level[] {
  const { budget } = run.options;
  return hasLimit(budget) ? levelsOf(budget, readSpending(engine, run, true)) : [];
}

/** The limit of a whole run that is used up, its time among them, in words, with the command that raises it; null where none is. */
export function describeUsedUp(engine: Engine, run: Run): { text: string; command: string; isTime: boolean } | null {
  const { all, unbegun, timeOver } = readHolds(engine, run);
  const level = [all, unbegun].find((each) => each !== null && isUsedUp(each)) ?? null;
  if (level === null && timeOver != null)
    return { text: describeTimeOver(timeOver), command: moreTimeCommand(run.id, timeOver), isTime: true };
  return level && { text: describeLevel(level), command: raiseCommand(run.id, level), isTime: false };
}

/** Until when the used-up budget of a day lets nothing begin in a run, in epoch milliseconds; null where it does. */
export function dayHeldUntil(engine: Engine, run: Run): number | null {
  if (!hasLimitOf(run.options.budget, { scope: "day" })) return null;
  const { all, unbegun, dayEnds } = readHolds(engine, run);
  return [all, unbegun].some((level) => level?.scope === "day" && isUsedUp(level)) ? dayEnds : null;
}

/** What an attempt may spend at most, in dollars; null without a limit. */
export function readLeft(engine: Engine, { run, task }: Carried): number | null {
  const { budget } = run.options;
  return hasLimit(budget) ? leftFor(budget, readSpending(engine, run), task.id) : null;
}

/** The limit that stands in the way of a task: one that it reached itself, or one of its run. */
function readReached(engine: Engine, run: Run, task: number): { level: Level; dayEnds: number } | null {
  const { budget } = run.options;
  if (!hasLimit(budget)) return null;
  const spending = readSpending(engine, run);
  const level = decideHold(budget, spending, task);
  return level && { level, dayEnds: spending.dayEnds };
}

/** How an attempt ends that a used-up limit keeps from its agent, or stopped, with the figures as they are now; null where none is used up. */
export function outcomeOfReached(engine: Engine, { run, task }: Carried): (Outcome & { kind: "budget" }) | null {
  if (!hasLimit(run.options.budget)) return null;
  const reached = readReached(engine, readRun(engine.store, run.id) ?? run, task.id);
  if (reached === null) return null;
  const until = reached.level.scope === "day" ? reached.dayEnds : null;
  return { kind: "budget", reason: describeLevel(reached.level), until, scope: reached.level.scope };
}

/** The command with which a task that waits for a budget goes on. */
export function budgetCommand(engine: Engine, task: Task): string {
  const run = readRun(engine.store, task.run)!;
  const holds = readHolds(engine, run);
  // In the order in which a view tells them.
  if (holds.timeOver != null && task.park?.for !== "budget") return moreTimeCommand(run.id, holds.timeOver);
  const level = heldBy(holds, task);
  return level ? raiseCommand(run.id, level) : `owt resume ${run.id}`;
}

/** Says what there is to say, and stops every agent that has no leave to go on. Called whenever a figure of a run has changed; what the day has left changes for
 *  every other one too. */
export function enforceBudget(engine: Engine, runId: string): void {
  const open = readRuns(engine.store, "open");
  const others = open.filter(({ id, options }) => id !== runId && hasLimitOf(options.budget, { scope: "day" }));
  const own = readRun(engine.store, runId);
  for (const run of own === null ? others : [own, ...others]) enforceIn(engine, run);
}

function enforceIn(engine: Engine, run: Run): void {
  if (!hasLimit(run.options.budget)) return;
  const { budget } = run.options;
  const spending = readSpending(engine, run, true);
  noteDearest(engine.store, run);
  const keepsWork = (attempt: Attempt) => isThere(engine, attempt);
  const yields = new Map(decideYields(budget, spending, keepsWork).map(({ attempt, level }) => [attempt, level]));
  for (const level of levelsToWarnOf(budget, spending)) warnOfLevel(engine, run, level, null);
  for (const attempt of spending.attempts) {
    if (attempt.phase !== "agent") continue;
    const task = keyOf(engine, attempt.task);
    for (const level of taskLevelsToWarnOf(budget, spending, attempt.task)) warnOfLevel(engine, run, level, task);
    if (attempt.stop !== null) continue;
    if (decideStop(budget, spending, attempt.task)) requestStop(engine, attempt, "budget");
    else giveWay(engine, run, attempt, yields.get(attempt.id));
  }
}

/** Parks an agent, with its conversation, before a limit is reached that several at once would pass by more than a turn. It goes on when they are through. */
function giveWay(engine: Engine, run: Run, attempt: Attempt, level: Level | undefined): void {
  if (level === undefined) return;
  requestStop(engine, attempt, "stopped");
  const text = `waits for those that began before it: together they could pass the budget by more than a turn (${describeLevel(level)})`;
  const about = { run: run.id, task: attempt.task, attempt: attempt.id };
  appendEvent(engine.store, engine.now(), about, { kind: "note", text });
}

/** Says, once in a run, that a limit cannot be relied on with this agent. */
export function warnOfDoubts(engine: Engine, { run, attempt }: Carried): void {
  if (!hasLimit(run.options.budget)) return;
  const doubts = findAgent(engine, attempt.agent).doubtsAboutCost;
  if (doubts !== null) warnOnce(engine, run, `agent ${attempt.agent}`, `the budget may not hold: ${doubts}`);
}

/** Says, once in a run, what a limit could not count. */
export function warnOfGaps(engine: Engine, { run, attempt }: Carried, usage: Usage): void {
  const { budget } = run.options;
  const { missing } = addUsages([usage]);
  if (hasLimitOf(budget, { unit: "usd" }) && missing.length > 0)
    warnOnce(engine, run, `gaps ${missing.join()}`, `the budget does not count: ${missing.join(", ")}`);
  const countsAllTokens = usage.models.every((model) => model.tokens !== null) && usage.models.length > 0;
  if (hasLimitOf(budget, { unit: "tokens" }) && !countsAllTokens)
    warnOnce(
      engine,
      run,
      `tokens of ${attempt.agent}`,
      `the budget of tokens does not hold for ${attempt.agent}, which does not say how many it used`,
    );
}

/** Says that a limit is nearly used up, once for each limit: work goes on to it, unless a person says otherwise. */
function warnOfLevel(engine: Engine, run: Run, level: Level, task: string | null): void {
  const text = `${task === null ? "" : `${task}: `}used of the budget: ${describeLevel(level)}`;
  warnOnce(engine, run, aboutLevel(level, task), text, !isUsedUp(level));
}

function warnOnce(engine: Engine, run: Run, about: string, text: string, isNear = false): void {
  engine.store.transaction(() => {
    if (readWarnedAt(engine.store, run.id, about) !== null) return;
    const fact = { kind: "budget-warned", about, text, ...(isNear ? { isNear } : {}) } as const;
    appendEvent(engine.store, engine.now(), { run: run.id }, fact);
  });
}

/** A limit that is nearly used up, and what raises it. `since` is when that was told, in epoch milliseconds. */
export type NearLevel = {
  run: string;
  why: string;
  since: number;
  /** When that of a day, which is used up, begins anew; null where work still goes on to a limit. Both in epoch milliseconds. */
  until: number | null;
  command: string;
};

/** What a person can answer though it goes on by itself: limits of a run and of its tasks that work goes on to, and those of a day that are used up. */
export function readNearLevels(engine: Engine, run: Run): NearLevel[] {
  const { budget } = run.options;
  if (run.state !== "open" || !hasLimit(budget)) return [];
  const spending = readSpending(engine, run);
  const atWork = spending.attempts.filter(({ phase }) => phase === "agent");
  const ofTasks = atWork.flatMap(({ task }) =>
    taskLevelsToWarnOf(budget, spending, task).map((level) => ({ level, task: keyOf(engine, task) })),
  );
  const ofRun = levelsToWarnOf(budget, spending).map((level) => ({ level, task: null }));
  return [...ofRun, ...ofTasks].flatMap(({ level, task }) => {
    const isOver = isUsedUp(level);
    // The others hold their tasks for good, which are told of themselves.
    if (isOver && level.scope !== "day") return [];
    const warned = readWarnedAt(engine.store, run.id, aboutLevel(level, task));
    // An earlier run may have used it up.
    const since = warned ?? (isOver ? run.createdAt : null);
    const why = `${task === null ? "" : `${task} `}has used ${describeLevel(level)}`;
    return since === null
      ? []
      : [{ run: run.id, why, since, until: isOver ? spending.dayEnds : null, command: raiseCommand(run.id, level) }];
  });
}

function keyOf(engine: Engine, task: number): string | null {
  return readTask(engine.store, task)?.key ?? null;
}

function aboutLevel({ scope, unit, limit }: Level, task: string | null): string {
  return `${task === null ? "" : `${task} `}${scope} ${unit} ${limit}`;
}
