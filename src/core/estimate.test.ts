import { describe, expect, test } from "vitest";
import { type ComingTask, estimateTask, type PastTask, taskKind } from "./estimate.ts";
import type { Prices } from "./prices.ts";

const MINUTE = 60_000;

const PRICES: Prices = [
  { models: ["claude-opus-5-5"], tiers: [{ input: 4, output: 20 }], source: "a test", verified: "2026-11-21" },
];

const past = (minutes: number, more: Partial<PastTask> = {}): PastTask => ({
  agent: "claude",
  model: "opus",
  kind: "shop",
  durationMs: minutes * MINUTE,
  costUsd: minutes / 10,
  estimatedTokens: null,
  ...more,
});

const task = (more: Partial<ComingTask> = {}): ComingTask => ({
  agent: "claude",
  agentKind: "claude",
  model: "opus",
  kind: "shop",
  estimatedTokens: null,
  ...more,
});

const times = (minutes: number[], more: Partial<PastTask> = {}) => minutes.map((each) => past(each, more));

describe("from history", () => {
  test("P50 and P90 are those worked out by hand, for time and for cost", () => {
    // Sorted 4 6 8 10 20: the middle is 8; place 4 × 0.9 = 3.6 lies six tenths of the way from 10 to 20.
    const { duration, cost } = estimateTask(task(), times([10, 4, 20, 8, 6]), PRICES);
    expect(duration).toEqual({ p50: 8 * MINUTE, p90: 16 * MINUTE, level: "agent, model and kind", tasks: 5 });
    expect(cost).toMatchObject({ p50: 0.8, level: "agent, model and kind", tasks: 5 });
    expect(cost!.p90).toBeCloseTo(1.6, 12);
    // Ten of them, 1 to 10: 5.5 and, at place 8.1, 9.1.
    const ten = estimateTask(task(), times([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), PRICES).duration;
    expect(ten.p50).toBe(5.5 * MINUTE);
    expect(ten.p90).toBeCloseTo(9.1 * MINUTE, 6);
  });

  test("the most alike tasks count, and where they are fewer than five, wider and wider circles", () => {
    const kind = times([2, 2, 2, 2]);
    const model = times([4, 4], { kind: "web" });
    const agent = times([6, 6], { model: "sonnet" });
    const others = times([8, 8], { agent: "codex", model: null });
    const level = (history: PastTask[]) => {
      const { duration } = estimateTask(task(), history, PRICES);
      return [duration.level, duration.tasks, duration.p50 / MINUTE];
    };
    expect(level([...kind, past(2), ...model, ...agent, ...others])).toEqual(["agent, model and kind", 5, 2]);
    // 2 2 2 2 4 4: the middle of six is between the third and the fourth.
    expect(level([...kind, ...model, ...agent, ...others])).toEqual(["agent and model", 6, 2]);
    expect(level([past(2), ...model, ...agent, ...others])).toEqual(["agent", 5, 4]);
    expect(level([past(2), ...agent, ...others])).toEqual(["all", 5, 6]);
  });

  test("a task without a kind is compared by agent and model, not with those that have none either", () => {
    const history = [...times([1, 1, 1, 1, 1], { kind: null }), ...times([9, 9, 9, 9, 9, 9])];
    const { duration } = estimateTask(task({ kind: null }), history, PRICES);
    expect(duration).toMatchObject({ level: "agent and model", tasks: 11, p50: 9 * MINUTE });
  });

  test("time and cost each take the level that knows enough: a cost that is not known in full is none", () => {
    const history = [
      ...times([4, 6, 8], { costUsd: null }),
      ...times([10, 20]),
      ...times([1, 1, 1], { kind: "web", costUsd: 5 }),
    ];
    const { duration, cost } = estimateTask(task(), history, PRICES);
    expect(duration).toMatchObject({ p50: 8 * MINUTE, level: "agent, model and kind", tasks: 5 });
    // $1, $2 of its kind and three times $5: the middle of five.
    expect(cost).toMatchObject({ p50: 5, level: "agent and model", tasks: 5 });
  });

  test("of fewer than five in all the middle counts, and the spread is no smaller than the table's", () => {
    const { duration } = estimateTask(task(), times([4, 4]), PRICES);
    expect(duration).toEqual({ p50: 4 * MINUTE, p90: 9 * MINUTE, level: "all", tasks: 2 });
    expect(estimateTask(task(), times([1, 2, 100]), PRICES).duration.p90).toBeCloseTo(80.4 * MINUTE, 6);
  });

  test("a plan that tells sizes is believed as to their proportion", () => {
    const sized = [10, 20, 30, 40, 50].map((minutes) => past(minutes, { estimatedTokens: minutes * 1_000 }));
    // Each took one minute for 1,000 estimated tokens.
    const { duration } = estimateTask(task({ estimatedTokens: 7_000 }), [...sized, ...times([90, 90])], PRICES);
    expect(duration).toMatchObject({ tasks: 5, level: "agent, model and kind" });
    expect(duration.p50).toBeCloseTo(7 * MINUTE, 6);
    expect(duration.p90).toBeCloseTo(7 * MINUTE, 6);
    // Without sizes in the history they say nothing.
    const unsized = estimateTask(task({ estimatedTokens: 7_000 }), times([10, 4, 20, 8, 6]), PRICES);
    expect(unsized.duration.p50).toBe(8 * MINUTE);
  });
});

describe("a cold start", () => {
  test("goes by the estimated tokens and the price list", () => {
    const cold = estimateTask(task({ model: "claude-opus-5-5", estimatedTokens: 30_000 }), [], PRICES);
    // 30 times 6 seconds; 36,000 output tokens at $20 a million. P90 is 2.25 times that.
    expect(cold.duration).toEqual({ p50: 180_000, p90: 405_000, level: "cold-start", tasks: 0 });
    expect(cold.cost).toMatchObject({ level: "cold-start", tasks: 0 });
    expect(cold.cost!.p50).toBeCloseTo(0.72, 12);
    expect(cold.cost!.p90).toBeCloseTo(1.62, 12);
  });

  test("without them by the table, and what the list does not know costs an unknown amount, not nothing", () => {
    expect(estimateTask(task(), [], PRICES)).toMatchObject({ duration: { p50: 9 * MINUTE }, cost: null });
    expect(estimateTask(task({ model: null }), [], PRICES).cost!.p50).toBeCloseTo(2.16, 12);
    expect(estimateTask(task({ agent: "mine", agentKind: "command", model: null }), [], PRICES).cost).toBeNull();
    expect(estimateTask(task({ estimatedTokens: 0 }), [], PRICES).duration.p50).toBe(9 * MINUTE);
  });
});

test("the kind of a task is its module, else its first tag", () => {
  expect(taskKind({ module: "shop", tags: ["ui"] })).toBe("shop");
  expect(taskKind({ module: null, tags: ["ui", "api"] })).toBe("ui");
  expect(taskKind({ module: null, tags: [] })).toBeNull();
});
