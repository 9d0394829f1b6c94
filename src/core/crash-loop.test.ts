import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBroken, isCrashLoop, LONGEST_RESTART_PAUSE_MS, restartPauseMs, restartsAmong } from "./crash-loop.ts";
import type { Outcome } from "./outcome.ts";
import { decideConsequence } from "./retry.ts";
import type { NextStart } from "./task.ts";

const MINUTE = 60_000;
const START = 1_700_000_000_000;
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

type Lived = { startedAt: number; endedAt: number; outcome: Outcome };

/** A task whose agents live and end as told, by a clock of its own, with as many tries as one likes; until it waits for a person or all have been played. */
function play(
  ends: readonly { livesMs: number; outcome: Outcome }[],
  luck: number,
): { lived: Lived[]; failed: string | null } {
  const lived: Lived[] = [];
  let task = { failures: 0, next: { kind: "fresh" } as NextStart };
  let now = START;
  for (const [at, { livesMs, outcome }] of ends.entries()) {
    const startedAt = now;
    now += livesMs;
    lived.push({ startedAt, endedAt: now, outcome });
    const before = {
      limit: { until: now + MINUTE, isGuess: false, credential: "x", agent: "claude" },
      endedByUs: false,
      diedBefore: false,
      restarts: restartsAmong(lived),
      restartPauseMs: 30_000,
    };
    const by = { id: at + 1, agent: "claude" };
    const then = decideConsequence(task, by, outcome, { retries: 1_000 }, before, now, luck);
    if (then.do === "fail") return { lived, failed: then.reason };
    task = { next: then.next, failures: then.do === "again" ? then.failures : task.failures };
    now = Math.max(now, then.notBefore ?? now);
  }
  return { lived, failed: null };
}

const DIES: Outcome = { kind: "lost" };
const LIMIT: Outcome = { kind: "limit", resetsAt: null };

describe("a task whose agents die", () => {
  test("never has more than three restarts within a quarter of an hour, whatever else comes between", () => {
    const end = fc.record({
      livesMs: fc.integer({ min: 0, max: 20 * MINUTE }),
      outcome: fc.constantFrom<Outcome>(DIES, DIES, DIES, { kind: "failed", reason: "exit 139", atOnce: true }, LIMIT, {
        kind: "lost",
        hasMade: true,
      }),
    });
    fc.assert(
      fc.property(fc.array(end, { maxLength: 60 }), chance, (ends, luck) => {
        const { lived } = play(ends, luck);
        const restarts = restartsAmong(lived);
        for (const at of restarts)
          expect(restarts.filter((other) => other >= at && other < at + 15 * MINUTE).length).toBeLessThanOrEqual(3);
      }),
    );
  });

  test("that die at once: restarts after half a minute, one, two; then a person is asked, and told why", () => {
    const { lived, failed } = play(
      Array.from({ length: 20 }, () => ({ livesMs: 1_000, outcome: DIES })),
      0.5,
    );
    const waits = lived.slice(1).map(({ startedAt }, at) => startedAt - lived[at]!.endedAt);
    expect(waits).toEqual([30_000, 60_000, 120_000]);
    expect(failed).toContain("its process disappeared (its agents die again and again, within minutes)");
  });

  test("that die after a while: the pauses grow to ten minutes", () => {
    const { lived, failed } = play(
      Array.from({ length: 12 }, () => ({ livesMs: 20 * MINUTE, outcome: DIES })),
      0.5,
    );
    const waits = lived.slice(1).map(({ startedAt }, at) => startedAt - lived[at]!.endedAt);
    expect(failed).toBeNull();
    expect(waits.slice(0, 5)).toEqual([30_000, 60_000, 120_000, 240_000, 480_000]);
    expect(waits.slice(5).every((wait) => wait === LONGEST_RESTART_PAUSE_MS)).toBe(true);
  });

  test("a usage limit is no death, however often it is met", () => {
    const { lived, failed } = play(
      Array.from({ length: 50 }, () => ({ livesMs: 1_000, outcome: LIMIT })),
      0.5,
    );
    expect([lived.length, failed, restartsAmong(lived)]).toEqual([50, null, []]);
  });

  test("one that was killed when it had got on begins to count anew", () => {
    const progress: Outcome = { kind: "lost", hasMade: true };
    const ends = [DIES, DIES, DIES, progress, DIES].map((outcome) => ({ livesMs: 20 * MINUTE, outcome }));
    const { lived } = play([...ends, ...ends], 0.5);
    const waits = lived.slice(1).map(({ startedAt }, at) => startedAt - lived[at]!.endedAt);
    expect(waits.slice(0, 5)).toEqual([30_000, 60_000, 120_000, 30_000, 60_000]);
  });
});

test("a pause stays within a quarter of what is told, and never above ten minutes and a quarter", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 0, max: 3_600_000 }),
      chance,
      (tries, first, luck) => {
        const middle = Math.min(LONGEST_RESTART_PAUSE_MS, first * 2 ** Math.min(30, tries - 1));
        const pause = restartPauseMs(tries, first, luck);
        expect(pause).toBeGreaterThanOrEqual(0.75 * middle - 1);
        expect(pause).toBeLessThanOrEqual(1.25 * middle + 1);
      },
    ),
  );
});

test("restarts that lie days ahead were written before the clock was set back, and stop nothing", () => {
  expect(isCrashLoop([START + 1, START + 2, START + 3], START)).toBe(true);
  expect(isCrashLoop([START + 1, START + 2, START + 3], START - 3 * 86_400_000)).toBe(false);
});

describe("an agent is broken", () => {
  const died = (task: number, endedAt = START): { task: number; outcome: Outcome; endedAt: number } => ({
    task,
    outcome: { kind: "failed", reason: "exit 139", atOnce: true },
    endedAt,
  });
  const other = (task: number, outcome: Outcome) => ({ ...died(task), outcome });
  test.each<[string, Parameters<typeof isBroken>[0], boolean]>([
    ["that died at once in three tasks in a row", [died(1), died(2), died(3)], true],
    ["also where one was tried twice", [died(1), died(1), died(2), died(3)], true],
    ["not in two tasks, however often", [died(1), died(2), died(1), died(2), died(1)], false],
    ["not where one of them ended its turn", [died(1), died(2), other(4, { kind: "ok" }), died(3)], false],
    ["not where one of them lived for a while", [died(1), other(2, DIES), died(3), died(4)], false],
    ["not over days", [died(1), died(2), died(3, START - 86_400_000)], false],
    ["not that has never ended", [], false],
  ])("%s", (_, attempts, expected) => {
    expect(isBroken(attempts, START)).toBe(expected);
  });
});
