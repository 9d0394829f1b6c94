import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outcome } from "./outcome.ts";
import { type Before, decideConsequence, isDue } from "./retry.ts";
import type { NextStart } from "./task.ts";

const CUT_OFF: Outcome[] = [{ kind: "lost" }, { kind: "stopped" }, { kind: "transient", reason: "503" }];

const NOW = 1_000_000_000;

const LIMIT = { until: NOW + 60_000, isGuess: false, credential: "claude of me", agent: "claude" };
const NOTHING: Before = { limit: LIMIT, endedByUs: false, diedBefore: false, restarts: [], restartPauseMs: 30_000 };

function decide(
  outcome: Outcome,
  failures = 0,
  next: NextStart = { kind: "fresh" },
  chance = 0.5,
  retries = 2,
  before = NOTHING,
) {
  return decideConsequence({ failures, next }, { id: 7, agent: "claude" }, outcome, { retries }, before, NOW, chance);
}

function nextAfter(outcome: Outcome, next: NextStart): NextStart | null {
  const then = decide(outcome, 0, next);
  return then.do === "fail" ? null : then.next;
}

test.each(CUT_OFF)("what a turn was told is told again when it ended as $kind", (outcome) => {
  const conflict: NextStart = { kind: "conflict", from: 3, files: ["a"], ours: "1", theirs: "2" };
  expect(nextAfter(outcome, conflict)).toEqual({ ...conflict, from: 7 });
  const answer: NextStart = { kind: "answer", from: 3, text: "blue" };
  expect(nextAfter(outcome, answer)).toEqual({ ...answer, from: 7 });
  const repair: NextStart = { kind: "repair", from: 3, command: "make", output: "red", onto: null };
  expect(nextAfter(outcome, repair)).toEqual({ ...repair, from: 7 });
});

test.each(CUT_OFF)("a first turn that ended as $kind is resumed", (outcome) => {
  expect(nextAfter(outcome, { kind: "fresh" })).toEqual({ kind: "resume", from: 7 });
});

test("behind a machine that went down the conversation goes on at once, whatever it was and however often it happened", () => {
  const cut: Outcome = { kind: "lost", rebooted: true };
  for (const next of [{ kind: "fresh" }, { kind: "resume", from: 3 }] as const)
    expect(decide(cut, 2, next)).toEqual({
      do: "again",
      next: { kind: "resume", from: 7 },
      notBefore: null,
      failures: 2,
      park: null,
    });
  // Three times within minutes: it may be what the task does.
  const restarts = [NOW - 1, NOW - 2, NOW - 3];
  expect(decide(cut, 2, { kind: "fresh" }, 0.5, 2, { ...NOTHING, restarts })).toMatchObject({ do: "fail" });
});

test("behind a hang the conversation goes on, told of what held it up; behind a second one it begins afresh; then it fails", () => {
  const hung: Outcome = { kind: "hung", how: "waits-for-input", detail: "cat waits for input", silentMs: 600_000 };
  const next = nextAfter(hung, { kind: "fresh" });
  expect(next).toMatchObject({
    kind: "resume",
    from: 7,
    because: expect.stringContaining("cat waits for input") as string,
  });
  expect(nextAfter(hung, { kind: "answer", from: 3, text: "blue" })).toEqual({ kind: "answer", from: 7, text: "blue" });
  const before = { ...NOTHING, endedByUs: true };
  expect(decide(hung, 1, { kind: "resume", from: 3 }, 0.5, 2, before)).toMatchObject({
    do: "again",
    next: { kind: "fresh" },
  });
  expect(decide(hung, 2)).toEqual({
    do: "fail",
    reason: "hung: cat waits for input; nothing happened for 10m (3 tries)",
  });
});

test("an agent that failed starts anew", () => {
  expect(nextAfter({ kind: "failed", reason: "exit 1" }, { kind: "resume", from: 3 })).toEqual({ kind: "fresh" });
});

