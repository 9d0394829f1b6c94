import { describe, expect, test } from "vitest";
import { sampleAttempt } from "../../test/rig/samples.ts";
import { diedBefore, mayHoldOtherText, renderAside, textWorkedOn, endedByUsBefore } from "./conversation.ts";
import type { Outcome } from "./outcome.ts";

/** Turns of one conversation, one behind the other: what each was given, and how it ended. */
function talk(...turns: [given: string | null, kind: Outcome["kind"] | null][]) {
  return turns.map(([given, kind], index) => {
    const outcome = kind === null ? null : ({ kind } as Outcome);
    return sampleAttempt({ id: index + 1, number: index + 1, continues: index === 0 ? null : index, given, outcome });
  });
}

describe("whether a conversation may hold another text", () => {
  test.each<[string, ReturnType<typeof talk>, boolean]>([
    ["the text is that of the first turn", talk(["a", "stopped"]), false],
    ["it changed after a turn that was cut off", talk(["b", "stopped"]), true],
    ["it changed after a question", talk(["b", "asked"]), true],
    ["a later turn was told and came to its end", talk(["b", "asked"], ["a", "nothing_done"]), false],
    ["a later turn was told and broke off", talk(["b", "asked"], ["a", "lost"]), true],
    ["a later turn was never begun", talk(["b", "asked"], [null, "stopped"]), true],
    ["it changed back", talk(["a", "asked"], ["b", "lost"]), true],
    ["nothing was ever said", talk([null, "stopped"]), false],
  ])("%s", (_, turns, expected) => {
    expect(mayHoldOtherText(turns, turns.length, "a")).toBe(expected);
  });

  test("another conversation of the same task says nothing about this one", () => {
    const attempts = [...talk(["b", "timed_out"]), sampleAttempt({ id: 2, given: "a", outcome: { kind: "lost" } })];
    expect(mayHoldOtherText(attempts, 2, "a")).toBe(false);
    expect(mayHoldOtherText(attempts, null, "a")).toBe(false);
  });
});

describe("the text that work was done for", () => {
  test.each<[string, ReturnType<typeof talk>, string | null]>([
    ["that of its own turn", talk(["a", "stopped"], ["b", null]), "b"],
    ["where a person finished it, that of the turn before", talk(["a", "conflict"], [null, null]), "a"],
    [
      "where a later turn broke off, that of the one that was heard",
      talk(["a", "ok"], ["b", "lost"], [null, null]),
      "a",
    ],
    ["no agent was given any", talk([null, null]), null],
  ])("%s", (_, turns, expected) => {
    expect(textWorkedOn(turns, turns.length)).toBe(expected);
  });
});

test("whether the attempt that a conversation goes on from met its timeout", () => {
  const first = sampleAttempt({ id: 1, outcome: { kind: "timed_out", afterMs: 1 } });
  const goesOn = sampleAttempt({ id: 2, continues: 1 });
  expect([endedByUsBefore([first], 1), endedByUsBefore([first, goesOn], 2)]).toEqual([false, true]);
  expect(endedByUsBefore([first, sampleAttempt({ id: 2 })], 2)).toBe(false);
});

test.each<[string, Outcome[], boolean]>([
  ["it met a limit", [{ kind: "limit", resetsAt: null }], false],
  ["it was stopped, and met a budget", [{ kind: "stopped" }, { kind: "budget", reason: "" }], false],
  ["the machine went down", [{ kind: "lost", rebooted: true }], false],
  ["it died", [{ kind: "lost" }], true],
  ["it died, and was stopped then", [{ kind: "lost" }, { kind: "stopped" }], true],
  ["it fell to a full disk", [{ kind: "disk_full", reason: "" }], true],
])("whether a conversation died before: %s", (_, outcomes, expected) => {
  const before = outcomes.map((outcome, at) =>
    sampleAttempt({ id: at + 1, number: at + 1, continues: at === 0 ? null : at, outcome }),
  );
  const last = before.length + 1;
  const now = sampleAttempt({ id: last, number: last, continues: before.length, outcome: { kind: "lost" } });
  expect(diedBefore([...before, now], last)).toBe(expected);
  expect(diedBefore([...before, { ...now, continues: null }], last)).toBe(false);
});

describe("what an agent is told was put aside", () => {
  const ref = "refs/owt/rescue/r1-a-1-reboot";

  test("is each file by its name, and where it is", () => {
    const text = renderAside({ ref, paths: ["a.txt", 'with "quotes"\n.md'] });
    expect(text).toMatch(/^## The machine went down$/m);
    expect(text).toContain('- a.txt\n- "with \\"quotes\\"\\n.md"\n');
    expect(text).toContain(`git show ${ref}:PATH`);
  });

  test("is the first of many", () => {
    const text = renderAside({ ref, paths: Array.from({ length: 52 }, (_, at) => `${at}.txt`) });
    expect(text).toContain(`- 49.txt\n- … and 2 more: git show --stat ${ref}\n`);
    expect(text).not.toContain("50.txt");
  });
});
