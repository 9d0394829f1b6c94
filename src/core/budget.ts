/** Budgets: what a run, a task, a day may use of money, tokens, tasks and the time of agents. Decides what has to wait and what has to stop. Pure. */
import {
  type Budget,
  type BudgetUnit,
  DUST,
  hasLimitOf,
  type Level,
  type Limit,
  LIMITS,
  type Scope,
} from "./budget-limits.ts";
import type { Attempt } from "./attempt.ts";
import { addUsages, type Cost, tokensIn } from "./cost.ts";
import type { RunTime } from "./run-time.ts";

/** What a task will use in all, nine times of ten; null where nobody can tell. */
export type Expected = { usd: number | null; tokens: number | null; ms: number | null; isGuess: boolean };

/** What a run used, and will. */
export type RunSpending = {
  /** All attempts of the run. */
  attempts: readonly Attempt[];
  /** For how long the agent of each of them worked, by the attempt's row number. */
  workedMs: ReadonlyMap<number, number>;
  /** What the tasks of the run that work, or could, are expected to use, by their row number. */
  expected: ReadonlyMap<number, Expected>;
  /** What the dearest turn of an agent of the run was, once a task used more than was kept for it ({@link wasTooLittle}); 0 as long as what is expected holds. */
  dearest: { usd: number; tokens: number };
};

/** What budgets are measured against. */
export type Spending = RunSpending & {
  /** What all runs of the repository used since the day began. */
  day: Record<BudgetUnit, number>;
  /** When the next day begins, in epoch milliseconds. */
  dayEnds: number;
  /** The other open runs of the repository, which use up the same day. */
  besides: readonly RunSpending[];
};

/** Why tasks may not start. */
export type Holds = {
  /** For every task of the run. */
  all: Level | null;
  /** For every task that has not begun. */
  unbegun: Level | null;
  /** For single ones, by their row number. */
  tasks: ReadonlyMap<number, Level>;
  dayEnds: number;
  /** The time of the run, where it is over. */
  timeOver?: RunTime | null;
};

export const NO_HOLDS: Holds = { all: null, unbegun: null, tasks: new Map(), dayEnds: 0 };

/** What keeps a task back; null where nothing does. */
export function heldBy(holds: Holds, task: { id: number; startedAt: number | null }): Level | null {
  return holds.tasks.get(task.id) ?? holds.all ?? (task.startedAt === null ? holds.unbegun : null);
}

/** Whether a limit is used up. One that is not, and holds, does so for what is kept for running attempts: it lets go of what they did not need. */
export function isUsedUp({ used, limit }: Level): boolean {
  return reaches(used, limit);
}

/** How far each limit of the run is used up, the task's own aside, with what is kept. */
export function levelsOf(budget: Budget, spending: Spending): Level[] {
  return usedLevels(budget, spending).map((level) => {
    const { kept, isGuess } = reserveOf(level, sharersOf(level.scope, spending));
    return { ...level, taken: level.used + kept, ...(isGuess ? { isGuess } : {}) };
  });
}

/** The same without what is kept for others, which says nothing about what was used. */
function usedLevels(budget: Budget, spending: Spending): Level[] {
  return LIMITS.flatMap((limit) => {
    const most = budget[limit.name];
    return most === null || limit.scope === "task" ? [] : [usedLevel(limit, most, spending)];
  });
}

/** The limits of a new run, above what this one has used: each slot of a batch has them to itself, also where it goes on with an open run. */
export function onTop(budget: Budget, spending: Spending): Partial<Budget> {
  return Object.fromEntries(
    LIMITS.flatMap((limit) => {
      const most = budget[limit.name];
      if (most === null || limit.scope !== "run") return [];
      return [[limit.name, most + usedLevel(limit, most, spending).used]];
    }),
  );
}

function usedLevel({ scope, unit }: Limit, limit: number, spending: Spending): Level {
  const used = scope === "day" ? spending.day[unit] : usedOf(unit, spending.attempts, spending);
  return { scope, unit, limit, used, taken: used, isAtLeast: isUncounted(unit, spending.attempts) };
}

