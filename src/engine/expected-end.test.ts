import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newAttempt, sampleRun, sampleSpec } from "../../test/rig/samples.ts";
import { NO_BUDGET } from "../core/budget-limits.ts";
import { mergeConfig } from "../core/config.ts";
import type { Run, RunOptions } from "../core/run.ts";
import { openAttempt, setUsage } from "../store/attempts.ts";
import { openStore } from "../store/database.ts";
import { readExpected } from "../store/expected.ts";
import { removeLimit, writeLimit } from "../store/limits.ts";
import { createRun } from "../store/runs.ts";
import { readTasks } from "../store/tasks.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { noteExpectedEnd } from "./expected-end.ts";

const NOW = new Date(2026, 0, 1, 12).getTime();
const HOUR_MS = 3_600_000;

/** Whoever carries a run of four tasks, the first of which has used two dollars, and whose clock stands still. */
function carrier(): { engine: Engine; run: Run } {
  const place = mkdtempSync(join(tmpdir(), "owt-end-"));
  const store = openStore(place);
  onTestFinished(() => {
    store.close();
    rmSync(place, { recursive: true, force: true });
  });
  const config = mergeConfig([]);
  const engine = {
    repo: { commonDir: place, root: place },
    store,
    config,
    layers: [],
    prices: [],
    env: { HOME: place },
  };
  const options: RunOptions = { ...sampleRun().options, agent: "claude", maxParallel: 1, budget: NO_BUDGET };
  const run = createRun(
    store,
    NOW,
    { planKind: "markdown", planPath: "p", target: "main", base: "b0", buildsOn: null, options },
    ["a", "b", "c", "d"].map((id) => ({ spec: sampleSpec(id), hash: "h", needs: [] })),
  );
  const attempt = openAttempt(store, NOW, newAttempt(readTasks(store, run.id)[0]!.id, { agent: "claude" }));
  const models = [{ model: "m", tokens: null, costUsd: 2, basis: "reported" as const }];
  setUsage(store, attempt.id, { models, missing: null });
  return { engine: { ...engine, now: () => NOW, chance: () => 0 } as unknown as Engine, run };
}

/** In how many milliseconds the run is expected to end once it was looked at with these options. */
function endWith(engine: Engine, run: Run, options: Partial<RunOptions> = {}): number {
  noteExpectedEnd(engine, { ...run, options: { ...run.options, ...options } }, readTasks(engine.store, run.id));
  return readExpected(engine.store, run.id)!.end! - NOW;
}

test("the end that is expected is another one at once where a person changes how many work at a time", () => {
  const { engine, run } = carrier();
  const alone = endWith(engine, run);
  const four = endWith(engine, run, { maxParallel: 4 });
  expect(four).toBeLessThan(alone);
  expect(endWith(engine, run)).toBe(alone);
});

test("the end that is expected is another one at once where a budget is lowered, and raised again", () => {
  const { engine, run } = carrier();
  const free = endWith(engine, run);
  const untilTomorrow = 12 * HOUR_MS;
  expect(free).toBeLessThan(untilTomorrow);
  expect(endWith(engine, run, { budget: { ...NO_BUDGET, dayUsd: 1 } })).toBeGreaterThan(untilTomorrow);
  expect(endWith(engine, run, { budget: { ...NO_BUDGET, dayUsd: 100 } })).toBeLessThan(untilTomorrow);
});

test("the end that is expected counts the days whose budgets are still to be used up", () => {
  const { engine, run } = carrier();
  const days = (dayTasks: number) =>
    Math.ceil((endWith(engine, run, { budget: { ...NO_BUDGET, dayTasks } }) - 12 * HOUR_MS) / (24 * HOUR_MS));
  // Four, of which none was begun.
  expect([3, 2, 1].map(days)).toEqual([1, 1, 3]);
});

test("the end that is expected is another one at once where a usage limit comes in", () => {
  const { engine, run } = carrier();
  expect(endWith(engine, run)).toBeLessThan(9 * HOUR_MS);
  const [credential, until] = [credentialOf(engine, "claude"), NOW + 9 * HOUR_MS];
  writeLimit(engine.store, { credential, agent: "claude", until, isGuess: false, guesses: 0, since: NOW, probe: null });
  expect(endWith(engine, run)).toBeGreaterThan(9 * HOUR_MS);
});

test("no end is expected while an API cannot be reached, of which nobody knows when it answers", () => {
  const { engine, run } = carrier();
  const before = endWith(engine, run);
  const by = { credential: credentialOf(engine, "claude"), agent: "claude" };
  const outage = { ...by, outage: "529", until: NOW + 60_000, isGuess: true, guesses: 1, since: NOW, probe: null };
  writeLimit(engine.store, outage);
  noteExpectedEnd(engine, run, readTasks(engine.store, run.id));
  expect(readExpected(engine.store, run.id)!.end).toBeNull();
  removeLimit(engine.store, outage);
  expect(endWith(engine, run)).toBe(before);
});
