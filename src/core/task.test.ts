import { expect, test } from "vitest";
import { assertLegalMove, FINAL_STATES, type TaskState } from "./task.ts";

/** One line for each state: where it may go. The empty cells are promises too. */
const LEGAL: Record<TaskState, string> = {
  pending: "running skipped cancelled failed",
  running: "verifying contest review integrating pending failed cancelled",
  verifying: "contest review integrating pending failed cancelled",
  contest: "verifying review integrating pending failed cancelled",
  review: "verifying contest integrating pending failed cancelled",
  integrating: "done pending failed cancelled",
  done: "",
  failed: "pending cancelled",
  skipped: "pending cancelled",
  cancelled: "pending",
};
const STATES = Object.keys(LEGAL) as TaskState[];
const PAIRS = STATES.flatMap((from) => STATES.map((to) => [from, to] as const));

test.each(PAIRS.filter(([from, to]) => LEGAL[from].split(" ").includes(to)))("%s may become %s", (from, to) => {
  expect(() => assertLegalMove(from, to)).not.toThrow();
});

test.each(PAIRS.filter(([from, to]) => !LEGAL[from].split(" ").includes(to)))("%s never becomes %s", (from, to) => {
  expect(() => assertLegalMove(from, to)).toThrow(`a task cannot move from ${from} to ${to}`);
});

test("four states are the end of a task, for as long as nobody asks for it again", () => {
  expect([...FINAL_STATES].toSorted()).toEqual(["cancelled", "done", "failed", "skipped"]);
});
