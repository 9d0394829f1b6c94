import { expect, test } from "vitest";
import { sampleTask } from "../../test/rig/samples.ts";
import { parseDuration } from "../lib/duration.ts";
import { NO_HOLDS } from "./budget.ts";
import { describeTimeOver, isTimeOver, moreTimeCommand, renderLimit, timeFrom } from "./run-time.ts";
import type { Task } from "./task.ts";
import { isSettled, viewTasks } from "./view.ts";

const NOW = 1_000_000;
const time = timeFrom(8 * 3_600_000, NOW - 8 * 3_600_000);

test("a limit is written as a command line takes it", () => {
  const written = [500, 45_000, 90_000, 5_400_000, 8 * 3_600_000, 26 * 3_600_000 + 1_000];
  expect(written.map(renderLimit)).toEqual(["500ms", "45s", "1m30s", "1h30m", "8h", "26h1s"]);
  expect(written.map((ms) => parseDuration(renderLimit(ms)))).toEqual(written);
});

test("the time is over at its end, not before, and never where none was set", () => {
  expect([NOW - 1, NOW, NOW + 1].map((now) => isTimeOver(time, now))).toEqual([false, true, true]);
  expect([isTimeOver(null, NOW), isTimeOver(undefined, NOW)]).toEqual([false, false]);
  expect(moreTimeCommand("r3", time)).toBe("owt resume r3 --max-duration 8h");
});

test("when the time is over, nothing begins or resumes, what has only to come home does, and nothing is waited for", () => {
  const holds = { ...NO_HOLDS, timeOver: time };
  const view = (change: Partial<Task>) => viewTasks([sampleTask("it", change)], () => "demo", NOW, { holds })[0]!;
  expect(view({})).toMatchObject({ standing: "waits-for-budget", why: describeTimeOver(time) });
  expect(describeTimeOver(time)).toBe("waits: the run's time is over (8h)");
  expect(view({ next: { kind: "resume", from: 1 } }).standing).toBe("waits-for-budget");
  // A usage limit that ends later than the night is not waited for.
  const limited = view({
    park: { for: "limit", until: NOW + 9 },
    notBefore: NOW + 9,
    next: { kind: "resume", from: 1 },
  });
  expect(limited.standing).toBe("waits-for-budget");
  expect(isSettled([limited])).toBe(true);
  const repair = { kind: "repair", from: 1, command: "x", output: "", onto: null } as const;
  expect(view({ next: repair }).standing).toBe("ready");
  expect(view({ next: { kind: "by-hand", from: 1 } }).standing).toBe("ready");
  expect(view({ state: "running" }).standing).toBe("working");
  expect(view({ park: { for: "answer", question: "Which?" } }).standing).toBe("waits-for-person");
});
