import { expect, test } from "vitest";
import { sampleTask } from "../../test/rig/samples.ts";
import { decideStarts } from "../core/schedule.ts";
import type { Task } from "../core/task.ts";
import type { Estimates } from "./estimates.ts";
import { rankFor } from "./rank.ts";

const EVEN = { of: () => ({ duration: { p50: 1 } }) } as unknown as Estimates;

test("an API out of reach is tried by the task that met it first, or tried it longest ago, and by no new one", () => {
  const met = (name: string, from: number): Task =>
    sampleTask(name, {
      next: { kind: "resume", from },
      park: { for: "limit", until: 5, outage: { agent: "claude", reason: "529" } },
    });
  const fresh = sampleTask("fresh");
  const tasks = [
    { ...fresh, spec: { ...fresh.spec, priority: "high" as const } },
    met("a", 9),
    met("b", 4),
    met("c", 7),
  ];
  const ready = tasks.map(rankFor(tasks, EVEN));
  expect(decideStarts({ ready, running: 0 }, { maxParallel: 4 })).toEqual(["b", "c", "a", "fresh"]);
});

test("before them goes one that has not begun, and that a person has it tried with", () => {
  const met = sampleTask("met", {
    next: { kind: "resume", from: 4 },
    park: { for: "limit", until: 5, outage: { agent: "claude", reason: "529" } },
  });
  const again = sampleTask("again", { next: { kind: "resume", from: 3 }, notBefore: 5, startedAt: 1 });
  const tasks = [met, again, sampleTask("asked", { notBefore: 5 })];
  const ready = tasks.map(rankFor(tasks, EVEN));
  expect(decideStarts({ ready, running: 0 }, { maxParallel: 3 })).toEqual(["asked", "met", "again"]);
});
