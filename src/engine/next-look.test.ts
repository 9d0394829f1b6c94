import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { array, assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { sampleRun, sampleSpec } from "../../test/rig/samples.ts";
import { type Budget, NO_BUDGET } from "../core/budget-limits.ts";
import { mergeConfig } from "../core/config.ts";
import type { Park } from "../core/task.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { openStore, type Store } from "../store/database.ts";
import { writeLimit } from "../store/limits.ts";
import { createRun, readRuns } from "../store/runs.ts";
import { changeTask, moveTask, readTasks } from "../store/tasks.ts";
import { dayHeldUntil } from "./budget.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { soonest } from "./next-look.ts";
import { viewRun } from "./view.ts";

const NOW = new Date(2026, 0, 1, 12).getTime();
const MIDNIGHT = new Date(2026, 0, 2).getTime();

/** What may keep the task of a run back until a time. */
type Kept = { park: Park | null; notBefore: number | null; limit?: number; budget?: Budget };

/** Does something with a fresh store. */
function within<T>(does: (store: Store, place: string) => T): T {
  const place = mkdtempSync(join(tmpdir(), "owt-next-look-"));
  const store = openStore(place);
  try {
    return does(store, place);
  } finally {
    store.close();
    rmSync(place, { recursive: true, force: true });
  }
}

/** Whoever carries the run, and whose clock gets on by the next of these steps (ms) each time that it is read. */
function carrier(store: Store, place: string, steps: readonly number[], from = NOW) {
  const clock = { at: from, reads: 0 };
  const now = () => (clock.at += steps[clock.reads++ % steps.length]!);
  const engine = { repo: { commonDir: place, root: place }, store, config: mergeConfig([]), layers: [], prices: [] };
  return { clock, engine: { ...engine, env: { HOME: place }, now, chance: () => 0 } as unknown as Engine };
}

/** A run of two tasks; one is over, the other one is kept back. */
function keep(engine: Engine, store: Store, { park, notBefore, limit, budget = NO_BUDGET }: Kept): void {
  const options = { ...sampleRun().options, agent: "claude", maxParallel: 1, budget };
  createRun(
    store,
    NOW,
    { planKind: "markdown", planPath: "p", target: "main", base: "b0", buildsOn: null, options },
    ["a", "b"].map((id) => ({ spec: sampleSpec(id), hash: "h", needs: [] })),
  );
  const run = readRuns(store, "open")[0]!;
  const [begun, kept] = readTasks(store, run.id);
  moveTask(store, NOW, begun!, "cancelled", { startedAt: NOW, endedAt: NOW });
  changeTask(store, kept!.id, { park, notBefore });
  if (limit === undefined) return;
  const credential = credentialOf(engine, "claude");
  const met = { credential, agent: "claude", since: NOW, probe: null, isGuess: false, guesses: 0 };
  writeLimit(store, { ...met, until: limit });
}

/** How long (ms) behind a time its task was found ready by somebody who looks, decides and waits as the loop does; null where nothing is left to wait for. */
function foundAfter(engine: Engine, clock: { at: number }, at: number): number | null {
  for (;;) {
    const runs = readRuns(engine.store, "open");
    const seen = { at: engine.now(), runs, tasks: new Map(), attempts: readOpenAttempts(engine.store) };
    for (const run of runs) seen.tasks.set(run.id, readTasks(engine.store, run.id));
    if (runs.some((run) => viewRun(engine, run).some(({ standing }) => standing === "ready"))) return clock.at - at;
    const wait = soonest(engine, seen);
    if (wait === null) return null;
    clock.at += wait;
  }
}

/** A limit, and a task that waits for it by itself: what the provider said to two at once lies some milliseconds apart. */
const limited = (task: number, limit: number): Kept => ({
  park: { for: "limit", until: task, credential: "claude" },
  notBefore: task,
  limit,
});

const steps = array(integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 });
const ahead = integer({ min: 1, max: 120_000 });
const apart = integer({ min: -40, max: 40 });

test("what waits for a usage limit is found when it is over, however the clock gets on between two looks at it", () => {
  assert(
    property(steps, ahead, apart, (ticks, wait, behind) =>
      within((store, place) => {
        const { clock, engine } = carrier(store, place, ticks);
        const until = NOW + wait;
        keep(engine, store, limited(until + behind, until));
        const late = foundAfter(engine, clock, Math.max(until, until + behind));
        expect(late).not.toBeNull();
        expect(late!).toBeLessThan(5_000);
      }),
    ),
    { numRuns: 60 },
  );
});

test("a task that pauses is found when its pause is over, however the clock gets on between two looks at it", () => {
  assert(
    property(steps, ahead, (ticks, wait) =>
      within((store, place) => {
        const { clock, engine } = carrier(store, place, ticks);
        keep(engine, store, { park: null, notBefore: NOW + wait });
        expect(foundAfter(engine, clock, NOW + wait)).toBeLessThan(5_000);
      }),
    ),
    { numRuns: 40 },
  );
});

const oneADay = { park: null, notBefore: null, budget: { ...NO_BUDGET, dayTasks: 1 } };

test("what waits for the budget of the next day is found when that begins, however the clock gets on between two looks at it", () => {
  assert(
    property(steps, integer({ min: 1, max: 200 }), (ticks, before) =>
      within((store, place) => {
        const { clock, engine } = carrier(store, place, ticks, MIDNIGHT - before);
        keep(engine, store, oneADay);
        expect(foundAfter(engine, clock, MIDNIGHT)).toBeLessThan(5_000);
      }),
    ),
    { numRuns: 40 },
  );
});

test("a day whose budget is used up keeps nothing back for a day longer, where it ends while that is looked at", () => {
  assert(
    property(steps, integer({ min: 1, max: 60 }), (ticks, before) =>
      within((store, place) => {
        const { engine } = carrier(store, place, ticks, MIDNIGHT - before);
        keep(engine, store, oneADay);
        expect([MIDNIGHT, null]).toContain(dayHeldUntil(engine, readRuns(store, "open")[0]!));
      }),
    ),
    { numRuns: 60 },
  );
});
