import { describe, expect, test } from "vitest";
import type { AttemptPhase } from "./attempt.ts";
import type { Event, Fact } from "./event.ts";
import { readSteps, speedUpOf } from "./steps.ts";

let seq = 0;
const event = (attempt: number, at: number, fact: Fact): Event => ({
  ...fact,
  seq: seq++,
  at,
  run: "r1",
  task: attempt,
  attempt,
});
const opened = (attempt: number, at: number) =>
  event(attempt, at, { kind: "attempt-opened", number: 1, agent: "a", branch: "b", worktree: "w", base: "c" });
const phase = (attempt: number, at: number, name: AttemptPhase) =>
  event(attempt, at, { kind: "attempt-phase", phase: name });
const ended = (attempt: number, at: number) =>
  event(attempt, at, { kind: "attempt-ended", outcome: { kind: "ok" }, usage: null });
const inOrder = (events: Event[]) => events.toSorted((a, b) => a.at - b.at || a.seq - b.seq);

/** One attempt: 10 of ours, an agent, 10 of ours, its turn to be merged, 10 of ours. */
const attempt = (id: number, from: number, agent: number, turn = 0) => [
  opened(id, from),
  phase(id, from + 10, "agent"),
  phase(id, from + 10 + agent, "collect"),
  phase(id, from + 20 + agent, "merge"),
  ended(id, from + 30 + agent + turn),
];

describe("what work would have taken one after the other", () => {
  test("of a single attempt it is the time that it was open, but for a person's review", () => {
    const one = [
      opened(1, 0),
      phase(1, 5, "agent"),
      phase(1, 1_000, "review"),
      phase(1, 9_000, "merge"),
      ended(1, 9_050),
    ];
    expect(readSteps(one, 9_050)).toEqual({ workMs: 995, ownMs: 55, most: 1 });
  });

  test.each([
    ["until its run was taken up", { kind: "run-carried" as const, pid: 1 }],
    ["while its owt was suspended", { kind: "run-suspended" as const, ms: 950 }],
  ])("what was dead %s did nothing meanwhile", (_, fact) => {
    const after = (at: number, ms: number): Event => ({
      ...event(1, at, { ...fact, dead: [{ attempt: 1, task: 1, ms }] }),
      task: null,
      attempt: null,
    });
    const one = [opened(1, 0), phase(1, 10, "agent"), after(1_000, 900), phase(1, 1_001, "collect"), ended(1, 1_011)];
    expect(readSteps(one, 1_011)).toEqual({ workMs: 91, ownMs: 20, most: 1 });
  });

  test("waiting for each other is not work: agents count each, our own steps as long as any was under way", () => {
    // Both come to be merged at once; the second waits 500 for its turn.
    const two = inOrder([...attempt(1, 0, 1_000), ...attempt(2, 0, 1_000, 500)]);
    expect(readSteps(two, 2_000)).toEqual({ workMs: 2_000, ownMs: 10 + 520, most: 2 });
  });

  test("checks of merged work are work, and waiting for those of another is nothing", () => {
    const check = (kind: "verify-started" | "verify-ended", id: number, at: number) =>
      event(id, at, { kind, command: "c", where: "run", code: 0 } as Fact);
    const events = inOrder([
      opened(1, 0),
      phase(1, 10, "agent"),
      phase(1, 100, "merge"),
      check("verify-started", 1, 110),
      check("verify-ended", 1, 610),
      ended(1, 620),
      opened(2, 0),
      phase(2, 10, "agent"),
      phase(2, 100, "merge"),
      check("verify-started", 2, 620),
      check("verify-ended", 2, 1120),
      ended(2, 1130),
    ]);
    expect(readSteps(events, 2_000)).toEqual({ workMs: 180 + 1_000, ownMs: 10 + 10 + 10 + 10, most: 2 });
  });

  test("waiting for a place to be checked is no work, and nobody is at work then", () => {
    const one = (id: number, begins: number) => [
      opened(id, 0),
      phase(id, 10, "agent"),
      phase(id, 100, "verify"),
      event(id, begins, { kind: "verify-started", command: "c", where: "task" }),
      event(id, begins + 150, { kind: "verify-started", command: "d", where: "task" }),
      phase(id, begins + 200, "merge"),
      ended(id, begins + 210),
    ];
    const events = inOrder([...one(1, 100), ...one(2, 300), ...one(3, 500)]);
    expect(readSteps(events, 1_000)).toEqual({ workMs: 3 * (90 + 200), ownMs: 10 + 30, most: 3 });
    const [first] = [one(1, 100)];
    expect(readSteps(inOrder([...first!, opened(4, 300), phase(4, 310, "agent"), ended(4, 400)]), 1_000).most).toBe(1);
  });

  test("what still goes on is ended by now", () => {
    expect(readSteps([opened(1, 0), phase(1, 10, "agent")], 500)).toEqual({ workMs: 490, ownMs: 10, most: 1 });
  });
});

describe("the speed-up", () => {
  test("is never above what worked at a time", () => {
    expect(speedUpOf({ workMs: 60_000, ownMs: 0, most: 6 }, 5_000)).toBe(6);
    expect(speedUpOf({ workMs: 8_000, ownMs: 0, most: 6 }, 5_000)).toBe(1.6);
  });

  test("is not told where our own steps are a good part of it, or where nothing was done", () => {
    expect(speedUpOf({ workMs: 9_350, ownMs: 4_052, most: 6 }, 4_177)).toBeNull();
    expect(speedUpOf({ workMs: 0, ownMs: 0, most: 0 }, 5_000)).toBeNull();
    expect(speedUpOf({ workMs: 500, ownMs: 0, most: 1 }, 0)).toBeNull();
  });
});
