/** What a task is expected to take and to cost, from what earlier tasks of this repository took and cost. Pure.
 *
 *  The history is asked level by level, the most alike first: (agent, model, kind), (agent, model), (agent), all. The first level with
 *  {@link ENOUGH} tasks answers, time and cost each for themselves, because not every task's cost is known. Only without any history
 *  the table of cold-start.ts is asked. */
import { quantile } from "../lib/quantile.ts";
import { COLD_SPREAD, coldCostUsd, coldDurationMs } from "./cold-start.ts";
import type { PlannedTask } from "./plan.ts";
import type { Prices } from "./prices.ts";

/** The middle and the bad case: half of such tasks stay below `p50`, nine of ten below `p90`. */
export type Range = { p50: number; p90: number };

/** A task that was done. */
export type PastTask = {
  agent: string;
  /** The model that was asked for; null left it to the agent. */
  model: string | null;
  /** See {@link taskKind}. */
  kind: string | null;
  /** Its attempts added up, without the time in which it waited for a person. */
  durationMs: number;
  /** Null where it is not known in full. */
  costUsd: number | null;
  /** All of them, those of a cache too; null where they are not known in full. */
  tokens?: number | null;
  /** What its plan had estimated. */
  estimatedTokens: number | null;
};

/** A task to come, as far as an estimate goes by it. */
export type ComingTask = Pick<PastTask, "agent" | "model" | "kind" | "estimatedTokens"> & {
  /** `claude`, `codex`, `demo`, `command`: what a cold start goes by. */
  agentKind: string;
};

/** Which tasks an estimate was told from. */
export type EstimateLevel = "agent, model and kind" | "agent and model" | "agent" | "all" | "cold-start";

/** Where a figure comes from; `tasks` is 0 for a cold start. */
export type Basis = { level: EstimateLevel; tasks: number };

export type TaskEstimate = {
  /** Milliseconds. */
  duration: Range & Basis;
  /** Dollars; null where neither history nor price list says. */
  cost: (Range & Basis) | null;
  /** Null without history: what a prompt repeats from a cache is in no table. */
  tokens?: (Range & Basis) | null;
};

/** The 90th percentile of fewer tasks is little more than their longest. With fewer in all, what there is gives the middle, and the
 *  spread is at least that of the table. */
export const ENOUGH = 5;

/** What sort of work a task is, as far as its plan says: its module in a markdown plan, its first tag in a feature list; null in neither. */
export function taskKind(spec: Pick<PlannedTask, "module" | "tags">): string | null {
  return spec.module ?? spec.tags[0] ?? null;
}

/** Time and cost of one task. */
export function estimateTask(task: ComingTask, history: readonly PastTask[], prices: Prices): TaskEstimate {
  const levels = levelsFor(task, history);
  const duration = fromHistory(task, levels, (past) => past.durationMs) ?? fromTable(coldDurationMs(task));
  const coldCost = coldCostUsd(task, prices);
  return {
    duration,
    cost: fromHistory(task, levels, (past) => past.costUsd) ?? (coldCost === null ? null : fromTable(coldCost)),
    tokens: fromHistory(task, levels, (past) => past.tokens ?? null),
  };
}

type Level = { level: EstimateLevel; tasks: readonly PastTask[] };

function levelsFor(task: ComingTask, history: readonly PastTask[]): Level[] {
  const byAgent = history.filter((past) => past.agent === task.agent);
  const byModel = byAgent.filter((past) => past.model === task.model);
  const byKind = task.kind === null ? [] : byModel.filter((past) => past.kind === task.kind);
  return [
    { level: "agent, model and kind", tasks: byKind },
    { level: "agent and model", tasks: byModel },
    { level: "agent", tasks: byAgent },
    { level: "all", tasks: history },
  ];
}

function fromHistory(
  task: ComingTask,
  levels: readonly Level[],
  measure: (past: PastTask) => number | null,
): (Range & Basis) | null {
  const known = levels.map(({ level, tasks }) => ({ level, tasks: tasks.filter((past) => measure(past) !== null) }));
  const enough = known.find(({ tasks }) => tasks.length >= ENOUGH);
  const found = enough ?? known.findLast(({ tasks }) => tasks.length > 0);
  if (found === undefined) return null;
  const { level, tasks } = sizedAlike(task, found);
  const values = tasks.map((past) => measure(past)! * scale(task, past));
  const [p50, p90] = [quantile(values, 0.5), quantile(values, 0.9)];
  return { p50, p90: enough ? p90 : Math.max(p90, p50 * COLD_SPREAD), level, tasks: tasks.length };
}

/** A plan that tells the size of its tasks is believed as to their proportion: then only tasks count whose size was told, too. */
function sizedAlike(task: ComingTask, level: Level): Level {
  if (!isSized(task)) return level;
  const sized = level.tasks.filter(isSized);
  return sized.length >= Math.min(ENOUGH, level.tasks.length) ? { ...level, tasks: sized } : level;
}

function scale(task: ComingTask, past: PastTask): number {
  return isSized(task) && isSized(past) ? task.estimatedTokens! / past.estimatedTokens! : 1;
}

function isSized({ estimatedTokens }: Pick<PastTask, "estimatedTokens">): boolean {
  return estimatedTokens !== null && estimatedTokens > 0;
}

function fromTable(p50: number): Range & Basis {
  return { p50, p90: p50 * COLD_SPREAD, level: "cold-start", tasks: 0 };
}
