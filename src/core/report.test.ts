import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleAttempt, sampleRun, sampleTask } from "../../test/rig/samples.ts";
import type { Park, Task } from "./task.ts";
import type { Attempt } from "./attempt.ts";
import { NO_TOKENS, type Usage } from "./cost.ts";
import { reportRun as reportViews } from "./report.ts";
import { viewTasks } from "./view.ts";

function reportRun(
  run: Parameters<typeof reportViews>[0],
  tasks: readonly Task[],
  attempts: readonly Attempt[],
  now: number,
) {
  return reportViews(
    run,
    viewTasks(tasks, () => "claude", now),
    attempts,
    now,
  );
}

const usage = (costUsd: number | null, input: number | null = null): Usage => ({
  models: [
    {
      model: "m",
      tokens: input === null ? null : { ...NO_TOKENS, input },
      costUsd,
      basis: costUsd === null ? "unknown" : "reported",
    },
  ],
  missing: null,
});

const one = sampleTask("one", { id: 1 });
const two = sampleTask("two", { id: 2 });

function reportOf(attempts: Attempt[], now = 1_000) {
  return reportRun(sampleRun(), [one, two], attempts, now);
}

describe("money and tokens", () => {
  test("what no agent said is null, never 0", () => {
    expect(reportOf([]).cost_usd).toBeNull();
    const report = reportOf([sampleAttempt({ usage: usage(null) }), sampleAttempt({ usage: null })]);
    expect(report).toMatchObject({ cost_usd: null, cost_at_least: true, cost_basis: "unknown" });
    expect(report.tasks[0]).toMatchObject({ cost_usd: null, input_tokens: null, output_tokens: null });
    expect(reportOf([sampleAttempt()])).toMatchObject({ cost_usd: null, cost_at_least: false, cost_basis: null });
  });

  test("a known zero is 0", () => {
    expect(reportOf([sampleAttempt({ usage: usage(0, 0) })])).toMatchObject({ cost_usd: 0 });
  });

  test("what is known is added up over attempts and tasks", () => {
    const attempts = [
      sampleAttempt({ id: 1, usage: usage(0.25, 100) }),
      sampleAttempt({ id: 2, number: 2, usage: usage(null, 50) }),
      sampleAttempt({ id: 3, task: 2, usage: usage(0.5) }),
    ];
    const report = reportOf(attempts);
    expect(report).toMatchObject({ cost_usd: 0.75, cost_at_least: true, cost_basis: "mixed" });
    expect(report.models).toMatchObject([
      { model: "m", cost_usd: 0.75, cost_at_least: false },
      { model: "m", cost_usd: null, cost_at_least: true, input_tokens: 50 },
    ]);
    expect(report.tasks[0]!.attempts.map((attempt) => attempt.cost_usd)).toEqual([0.25, null]);
    expect(report.tasks.map((task) => [task.cost_usd, task.input_tokens])).toEqual([
      [0.25, 150],
      [0.5, null],
    ]);
  });

  test("a total is null exactly when nothing is known", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 1_000 }))), (costs) => {
        const attempts = costs.map((cost, index) => sampleAttempt({ id: index, usage: usage(cost) }));
        const known = costs.filter((cost) => cost !== null);
        expect(reportOf(attempts).cost_usd).toBe(known.length === 0 ? null : known.reduce((a, b) => a + b, 0));
      }),
    );
  });
});

test("the speed-up is what the work would have taken one after the other over the time of the run", () => {
  const steps = { workMs: 1_650, ownMs: 50, most: 2, stoppedMs: 0 };
  const run = sampleRun({ endedAt: 1_000 });
  expect(reportViews(run, [], [], 9_999, { steps })).toMatchObject({
    duration_ms: 1_000,
    sequential_ms: 1_700,
    speedup: 1.7,
  });
  expect(reportOf([]).speedup).toBeNull();
});

test("each task says how its attempts ended, or in which phase they are", () => {
  const attempts = [
    sampleAttempt({ id: 1, outcome: { kind: "lost" }, startedAt: 10, endedAt: 30 }),
    sampleAttempt({ id: 2, number: 2, agent: "claude", phase: "verify", startedAt: 40 }),
  ];
  const report = reportRun(sampleRun(), [{ ...one, state: "running", startedAt: 10 }, two], attempts, 100);
  expect(report.tasks[0]).toMatchObject({
    why: "running",
    agent: "claude",
    duration_ms: 90,
    work_ms: 80,
    attempts: [
      { number: 1, outcome: "its process disappeared", duration_ms: 20 },
      { number: 2, outcome: "verify", duration_ms: null },
    ],
  });
  expect(report.tasks[1]).toMatchObject({ agent: null, duration_ms: null, work_ms: 0, attempts: [] });
  expect(report.tasks[1]).not.toHaveProperty("why");
});

test("states are counted, times are written as dates, and what no check stood behind is named", () => {
  const tasks = [
    sampleTask("checked", { id: 1, state: "done", verified: true }),
    sampleTask("unchecked", { id: 2, state: "done" }),
    sampleTask("broken", { id: 3, state: "failed" }),
  ];
  const report = reportRun(sampleRun({ createdAt: 0, endedAt: 1_000, landedAt: 2_000 }), tasks, [], 9_000);
  expect(report).toMatchObject({
    counts: { done: 2, failed: 1 },
    unverified: ["unchecked"],
    started_at: "1970-01-01T00:00:00.000Z",
    ended_at: "1970-01-01T00:00:01.000Z",
    landed_at: "1970-01-01T00:00:02.000Z",
  });
  expect(reportRun(sampleRun(), tasks, [], 9_000)).toMatchObject({ ended_at: null, landed_at: null });
});

test("no figure is less than nothing where the clock was set back", () => {
  const task = sampleTask("one", { id: 1, startedAt: 9_000, endedAt: 2_000, state: "done" });
  const attempt = sampleAttempt({ task: 1, startedAt: 9_000, endedAt: 2_000 });
  const report = reportRun(sampleRun({ createdAt: 8_000, endedAt: 2_000 }), [task], [attempt], 3_000);
  const { duration_ms: duration, sequential_ms: sequential } = report;
  expect([duration, sequential, report.tasks[0]!.duration_ms, report.tasks[0]!.work_ms]).toEqual([0, 0, 0, 0]);
});

test("what was set aside for one outage after each try in vain is told once, and how often", () => {
  const outage = { agent: "claude", reason: "529" };
  const aside = (task: number, at: number, park: Park) => ({ task, park, at, until: at + 5, waitedMs: 5 });
  const away = (at: number): Park => ({ for: "limit", until: at + 5, outage });
  const parked = [
    aside(1, 10, away(10)),
    aside(2, 10, away(10)),
    aside(1, 20, away(20)),
    aside(1, 30, { for: "answer", question: "Which?" }),
    aside(1, 40, away(40)),
    aside(2, 40, { for: "limit", until: 45 }),
  ];
  const waiting = { byTask: new Map(), inChecks: new Map(), deadInChecks: new Map(), parked, setMs: 0 };
  const views = viewTasks([one, two], () => "claude", 100);
  const told = reportViews(sampleRun(), views, [], 100, { waiting }).parked;
  expect(told.map(({ task, times, waited_ms, until }) => [task, times, waited_ms, Date.parse(until!)])).toEqual([
    ["one", 2, 10, 25],
    ["two", 1, 5, 15],
    ["one", 1, 5, 35],
    ["one", 1, 5, 45],
    ["two", 1, 5, 45],
  ]);
});
