import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  concerns,
  describeDisk,
  describeMemory,
  describeNoFit,
  expectedPeak,
  fitsBeside,
  floorBytes,
  leftOfMemory,
  startOf,
  USUAL_FLOOR,
} from "./room.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

test("an attempt is expected to take what nine of ten took before, and a modest guess before any did", () => {
  expect(expectedPeak([], "claude", null)).toBe(512 * MIB);
  expect(expectedPeak([], "demo", null)).toBe(64 * MIB);
  expect(expectedPeak([], "demo", GIB)).toBe(GIB);
  expect(expectedPeak([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110], "claude", null)).toBe(100);
});

test("few measured peaks count, but not against a guess that is far above them for ever", () => {
  expect(expectedPeak([300 * MIB], "claude", null)).toBe(512 * MIB);
  expect(expectedPeak([100 * MIB], "claude", null)).toBe(200 * MIB);
  expect(expectedPeak([2 * GIB], "claude", null)).toBe(2 * GIB);
});

test("what runs keeps what it will still take", () => {
  expect(leftOfMemory(4 * GIB, 0, [])).toBe(4 * GIB);
  expect(leftOfMemory(4 * GIB, GIB, [{ expectedBytes: GIB, nowBytes: GIB / 4 }])).toBe(2.25 * GIB);
  expect(leftOfMemory(4 * GIB, 0, [{ expectedBytes: GIB, nowBytes: 3 * GIB }])).toBe(4 * GIB);
});

test("however attempts grow to what is expected of them, what is left for another does not change", () => {
  const sizes = fc.array(
    fc.record({ expected: fc.integer({ min: 1, max: 1e9 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e10 }), sizes, (free, attempts) => {
      const before = attempts.map(({ expected }) => ({ expectedBytes: expected, nowBytes: 0 }));
      const now = attempts.map(({ expected, share }) => ({
        expectedBytes: expected,
        nowBytes: Math.floor(expected * share),
      }));
      const taken = now.reduce((sum, { nowBytes }) => sum + nowBytes, 0);
      expect(leftOfMemory(free - taken, 0, now)).toBeCloseTo(leftOfMemory(free, 0, before), 3);
    }),
  );
});

test("a task that waits says for what", () => {
  expect(describeMemory(3.1 * GIB, "claude", 1.2 * GIB)).toBe(
    "waits for memory: 3.1 GiB free beside what runs, an attempt of claude here takes up to 1.2 GiB",
  );
  expect(describeMemory(-5, "claude", GIB)).toContain("none free");
  expect(describeDisk("/w", 1.5e9, 2e9)).toBe("waits for room on the disk: 1.5 GB free for /w, 2.0 GB are kept");
});

test("a worktree fits where it, those being made, and what is kept have room together", () => {
  const room = { freeBytes: 41e6, keptBytes: 4e6 };
  const fits = [0, 1, 2, 3].map((others) => fitsBeside(room, { bytes: 12e6, others }));
  expect(fits).toEqual([true, true, true, false]);
  expect(fitsBeside({ freeBytes: 16e6, keptBytes: 4e6 }, { bytes: 12e6, others: 0 })).toBe(true);
  expect(fitsBeside({ freeBytes: 15e6, keptBytes: 4e6 }, { bytes: 12e6, others: 0 })).toBe(false);
  expect(describeNoFit("/w", room, { bytes: 12e6, others: 3 })).toBe(
    "waits for room on the disk: 41 MB free for /w, a worktree takes 12 MB, 3 more are being made and 4.0 MB are kept",
  );
  expect(describeNoFit("/w", room, { bytes: 40e6, others: 0 })).toContain("a worktree takes 40 MB and 4.0 MB are kept");
});

test("two gigabytes stay free, and on a small disk a twentieth", () => {
  expect(floorBytes(USUAL_FLOOR, 1e12)).toBe(2e9);
  expect(floorBytes(USUAL_FLOOR, 20e9)).toBe(1e9);
  expect(floorBytes({ bytes: 5e9, part: 1 }, 1e12)).toBe(5e9);
});

test("a full disk holds everything, memory all but what a person did, worktrees only what needs a new one", () => {
  const starts = ["fresh", "goes-on", "by-hand"] as const;
  const held = (of: "disk" | "memory" | "worktrees") => starts.filter((start) => concerns({ of, why: "" }, start));
  expect(held("disk")).toEqual(starts);
  expect(held("memory")).toEqual(["fresh", "goes-on"]);
  expect(held("worktrees")).toEqual(["fresh"]);
  expect(startOf({ next: { kind: "resume", from: 1 }, startedAt: 1 })).toBe("goes-on");
  expect(startOf({ next: { kind: "by-hand", from: 1 }, startedAt: 1 })).toBe("by-hand");
});
