import { expect, test } from "vitest";
import { parseSize, renderDisk, renderMemory } from "./size.ts";

test.each([
  ["512MB", 512e6],
  ["1.5 GiB", 1.5 * 2 ** 30],
  [" 2 gb ", 2e9],
  ["64KiB", 65_536],
  ["100", 100],
  [100, 100],
  [0, 0],
  ["", null],
  ["2 G", null],
  ["-1 GB", null],
  ["GB", null],
  ["1e400 GB", null],
  [-1, null],
  [Number.NaN, null],
])("%j is %j bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test("is told in the words of its kind, and what is left never too large", () => {
  expect([2 ** 30, 3.14 * 2 ** 30, 0.96 * 2 ** 30, 512 * 2 ** 20, 450_000, 0].map(renderMemory)).toEqual([
    "1.0 GiB",
    "3.1 GiB",
    "1.0 GiB",
    "512 MiB",
    "under 1 MiB",
    "0 MiB",
  ]);
  expect([1.99e9, 350.9e6, 9.99e6, 0].map(renderDisk)).toEqual(["1.9 GB", "350 MB", "9.9 MB", "0.0 MB"]);
});
