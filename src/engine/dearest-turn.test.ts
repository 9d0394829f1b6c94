import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { sampleAttempt } from "../../test/rig/samples.ts";
import type { Attempt } from "../core/attempt.ts";
import { openStore, type Store } from "../store/database.ts";
import { dearestTurn, noteDearest } from "./dearest-turn.ts";

/** Less than anything costs. */
const CHEAP = new Map([[1, { usd: 0.01, tokens: null, ms: null, isGuess: false }]]);
const RUN = { id: "r1" };

function place(): string {
  const path = mkdtempSync(join(tmpdir(), "owt-turns-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function opened(path: string): Store {
  const store = openStore(path);
  onTestFinished(() => store.close());
  return store;
}

const worked = (id: number, costUsd: number): Attempt => {
  const models = [{ model: "m", tokens: null, costUsd, basis: "reported" as const }];
  return sampleAttempt({ id, phase: "agent", outcome: null, usage: { models, missing: null } });
};

test("a turn is what the books of an attempt grew by; what is on them at the first look may be one, until one is seen", () => {
  const store = opened(place());
  expect(dearestTurn(store, RUN, [worked(1, 3)], CHEAP).usd).toBe(3);
  expect(dearestTurn(store, RUN, [worked(1, 3.25)], CHEAP).usd).toBe(0.25);
  expect(dearestTurn(store, RUN, [worked(1, 3.25), worked(2, 0.5)], CHEAP).usd).toBe(0.5);
  expect(dearestTurn(store, RUN, [worked(1, 3.5), worked(2, 0.5)], CHEAP).usd).toBe(0.5);
});

test("whoever carries the run next knows the dearest turn of it", () => {
  const path = place();
  const store = opened(path);
  dearestTurn(store, RUN, [], CHEAP);
  dearestTurn(store, RUN, [worked(1, 0.5)], CHEAP);
  noteDearest(store, RUN);
  const next = opened(path);
  expect(dearestTurn(next, RUN, [worked(1, 0.75)], CHEAP).usd).toBe(0.5);
  expect(dearestTurn(next, { id: "r2" }, [], CHEAP).usd).toBe(0);
});

test("what may have been a turn is on no record, and nothing is told of it where what is expected holds", () => {
  const path = place();
  const store = opened(path);
  const enough = new Map([[1, { usd: 5, tokens: null, ms: null, isGuess: false }]]);
  expect(dearestTurn(store, { id: "r2" }, [worked(1, 3)], enough).usd).toBe(0);
  expect(dearestTurn(store, RUN, [worked(1, 3)], CHEAP).usd).toBe(3);
  noteDearest(store, RUN);
  expect(dearestTurn(opened(path), RUN, [worked(1, 0.5)], CHEAP).usd).toBe(0.5);
});
