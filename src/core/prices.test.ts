import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addTokens, addUsages, NO_TOKENS, type Tokens } from "./cost.ts";
import shipped from "./prices.json" with { type: "json" };
import { listUsage, modelName, priceAnswer, SHIPPED_PRICES, withUserPrices } from "./prices.ts";

const RUNS = { numRuns: 10_000 };

const MILLION = 1_000_000;
const price = (model: string, tokens: Partial<Tokens>) =>
  priceAnswer(SHIPPED_PRICES, { model, tokens: { ...NO_TOKENS, ...tokens } });

describe("the list that comes with owt", () => {
  // Dollars per million tokens as measured: input, output, cache read, written for 5 minutes, written for an hour.
  test.each<[string, number[]]>([
    ["claude-opus-5-5", [4, 20, 0.2, 5, 8]],
    ["claude-sonnet-5-5", [2, 10, 0.1, 2.5, 4]],
    ["claude-fable-5-2", [8, 40, 0.2, 10, 16]],
    ["claude-opus-4-8", [5, 25, 0.5, 6.25, 10]],
    ["claude-opus-4-5", [5, 25, 0.5, 6.25, 10]],
    ["claude-sonnet-4-5", [3, 15, 0.3, 3.75, 6]],
  ])("prices %s by the kind of token", (model, expected) => {
    const kinds = ["input", "output", "cacheRead", "cacheWrite5m", "cacheWrite1h"] as const;
    expect(kinds.map((kind) => price(model, { [kind]: MILLION }))).toEqual(expected);
  });

  test("knows tiers, which go by the size of the whole prompt", () => {
    expect(price("claude-haiku-5-5", { input: 100_000 })).toBeCloseTo(0.01, 9);
    expect(price("claude-haiku-5-5", { input: 100_001 })).toBeCloseTo(0.0500005, 9);
    expect(price("claude-haiku-5-5", { output: MILLION })).toBeCloseTo(0.5, 9);
  });

  test("says nothing where it knows nothing: of other models, and of kinds whose price was not found", () => {
    expect([price("claude-opus-5", { input: 1 }), price("gpt-6.1-sol", { input: 1 })]).toEqual([null, null]);
    expect(price("claude-haiku-5-5", { input: 1, cacheRead: 1 })).toBeNull();
    expect(priceAnswer(SHIPPED_PRICES, { model: null, tokens: NO_TOKENS })).toBeNull();
  });

  test("says of each price where it is from and when that was looked at", () => {
    expect(withUserPrices({ ...shipped })).toEqual({ prices: [...SHIPPED_PRICES, ...SHIPPED_PRICES] });
    for (const each of SHIPPED_PRICES) expect(each).toMatchObject({ source: expect.stringMatching(/\w/) });
    for (const each of SHIPPED_PRICES) expect(each.verified).toMatch(/^\d{4}-\d\d-\d\d$/);
  });
});

test.each([
  ["us.anthropic.claude-opus-4-8-v1:0", "claude-opus-4-8"],
  ["anthropic/claude-opus-5-5", "claude-opus-5-5"],
  ["claude-opus-4-8@20260101", "claude-opus-4-8"],
  ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5"],
  ["claude-opus-4-8[1m]", "claude-opus-4-8"],
  ["claude-sonnet-4-5-latest", "claude-sonnet-4-5"],
  ["gpt-6.1-sol", "gpt-6.1-sol"],
])("%s is plainly %s", (long, plain) => {
  expect(modelName(long)).toBe(plain);
});

const count = fc.integer({ min: 0, max: 400_000 });
const tokens = fc.record({ input: count, output: count, cacheRead: count, cacheWrite5m: count, cacheWrite1h: count });
const answer = fc.record({ model: fc.constantFrom("claude-opus-5-5", "claude-sonnet-4-5", "new-model"), tokens });

describe("a priced list of answers", () => {
  test("costs the sum of its answers, and holds all of their tokens", () => {
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 8 }), (answers) => {
        const cost = addUsages([{ models: listUsage(SHIPPED_PRICES, answers), missing: null }]);
        const prices = answers.map((each) => priceAnswer(SHIPPED_PRICES, each));
        const known = prices.filter((each) => each !== null);
        expect(cost.usd ?? 0).toBeCloseTo(
          known.reduce((sum, each) => sum + each, 0),
          9,
        );
        expect(cost.isAtLeast).toBe(prices.includes(null));
        const sum = answers.reduce((all, each) => addTokens(all, each.tokens), NO_TOKENS);
        expect(cost.tokens ?? NO_TOKENS).toEqual(sum);
      }),
      RUNS,
    );
  });

  test("a token more never costs less, within a tier", () => {
    const kind = fc.constantFrom("input", "output", "cacheRead", "cacheWrite5m", "cacheWrite1h");
    fc.assert(
      fc.property(tokens, kind, (before, kind) => {
        const after = { ...before, [kind]: before[kind as keyof Tokens] + 1 };
        expect(price("claude-opus-5-5", after)!).toBeGreaterThan(price("claude-opus-5-5", before)!);
      }),
      RUNS,
    );
  });
});

describe("a user's own list", () => {
  const own = { models: ["my-model"], tiers: [{ input: 1, output: 2 }], source: "my contract", verified: "2026-11-01" };

  test("adds models, and stands before ours", () => {
    const read = withUserPrices({ prices: [own, { ...own, models: ["claude-opus-5-5"] }] });
    if (!("prices" in read)) throw new Error("refused");
    const usd = ["my-model", "claude-opus-5-5", "claude-sonnet-5-5"].map((model) =>
      priceAnswer(read.prices, { model, tokens: { ...NO_TOKENS, output: MILLION } }),
    );
    expect(usd).toEqual([2, 2, 10]);
  });

  test("is read without an error whatever it holds", () => {
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constant(own),
      fc.jsonValue().map((tiers) => ({ ...own, tiers })),
    );
    fc.assert(
      fc.property(fc.oneof(odd, fc.record({ prices: fc.oneof(odd, fc.array(odd)) })), (raw) => {
        const read = withUserPrices(raw);
        if ("problems" in read) expect(read.problems.length).toBeGreaterThan(0);
        else expect(read.prices.length).toBeGreaterThanOrEqual(SHIPPED_PRICES.length);
      }),
      { numRuns: 10_000 },
    );
  });

  test("tells all of its mistakes at once", () => {
    const wrong = {
      prices: [
        { ...own, tiers: [{ input: -1, output: "free" }] },
        { ...own, verified: "yesterday" },
      ],
    };
    const read = withUserPrices(wrong);
    expect("problems" in read && read.problems.map((problem) => problem.split(":")[0])).toEqual([
      "prices.0.tiers.0.input",
      "prices.0.tiers.0.output",
      "prices.1.verified",
    ]);
  });
});
