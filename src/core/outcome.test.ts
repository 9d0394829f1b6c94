import * as fc from "fast-check";
import { expect, test } from "vitest";
import { describeOutcome, type Outcome } from "./outcome.ts";

test.each<[Outcome, string]>([
  [{ kind: "ok" }, "done"],
  [{ kind: "asked", question: "\n red?\nor blue?" }, "asks: red?"],
  [{ kind: "nothing_done", said: "" }, "changed nothing"],
  [{ kind: "nothing_done", said: "All fine.\nBye." }, "changed nothing; its last words: All fine."],
  [{ kind: "denied", tools: ["Bash", "Write"] }, "was not allowed to use Bash, Write"],
  [{ kind: "limit", resetsAt: null }, "met a usage limit"],
  [
    { kind: "limit", resetsAt: Date.parse("2026-11-21T10:00:00Z") },
    "met a usage limit that resets at 2026-11-21T10:00:00.000Z",
  ],
  [{ kind: "transient", reason: "529 overloaded" }, "transient: 529 overloaded"],
  [{ kind: "auth", reason: "bad key" }, "auth: bad key"],
  [{ kind: "billing", reason: "no credit" }, "billing: no credit"],
  [{ kind: "budget", reason: "1.92 spent" }, "budget: 1.92 spent"],
  [{ kind: "turns", reason: "50 turns" }, "turns: 50 turns"],
  [{ kind: "timed_out", afterMs: 1_800_000 }, "was stopped after 1800 s without an end"],
  [{ kind: "verify_failed", command: "npm test", output: "red" }, "verify failed: npm test"],
  [{ kind: "conflict", files: ["a", "b"] }, "conflicts in a, b"],
  [{ kind: "stopped" }, "was stopped"],
  [
    { kind: "stopped", before: "demo met a usage limit meanwhile" },
    "was not started: demo met a usage limit meanwhile",
  ],
  [{ kind: "aborted" }, "was cancelled"],
  [{ kind: "lost" }, "its process disappeared"],
  [{ kind: "lost", rebooted: true }, "was cut off when the machine went down"],
  [{ kind: "lost", exit: 0 }, "left without a result (exit 0)"],
  [{ kind: "failed", reason: "exit 1\nand more" }, "exit 1"],
])("%j reads as %j", (outcome, words) => {
  expect(describeOutcome(outcome)).toBe(words);
});

test("what an agent said never takes more than one line of a screen", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), (said) => {
      const words = describeOutcome({ kind: "failed", reason: said });
      expect(words).not.toContain("\n");
      expect(words.length).toBeLessThanOrEqual(200);
    }),
  );
  expect(describeOutcome({ kind: "failed", reason: "x".repeat(201) })).toBe(`${"x".repeat(199)}…`);
  expect(describeOutcome({ kind: "failed", reason: "x".repeat(200) })).toBe("x".repeat(200));
});