/** All that uses up a limit: for that of a day, the other runs too. */
function sharersOf(scope: Scope, spending: Spending): RunSpending {
  const { besides } = spending;
  if (scope !== "day" || besides.length === 0) return spending;
  const runs: readonly RunSpending[] = [spending, ...besides];
  return {
    attempts: runs.flatMap(({ attempts }) => attempts),
    workedMs: new Map(runs.flatMap(({ workedMs }) => [...workedMs])),
    expected: new Map(runs.flatMap(({ expected }) => [...expected])),
    dearest: {
      usd: Math.max(...runs.map(({ dearest }) => dearest.usd)),
      tokens: Math.max(...runs.map(({ dearest }) => dearest.tokens)),
    },
  };
}

/** What may not start now: nothing, once a limit is used up, or all of it is kept for running attempts; and beside these, no task that is expected
 *  to need more than is left. Where nothing runs, what is left is there to be used. */
export function decideHolds(budget: Budget, spending: Spending): Holds {
  const full = levelsOf(budget, spending).filter((level) => reaches(level.taken, level.limit));
  const all = full.find(({ unit }) => unit !== "tasks") ?? null;
  const unbegun = full.find(({ unit }) => unit === "tasks") ?? null;
  const tasks = new Map<number, Level>();
  if (all === null) for (const [task, level] of tooLarge(budget, spending)) tasks.set(task, level);
  if (hasLimitOf(budget, { scope: "task" })) {
    for (const task of new Set(spending.attempts.map((attempt) => attempt.task))) {
      const level = taskLevels(budget, spending, task).find(isUsedUp);
      if (level) tasks.set(task, level);
    }
  }
  return { all, unbegun, tasks, dayEnds: spending.dayEnds };
}

/** Tasks for which too little is left beside what runs. Where what is expected has proved too little, that is also who would have to give way again at his first turn, once
 *  each at work has made one more; who gave way waits in any case until those that began before it are through, and comes before all that have not begun. */
function tooLarge(budget: Budget, spending: Spending): [number, Level][] {
  const isBusy = new Set(spending.attempts.filter(isUnbooked).map((attempt) => attempt.task));
  const byTask = Map.groupBy(spending.attempts, (attempt) => attempt.task);
  const levels = levelsOf(budget, spending).flatMap((level) => {
    const sharers = sharersOf(level.scope, spending);
    if (level.unit === "tasks" || !sharers.attempts.some(isUnbooked)) return [];
    const atWork = sharers.attempts.filter(isAtWork);
    const turn = turnOf(level.unit, sharers);
    const taken = level.taken + atWork.length * turn;
    return [{ level: { ...level, taken }, turn, atWork, isAnyParked: isAnyParked(sharers) }];
  });
  return [...spending.expected].flatMap(([task, expected]): [number, Level][] => {
    if (isBusy.has(task)) return [];
    const own = byTask.get(task) ?? [];
    for (const { level, turn, atWork, isAnyParked } of levels) {
      const rest = stillNeeds(level.unit, expected, own, spending);
      const needs = rest === null && turn === 0 ? null : Math.max(rest ?? 0, turn);
      const waits = turn > 0 && (own.length === 0 ? isAnyParked : gaveWay(own.at(-1), atWork));
      if (needs === null || (!waits && level.taken + needs <= level.limit + DUST)) continue;
      const isGuess = level.isGuess === true || expected.isGuess;
      return [[task, { ...level, needs, ...(isGuess ? { isGuess } : {}) }]];
    }
    return [];
  });
}

/** Whether an attempt was stopped, others that began before it being at work still. */
function gaveWay(last: Attempt | undefined, atWork: readonly Attempt[]): boolean {
  return last?.outcome?.kind === "stopped" && atWork.some(({ id }) => id < last.id);
}

/** Whether a task that could go on was stopped: it has the next place that there is enough for. */
function isAnyParked({ attempts, expected }: RunSpending): boolean {
  const last = new Map(attempts.map((attempt) => [attempt.task, attempt]));
  return [...last.values()].some(({ task, outcome }) => outcome?.kind === "stopped" && expected.has(task));
}

/** Whether a task used more than was `reserved` for it when it began, by its row number: what is expected of the others is too little, too. Where nobody could
 *  tell, nothing was. */
export function wasTooLittle(
  unit: keyof Spending["dearest"],
  attempts: readonly Attempt[],
  reserved: ReadonlyMap<number, Expected>,
): boolean {
  const byTask = Map.groupBy(attempts, ({ task }) => task);
  return [...byTask].some(([task, own]) => {
    const expected = reserved.get(task);
    return expected !== undefined && amountOf(unit, costOf(own)) > (expected[unit] ?? 0) + DUST;
  });
}

