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
    expect(readSteps(one, 9_050)).toEqual({ workMs: 995, ownMs: 55, most: 1, stoppedMs: 0 });
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
    expect(readSteps(one, 1_011)).toEqual({ workMs: 91, ownMs: 20, most: 1, stoppedMs: 900 });
  });

  test("waiting for each other is not work: agents count each, our own steps as long as any was under way", () => {
    // Both come to be merged at once; the second waits 500 for its turn.
    const two = inOrder([...attempt(1, 0, 1_000), ...attempt(2, 0, 1_000, 500)]);
    expect(readSteps(two, 2_000)).toEqual({ workMs: 2_000, ownMs: 10 + 520, most: 2, stoppedMs: 0 });
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
    expect(readSteps(events, 2_000)).toEqual({ workMs: 180 + 1_000, ownMs: 10 + 10 + 10 + 10, most: 2, stoppedMs: 0 });
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
    expect(readSteps(events, 1_000)).toEqual({ workMs: 3 * (90 + 200), ownMs: 10 + 30, most: 3, stoppedMs: 0 });
    const [first] = [one(1, 100)];
    expect(readSteps(inOrder([...first!, opened(4, 300), phase(4, 310, "agent"), ended(4, 400)]), 1_000).most).toBe(1);
  });

  test("what still goes on is ended by now", () => {
    expect(readSteps([opened(1, 0), phase(1, 10, "agent")], 500)).toEqual({
      workMs: 490,
      ownMs: 10,
      most: 1,
      stoppedMs: 0,
    });
  });
});

describe("the time in which a run was stopped", () => {
  const taken = (at: number, dead: { attempt: number; task: number; ms: number }[] = []): Event => ({
    ...event(1, at, { kind: "run-carried", pid: 1, ...(dead.length > 0 ? { dead } : {}) }),
    task: null,
    attempt: null,
  });
  const stopped = (events: Event[], now: number, isLeft = false) => readSteps(events, now, { isLeft }).stoppedMs;

  test("is that between the last word of one owner and the next, but for what outlived the first", () => {
    const done = attempt(1, 0, 1_000);
    expect(stopped([taken(0), ...done, taken(9_040), opened(2, 9_050), ended(2, 9_100)], 9_100)).toBe(8_010);
    const cut = [taken(0), opened(1, 0), phase(1, 10, "agent")];
    // It ended 900 after the last word.
    expect(stopped([...cut, taken(2_000, [{ attempt: 1, task: 1, ms: 1_090 }]), ended(1, 2_010)], 2_010)).toBe(1_090);
    // It works still.
    expect(stopped([...cut, taken(2_000), ended(1, 2_010)], 2_010)).toBe(0);
    // Who waits for a person does nothing meanwhile.
    expect(stopped([...cut, phase(1, 100, "review"), taken(2_000), ended(1, 2_010)], 2_010)).toBe(1_900);
  });

  test("is what came behind the last word where nobody carries it any more, and what its owner was suspended for", () => {
    const done = attempt(1, 0, 1_000);
    expect(stopped(done, 5_030)).toBe(0);
    expect(stopped(done, 5_030, true)).toBe(4_000);
    expect(stopped([opened(1, 0), phase(1, 10, "agent")], 5_030, true)).toBe(0);
    const suspended: Event = {
      ...event(1, 3_030, { kind: "run-suspended", ms: 2_000, dead: [] }),
      task: null,
      attempt: null,
    };
    expect(stopped([...done, suspended], 3_030)).toBe(2_000);
  });
});

describe("the speed-up", () => {
  test("is never above what worked at a time", () => {
    expect(speedUpOf({ workMs: 60_000, ownMs: 0, most: 6, stoppedMs: 0 }, 5_000)).toBe(6);
    expect(speedUpOf({ workMs: 8_000, ownMs: 0, most: 6, stoppedMs: 0 }, 5_000)).toBe(1.6);
  });

  test("is not less for the time in which the run was stopped", () => {
    expect(speedUpOf({ workMs: 8_000, ownMs: 0, most: 6, stoppedMs: 95_000 }, 100_000)).toBe(1.6);
  });

  test("is not told where our own steps are a good part of it, or where nothing was done", () => {
    expect(speedUpOf({ workMs: 9_350, ownMs: 4_052, most: 6, stoppedMs: 0 }, 4_177)).toBeNull();
    expect(speedUpOf({ workMs: 0, ownMs: 0, most: 0, stoppedMs: 0 }, 5_000)).toBeNull();
    expect(speedUpOf({ workMs: 500, ownMs: 0, most: 1, stoppedMs: 0 }, 0)).toBeNull();
  });
});
