import { expect, test } from "vitest";
import { keyOf, LONGEST_GUESS_MS, LONGEST_STATED_MS } from "./limit.ts";
import { isNews, limitHeard, sharedKeyOf, type SharedLimit } from "./shared-limit.ts";

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const BY = { credential: "claude token", agent: "claude" };

const told = (change: Partial<SharedLimit> = {}): SharedLimit => ({
  login: "l0g1n",
  kind: "limit",
  family: "",
  isDefault: false,
  until: NOW + 5 * HOUR_MS,
  isGuess: false,
  guesses: 0,
  since: NOW - HOUR_MS,
  seenAt: NOW - 1_000,
  overAt: null,
  revision: 7,
  ...change,
});

test("what others met holds here under the key that it would have if it were met here", () => {
  const model = { family: "opus", isDefault: true };
  for (const what of [{}, { model }, { outage: "529 Overloaded" }]) {
    const { kind, family } = sharedKeyOf("l0g1n", what);
    const heard = limitHeard(told({ kind, family, isDefault: true }), BY, NOW);
    expect(keyOf(heard)).toBe(keyOf({ ...BY, ...what }));
    expect(heard).toMatchObject({ ...BY, until: NOW + 5 * HOUR_MS, isGuess: false, probe: null });
  }
  expect(limitHeard(told({ family: "opus", isDefault: true }), BY, NOW).model).toEqual(model);
});

test("nothing holds longer than the longest that is waited for, whatever the clocks were", () => {
  const until = (change: Partial<SharedLimit>) => limitHeard(told(change), BY, NOW).until - NOW;
  expect(until({ until: NOW + 90 * 24 * HOUR_MS })).toBe(LONGEST_STATED_MS);
  expect(until({ until: NOW + 24 * HOUR_MS, isGuess: true })).toBe(LONGEST_GUESS_MS);
  // Written while the clock was ahead.
  expect(until({ seenAt: NOW + HOUR_MS })).toBe(LONGEST_GUESS_MS);
  expect(until({ seenAt: NOW + 1_000 })).toBe(5 * HOUR_MS);
});

test("what is over, or was not tried for an hour, is no news", () => {
  expect(isNews(told(), NOW)).toBe(true);
  expect(isNews(told({ until: NOW - HOUR_MS + 1 }), NOW)).toBe(true);
  expect(isNews(told({ until: NOW - HOUR_MS }), NOW)).toBe(false);
  expect(isNews(told({ overAt: NOW }), NOW)).toBe(false);
});
