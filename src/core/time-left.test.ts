import { expect, test } from "vitest";
import type { EstimateLevel, TaskEstimate } from "./estimate.ts";
import { keepToDays, lateBy, type OpenTask, runTimeLeft, taskTimeLeft } from "./time-left.ts";

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
  const expected = left === null ? null : { ms: left, isRough: false };
  expect(taskTimeLeft({ estimate: estimated(100, 200), workedMs })).toEqual(expected);
});

test("late is what took longer than its bad case, by what passed that last", () => {
  const working = (...workedMs: number[]) => workedMs.map((each) => open("a", [], 100, each));
  expect(lateBy(working(250))).toBe(50);
  expect(lateBy(working(250, 210))).toBe(10);
  expect(lateBy(working(250, 199))).toBeNull();
  expect(lateBy([])).toBeNull();
});

test("a table's guess is told as what it is, for a whole run also where it is that of a single task", () => {
  const cold = { ...open("a", [], 1), estimate: estimated(10, 20, "cold-start") };
  expect(taskTimeLeft({ estimate: cold.estimate, workedMs: 4 })).toEqual({ ms: 6, isRough: true });
  expect(runTimeLeft([cold, open("b", ["a"], 50)], 1)).toEqual({ ms: 60, isRough: true });
});

test("a run is over when the longest way through what is left is, with the agents there are", () => {
  const tasks = [open("a", [], 100, 70), open("b", ["a"], 50), open("c", [], 60)];
  expect(runTimeLeft(tasks, 3)?.ms).toBe(80);
  expect(runTimeLeft(tasks, 1)?.ms).toBe(140);
  expect(runTimeLeft([], 3)?.ms).toBe(0);
});

test("what a usage limit or a day's budget holds begins when that is over, and what builds on it behind that; the rest goes on meanwhile", () => {
  const held = { ...open("a", [], 10), heldMs: 1_000 };
  expect(runTimeLeft([held, open("b", ["a"], 50), open("c", [], 60)], 1)?.ms).toBe(1_060);
  expect(runTimeLeft([held, open("c", [], 5_000)], 2)?.ms).toBe(5_000);
  expect(runTimeLeft([held, { ...open("b", [], 10), heldMs: 3_000 }], 2)?.ms).toBe(3_010);
});

test("nothing is told where the end hangs on what is past its bad case, on a person, or on what builds on these; what else is to come tells it", () => {
  const late = open("late", [], 100, 250);
  const asks = { ...open("asks", [], 5), waitsForPerson: true };
  expect(runTimeLeft([late], 2)).toBeNull();
  expect(runTimeLeft([late, asks, open("then", ["late"], 50)], 2)).toBeNull();
  expect(runTimeLeft([asks], 2)).toBeNull();
  expect(runTimeLeft([late, { ...late, id: "held", heldMs: 300 }], 2)).toEqual({ ms: 300, isRough: false });
  expect(runTimeLeft([late, asks, open("b", [], 60)], 3)).toEqual({ ms: 60, isRough: false });
});

const DAY = 1_000_000;

test.each([
  ["is used up today", 0.3, [1, 1, 1, 2, 2]],
  ["has room for one today", 0.2, [0, 1, 1, 1, 2]],
  ["is unused", 0, [0, 0, 0, 1, 1]],
])(
  "tasks of $0.10 begin, where a budget of $0.25 a day %s, on the day whose budget is not used up by those before them",
  (_, used, days) => {
    const tasks = ["a", "b", "c", "d", "e"].map((id) => open(id, [], 100));
    const limit = { limit: 0.25, used, uses: new Map(tasks.map(({ id }) => [id, 0.1])) };
    const kept = keepToDays(tasks, [limit], (day) => day * DAY);
    expect(kept.map(({ heldMs }) => heldMs! / DAY)).toEqual(days);
    expect(runTimeLeft(kept, 1)!.ms).toBe(days.at(-1)! * DAY + 100 * days.filter((day) => day === days.at(-1)).length);
  },
);

test("a task that begins tomorrow for a usage limit is not told of sooner; one that costs more than a day has one for itself", () => {
  const tasks = [{ ...open("a", [], 100), heldMs: 5 }, open("b", [], 90), open("c", [], 80)];
  const limit = { limit: 1, used: 0, uses: new Map(tasks.map(({ id }) => [id, 7])) };
  expect(keepToDays(tasks, [limit], (day) => day * DAY).map(({ heldMs }) => heldMs)).toEqual([5, DAY, 2 * DAY]);
  expect(keepToDays(tasks, [], (day) => day * DAY)).toEqual(tasks);
});
