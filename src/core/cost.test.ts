import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addTokens,
  addUsages,
  allTokens,
  describeCost,
  renderUsd,
  type ModelUsage,
  NO_TOKENS,
  type Usage,
} from "./cost.ts";

const RUNS = { numRuns: 10_000 };

const count = fc.integer({ min: 0, max: 1_000_000 });
const tokens = fc.record({ input: count, output: count, cacheRead: count, cacheWrite5m: count, cacheWrite1h: count });
/** In whole sixteenths of a dollar, so that sums are exact in any order. */
const usd = fc.integer({ min: 0, max: 1_000 }).map((n) => n / 16);
const part: fc.Arbitrary<ModelUsage> = fc
  .record({
    model: fc.constantFrom("opus", "haiku", null),
    tokens: fc.option(tokens),
    costUsd: fc.option(usd),
    isListed: fc.boolean(),
  })
  .map(({ isListed, ...rest }) => ({
    ...rest,
    basis: rest.costUsd === null ? "unknown" : isListed ? "list" : "reported",
  }));
const usage: fc.Arbitrary<Usage> = fc.record({
  models: fc.array(part, { maxLength: 4 }),
  missing: fc.option(fc.constantFrom("a cut answer", "a lost record")),
});
const usages = fc.array(fc.option(usage), { maxLength: 6 });

describe("a sum of usages", () => {
  test("says that it is at least so much exactly when a part is not known, and is never 0 for what is unknown", () => {
    fc.assert(
      fc.property(usages, (given) => {
        const all = given.filter((each) => each !== null);
        const parts = all.flatMap((each) => each.models);
        const cost = addUsages(given);
        const isHoled = all.some((each) => each.missing !== null) || parts.some((each) => each.costUsd === null);
        const known = parts.flatMap((each) => each.costUsd ?? []);
        expect(cost.isAtLeast).toBe(isHoled);
        expect(cost.missing.length > 0).toBe(isHoled);
        if (known.length > 0) expect(cost.usd).toBe(known.reduce((a, b) => a + b));
        else expect(cost.usd).toBe(all.length > 0 && !isHoled ? 0 : null);
      }),
      RUNS,
    );
  });

  test("is the same however its parts are grouped and ordered", () => {
    fc.assert(
      fc.property(usages, usages, (a, b) => {
        const [one, two, both] = [addUsages(a), addUsages(b), addUsages([...b, ...a])];
        expect(both.usd ?? 0).toBe((one.usd ?? 0) + (two.usd ?? 0));
        expect(both.isAtLeast).toBe(one.isAtLeast || two.isAtLeast);
        expect(both.tokens ?? NO_TOKENS).toEqual(addTokens(one.tokens ?? NO_TOKENS, two.tokens ?? NO_TOKENS));
        // And what it says by model adds up to what it says in all.
        const byModel = addUsages([{ models: both.models, missing: null }]);
        expect([byModel.usd ?? 0, byModel.tokens]).toEqual([both.usd ?? 0, both.tokens]);
      }),
      RUNS,
    );
  });

  test("names its source: the one that all parts share", () => {
    const of = (...bases: ModelUsage["basis"][]) =>
      addUsages([{ models: bases.map((basis) => ({ model: "m", tokens: null, costUsd: 1, basis })), missing: null }])
        .basis;
    expect([of("reported"), of("list", "list"), of("reported", "list"), of("unknown")]).toEqual([
      "reported",
      "list",
      "mixed",
      "unknown",
    ]);
    expect([addUsages([]).basis, addUsages([null]).basis, addUsages([{ models: [], missing: null }]).basis]).toEqual([
      null,
      null,
      null,
    ]);
    expect(addUsages([{ models: [], missing: "all of it" }])).toMatchObject({ usd: null, basis: "unknown" });
  });
});

test("all tokens are those of the prompt, cache included, and those of the answer", () => {
  expect(allTokens({ input: 1, output: 10, cacheRead: 100, cacheWrite5m: 1_000, cacheWrite1h: 10_000 })).toBe(11_111);
});

test("a cost in words never hides what is unknown", () => {
  const words = (usd: number | null, isAtLeast: boolean, basis: "reported" | "unknown" | null = "reported") =>
    describeCost({ usd, isAtLeast, basis });
  expect([0, 0.00001, 0.0005, 0.0012, 0.045, 0.08, 0.1, 2].map(renderUsd)).toEqual([
    "$0.00",
    "<$0.0001",
    "$0.0005",
    "$0.001",
    "$0.045",
    "$0.08",
    "$0.10",
    "$2.00",
  ]);
  expect(words(0, false, null)).toBe("$0.00");
  expect([words(1.25, false), words(1.25, true), words(null, true, "unknown"), words(null, false, null)]).toEqual([
    "$1.25",
    "at least $1.25",
    "unknown",
    "",
  ]);
});
