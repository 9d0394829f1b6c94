import { expect, test } from "vitest";
import { seededChance } from "../lib/chance.ts";
import type { EstimateLevel } from "./estimate.ts";
import { describeBasis, type EstimatedStart, forecast } from "./forecast.ts";

function start(id: string, p50: number, p90: number, more: { needs?: string[]; level?: EstimateLevel } = {}) {
  const basis = { level: more.level ?? "all", tasks: 9 };
  const estimate = { duration: { p50, p90, ...basis }, cost: { p50: p50 / 10, p90: p90 / 10, ...basis } };
  return { id, needs: more.needs ?? [], priority: "normal", estimate } satisfies EstimatedStart;
}

test("without spread everything is as worked out by hand", () => {
  const plan = [start("a", 2, 2), start("b", 5, 5, { needs: ["a"] }), start("c", 4, 4), start("d", 1, 1)];
  const seen = forecast(plan, 2, 9, seededChance(1));
  expect(seen.makespan).toEqual({ p50: 7, p90: 7 });
  expect(seen.sequential).toEqual({ p50: 12, p90: 12 });
  expect(seen.speedUp).toBeCloseTo(12 / 7, 12);
  expect(seen.cost!.p50).toBeCloseTo(1.2, 12);
  expect(seen.criticalPath).toEqual({ path: ["a", "b"], length: 7 });
  expect(seen.parallelism).toEqual({ most: 2, average: 12 / 7 });
});

test("one task alone has its own P50 and P90, and the same seed gives the same figures", () => {
  const plan = [start("a", 100, 225)];
  const seen = forecast(plan, 3, 9, seededChance(1));
  expect(Math.abs(seen.makespan.p50 - 100)).toBeLessThan(8);
  expect(Math.abs(seen.makespan.p90 - 225)).toBeLessThan(25);
  expect(forecast(plan, 3, 9, seededChance(1))).toEqual(seen);
});

test("a sum of independent tasks varies less than each of them; where the table is wrong, it is wrong for all", () => {
  const many = (level: EstimateLevel) => Array.from({ length: 25 }, (_, n) => start(`t${n}`, 100, 225, { level }));
  const known = forecast(many("all"), 1, 9, seededChance(1)).makespan;
  const cold = forecast(many("cold-start"), 1, 0, seededChance(1)).makespan;
  expect(known.p90 / known.p50).toBeLessThan(1.25);
  expect(cold.p90 / cold.p50).toBeGreaterThan(1.5);
  expect(cold.p90 / cold.p50).toBeLessThan(2.25);
  // The middle of a sum is more than the sum of the middles: now and then one takes much longer.
  expect(known.p50).toBeGreaterThan(2_500);
});

test("where paths meet the later one decides", () => {
  const paths = Array.from({ length: 8 }, (_, n) => start(`t${n}`, 100, 225));
  expect(forecast(paths, 8, 9, seededChance(1)).makespan.p50).toBeGreaterThan(150);
});

test("a cost that is not known is counted, and an empty plan takes nothing", () => {
  const unknown = { ...start("b", 5, 5) };
  unknown.estimate = { ...unknown.estimate, cost: null as never };
  expect(forecast([start("a", 2, 2), unknown], 2, 9, seededChance(1))).toMatchObject({
    cost: { p50: 0.2, p90: 0.2 },
    costUnknown: 1,
  });
  expect(forecast([unknown], 2, 9, seededChance(1)).cost).toBeNull();
  expect(forecast([], 3, 0, seededChance(1))).toMatchObject({ makespan: { p50: 0, p90: 0 }, speedUp: 1, cost: null });
});

test("the label says where the figures come from", () => {
  expect(describeBasis({ tasks: 0, cold: 3, levels: ["cold-start"] })).toBe("cold start: no history yet");
  expect(describeBasis({ tasks: 1, cold: 0, levels: ["all"] })).toBe("from 1 earlier task, so a rough guess");
  expect(describeBasis({ tasks: 23, cold: 0, levels: ["agent"] })).toBe("from 23 earlier tasks");
});
