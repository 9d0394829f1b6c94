import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SAMPLE_OPTIONS, newAttempt, sampleSpec } from "../../test/rig/samples.ts";
import type { Attempt } from "../core/attempt.ts";
import type { Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import type { PlannedTask } from "../core/plan.ts";
import type { Task } from "../core/task.ts";
import { addDeadTime, endAttempt, moveAttempt, openAttempt, readAttempt, setUsage } from "./attempts.ts";
import { openStore, type Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { readTried, readHistory } from "./history.ts";
import { createRun } from "./runs.ts";
import { moveTask, readTask, readTasks } from "./tasks.ts";

function storeWith(specs: PlannedTask[]): { store: Store; tasks: Task[] } {
  const place = realpathSync(mkdtempSync(join(tmpdir(), "owt-history-")));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const store = openStore(place);
  onTestFinished(() => store.close());
  const run = { planKind: "markdown", planPath: "docs/plans", target: "main", base: "b0", buildsOn: null } as const;
  const created = createRun(
    store,
    1,
    { ...run, options: SAMPLE_OPTIONS },
    specs.map((spec) => ({ spec, hash: spec.id, needs: [] })),
  );
  return { store, tasks: readTasks(store, created.id) };
}

const cost = (costUsd: number | null): Usage => ({
  models: [{ model: "m", tokens: null, costUsd, basis: costUsd === null ? "unknown" : "reported" }],
  missing: null,
});

/** An attempt that begins at 0. */
function startWork(store: Store, task: Task): Attempt {
  return openAttempt(store, 0, newAttempt(task.id, { agent: "claude" }));
}

/** One attempt from `from` to `to`; with `review` it waited for a person meanwhile. */
function attempt(
  store: Store,
  task: Task,
  times: { from: number; to: number; review?: [from: number, to: number] },
  more: { agent?: string; model?: string | null; usage?: Usage; ok?: boolean; outcome?: Outcome } = {},
): void {
  const { agent = "claude", model = null } = more;
  const opened = openAttempt(store, times.from, newAttempt(task.id, { phase: "workspace", agent, model }));
  if (times.review) {
    moveAttempt(store, times.review[0], opened, "review");
    moveAttempt(store, times.review[1], readAttempt(store, opened.id)!, "merge");
  }
  if (more.usage) setUsage(store, opened.id, more.usage);
  const outcome = more.outcome ?? ({ kind: more.ok === false ? "lost" : "ok" } as const);
  endAttempt(store, times.to, readAttempt(store, opened.id)!, outcome);
}

function finish(store: Store, task: Task): void {
  const states = ["running", "integrating", "done"] as const;
  for (const state of states.slice(readTask(store, task.id)!.state === "running" ? 1 : 0))
    moveTask(store, 9, readTask(store, task.id)!, state, state === "done" ? { commit: "c" } : {});
}

test("tasks that were done come newest first, their attempts added up, without the time of a review and of the merge queue", () => {
  const { store, tasks } = storeWith([
    { ...sampleSpec("a"), module: "shop", tags: ["x"] },
    { ...sampleSpec("b"), module: null, tags: ["ui", "x"], estimatedTokens: 5_000, needsReview: true },
    sampleSpec("failed"),
  ]);
  const [a, b, failed] = tasks as [Task, Task, Task];
  attempt(store, a, { from: 100, to: 400 }, { usage: cost(0.5), ok: false });
  attempt(store, a, { from: 1_000, to: 1_250 }, { usage: cost(0.25), model: "opus" });
  attempt(store, b, { from: 0, to: 10_000, review: [600, 9_900] }, { agent: "codex", usage: cost(null) });
  attempt(store, failed, { from: 0, to: 50 });
  finish(store, a);
  finish(store, b);
  expect(readHistory(store)).toEqual([
    { agent: "codex", model: null, kind: "ui", durationMs: 600, costUsd: null, tokens: null, estimatedTokens: 5_000 },
    {
      agent: "claude",
      model: "opus",
      kind: "shop",
      durationMs: 550,
      costUsd: 0.75,
      tokens: null,
      estimatedTokens: null,
    },
  ]);
  expect(readHistory(store, 1)).toHaveLength(1);
});

test("a pause in the merge queue, in which nobody carried the run, is taken off once", () => {
  const { store, tasks } = storeWith([sampleSpec("a")]);
  const [a] = tasks as [Task];
  const opened = startWork(store, a);
  moveAttempt(store, 500, opened, "merge");
  addDeadTime(store, opened.id, 8_000);
  appendEvent(
    store,
    9_000,
    { run: a.run },
    { kind: "run-carried", pid: 1, dead: [{ attempt: opened.id, task: a.id, ms: 8_000 }] },
  );
  endAttempt(store, 10_000, readAttempt(store, opened.id)!, { kind: "ok" });
  finish(store, a);
  expect(readHistory(store).map(({ durationMs }) => durationMs)).toEqual([500]);
});

test("a task that failed counts as failed until its next try has come to an end", () => {
  const { store, tasks } = storeWith([sampleSpec("a"), sampleSpec("repaired")]);
  const [a, repaired] = tasks as [Task, Task];
  const move = (task: Task, state: Task["state"]) => moveTask(store, 9, readTask(store, task.id)!, state);
  move(a, "running");
  attempt(store, a, { from: 100, to: 400 }, { usage: cost(0.5), ok: false });
  move(a, "failed");
  const failed = { end: "failed", attempts: 1, durationMs: 300, costUsd: 0.5, endedAt: 400 };
  expect(readTried(store)).toMatchObject([failed]);
  move(a, "pending");
  expect(readTried(store)).toMatchObject([failed]);
  move(a, "running");
  expect(readTried(store)).toMatchObject([failed]);
  // One that is tried again by itself has not failed yet.
  move(repaired, "running");
  attempt(store, repaired, { from: 100, to: 400 }, { ok: false });
  move(repaired, "pending");
  expect(readTried(store)).toMatchObject([{ end: "open", attempts: 1 }, failed]);
  attempt(store, a, { from: 1_000, to: 1_100 }, { usage: cost(0.25) });
  finish(store, a);
  expect(readTried(store)).toMatchObject([
    { end: "open" },
    { end: "done", attempts: 2, durationMs: 400, costUsd: 0.75 },
  ]);
  expect(readHistory(store)).toHaveLength(1);
});

test("what was tried is on record whatever became of it: cancelled once it had failed, cancelled before, waiting; what nobody worked on is not", () => {
  const { store, tasks } = storeWith(["a", "b", "c", "d"].map((id) => sampleSpec(id)));
  const [a, b, c] = tasks as [Task, Task, Task];
  const move = (task: Task, ...states: Task["state"][]) => {
    for (const state of states) moveTask(store, 9, readTask(store, task.id)!, state);
  };
  for (const each of [a, b, c]) {
    move(each, "running");
    attempt(store, each, { from: 0, to: 100 }, { usage: cost(0.25), ok: false });
  }
  move(a, "failed", "cancelled");
  move(b, "cancelled");
  move(c, "pending");
  const spent = { attempts: 1, durationMs: 100, costUsd: 0.25 };
  expect(readTried(store)).toMatchObject([
    { end: "open", ...spent },
    { end: "cancelled", ...spent },
    { end: "failed", ...spent },
  ]);
});

test.each<[Outcome, missed: number]>([
  [{ kind: "asked", question: "?" }, 0],
  [{ kind: "limit", resetsAt: null }, 0],
  [{ kind: "stopped" }, 0],
  [{ kind: "lost", rebooted: true }, 0],
  [{ kind: "lost" }, 1],
  [{ kind: "conflict", files: ["a"] }, 1],
])("a first try that came to %j and then to its work missed %i times", (outcome, missed) => {
  const { store, tasks } = storeWith([sampleSpec("a")]);
  attempt(store, tasks[0]!, { from: 0, to: 100 }, { outcome });
  attempt(store, tasks[0]!, { from: 200, to: 300 });
  finish(store, tasks[0]!);
  expect(readTried(store)).toMatchObject([{ end: "done", attempts: 2, missed }]);
});

test("no history is an empty one", () => {
  const { store } = storeWith([sampleSpec("a")]);
  expect(readHistory(store)).toEqual([]);
});

test("waits for an approval are found by their index, not by reading every event", () => {
  const { store } = storeWith([sampleSpec("a")]);
  const plan = store
    .all("explain query plan select 1 from event where attempt = 1 and kind = 'attempt-phase' and seq > 5")
    .map((row) => String(row["detail"]));
  expect(plan.join("\n")).toContain("event_phase");
});

test.each([
  ["as for a limit, and nobody's try counted", { park: { for: "limit", until: 60 } as const, notBefore: 60 }, 0],
  ["for its next try, which was its own affair", { notBefore: 60, failures: 1 }, 1],
])("whose API failed it, and which waited %s, missed its first try %# times", (_, change, missed) => {
  const { store, tasks } = storeWith([sampleSpec("a")]);
  moveTask(store, 0, tasks[0]!, "running");
  const failed = startWork(store, tasks[0]!);
  moveAttempt(store, 40, failed, "collect");
  endAttempt(store, 50, readAttempt(store, failed.id)!, { kind: "transient", reason: "529" });
  moveTask(store, 50, readTask(store, tasks[0]!.id)!, "pending", change);
  moveAttempt(store, 55, readAttempt(store, failed.id)!, "closed");
  moveTask(store, 60, readTask(store, tasks[0]!.id)!, "running", { park: null, notBefore: null });
  attempt(store, tasks[0]!, { from: 60, to: 90 });
  finish(store, tasks[0]!);
  expect(readTried(store)).toMatchObject([{ end: "done", attempts: 2, missed }]);
});
