import { describe, expect, test } from "vitest";
import { BACK_WITHIN_MS, healthOf, mayBringBack, type Signs } from "./session-health.ts";

const at = { now: 1_000_000, hungAfterMs: 600_000 };
const silent: Signs = { heardAt: 400_000, hasOpenTool: false, isSuspended: false, isBusy: false };

describe("an agent", () => {
  test("that ought to tell something and does not is hung, from the threshold on", () => {
    expect(healthOf("working", silent, at)).toBe("hung");
    expect(healthOf("starting", silent, at)).toBe("hung");
    expect(healthOf("working", { ...silent, heardAt: 400_001 }, at)).toBe("working");
    expect(healthOf("working", silent, { ...at, hungAfterMs: 0 })).toBe("working");
  });

  test("that waits for a person may do so for ever", () => {
    for (const state of ["idle", "blocked", "waiting", "unknown", "none", "ended"] as const)
      expect(healthOf(state, { ...silent, heardAt: 0 }, at)).toBe(state);
  });

  test("that computes, has children at work, or waits for a tool is busy", () => {
    expect(healthOf("working", { ...silent, isBusy: true }, at)).toBe("working");
    expect(healthOf("working", { ...silent, hasOpenTool: true }, at)).toBe("working");
  });

  test("that is stopped is told apart, whatever it was doing", () => {
    const stopped = { ...silent, isSuspended: true, heardAt: at.now };
    for (const state of ["working", "waiting", "idle"] as const) expect(healthOf(state, stopped, at)).toBe("suspended");
    expect(healthOf("ended", stopped, at)).toBe("ended");
  });
});

describe("an agent that ended", () => {
  const now = 5_000_000;
  const end = (reason: string) => [`{"hook_event_name":"SessionEnd","reason":"${reason}"}`, ""];

  test("comes back after a signal or an error, not where a person left it", () => {
    expect(mayBringBack({ status: null, lines: [], before: [] }, now)).toBe("yes");
    expect(mayBringBack({ status: 143, lines: end("other"), before: [] }, now)).toBe("yes");
    expect(mayBringBack({ status: 0, lines: [], before: [] }, now)).toBe("left");
    expect(mayBringBack({ status: null, lines: end("prompt_input_exit"), before: [] }, now)).toBe("left");
    // An end of an earlier one says nothing about this.
    expect(
      mayBringBack({ status: 1, lines: [...end("logout"), '{"hook_event_name":"OwtStart"}'], before: [] }, now),
    ).toBe("yes");
  });

  test("three times in ten minutes at most", () => {
    const before = [now - BACK_WITHIN_MS, now - 9_000, now - 100];
    expect(mayBringBack({ status: null, lines: [], before }, now)).toBe("yes");
    expect(mayBringBack({ status: null, lines: [], before: [...before, now - 1] }, now)).toBe("too-often");
  });
});
