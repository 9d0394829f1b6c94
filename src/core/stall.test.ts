import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  classifyHang,
  decideRescue,
  type Family,
  lookEveryMs,
  type Member,
  MOST_BETWEEN_LOOKS_MS,
  nudgeAfter,
  type Sign,
  signBetween,
  type Standstill,
  type StallClock,
  tick,
  wantsToCompute,
} from "./stall.ts";

const AGENT: Member = {
  pid: 10,
  parent: 1,
  startTime: "100",
  name: "agent",
  state: "S",
  cpuMs: 500,
  queuedMs: 0,
  endedMs: 0,
  ioBytes: 1_000,
};
const TOOL: Member = { ...AGENT, pid: 11, parent: 10, startTime: "200", name: "make" };

function family(...members: Member[]): Family {
  return { agent: 10, members };
}

describe("what happened between two looks, four seconds apart", () => {
  const before = family(AGENT, TOOL);
  test.each<[string, Family, Sign | null]>([
    ["nothing", before, null],
    ["what Claude Code computes while it waits for an answer (2 %)", family({ ...AGENT, cpuMs: 580 }, TOOL), null],
    ["what it computes while one comes (3 %)", family({ ...AGENT, cpuMs: 620 }, TOOL), "cpu"],
    ["a tick of a server that it has started", family(AGENT, { ...TOOL, cpuMs: 510 }), null],
    ["a tool that computes a little", family(AGENT, { ...TOOL, cpuMs: 520 }), "cpu"],
    ["tools that have ended meanwhile", family({ ...AGENT, endedMs: 40 }, TOOL), "cpu"],
    ["little that was waited for long", family({ ...AGENT, cpuMs: 530, queuedMs: 2_000 }, TOOL), "cpu"],
    ["a tool that is seen to be ready once", family(AGENT, { ...TOOL, state: "R" }), null],
    ["a wait for a processor alone", family({ ...AGENT, queuedMs: 2_000 }, TOOL), null],
    ["what an agent writes to wake itself", family({ ...AGENT, ioBytes: 1_200 }, TOOL), null],
    ["a download", family(AGENT, { ...TOOL, ioBytes: 9_000 }), "io"],
    ["a tool that has gone", family(AGENT), "child"],
    ["a tool that has come", family(AGENT, TOOL, { ...TOOL, pid: 12 }), "child"],
    ["another one of the same number", family(AGENT, { ...TOOL, startTime: "300" }), "child"],
    ["a tool that has ended and was not taken in", family(AGENT, { ...TOOL, state: "Z" }), "child"],
  ])("%s", (_, after, sign) => {
    expect(signBetween(before, after, 4_000)).toBe(sign);
  });

  test("who is ready to compute at both looks wants to, though it may get no processor", () => {
    const [ready, once] = [family(AGENT, { ...TOOL, state: "R" }), family(AGENT, TOOL)];
    expect([signBetween(ready, ready, 4_000), signBetween(once, ready, 4_000)]).toEqual(["cpu", null]);
    expect([wantsToCompute(ready), wantsToCompute(once)]).toEqual([true, false]);
  });

  test("what the kernel does not tell is no sign", () => {
    const silent = family({ ...AGENT, ioBytes: null });
    expect(signBetween(silent, family({ ...AGENT, ioBytes: 1_000_000 }), 4_000)).toBeNull();
  });
});

describe("the clock", () => {
  test("any sign sets it back; nobody is hung for a time in which nobody watched", () => {
    const sign = fc.constantFrom<Sign | null>("output", "record", "cpu", "child", "io", null);
    fc.assert(
      fc.property(fc.array(fc.tuple(sign, fc.integer({ min: -1_000, max: 1e9 }))), (looks) => {
        let clock: StallClock = { silentMs: 0, last: null };
        let silent = 0;
        for (const [seen, elapsedMs] of looks) {
          clock = tick(clock, seen, elapsedMs);
          silent = seen === null ? silent + 1 : 0;
          if (seen !== null) expect(clock).toEqual({ silentMs: 0, last: seen });
          expect(clock.silentMs).toBeLessThanOrEqual(silent * MOST_BETWEEN_LOOKS_MS);
          expect(clock.silentMs).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  test("three days in which the machine slept are five seconds", () => {
    expect(tick({ silentMs: 0, last: "cpu" }, null, 3 * 86_400_000)).toEqual({ silentMs: 5_000, last: "cpu" });
  });

  test("processes are looked at often enough to act within five seconds, and rarely enough to cost nothing", () => {
    expect([1_000, 3_000, 60_000, 600_000].map(lookEveryMs)).toEqual([250, 250, 4_000, 4_000]);
  });
});

const NOTHING: Standstill = {
  hasSpoken: true,
  isEnded: false,
  suspended: null,
  uninterruptible: null,
  readsInput: null,
  waitsForLock: null,
  tool: null,
  peer: null,
};

test.each<[Partial<Standstill>, string]>([
  [{}, "silent"],
  [{ hasSpoken: false }, "speechless"],
  [{ isEnded: true }, "zombie"],
  [{ peer: "10.0.0.1:443" }, "waits-for-network"],
  [{ peer: "10.0.0.1:443", tool: "curl (pid 4)" }, "waits-for-tool"],
  [{ tool: "cat (pid 4)", readsInput: "cat (pid 4)" }, "waits-for-input"],
  [{ tool: "flock f (pid 4)", waitsForLock: "flock f (pid 4)" }, "waits-for-lock"],
  [{ tool: "cp (pid 4)", uninterruptible: "cp (pid 4)" }, "uninterruptible"],
  [{ tool: "make (pid 4)", suspended: "make (pid 4)", peer: "10.0.0.1:443" }, "suspended"],
])("%j is %s, and says who", (seen, how) => {
  const hang = classifyHang({ ...NOTHING, ...seen });
  expect(hang.how).toBe(how);
  const who = Object.values(seen).findLast((each) => typeof each === "string");
  if (who !== undefined && how !== "suspended") expect(hang.detail).toContain(who);
  expect(nudgeAfter(hang)).toMatch(/^nothing happened for a long time: .*[^.]$/);
});

test("a stopped agent is let go on once, any other is ended", () => {
  const suspended = classifyHang({ ...NOTHING, suspended: "node (pid 4)" });
  expect(decideRescue(suspended, { continued: 0 })).toBe("continue");
  expect(decideRescue(suspended, { continued: 1 })).toBe("end");
  expect(decideRescue(classifyHang(NOTHING), { continued: 0 })).toBe("end");
});

test("who waits for input is told not to ask", () => {
  expect(nudgeAfter({ how: "waits-for-input", detail: "x" })).toContain("run it so that it asks nothing");
});
