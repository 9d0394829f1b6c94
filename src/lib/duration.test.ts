import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDuration, parseSaidDuration, renderDuration, roughDuration } from "./duration.ts";

describe("parseDuration", () => {
  test.each<[string | number, number]>([
    ["45", 45_000],
    [45, 45_000],
    [0.5, 500],
    [0, 0],
    ["200ms", 200],
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["8h", 28_800_000],
    ["2d", 172_800_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    [" 30 M ", 1_800_000],
    ["1.5h", 5_400_000],
    ["1m500ms", 60_500],
  ])("reads %j as %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each<[string | number]>([
    [""],
    [" "],
    ["soon"],
    ["-5"],
    ["-5m"],
    ["5x"],
    ["m"],
    ["1h30"],
    ["1e3"],
    ["1..5h"],
    [".5h"],
    ["5m!"],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [Number.MAX_VALUE],
    ["9".repeat(400)],
    [`${"9".repeat(400)}h`],
  ])("takes %j for no duration", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test("parts add up, in any unit", () => {
    const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    const part = fc.tuple(fc.nat(10_000), fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(([amount, unit]) => `${amount}${unit}`).join("");
        const sum = parts.reduce((total, [amount, unit]) => total + amount * units[unit], 0);
        expect(parseDuration(text)).toBe(sum);
      }),
    );
  });
});

test.each([
  [0, "0.0s"],
  [9_940, "9.9s"],
  [10_000, "10s"],
  [59_499, "59s"],
  [59_500, "1m 00s"],
  [185_000, "3m 05s"],
  [3_599_499, "59m 59s"],
  [3_599_500, "1h 00m"],
  [3_725_000, "1h 02m"],
  [90_000_000, "25h 00m"],
])("%i ms is shown as %s", (ms, shown) => {
  expect(renderDuration(ms)).toBe(shown);
});

test("no duration is ever shown with 60 seconds or 60 minutes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400_000_000 }), (ms) => {
      expect(renderDuration(ms)).not.toMatch(/\b60[sm]/);
    }),
  );
});

test.each([
  [0, "0s"],
  [540, "0.5s"],
  [45_400, "45s"],
  [59_000, "59s"],
  [99_000, "1.7m"],
  [150_000, "2.5m"],
  [540_000, "9m"],
  [599_000, "10m"],
  [3_540_000, "59m"],
  [3_590_000, "1h 00m"],
  [8_700_000, "2h 25m"],
])("%i ms are roughly %s", (ms, text) => {
  expect(roughDuration(ms)).toBe(text);
});

test("on a command line a number has a unit, unless it is 0", () => {
  expect(["8", " 1.5 ", "0", "8h", "90m", "1h 30m", "8 h"].map(parseSaidDuration)).toEqual([
    null,
    null,
    0,
    8 * 3_600_000,
    5_400_000,
    5_400_000,
    8 * 3_600_000,
  ]);
});
