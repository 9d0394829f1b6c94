import { expect, test } from "vitest";
import { quantile } from "./quantile.ts";

test("a quantile lies between neighbours, whatever the order of the values", () => {
  expect(quantile([7], 0.9)).toBe(7);
  // Worked out by hand: place 4 × 0.9 = 3.6, so 10 and six tenths of the way to 20.
  expect(quantile([20, 4, 8, 10, 6], 0.9)).toBeCloseTo(16, 12);
  expect(quantile([20, 4, 8, 10, 6], 0.5)).toBe(8);
  expect(quantile([1, 2], 0.5)).toBe(1.5);
  expect([quantile([3, 1, 2], 0), quantile([3, 1, 2], 1)]).toEqual([1, 3]);
});
