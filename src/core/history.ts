/** What came of everything that was tried in a repository: how often it succeeded, what it took and what it cost. Pure. */
import { quantile } from "../lib/quantile.ts";
import type { PastTask } from "./estimate.ts";

/** A task that an agent worked on, whatever became of it: what was spent on it was spent. */
export type TriedTask = PastTask & {
  /** Failed is also what failed before it was cancelled, or is tried again. What was cancelled (or skipped) without that, or is still open, says nothing
   *  about who would have done it. */
  end: "done" | "failed" | "cancelled" | "open";
  /** Epoch milliseconds: of the last attempt where the task has not ended. */
  endedAt: number;
  attempts: number;
  /** Those of them that were given up or mended: not interrupted by others, and not the one that did it. */
  missed: number;
};

/** The figures of a group of tasks. */
export type HistoryRow = {
  tasks: number;
  done: number;
  failed: number;
  /** Without having failed before. */
  cancelled: number;
  /** At work, or waiting: for a person, a limit, their turn. */
  open: number;
  /** Done of those that were done or failed, 0 to 1; null where none was. */
  success: number | null;
  /** Done without a repair or a second try, of the same; what was interrupted by a question, a limit or a person went on with the first. */
  first_try: number | null;
  attempts: number;
  /** The work of all of them added up, and of the middle one of those that were done (null where none was). */
  work_ms: number;
  median_ms: number | null;
  /** The sum of what is known, and what a task of known cost takes on average; null where nobody said. */
  cost_usd: number | null;
  cost_per_task_usd: number | null;
  /** Tasks whose cost is not known in full, and not in the sums. */
  cost_unknown: number;
};

export type NamedRow = HistoryRow & { name: string | null };

export type HistoryReport = {
  all: HistoryRow;
  /** Most tasks first; a task belongs to the agent and model of its last attempt. */
  by_agent: NamedRow[];
  /** Null: the agent's own choice. */
  by_model: NamedRow[];
  /** Null: its plan does not say. */
  by_kind: NamedRow[];
  /** Newest first, by the day of their end: YYYY-MM-DD. */
  by_day: NamedRow[];
};

/** `dayOf` names the day of an instant (epoch ms) in the reader's time zone. */
export function reportHistory(tasks: readonly TriedTask[], dayOf: (at: number) => string): HistoryReport {
  const by = (nameOf: (task: TriedTask) => string | null) =>
    [...Map.groupBy(tasks, nameOf)].map(([name, group]) => ({ name, ...rowOf(group) }));
  const byCount = (rows: NamedRow[]) =>
    rows.toSorted((a, b) => b.tasks - a.tasks || (a.name ?? "").localeCompare(b.name ?? ""));
  return {
    all: rowOf(tasks),
    by_agent: byCount(by((task) => task.agent)),
    by_model: byCount(by((task) => task.model)),
    by_kind: byCount(by((task) => task.kind)),
    by_day: by((task) => dayOf(task.endedAt)).toSorted((a, b) => (a.name! < b.name! ? 1 : -1)),
  };
}

function rowOf(tasks: readonly TriedTask[]): HistoryRow {
  const ended = (end: TriedTask["end"]) => tasks.filter((task) => task.end === end);
  const [done, failed] = [ended("done"), ended("failed")];
  const costs = tasks.flatMap((task) => (task.costUsd === null ? [] : [task.costUsd]));
  const cost = costs.length === 0 ? null : rounded(costs.reduce((sum, usd) => sum + usd, 0));
  const decided = done.length + failed.length;
  const share = (part: number) => (decided === 0 ? null : Math.round((part / decided) * 1_000) / 1_000);
  return {
    tasks: tasks.length,
    done: done.length,
    failed: failed.length,
    cancelled: ended("cancelled").length,
    open: ended("open").length,
    success: share(done.length),
    first_try: share(done.filter((task) => task.missed === 0).length),
    attempts: tasks.reduce((sum, task) => sum + task.attempts, 0),
    work_ms: tasks.reduce((sum, task) => sum + task.durationMs, 0),
    median_ms:
      done.length === 0
        ? null
        : Math.round(
            quantile(
              done.map((task) => task.durationMs),
              0.5,
            ),
          ),
    cost_usd: cost,
    cost_per_task_usd: cost === null ? null : rounded(cost / costs.length),
    cost_unknown: tasks.length - costs.length,
  };
}

/** Sums of binary fractions have long tails; a billionth of a dollar is enough. */
function rounded(usd: number): number {
  return Math.round(usd * 1e9) / 1e9;
}
