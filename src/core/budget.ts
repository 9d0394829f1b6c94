/** Budgets: what a run, a task, a day may cost, and how many tokens a run may use. Decides what has to wait and what has to stop. Pure. */
import type { Attempt } from "./attempt.ts";
import { type Layer, mergeConfig } from "./config.ts";
import type { RunTime } from "./run-time.ts";
import { addUsages, allTokens, type Cost, renderUsd } from "./cost.ts";

/** Null is no limit. */
export type Budget = {
  runUsd: number | null;
  taskUsd: number | null;
  /** Of all runs of the repository, in a calendar day. */
  dayUsd: number | null;
  /** Of a run: of prompts, cache included, and answers. */
  tokens: number | null;
  /** The part of a limit at which a line is printed. */
  warnAt: number;
};

export const NO_BUDGET: Budget = { runUsd: null, taskUsd: null, dayUsd: null, tokens: null, warnAt: 0.8 };

/** The limits that the configuration and the command line (`runUsd`) set. A repository can lower what its user allows, not raise it. */
export function budgetFrom(layers: readonly Layer[], runUsd: number | null): Budget {
  const limit = (key: "run_usd" | "task_usd" | "day_usd" | "tokens"): number | null => {
    const set = (origin: Layer["origin"]) =>
      layers.findLast((layer) => layer.origin === origin && layer.values.budget?.[key] !== undefined)?.values.budget?.[
        key
      ];
    const here = set("flag") ?? set("environment");
    if (here !== undefined) return here;
    const standing = [set("user"), set("repository")].filter((each) => each !== undefined);
    return standing.length === 0 ? null : Math.min(...standing);
  };
  return {
    runUsd: runUsd ?? limit("run_usd"),
    taskUsd: limit("task_usd"),
    dayUsd: limit("day_usd"),
    tokens: limit("tokens"),
    warnAt: mergeConfig(layers).budget.warn_at,
  };
}

type Scope = "run" | "task" | "day" | "tokens";

/** A limit and how much of it is gone. */
export type Level = {
  scope: Scope;
  limit: number;
  used: number;
  /** Used, and kept for what runs: an estimate of what it will still use. */
  taken: number;
  /** Whether something was used that nobody can count. */
  isAtLeast: boolean;
};

/** What budgets are measured against. */
export type Spending = {
  /** All attempts of the run. */
  attempts: readonly Attempt[];
  /** What all runs of the repository cost since the day began. */
  dayUsd: number;
  /** When the next day begins, in epoch milliseconds. */
  dayEnds: number;
};

/** Why tasks may not start. */
export type Holds = {
  /** For every task of the run. */
  all: Level | null;
  /** For single ones, by their row number. */
  tasks: ReadonlyMap<number, Level>;
  dayEnds: number;
  /** The time of the run, where it is over. */
  timeOver?: RunTime | null;
};

export const NO_HOLDS: Holds = { all: null, tasks: new Map(), dayEnds: 0 };

/** The tail of a sum of binary fractions is no money. */
const DUST = 1e-9;

/** How far each limit of the run is used up, the task's own aside. */
export function levelsOf(budget: Budget, spending: Spending): Level[] {
  const cost = costOf(spending.attempts);
  const levels: Level[] = [];
  const usd = cost.usd ?? 0;
  const reserve = reserveOf(spending.attempts, (each) => each.usd ?? 0);
  if (budget.runUsd !== null)
    levels.push({ scope: "run", limit: budget.runUsd, used: usd, taken: usd + reserve, isAtLeast: cost.isAtLeast });
  if (budget.dayUsd !== null) {
    const used = spending.dayUsd;
    levels.push({ scope: "day", limit: budget.dayUsd, used, taken: used + reserve, isAtLeast: cost.isAtLeast });
  }
  if (budget.tokens !== null) {
    const used = tokensOf(cost);
    const taken = used + reserveOf(spending.attempts, tokensOf);
    const isAtLeast = spending.attempts.some((each) => each.usage?.models.some((model) => model.tokens === null));
    levels.push({ scope: "tokens", limit: budget.tokens, used, taken, isAtLeast });
  }
  return levels;
}

