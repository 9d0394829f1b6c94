/** The limits of a budget: which there are, and who set them. Pure. */
import { parseDuration } from "../lib/duration.ts";
import { type Layer, mergeConfig } from "./config.ts";
import type { ConfigValues } from "./config-keys.ts";

/** Null is no limit. Times are those of agents at work, added up; how long a run may start work at all is `RunTime`. */
export type Budget = {
  runUsd: number | null;
  taskUsd: number | null;
  /** Of all runs of the repository, in a calendar day. */
  dayUsd: number | null;
  /** Of a run: of prompts, cache included, and answers. */
  tokens: number | null;
  taskTokens: number | null;
  dayTokens: number | null;
  /** How many tasks may begin. */
  runTasks: number | null;
  dayTasks: number | null;
  runTimeMs: number | null;
  taskTimeMs: number | null;
  dayTimeMs: number | null;
  /** The part of a limit at which a person is warned and asked. */
  warnAt: number;
};

export const NO_BUDGET: Budget = {
  runUsd: null,
  taskUsd: null,
  dayUsd: null,
  tokens: null,
  taskTokens: null,
  dayTokens: null,
  runTasks: null,
  dayTasks: null,
  runTimeMs: null,
  taskTimeMs: null,
  dayTimeMs: null,
  warnAt: 0.8,
};

export type Scope = "run" | "task" | "day";

/** Of what; `ms` is time. */
export type BudgetUnit = "usd" | "tokens" | "tasks" | "ms";

type LimitName = Exclude<keyof Budget, "warnAt">;
type LimitKey = Exclude<keyof NonNullable<ConfigValues["budget"]>, "warn_at">;
export type Limit = { name: LimitName; key: LimitKey; scope: Scope; unit: BudgetUnit };

/** Every limit that there is, in the order in which the one that holds is told. */
export const LIMITS: readonly Limit[] = [
  { name: "taskUsd", key: "task_usd", scope: "task", unit: "usd" },
  { name: "taskTokens", key: "task_tokens", scope: "task", unit: "tokens" },
  { name: "taskTimeMs", key: "task_time", scope: "task", unit: "ms" },
  { name: "runUsd", key: "run_usd", scope: "run", unit: "usd" },
  { name: "tokens", key: "tokens", scope: "run", unit: "tokens" },
  { name: "runTimeMs", key: "run_time", scope: "run", unit: "ms" },
  { name: "runTasks", key: "run_tasks", scope: "run", unit: "tasks" },
  { name: "dayUsd", key: "day_usd", scope: "day", unit: "usd" },
  { name: "dayTokens", key: "day_tokens", scope: "day", unit: "tokens" },
  { name: "dayTimeMs", key: "day_time", scope: "day", unit: "ms" },
  { name: "dayTasks", key: "day_tasks", scope: "day", unit: "tasks" },
];

/** The limits that the configuration and the command line (`runUsd`) set. A repository can lower what its user allows, not raise it. */
export function budgetFrom(layers: readonly Layer[], runUsd: number | null): Budget {
  const limit = (key: LimitKey): number | null => {
    const set = (origin: Layer["origin"]) => {
      const written = layers.findLast((layer) => layer.origin === origin && layer.values.budget?.[key] !== undefined)
        ?.values.budget?.[key];
      return written === undefined ? undefined : key.endsWith("_time") ? parseDuration(written)! : Number(written);
    };
    const here = set("flag") ?? set("environment");
    if (here !== undefined) return here;
    const standing = [set("user"), set("repository")].filter((each) => each !== undefined);
    return standing.length === 0 ? null : Math.min(...standing);
  };
  const limits = Object.fromEntries(LIMITS.map(({ name, key }) => [name, limit(key)])) as Omit<Budget, "warnAt">;
  return { ...limits, runUsd: runUsd ?? limits.runUsd, warnAt: mergeConfig(layers).budget.warn_at };
}

/** The limits that a variable sets now, but for the dollars of the run, which have a word of their own on the command line: a person says so of one run,
 *  and it holds for that run from then on. */
export function saidNow(layers: readonly Layer[]): Partial<Budget> {
  const said = budgetFrom(
    layers.filter(({ origin }) => origin === "flag" || origin === "environment"),
    null,
  );
  return Object.fromEntries(
    LIMITS.flatMap(({ name }) => (said[name] === null || name === "runUsd" ? [] : [[name, said[name]]])),
  );
}

/** Whether anything is to be kept to. */
export function hasLimit(budget: Budget): boolean {
  return LIMITS.some(({ name }) => budget[name] !== null);
}

/** Whether a limit of this scope, or in this unit, is set. */
export function hasLimitOf(budget: Budget, about: { scope?: Scope; unit?: BudgetUnit }): boolean {
  return LIMITS.some(
    ({ name, scope, unit }) =>
      budget[name] !== null && (about.scope ?? scope) === scope && (about.unit ?? unit) === unit,
  );
}

/** A limit and how much of it is gone. */
export type Level = {
  scope: Scope;
  unit: BudgetUnit;
  limit: number;
  used: number;
  /** Used, and kept for what runs: an estimate of what it will still use. */
  taken: number;
  /** Whether something was used that nobody can count. */
  isAtLeast: boolean;
  /** Nothing alike was done here yet, so that what is kept comes from a table. */
  isGuess?: boolean;
  /** What the task that waits will probably need, where what is left beside what runs is not enough for it. */
  needs?: number;
};

/** The tail of a sum of binary fractions is no money. */
export const DUST = 1e-9;