/** The limit that keeps an attempt of `task` from its agent: nothing is left of it. */
export function decideHold(budget: Budget, spending: Spending, task: number): Level | null {
  return stoppingLevels(budget, spending, task).find(isUsedUp) ?? null;
}

/** The limit that a running attempt of `task` has passed; it is to be stopped. Who has used the last of one may have come to his end with that: only another turn shows that he
 *  had not. */
export function decideStop(budget: Budget, spending: Spending, task: number): Level | null {
  return stoppingLevels(budget, spending, task).find(({ used, limit }) => used > limit + DUST) ?? null;
}

/** That no further task may begin stops none. */
function stoppingLevels(budget: Budget, spending: Spending, task: number): Level[] {
  const levels = [...taskLevels(budget, spending, task), ...usedLevels(budget, spending)];
  return levels.filter(({ unit }) => unit !== "tasks");
}

/** Attempts that give way before a limit is reached, where what is expected has proved too little and all that are at work could pass it by more than one turn: those
 *  that began last first, of those that `canGoOn` where they were stopped. They do when the others are through. Who was told to stop before is at his last
 *  turn still. The first one never gives way. What a turn takes is told by the dearest one. */
export function decideYields(
  budget: Budget,
  spending: Spending,
  canGoOn: (attempt: Attempt) => boolean,
): { attempt: number; level: Level }[] {
  return usedLevels(budget, spending).flatMap((level) => {
    const sharers = sharersOf(level.scope, spending);
    const turn = turnOf(level.unit, sharers);
    if (turn === 0) return [];
    const newestFirst = sharers.attempts.filter(isAtWork).toSorted((a, b) => b.id - a.id);
    const leaving = new Set(newestFirst.filter(({ stop }) => stop !== null).map(({ id }) => id));
    return newestFirst.flatMap((attempt) => {
      const { id } = attempt;
      const others = newestFirst.filter((each) => each.id < id || leaving.has(each.id));
      const isFirst = others.every((each) => each.id > id);
      if (leaving.has(id) || isFirst) return [];
      const kept = keptForFirst(level, sharers);
      if (!reaches(level.used + kept + others.length * turn, level.limit)) return [];
      if (!canGoOn(attempt)) return [];
      leaving.add(id);
      return [{ attempt: id, level }];
    });
  });
}

/** The next turn can be dearer than any before it. */
const DEARER = 2;

/** What a turn may take; 0 where nobody can tell, or need ask. */
function turnOf(unit: BudgetUnit, { dearest }: RunSpending): number {
  return unit === "usd" || unit === "tokens" ? DEARER * dearest[unit] : 0;
}

/** The part of a limit that is for one task, where nobody can tell what one costs. */
const PART_OF_ONE = 1 / 3;

/** What is kept for the one at work that began first, beside whom the others give way, once what is expected has proved too little: at least its turn, and, until one has come
 *  home and told what one costs, as much as lets one come home that costs a third of the limit. */
function keptForFirst({ unit, limit }: Level, sharers: RunSpending): number {
  const { attempts } = sharers;
  const first = firstAtWork(attempts);
  const turn = turnOf(unit, sharers);
  if (turn === 0 || first === null || attempts.some(({ outcome }) => outcome?.kind === "ok")) return turn;
  const own = attempts.filter(({ task }) => task === first.task);
  return Math.max(turn, limit * PART_OF_ONE - usedOf(unit, own, sharers));
}

function firstAtWork(attempts: readonly Attempt[]): Attempt | null {
  return attempts.filter(isAtWork).toSorted((a, b) => a.id - b.id)[0] ?? null;
}

/** What a new attempt of `task` may spend at most, in dollars; null without a limit. */
export function leftFor(budget: Budget, spending: Spending, task: number): number | null {
  const all = [...usedLevels(budget, spending), ...taskLevels(budget, spending, task)];
  const levels = all.filter((level) => level.unit === "usd");
  if (levels.length === 0) return null;
  // A hundredth of a cent is the least that is worth a start; dispatch has seen to it that something is left. What it uses to the last of it, it may.
  return Math.max(0.0001, Math.min(...levels.map((level) => level.limit - level.used)) + DUST);
}

/** The limits of the run of which so much is used that it is time to say so and to ask. */
export function levelsToWarnOf(budget: Budget, spending: Spending): Level[] {
  return usedLevels(budget, spending).filter((level) => isNearlyUsed(level, budget));
}