test("a check that printed nothing leaves no empty line in the reason", () => {
  const outcome: Outcome = { kind: "verify_failed", command: "make", output: " \n" };
  expect(decide(outcome)).toEqual({ do: "fail", reason: "verify failed: make" });
});

describe("each outcome has its consequence", () => {
  const resume = { kind: "resume", from: 7 };
  const again = { do: "again", failures: 1, park: null };
  test.each<[Outcome, object]>([
    [
      { kind: "asked", question: "red?" },
      { do: "park", park: { for: "answer", question: "red?" }, next: resume, notBefore: null },
    ],
    [
      { kind: "denied", tools: ["Bash"] },
      { do: "park", park: { for: "permission", agent: "claude", tools: ["Bash"] }, next: resume, notBefore: null },
    ],
    [
      { kind: "auth", reason: "bad key" },
      { do: "park", park: { for: "login", agent: "claude", reason: "auth: bad key" }, next: resume, notBefore: null },
    ],
    [
      { kind: "billing", reason: "no credit" },
      {
        do: "park",
        park: { for: "login", agent: "claude", reason: "billing: no credit" },
        next: resume,
        notBefore: null,
      },
    ],
    [
      { kind: "limit", resetsAt: NOW + 60_000 },
      {
        do: "park",
        park: { for: "limit", until: LIMIT.until, credential: LIMIT.credential },
        next: resume,
        notBefore: LIMIT.until,
      },
    ],
    [{ kind: "stopped" }, { do: "again", next: resume, notBefore: null, failures: 0, park: null }],
    [
      { kind: "lost" },
      {
        ...again,
        next: resume,
        notBefore: NOW + 30_000,
        park: {
          for: "retry",
          reason: `its process disappeared; starts again at ${new Date(NOW + 30_000).toISOString()}`,
        },
      },
    ],
    [
      { kind: "transient", reason: "529" },
      { ...again, next: resume, notBefore: NOW + 30_000 },
    ],
    [
      { kind: "timed_out", afterMs: 1_000 },
      { ...again, next: resume, notBefore: null },
    ],
    [
      { kind: "nothing_done", said: "" },
      {
        ...again,
        next: { kind: "resume", from: 7, because: expect.stringContaining("nothing in this worktree") as string },
        notBefore: null,
      },
    ],
    [
      { kind: "failed", reason: "a rebase is half done", missing: "finish it" },
      { ...again, next: { kind: "resume", from: 7, because: "finish it" }, notBefore: null },
    ],
    [
      { kind: "failed", reason: "exit 1" },
      { ...again, next: { kind: "fresh" }, notBefore: null },
    ],
    [
      { kind: "budget", reason: "spent" },
      {
        do: "park",
        park: { for: "budget", reason: "spent", until: null },
        next: { kind: "resume", from: 7 },
        notBefore: null,
      },
    ],
    [
      { kind: "budget", reason: "spent", until: NOW + 5 },
      {
        do: "park",
        park: { for: "budget", reason: "spent", until: NOW + 5 },
        next: { kind: "resume", from: 7 },
        notBefore: NOW + 5,
      },
    ],
    [
      { kind: "turns", reason: "50" },
      { do: "fail", reason: "turns: 50" },
    ],
    [{ kind: "aborted" }, { do: "fail", reason: "was cancelled" }],
  ])("%j", (outcome, consequence) => {
    expect(decide(outcome)).toEqual(consequence);
  });
});

test.each<Outcome>([
  { kind: "lost" },
  { kind: "transient", reason: "529" },
  { kind: "timed_out", afterMs: 1 },
  { kind: "nothing_done", said: "" },
  { kind: "failed", reason: "exit 1" },
])("$kind is tried as often as the limit says, and then the reason names the tries", (outcome) => {
  expect([0, 1, 2, 3].map((failures) => decide(outcome, failures).do)).toEqual(["again", "again", "fail", "fail"]);
  expect(decide(outcome, 2)).toMatchObject({ reason: expect.stringMatching(/ \(3 tries\)$/) as string });
  const atOnce = decide(outcome, 0, { kind: "fresh" }, 0, 0);
  expect(atOnce).toMatchObject({ do: "fail", reason: expect.not.stringContaining("tries") as string });
});

