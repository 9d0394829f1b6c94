import { expect, test } from "vitest";
import { few, fewInAList, firstOf, IN_A_LINE } from "./few.ts";

const many = Array.from({ length: 1_000 }, (_, at) => `f${at}`);

test("of many the first are named, and the rest is counted", () => {
  expect(few(many)).toBe("f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11 and 988 more");
  expect(few(many, IN_A_LINE, "; ")).toBe("f0; f1; f2 and 997 more");
  expect(firstOf([...many], 2)).toEqual({ shown: ["f0", "f1"], left: 998 });
});

test("few are all named, and one alone is never left out", () => {
  expect(few([])).toBe("");
  expect(few(["a", "b"])).toBe("a, b");
  expect(few(many.slice(0, 4), IN_A_LINE)).toBe("f0, f1, f2, f3");
  expect(few(many.slice(0, 5), IN_A_LINE)).toBe("f0, f1, f2 and 2 more");
});

test("what stands one below the other ends with how to see all", () => {
  expect(fewInAList(many.slice(0, 2), "git status")).toEqual(["f0", "f1"]);
  expect(fewInAList(many, "git status").slice(-2)).toEqual(["f49", "… and 950 more: git status"]);
  expect(fewInAList(many).at(-1)).toBe("… and 950 more");
});