/** The same of a task's own limits. */
export function taskLevelsToWarnOf(budget: Budget, spending: Spending, task: number): Level[] {
  return taskLevels(budget, spending, task).filter((level) => isNearlyUsed(level, budget));
}

function isNearlyUsed(level: Level, { warnAt }: Budget): boolean {
  return reaches(level.used, level.limit * warnAt);
}

function taskLevels(budget: Budget, spending: Spending, task: number): Level[] {
  return LIMITS.flatMap(({ name, scope, unit }) => {
    const limit = budget[name];
    if (limit === null || scope !== "task") return [];
    const own = spending.attempts.filter((attempt) => attempt.task === task);
    const used = usedOf(unit, own, spending);
    return [{ scope, unit, limit, used, taken: used, isAtLeast: isUncounted(unit, own) }];
  });
}

function usedOf(unit: BudgetUnit, attempts: readonly Attempt[], { workedMs }: RunSpending): number {
  switch (unit) {
    case "usd":
    case "tokens":
      return amountOf(unit, costOf(attempts));
    case "ms":
      return attempts.reduce((sum, { id }) => sum + (workedMs.get(id) ?? 0), 0);
    case "tasks":
      return new Set(attempts.map(({ task }) => task)).size;
    default: {
      const never: never = unit;
      return never;
    }
  }
}

function isUncounted(unit: BudgetUnit, attempts: readonly Attempt[]): boolean {
  if (unit === "usd") return costOf(attempts).isAtLeast;
  if (unit !== "tokens") return false;
  return attempts.some((each) => each.usage?.models.some((model) => model.tokens === null));
}

/** What running attempts will still use: what their tasks are expected to use, less what they have. Where nobody can tell, as much as those of
 *  the run that have ended; nothing before one has. */
function reserveOf(level: Level, spending: RunSpending): { kept: number; isGuess: boolean } {
  const { unit } = level;
  const { attempts, expected } = spending;
  const first = firstAtWork(attempts);
  let [kept, isGuess] = [0, false];
  if (unit === "tasks") return { kept, isGuess };
  for (const attempt of attempts.filter(isUnbooked)) {
    const known = expected.get(attempt.task);
    const own = attempts.filter(({ task }) => task === attempt.task);
    const rest = known === undefined ? null : stillNeeds(unit, known, own, spending);
    const still = rest ?? Math.max(0, usualOf(unit, spending) - usedOf(unit, [attempt], spending));
    // However much more it has used than was expected, its turn is not over.
    const least = attempt === first ? keptForFirst(level, spending) : isAtWork(attempt) ? turnOf(unit, spending) : 0;
    kept += Math.max(still, least);
    isGuess ||= rest !== null && rest > 0 && known!.isGuess;
  }
  return { kept, isGuess };
}

/** `own`: the attempts at the task up to now. */
function stillNeeds(
  unit: BudgetUnit,
  expected: Expected,
  own: readonly Attempt[],
  spending: RunSpending,
): number | null {
  const whole = unit === "tasks" ? null : expected[unit];
  if (whole === null) return null;
  return Math.max(0, whole - usedOf(unit, own, spending));
}

function usualOf(unit: BudgetUnit, spending: RunSpending): number {
  const ended = spending.attempts.filter((attempt) => attempt.outcome !== null && attempt.usage !== null);
  return ended.length === 0 ? 0 : usedOf(unit, ended, spending) / ended.length;
}

function isAtWork({ outcome, phase }: Attempt): boolean {
  return outcome === null && AGENT_PHASES.has(phase);
}

/** Whether there is more to come: what an agent used last is on the books when what it left is collected. */
function isUnbooked(attempt: Attempt): boolean {
  return isAtWork(attempt) || (attempt.outcome === null && attempt.phase === "collect");
}

/** Phases in which an agent works or is about to. */
const AGENT_PHASES = new Set<Attempt["phase"]>(["workspace", "setup", "launch", "agent"]);

function costOf(attempts: readonly Attempt[]): Cost {
  return addUsages(attempts.map((attempt) => attempt.usage));
}

function amountOf(unit: "usd" | "tokens", cost: Cost): number {
  if (unit === "usd") return cost.usd ?? 0;
  return tokensIn(cost);
}

function reaches(used: number, limit: number): boolean {
  return used >= limit - DUST;
}
