import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findFree, keyOf, mayTry, meetLimit, meetOutage, tryEarly, type UsageLimit, waitOn } from "./limit.ts";

const NOW = 1_000_000_000_000;
const BY = { credential: "claude of me", agent: "claude" };

const meet = (before: UsageLimit | null, resetsAt: number | null, now = NOW, chance = 0.5) =>
  meetLimit(before, BY, resetsAt, now, chance);

describe("a stated reset", () => {
  test("is when it is tried, and a little later on other machines", () => {
    const hour = 3_600_000;
    expect(meet(null, NOW + hour, NOW, 0)).toEqual({
      ...BY,
      until: NOW + hour,
      isGuess: false,
      guesses: 0,
      since: NOW,
      probe: null,
    });
    expect(meet(null, NOW + hour, NOW, 0.999).until).toBeLessThanOrEqual(NOW + hour + 60_000);
    expect(meet(null, NOW + hour, NOW, 0.999).until).toBeGreaterThan(NOW + hour + 59_000);
    expect(meet(null, NOW + 5_000, NOW, 0.999).until - NOW).toBeLessThan(5_200);
  });

  test("never makes anything spin: one that is over still waits, one long over is no word at all", () => {
    expect(meet(null, NOW).until).toBe(NOW + 2_000);
    expect(meet(null, NOW - 59_000).until).toBe(NOW + 2_000);
    expect(meet(null, NOW - 60_000)).toMatchObject({ until: NOW + 60_000, isGuess: true });
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.double({ min: 0, max: 0.999, noNaN: true }), (resetsAt, chance) => {
        expect(meet(null, resetsAt, NOW, chance).until).toBeGreaterThanOrEqual(NOW + 1_500);
      }),
    );
  });
});

test("a reset behind the longest window there is, is no word about this limit", () => {
  const day = 86_400_000;
  expect(meet(null, NOW + 7 * day, NOW, 0)).toMatchObject({ until: NOW + 7 * day, isGuess: false });
  for (const nonsense of [NOW + 9 * day, NOW + 365_000 * day, NOW * 1_000])
    expect(meet(null, nonsense)).toMatchObject({ until: NOW + 60_000, isGuess: true });
  const stated = { until: NOW + 365_000 * day, isGuess: false };
  expect(mayTry(stated, NOW)).toBe(true);
});

describe("without one", () => {
  test("it is tried after 1, 2, 4 … 30 minutes, spread by a quarter, for each try that met it again", () => {
    const minutes: number[] = [];
    let limit: UsageLimit | null = null;
    for (let now = NOW; minutes.length < 8; now = limit.until) {
      limit = meet(limit, null, now);
      minutes.push((limit.until - now) / 60_000);
    }
    expect(minutes).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
    expect([0, 0.999].map((chance) => Math.round((meet(null, null, NOW, chance).until - NOW) / 1_000))).toEqual([
      45, 75,
    ]);
  });

  test("what several met at the same time is one limit", () => {
    const first = meet(null, null);
    expect(meet(first, null, NOW + 5_000)).toEqual(first);
    expect(meet(first, NOW + 600_000, NOW + 5_000, 0)).toMatchObject({
      until: NOW + 600_000,
      isGuess: false,
      since: NOW,
    });
  });
});

test("who tried it and met it again does not try any more", () => {
  const tried = { ...meet(null, NOW + 5_000), probe: 7 };
  expect(meet(tried, NOW + 60_000, NOW + 6_000).probe).toBeNull();
  expect(meet(tried, null, NOW).probe).toBeNull();
});

test("a guess that lies further ahead than any was written before the clock was set back", () => {
  const guessed = meet(null, null);
  expect([NOW, guessed.until, NOW - 86_400_000].map((now) => mayTry(guessed, now))).toEqual([false, true, true]);
  expect(mayTry(meet(null, NOW + 7_000_000), NOW)).toBe(false);
});

describe("who takes a task", () => {
  const line: Record<string, string> = { a: "b", b: "c", c: "a" };
  const free = (chosen: string, ...held: string[]) =>
    findFree(
      chosen,
      (agent) => line[agent],
      (agent) => held.includes(agent),
    );

  test("the chosen one, else the first free one along its line, in a circle too", () => {
    expect([free("a"), free("a", "a"), free("a", "a", "b"), free("c", "c")]).toEqual(["a", "b", "c", "a"]);
  });

  test("the chosen one where all are held, or it falls over to none", () => {
    expect([free("a", "a", "b", "c"), free("lone", "lone")]).toEqual(["a", "lone"]);
  });
});

test("a limit that a person has tried before its time waits on as it did, unless somebody says when it ends", () => {
  const [guessed, stated] = [meet(meet(null, null), null, NOW + 60_000), meet(null, NOW + 3_600_000)];
  const later = NOW + 90_000;
  for (const limit of [guessed, stated]) {
    const tried = { ...tryEarly(limit, later), probe: 7 };
    expect(meet(tried, null, later + 1_000)).toEqual(limit);
    expect(waitOn(tried)).toEqual(limit);
    expect(meet(tried, NOW + 7_200_000, later, 0)).toEqual({ ...BY, ...stated, until: NOW + 7_200_000 });
  }
});

describe("an API that cannot be reached", () => {
  const reason = "API Error: 529 Overloaded. This is a server-side issue";
  const away = (before: UsageLimit | null, now: number, { isTry = true, firstMs = 10_000, chance = 0 } = {}) =>
    meetOutage(before, BY, { reason, isTry, firstMs }, now, chance);

  test("is tried after half a minute, then after 1, 2, 4, 8, 15, 15 … minutes, and a little later on other machines", () => {
    const waits: number[] = [];
    let [now, outage] = [NOW, away(null, NOW)];
    for (let at = 0; at < 8; at++) {
      waits.push((outage.until - now) / 1_000);
      now = outage.until;
      outage = away({ ...outage, probe: 7 }, now);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
    expect(outage).toMatchObject({ outage: "529 Overloaded", isGuess: true, since: NOW, probe: null });
    expect(away(null, NOW, { chance: 0.999 }).until - NOW).toBeLessThanOrEqual(33_000);
    expect(mayTry(outage, now)).toBe(false);
  });

  test("is not tried before the pause that is configured", () => {
    expect(away(null, NOW, { firstMs: 300_000 }).until).toBe(NOW + 300_000);
  });

  test("what several met is one outage, and so it is where another one is trying it", () => {
    const outage = away(null, NOW);
    expect(away(outage, NOW + 1_000)).toEqual(outage);
    const tried = { ...outage, probe: 7 };
    expect(away(tried, outage.until + 1_000, { isTry: false })).toEqual(tried);
  });

  test("tried by a person before its time, in vain, waits on as it did, and longer only behind its own tries", () => {
    const outage = away({ ...away(null, NOW), probe: 7 }, NOW + 40_000);
    const early = tryEarly(outage, NOW + 50_000);
    expect(mayTry(early, NOW + 50_000)).toBe(true);
    expect(away({ ...early, probe: 8 }, NOW + 51_000)).toEqual(outage);
    expect(waitOn({ ...early, probe: 8 })).toEqual(outage);
    // It is another's word while that one still tries it.
    expect(away({ ...early, probe: 8 }, NOW + 51_000, { isTry: false })).toEqual({ ...early, probe: 8 });
    // The try outlasted the wait.
    expect(away({ ...early, probe: 8 }, outage.until).until).toBe(outage.until + 120_000);
  });

  test("is another hold than a limit of the same login", () => {
    expect(keyOf(away(null, NOW))).not.toBe(keyOf(BY));
  });
});
