import { expect, test } from "vitest";
import type { Outcome } from "./outcome.ts";
import { decideConsequence } from "./retry.ts";
import type { NextStart } from "./task.ts";

const CUT_OFF: Outcome[] = [{ kind: "lost" }, { kind: "stopped" }, { kind: "transient", reason: "503" }];

function nextAfter(outcome: Outcome, next: NextStart): NextStart | null {
  const then = decideConsequence({ failures: 0, next }, 7, outcome, { retries: 2 }, 0, 0);
  return then.do === "fail" ? null : then.next;
}

test.each(CUT_OFF)("what a turn was told is told again when it ended as $kind", (outcome) => {
  const conflict: NextStart = { kind: "conflict", from: 3, files: ["a"], ours: "1", theirs: "2" };
  expect(nextAfter(outcome, conflict)).toEqual({ ...conflict, from: 7 });
  const answer: NextStart = { kind: "answer", from: 3, text: "blue" };
  expect(nextAfter(outcome, answer)).toEqual({ ...answer, from: 7 });
});

test.each(CUT_OFF)("a first turn that ended as $kind is resumed", (outcome) => {
  expect(nextAfter(outcome, { kind: "fresh" })).toEqual({ kind: "resume", from: 7 });
});

test("an agent that failed starts anew", () => {
  expect(nextAfter({ kind: "failed", reason: "exit 1" }, { kind: "resume", from: 3 })).toEqual({ kind: "fresh" });
});
