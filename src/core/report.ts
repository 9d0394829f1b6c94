/** What a run cost and brought, as data. Pure. */
import type { Attempt } from "./attempt.ts";
import { describeOutcome, type Outcome } from "./outcome.ts";
import type { Run } from "./run.ts";
import type { Task } from "./task.ts";
import { type TaskView } from "./view.ts";

type TaskReport = {
  id: string;
  title: string;
  state: Task["state"];
  /** Why it stands there; absent when there is nothing to say. */
  why?: string;
  agent: string | null;
  /** `outcome` in words, `outcome_kind` for programs; null while it is open. */
  attempts: { number: number; outcome: string; outcome_kind: Outcome["kind"] | null; duration_ms: number | null }[];
  /** From its first start to its end, waiting included. */
  duration_ms: number | null;
  /** Time in which an agent or a check of it worked. */
  work_ms: number;
  cost_usd: number | null;
  input_tokens: number | null;
  output_tokens: number | null;
  commit: string | null;
  verified: boolean;
};

export type RunReport = {
  run: string;
  state: Run["state"];
  plan: string;
  target: string;
  branch: string;
  builds_on: string | null;
  started_at: string;
  ended_at: string | null;
  landed_at: string | null;
  duration_ms: number;
  /** What the tasks would have taken one after the other. */
  sequential_ms: number;
  speedup: number | null;
  counts: Record<string, number>;
  /** Null is unknown: no agent said what it cost. */
  cost_usd: number | null;
  unverified: string[];
  tasks: TaskReport[];
};

/** The report of a run. `now` (epoch ms) stands in for the end of what still goes on. */
export function reportRun(run: Run, views: readonly TaskView[], attempts: readonly Attempt[], now: number): RunReport {
  const reports = views.map(({ task, why }) =>
    reportTask(
      task,
      why,
      attempts.filter((attempt) => attempt.task === task.id),
      now,
    ),
  );
  const sequential = reports.reduce((sum, task) => sum + task.work_ms, 0);
  const duration = (run.endedAt ?? now) - run.createdAt;
  const counts: Record<string, number> = {};
  for (const { task } of views) counts[task.state] = (counts[task.state] ?? 0) + 1;
  return {
    run: run.id,
    state: run.state,
    plan: run.planPath,
    target: run.target,
    branch: run.branch,
    builds_on: run.buildsOn,
    started_at: iso(run.createdAt)!,
    ended_at: iso(run.endedAt),
    landed_at: iso(run.landedAt),
    duration_ms: duration,
    sequential_ms: sequential,
    speedup: duration > 0 && sequential > 0 ? Math.round((sequential / duration) * 100) / 100 : null,
    counts,
    cost_usd: addKnown(reports.map((task) => task.cost_usd)),
    unverified: reports.filter((task) => task.state === "done" && !task.verified).map((task) => task.id),
    tasks: reports,
  };
}

function reportTask(task: Task, why: string, attempts: readonly Attempt[], now: number): TaskReport {
  const usages = attempts.map((attempt) => attempt.usage);
  return {
    id: task.key,
    title: task.spec.title,
    state: task.state,
    ...(why ? { why } : {}),
    agent: attempts.at(-1)?.agent ?? null,
    attempts: attempts.map((attempt) => ({
      number: attempt.number,
      outcome: attempt.outcome ? describeOutcome(attempt.outcome) : attempt.phase,
      outcome_kind: attempt.outcome?.kind ?? null,
      duration_ms: attempt.endedAt === null ? null : attempt.endedAt - attempt.startedAt,
    })),
    duration_ms: task.startedAt === null ? null : (task.endedAt ?? now) - task.startedAt,
    work_ms: attempts.reduce((sum, attempt) => sum + ((attempt.endedAt ?? now) - attempt.startedAt), 0),
    cost_usd: addKnown(usages.map((usage) => usage?.costUsd ?? null)),
    input_tokens: addKnown(usages.map((usage) => usage?.inputTokens ?? null)),
    output_tokens: addKnown(usages.map((usage) => usage?.outputTokens ?? null)),
    commit: task.commit,
    verified: task.verified,
  };
}

/** The sum of what is known; null when nothing is. */
function addKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
