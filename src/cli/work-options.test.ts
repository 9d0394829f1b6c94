/** What the options of a run take for numbers. */
import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { positiveInteger, positiveUsd } from "./work-options.ts";

test.each([
  ["5", 5],
  ["$2.50", 2.5],
  [".5", 0.5],
])("%s is an amount of dollars", (text, value) => {
  expect(positiveUsd(text)).toBe(value);
});

test.each(["0x10", "1e3", "0b11", "-5", "0", "0.00", "", "$", " ", "5x", "1.2.3", "Infinity"])(
  "%j is no amount of dollars",
  (text) => {
    expect(() => positiveUsd(text)).toThrow(InvalidArgumentError);
  },
);

test.each(["0x10", "1e1", "0", "-1", "1.5", "", "2x"])("%j is no whole number above 0", (text) => {
  expect(() => positiveInteger(text)).toThrow(InvalidArgumentError);
  expect(positiveInteger("12")).toBe(12);
});