test("neither stopping nor a limit nor a person's business ever uses up a try", () => {
  const outcomes: Outcome[] = [
    { kind: "stopped" },
    { kind: "limit", resetsAt: null },
    { kind: "asked", question: "?" },
    { kind: "denied", tools: [] },
    { kind: "auth", reason: "" },
    { kind: "billing", reason: "" },
  ];
  for (const outcome of outcomes) expect(decide(outcome, 99, { kind: "fresh" }, 0, 0).do).not.toBe("fail");
});

describe("the wait between tries", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const waitAfter = (failures: number, chance: number): number => {
    const then = decide({ kind: "transient", reason: "529" }, failures, { kind: "fresh" }, chance, 1_000);
    return then.do === "again" ? then.notBefore! - NOW : Number.NaN;
  };

  test("stays within a quarter of the pause before a restart, twice that, … 10 minutes", () => {
    fc.assert(
      fc.property(fc.nat(60), chance, (failures, luck) => {
        const middle = Math.min(600_000, 30_000 * 2 ** failures);
        const wait = waitAfter(failures, luck);
        expect(wait).toBeGreaterThanOrEqual(0.75 * middle - 1);
        expect(wait).toBeLessThanOrEqual(1.25 * middle + 1);
      }),
    );
  });

  test("never shrinks with more failures, and grows with chance", () => {
    fc.assert(
      fc.property(fc.nat(60), chance, chance, (failures, one, other) => {
        expect(waitAfter(failures + 1, one)).toBeGreaterThanOrEqual(waitAfter(failures, one));
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        expect(waitAfter(failures, high)).toBeGreaterThanOrEqual(waitAfter(failures, low));
      }),
    );
  });
});

test("a limit whose reset nobody told says so", () => {
  const before = { ...NOTHING, limit: { ...LIMIT, isGuess: true } };
  const then = decide({ kind: "limit", resetsAt: null }, 0, { kind: "fresh" }, 0.5, 2, before);
  expect(then).toMatchObject({ park: { for: "limit", isGuess: true } });
});

test("an API that cannot be reached is nobody's failure: what met it waits, and goes on where it stopped", () => {
  const away: Outcome = { kind: "transient", reason: "529" };
  const limit = { ...LIMIT, isGuess: true, outage: "529 Overloaded" };
  const park = { for: "limit", until: limit.until, isGuess: true, credential: "claude of me (outage)" };
  expect(decide(away, 99, { kind: "fresh" }, 0.5, 0, { ...NOTHING, limit })).toEqual({
    do: "park",
    park: { ...park, outage: { agent: "claude", reason: "529 Overloaded" } },
    next: { kind: "resume", from: 7 },
    notBefore: limit.until,
  });
});

test("without a pause before a restart the next try still does not come at once", () => {
  const before = { ...NOTHING, restartPauseMs: 0 };
  const then = decide({ kind: "transient", reason: "529" }, 0, { kind: "fresh" }, 0.5, 2, before);
  expect(then).toMatchObject({ do: "again", notBefore: NOW + 2_000 });
});

test("a failure that another try cannot mend is not tried again", () => {
  expect(decide({ kind: "failed", reason: "no such model", final: true })).toEqual({
    do: "fail",
    reason: "no such model",
  });
});

test("a turn that met its timeout goes on once in its conversation, with what it was told, and then begins anew", () => {
  const timedOut: Outcome = { kind: "timed_out", afterMs: 1 };
  const answer: NextStart = { kind: "answer", from: 3, text: "blue" };
  expect(nextAfter(timedOut, answer)).toEqual({ ...answer, from: 7 });
  const before = { ...NOTHING, endedByUs: true };
  expect(decide(timedOut, 1, answer, 0.5, 2, before)).toMatchObject({ next: { kind: "fresh" } });
});

