import { expect, test } from "vitest";
import { describeMerges } from "./merge-wait.ts";

test("who is checked together is told so, who waits is told how many are before it", () => {
  const words = describeMerges([1, 2, 3, 4], [3, 1]);
  expect(Object.fromEntries(words)).toEqual({
    1: "merged and checked together with 1 other",
    3: "merged and checked together with 1 other",
    2: "waits for the merge queue: 2 before it",
    4: "waits for the merge queue: 3 before it",
  });
});

test("who is checked alone is told so; before it is there is nothing to say; who is through is before nobody", () => {
  expect(describeMerges([1], [1])).toEqual(new Map([[1, "merged and checked"]]));
  expect(describeMerges([1], [])).toEqual(new Map());
  expect(describeMerges([2, 3], [1])).toEqual(new Map([[3, "waits for the merge queue: 1 before it"]]));
  expect(describeMerges([2], [1, 2])).toEqual(new Map([[2, "merged and checked"]]));
});
