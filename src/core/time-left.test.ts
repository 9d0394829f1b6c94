import { expect, test } from "vitest";
import type { EstimateLevel, TaskEstimate } from "./estimate.ts";
import { type OpenTask, runTimeLeft, taskTimeLeft } from "./time-left.ts";

const estimated = (p50: number, p90: number, level: EstimateLevel = "agent"): TaskEstimate => ({
  duration: { p50, p90, level, tasks: 9 },
  cost: null,
});

const open = (id: string, needs: string[], p50: number, workedMs = 0): OpenTask => ({
  id,
  needs,
  priority: "normal",
  estimate: estimated(p50, 2 * p50),
  workedMs,
});

test.each([
  [0, 100],
  [60, 40],
  [100, 100],
  [150, 50],
  [200, null],
])("a task of 100 to 200 that was worked on for %i has %s left", (workedMs, left) => {
  expect(taskTimeLeft({ estimate: estimated(100, 200), workedMs })).toBe(left);
});

test("a table's guess is no time left", () => {
  expect(taskTimeLeft({ estimate: estimated(100, 200, "cold-start"), workedMs: 0 })).toBeNull();
  expect(runTimeLeft([{ ...open("a", [], 1), estimate: estimated(1, 2, "cold-start") }], 1)).toBeNull();
});

test("a run is over when the longest way through what is left is, with the agents there are", () => {
  const tasks = [open("a", [], 100, 70), open("b", ["a"], 50), open("c", [], 60)];
  expect(runTimeLeft(tasks, 3)).toBe(80);
  expect(runTimeLeft(tasks, 1)).toBe(140);
  expect(runTimeLeft([], 3)).toBe(0);
});
