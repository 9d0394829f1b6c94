import { expect, test } from "vitest";
import { askForLost, describeLost, type LostChange } from "./lost-change.ts";

const lost = (path: string, lines: string[] = []): LostChange => ({ path, of: ["shop/E03"], isOwn: false, lines });

test("names are clear where they begin and end", () => {
  expect(describeLost([lost("a.txt"), lost("b ")])).toBe(
    `nothing of shop/E03's change in a.txt is left; nothing of shop/E03's change in "b " is left`,
  );
});

test("very many files, tasks and lines, and lines without an end, are told by their first", () => {
  const tasks = Array.from({ length: 300 }, (_, at) => `t${at}`);
  const lines = Array.from({ length: 500 }, (_, at) => `${at} ${"x".repeat(100_000)}`);
  const many = Array.from({ length: 1_000 }, (_, at) => ({ ...lost(`f${at}`, lines), of: tasks }));
  const asked = askForLost(many, false);
  expect(asked).toContain(
    "nothing of t0 and t1 and t2 and 297 more's change in f0 is left; it had added:\n      0 xxx",
  );
  expect(asked).toContain("…\n      … and 488 more lines\n");
  expect(asked).toContain("in f49 is left");
  expect(asked).toContain("\n  … and so in 950 more files\n");
  expect(asked.length).toBeLessThan(64 * 1024);
  expect(describeLost(many)).toMatch(/in f11 is left and 988 more$/);
});
