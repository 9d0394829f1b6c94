import { expect, test } from "vitest";
import { type TriedTask, reportHistory } from "./history.ts";

const DAY = 86_400_000;

const finished = (change: Partial<TriedTask>): TriedTask => ({
  agent: "claude",
  model: null,
  kind: null,
  durationMs: 100,
  costUsd: null,
  estimatedTokens: null,
  end: "done",
  endedAt: 0,
  attempts: 1,
  missed: 0,
  ...change,
});

const history = (tasks: TriedTask[]) => reportHistory(tasks, (at) => new Date(at).toISOString().slice(0, 10));

test("success, time and cost by agent, model, kind and day", () => {
  const report = history([
    finished({ durationMs: 100, costUsd: 0.5, kind: "api", endedAt: DAY }),
    finished({ durationMs: 300, costUsd: 0.25, kind: "api", attempts: 3, missed: 1 }),
    finished({ durationMs: 1_000, end: "failed", attempts: 2, model: "opus", kind: "web" }),
    // Interrupted twice, by a question for instance.
    finished({ durationMs: 200, agent: "codex", attempts: 3 }),
  ]);
  expect(report.all).toEqual({
    tasks: 4,
    done: 3,
    failed: 1,
    cancelled: 0,
    open: 0,
    success: 0.75,
    first_try: 0.5,
    attempts: 9,
    work_ms: 1_600,
    median_ms: 200,
    cost_usd: 0.75,
    cost_per_task_usd: 0.375,
    cost_unknown: 2,
  });
  expect(report.by_agent.map(({ name, tasks, success }) => [name, tasks, success])).toEqual([
    ["claude", 3, 0.667],
    ["codex", 1, 1],
  ]);
  expect(report.by_model.map(({ name, tasks }) => [name, tasks])).toEqual([
    [null, 3],
    ["opus", 1],
  ]);
  expect(report.by_kind.map(({ name, median_ms, failed }) => [name, median_ms, failed])).toEqual([
    ["api", 200, 0],
    [null, 200, 0],
    ["web", null, 1],
  ]);
  expect(report.by_day.map(({ name, tasks }) => [name, tasks])).toEqual([
    ["1970-01-02", 1],
    ["1970-01-01", 3],
  ]);
});

test("what was cancelled or waits counts with all that was spent on it, and not as success or failure", () => {
  const report = history([
    finished({ costUsd: 0.5 }),
    finished({ costUsd: 0.75, end: "failed", attempts: 3 }),
    finished({ costUsd: 1, end: "open", kind: "asks" }),
    finished({ costUsd: 0.25, end: "cancelled", attempts: 2 }),
  ]);
  expect(report.all).toMatchObject({
    tasks: 4,
    done: 1,
    failed: 1,
    cancelled: 1,
    open: 1,
    success: 0.5,
    first_try: 0.5,
  });
  expect(report.all).toMatchObject({ attempts: 7, work_ms: 400, cost_usd: 2.5, cost_unknown: 0 });
  expect(report.by_kind[1]).toMatchObject({ name: "asks", tasks: 1, success: null, cost_usd: 1 });
});

test("without any task there is nothing to divide by", () => {
  expect(history([]).all).toMatchObject({ tasks: 0, success: null, first_try: null, median_ms: null, cost_usd: null });
});