test("what may lie in the length of a conversation is tried afresh, and once only", () => {
  const tooLong: Outcome = { kind: "failed", reason: "too long", final: "afresh" };
  expect(nextAfter(tooLong, { kind: "resume", from: 3 })).toEqual({ kind: "fresh" });
  expect(decide(tooLong)).toEqual({ do: "fail", reason: "too long" });
});

test("a conversation that died before where it was to go on is given up for a fresh one; an answer is never given up", () => {
  const resume: NextStart = { kind: "resume", from: 3 };
  const again = { ...NOTHING, diedBefore: true };
  expect(decide({ kind: "lost" }, 1, resume, 0.5, 2, again)).toMatchObject({ do: "again", next: { kind: "fresh" } });
  const answer: NextStart = { kind: "answer", from: 3, text: "blue" };
  expect(decide({ kind: "lost" }, 1, answer, 0.5, 2, again)).toMatchObject({ next: { ...answer, from: 7 } });
  expect(decide({ kind: "transient", reason: "529" }, 1, resume, 0.5, 2, again)).toMatchObject({
    next: { kind: "resume", from: 7 },
  });
});

test("what goes on behind a limit, a stop or a budget and dies for the first time is resumed; one that cannot even start there begins anew", () => {
  const resume: NextStart = { kind: "resume", from: 3 };
  expect(nextAfter({ kind: "lost" }, resume)).toEqual({ kind: "resume", from: 7 });
  expect(nextAfter({ kind: "lost", atOnce: true }, resume)).toEqual({ kind: "fresh" });
  const full: Outcome = { kind: "disk_full", reason: "its process disappeared" };
  expect(nextAfter(full, resume)).toEqual({ kind: "resume", from: 7 });
  expect(decide(full, 0, resume, 0.5, 2, { ...NOTHING, diedBefore: true })).toMatchObject({ next: { kind: "fresh" } });
});

test("a pause that is longer than any that is chosen was written before the clock was set back: it is over", () => {
  const now = 1_000_000_000_000;
  const at = (ms: number) => now + ms;
  const days = 3 * 86_400_000;
  expect(isDue({ notBefore: null, park: null }, now)).toBe(true);
  expect(isDue({ notBefore: at(-1), park: null }, now)).toBe(true);
  expect(isDue({ notBefore: at(300_000), park: null }, now)).toBe(false);
  expect(isDue({ notBefore: at(days), park: null }, now)).toBe(true);
  expect(isDue({ notBefore: at(1_800_000), park: { for: "limit", until: at(1_800_000), isGuess: true } }, now)).toBe(
    false,
  );
  expect(isDue({ notBefore: at(days), park: { for: "limit", until: at(days), isGuess: true } }, now)).toBe(true);
  // What a provider said may well lie days ahead, but no longer than its longest window.
  expect(isDue({ notBefore: at(9 * days), park: { for: "limit", until: at(9 * days) } }, now)).toBe(true);
  expect(isDue({ notBefore: at(days), park: { for: "limit", until: at(days) } }, now)).toBe(false);
  expect(isDue({ notBefore: at(80_000_000), park: { for: "budget", reason: "", until: null } }, now)).toBe(false);
});

test("what a full disk took is nobody's failure: it goes on, then begins afresh, and only what fills the disk itself fails", () => {
  const full: Outcome = { kind: "disk_full", reason: "exit 1" };
  const again = { do: "again", notBefore: null, failures: 2, park: null };
  expect(decide(full, 2)).toEqual({ ...again, next: { kind: "resume", from: 7 } });
  expect(decide(full, 2, { kind: "resume", from: 3 }, 0.5, 2, { ...NOTHING, diedBefore: true })).toEqual({
    ...again,
    next: { kind: "fresh" },
  });
  const often = { ...NOTHING, disksFull: 8 };
  expect(decide(full, 0, { kind: "fresh" }, 0.5, 2, often)).toMatchObject({ do: "again", failures: 1 });
  expect(decide(full, 2, { kind: "fresh" }, 0.5, 2, often)).toEqual({
    do: "fail",
    reason: "the disk was full: exit 1 (3 tries)",
  });
});
