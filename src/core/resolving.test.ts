import { expect, test } from "vitest";
import { findResolver, isResolving, stillBehind, type WaitsBehind } from "./resolving.ts";
import type { NextStart, Park, TaskState } from "./task.ts";

const conflict = (...files: string[]): NextStart => ({ kind: "conflict", from: 1, files, ours: "o", theirs: "t" });
const one = (
  id: number,
  state: TaskState,
  next: NextStart,
  park: Park | null = null,
  notBefore: number | null = null,
) => ({
  id,
  key: `m/E0${id}`,
  state,
  park,
  notBefore,
  next,
});
const waits = (task: number, by: number): WaitsBehind => ({ task, by, behind: `m/E0${by}`, path: "a" });

test("a conflict waits behind an agent that resolves one in the same file, and behind nobody else", () => {
  const resolver = one(2, "running", conflict("a", "b"));
  expect(findResolver(1, ["b", "c"], [one(1, "integrating", conflict("b")), resolver], [])).toEqual({
    task: 1,
    by: 2,
    behind: "m/E02",
    path: "b",
  });
  expect(findResolver(1, ["c"], [resolver], [])).toBeNull();
  expect(findResolver(1, ["a"], [one(2, "running", { kind: "fresh" })], [])).toBeNull();
});

test("who waits for a person, a limit or another one resolves nothing; who is done does not either", () => {
  const next = conflict("a");
  expect(isResolving(one(2, "pending", next), [])).toBe(true);
  expect(isResolving(one(2, "verifying", next), [])).toBe(true);
  expect(isResolving(one(2, "pending", next, { for: "answer", question: "?" }), [])).toBe(false);
  expect(isResolving(one(2, "pending", next, null, 5), [])).toBe(false);
  expect(isResolving(one(2, "done", next), [])).toBe(false);
  expect(isResolving(one(2, "integrating", next), [waits(2, 3)])).toBe(false);
});

test("two never wait for each other, and who waits goes on once the other one is through", () => {
  const tasks = [one(1, "integrating", conflict("a")), one(2, "integrating", conflict("a"))];
  expect(findResolver(2, ["a"], tasks, [waits(1, 2)])).toBeNull();
  expect(stillBehind([waits(1, 2)], tasks)).toEqual([waits(1, 2)]);
  expect(stillBehind([waits(1, 2)], [tasks[0]!, one(2, "done", conflict("a"))])).toEqual([]);
});