/** What may not start now: nothing, once what is used and what is kept for the running attempts reaches a limit. */
export function decideHolds(budget: Budget, spending: Spending): Holds {
  const all = levelsOf(budget, spending).find((level) => reaches(level.taken, level.limit)) ?? null;
  const tasks = new Map<number, Level>();
  if (budget.taskUsd !== null) {
    for (const task of new Set(spending.attempts.map((attempt) => attempt.task))) {
      const level = taskLevel(budget.taskUsd, spending, task);
      if (reaches(level.used, level.limit)) tasks.set(task, level);
    }
  }
  return { all, tasks, dayEnds: spending.dayEnds };
}

/** The limit that a running attempt of `task` has reached; it is to be stopped. */
export function decideStop(budget: Budget, spending: Spending, task: number): Level | null {
  const levels = levelsOf(budget, spending);
  if (budget.taskUsd !== null) levels.unshift(taskLevel(budget.taskUsd, spending, task));
  return levels.find((level) => reaches(level.used, level.limit)) ?? null;
}

/** What a new attempt of `task` may spend at most, in dollars; null without a limit. */
export function leftFor(budget: Budget, spending: Spending, task: number): number | null {
  const levels = levelsOf(budget, spending).filter((level) => level.scope !== "tokens");
  if (budget.taskUsd !== null) levels.push(taskLevel(budget.taskUsd, spending, task));
  if (levels.length === 0) return null;
  // A hundredth of a cent is the least that is worth a start; dispatch has seen to it that something is left.
  return Math.max(0.0001, Math.min(...levels.map((level) => level.limit - level.used)));
}

/** The limits of which so much is used that it is time to say so. */
export function levelsToWarnOf(budget: Budget, spending: Spending): Level[] {
  return levelsOf(budget, spending).filter((level) => reaches(level.used, level.limit * budget.warnAt));
}

function taskLevel(limit: number, { attempts }: Spending, task: number): Level {
  const cost = costOf(attempts.filter((attempt) => attempt.task === task));
  const used = cost.usd ?? 0;
  return { scope: "task", limit, used, taken: used, isAtLeast: cost.isAtLeast };
}

/** What running attempts will still use, if they are like those of the run that have ended; nothing before one has. */
function reserveOf(attempts: readonly Attempt[], measure: (cost: Cost) => number): number {
  const measures = (some: readonly Attempt[]) => some.map((attempt) => measure(costOf([attempt])));
  const ended = measures(attempts.filter((attempt) => attempt.outcome !== null && attempt.usage !== null));
  const usual = ended.length === 0 ? 0 : ended.reduce((sum, each) => sum + each, 0) / ended.length;
  const running = attempts.filter((attempt) => attempt.outcome === null && AGENT_PHASES.has(attempt.phase));
  return measures(running).reduce((sum, used) => sum + Math.max(0, usual - used), 0);
}

/** Phases in which an agent works or is about to. */
const AGENT_PHASES = new Set<Attempt["phase"]>(["workspace", "setup", "launch", "agent"]);

function costOf(attempts: readonly Attempt[]): Cost {
  return addUsages(attempts.map((attempt) => attempt.usage));
}

function tokensOf(cost: Cost): number {
  return cost.tokens === null ? 0 : allTokens(cost.tokens);
}

function reaches(used: number, limit: number): boolean {
  return used >= limit - DUST;
}

/** A level in words: `$5.02 of $5.00 for the run`. */
export function describeLevel({ scope, limit, used, taken, isAtLeast }: Level): string {
  const amount = (count: number) => (scope === "tokens" ? `${Math.round(count)} tokens` : renderUsd(count));
  const kept = taken - used > DUST ? ` (and ${amount(taken - used)} kept for what runs)` : "";
  const whole = { run: "for the run", task: "for the task", day: "for the day", tokens: "for the run" }[scope];
  return `${isAtLeast ? "at least " : ""}${amount(used)}${kept} of ${amount(limit)} ${whole}`;
}

/** The command that raises a limit and goes on. What is proposed is twice as much, but at least half as much again as was used. */
export function raiseCommand(run: string, { scope, limit, used }: Level): string {
  const more = Math.max(2 * limit, 1.5 * used);
  const value = scope === "tokens" ? Math.ceil(more) : Math.ceil(more * 100) / 100;
  return scope === "run"
    ? `owt resume ${run} --budget ${value}`
    : `OWT_BUDGET_${KEYS[scope]}=${value} owt resume ${run}`;
}

const KEYS: Record<Exclude<Scope, "run">, string> = { task: "TASK_USD", day: "DAY_USD", tokens: "TOKENS" };
