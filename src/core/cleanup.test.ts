import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CleanupWish, decideCandidate, decideCleanup, type Found, type Standing } from "./cleanup.ts";

const DAY = 86_400_000;
const NOW = 1_000 * DAY;
const plain: Standing = {
  isMain: false,
  isHere: false,
  isBeingMade: false,
  isLocked: false,
  run: null,
  isThere: true,
  mayBeMoved: false,
  came: null,
  usedAt: NOW - DAY,
};
const usual: CleanupWish = { which: "usual", days: 14, protectUncommitted: true, protectUnpushed: true };
const nothing: Found = { uncommitted: false, unpushed: 0, inUse: false, unsavable: false };

describe("a worktree is to go", () => {
  test.each<[string, Partial<Standing>, Partial<CleanupWish>, string]>([
    ["used yesterday", {}, {}, "stays: recent"],
    ["used exactly so long ago", { usedAt: NOW - 14 * DAY }, {}, "goes: stale"],
    ["of which nothing tells when", { usedAt: null }, {}, "stays: recent"],
    ["whose work came home", { came: "squashed" }, {}, "goes: merged"],
    ["whose files are gone", { isThere: false, usedAt: null }, {}, "goes: gone"],
    [
      "whose files may be elsewhere",
      { isThere: false, mayBeMoved: true, came: "merged" },
      { which: "all" },
      "stays: moved",
    ],
    ["stale, where only the merged are wished", { usedAt: 0 }, { which: "merged" }, "stays: not-merged"],
    ["gone, where only the merged are wished", { isThere: false }, { which: "merged" }, "stays: not-merged"],
    ["used just now, where all are wished", { usedAt: NOW }, { which: "all" }, "goes: all"],
    ["used just now, where no day is enough", { usedAt: NOW }, { days: 0 }, "goes: stale"],
    ["of an open run", { usedAt: 0, run: "r1", came: "merged" }, { which: "all" }, "stays: run"],
    ["that we are in", { usedAt: 0, isHere: true }, { which: "all" }, "stays: here"],
    ["that is locked", { usedAt: 0, isLocked: true }, { which: "all" }, "stays: locked"],
  ])("one %s", (_, standing, wish, says) => {
    const { take, why } = decideCandidate({ ...plain, ...standing }, { ...usual, ...wish }, NOW);
    expect(`${take ? "goes" : "stays"}: ${why}`).toBe(says);
  });
});

describe("what is in it", () => {
  test("is protected, unless the protection is off: then it is saved", () => {
    const holds = { ...nothing, uncommitted: true, unpushed: 2 };
    expect(decideCleanup("stale", nothing, usual)).toEqual({ take: true, why: "stale", saves: [] });
    expect(decideCleanup("stale", holds, usual)).toEqual({ take: false, why: "uncommitted" });
    expect(decideCleanup("stale", holds, { ...usual, protectUncommitted: false })).toEqual({
      take: false,
      why: "unpushed",
    });
    expect(decideCleanup("stale", holds, { ...usual, protectUncommitted: false, protectUnpushed: false })).toEqual({
      take: true,
      why: "stale",
      saves: ["uncommitted", "unpushed"],
    });
  });
});

const standings = fc.record<Standing>({
  isMain: fc.boolean(),
  isHere: fc.boolean(),
  isBeingMade: fc.boolean(),
  isLocked: fc.boolean(),
  run: fc.constantFrom(null, "r1"),
  isThere: fc.boolean(),
  mayBeMoved: fc.boolean(),
  came: fc.constantFrom(null, "merged", "squashed", "rebased"),
  usedAt: fc.option(fc.integer({ min: 0, max: NOW }), { nil: null }),
});
const wishes = fc.record<CleanupWish>({
  which: fc.constantFrom("usual", "merged", "all"),
  days: fc.integer({ min: 0, max: 1_000 }),
  protectUncommitted: fc.boolean(),
  protectUnpushed: fc.boolean(),
});
const founds = fc.record<Found>({
  uncommitted: fc.boolean(),
  unpushed: fc.nat(3),
  inUse: fc.boolean(),
  unsavable: fc.boolean(),
});

describe("whatever is wished", () => {
  test("nobody's place is taken away", () => {
    fc.assert(
      fc.property(standings, wishes, (standing, wish) => {
        const isSomebodys =
          standing.isMain || standing.isHere || standing.isBeingMade || standing.isLocked || standing.run !== null;
        if (isSomebodys) expect(decideCandidate(standing, wish, NOW).take).toBe(false);
      }),
    );
  });

  test("`--all` takes what the others take, and more days never take more", () => {
    fc.assert(
      fc.property(standings, wishes, fc.nat(100), (standing, wish, more) => {
        const takes = (other: Partial<CleanupWish>) => decideCandidate(standing, { ...wish, ...other }, NOW).take;
        if (takes({})) expect(takes({ which: "all" })).toBe(true);
        if (takes({ days: wish.days + more })) expect(takes({})).toBe(true);
      }),
    );
  });

  test("what is protected or in use never goes, and what goes unprotected is saved", () => {
    fc.assert(
      fc.property(founds, wishes, (found, wish) => {
        const decision = decideCleanup("stale", found, wish);
        const isProtected =
          (found.uncommitted && wish.protectUncommitted) || (found.unpushed > 0 && wish.protectUnpushed);
        expect(decision.take).toBe(!isProtected && !found.inUse && !found.unsavable);
        if (!decision.take) return;
        expect(decision.saves.includes("uncommitted")).toBe(found.uncommitted);
        expect(decision.saves.includes("unpushed")).toBe(found.unpushed > 0);
      }),
    );
  });
});
