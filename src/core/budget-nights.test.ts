/** Whole nights with a budget, by a clock of their own: random plans, turns and limits, played by the decisions that the runner asks. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sampleAttempt, sampleSpec, sampleTask } from "../../test/rig/samples.ts";
import { seededChance } from "../lib/chance.ts";
import type { Attempt } from "./attempt.ts";
import {
  type Budget,
  decideHolds,
  decideStop,
  decideYields,
  describeLevel,
  type Expected,
  isUsedUp,
  levelsToWarnOf,
  NO_BUDGET,
  type Spending,
  wasTooLittle,
} from "./budget.ts";
import { NO_TOKENS } from "./cost.ts";
import type { Outcome } from "./outcome.ts";
import { estimateTask, type PastTask } from "./estimate.ts";
import { decideConsequence } from "./retry.ts";
import { decideStarts } from "./schedule.ts";
import type { Task } from "./task.ts";
import { FINAL_STATES } from "./task.ts";
import { isSettled, viewTasks } from "./view.ts";

/** How often a meter is looked at under a budget; see engine/meter.ts. */
const LOOK_MS = 100;

/** So long one that is told to stop has to leave; what its turn costs is booked by then. See `[run] grace`. */
const GRACE_MS = 10_000;

type Turn = { ms: number; usd: number; tokens: number };

/** One booked turn: when it ended, and what was used before it. */
type Booked = { at: number; before: number; amount: number };

type Unit = "usd" | "tokens";

/** Nights of which everything is known: so many turns of a task, what each takes, and the limit. */
type Right = { turns: number; each: number; cap: number };

class Night {
  readonly #chance: () => number;
  readonly #turns = new Map<number, Turn[]>();
  /** How many turns of a task have been booked: its conversation remembers them. */
  readonly #booked = new Map<number, number>();
  readonly #history: PastTask[] = [];
  #expected: { learnt: number; all: Map<number, Expected> } | null = null;
  readonly #maxParallel: number;
  tasks: Task[] = [];
  attempts: Attempt[] = [];
  readonly ledger: Booked[] = [];
  readonly unit: Unit;
  budget: Budget;
  stops = 0;
  now = 0;
  /** Nothing of it knows what is coming: what was done before was cheap, and who is told to stop pays the turn that he is at. */
  readonly #isCheap: boolean;
  readonly #stopping = new Map<number, Outcome>();
  /** When an attempt's last turn ended. */
  readonly #endedAt = new Map<number, number>();
  #dearest = 0;
  /** What was expected of each task when it began. */
  readonly #reserved = new Map<number, Expected>();
  /** How many were stopped before a limit was reached. */
  yielded = 0;
  /** Tasks that gave way and began again though others that had begun before them were still at work. */
  readonly tooSoon: string[] = [];
  readonly #gaveWay = new Map<number, number>();
  /** The dearest turn there is. */
  most = 0;

  constructor(seed: number, { isCheap = false, right = null }: { isCheap?: boolean; right?: Right | null } = {}) {
    this.#isCheap = isCheap;
    const chance = (this.#chance = seededChance(seed));
    const between = (low: number, high: number) => low + chance() * (high - low);
    const count = Math.floor(between(3, 25));
    for (let id = 1; id <= count; id++) {
      const needs = [1, 2].flatMap(() => (id > 1 && chance() < 0.25 ? [`t${Math.ceil(between(0, id - 1))}`] : []));
      const spec = sampleSpec(`t${id}`, { module: chance() < 0.5 ? "shop" : "web" });
      this.tasks.push(sampleTask(`t${id}`, { id, order: id, needs: [...new Set(needs)], spec }));
      // A few turns are dear: a hundred times the usual.
      const turns = Array.from({ length: Math.ceil(between(0, 12)) }, () => ({
        ms: between(200, 180_000),
        usd: isCheap ? between(0.2, 0.4) : between(0.005, 0.3) * (chance() < 0.05 ? 20 : 1),
        tokens: Math.ceil(isCheap ? between(20_000, 40_000) : between(100, 50_000)),
      }));
      this.#turns.set(id, turns);
    }
    this.#maxParallel = Math.ceil(isCheap ? between(1, 6) : between(0, 5));
    this.unit = chance() < 0.7 ? "usd" : "tokens";
    this.most = Math.max(...[...this.#turns.values()].flat().map((turn) => turn[this.unit]));
    if (isCheap)
      for (let done = 0; done < 20; done++)
        this.#history.push({
          agent: "demo",
          model: null,
          kind: done % 2 === 0 ? "shop" : "web",
          durationMs: 1_000,
          costUsd: 0.01,
          tokens: 100,
          estimatedTokens: null,
        });
    const whole = [...this.#turns.values()].flat().reduce((sum, turn) => sum + turn[this.unit], 0);
    // What the first turns cost, all begun at once, nobody can know.
    const least = isCheap ? this.#maxParallel * this.most : 0;
    const limit = Math.max(least, whole * between(0.02, 0.9));
    const scope = chance();
    const isDay = scope < 0.3;
    this.budget =
      this.unit === "usd"
        ? { ...NO_BUDGET, ...(isDay ? { dayUsd: limit } : { runUsd: limit }) }
        : { ...NO_BUDGET, ...(isDay ? { dayTokens: limit } : { tokens: limit }) };
    if (right !== null) this.#knowAll(right);
  }

  /** Each task costs what each did before. */
  #knowAll({ turns, each, cap }: Right): void {
    const between = (low: number, high: number) => low + this.#chance() * (high - low);
    this.tasks = this.tasks.map((task) => ({ ...task, needs: [] }));
    for (const { id } of this.tasks) {
      const all = Array.from({ length: turns }, () => ({ ms: between(200, 180_000), usd: each, tokens: each }));
      this.#turns.set(id, all);
      const kind = id % 2 === 0 ? "shop" : "web";
      const cost = { costUsd: turns * each, tokens: turns * each };
      for (let done = 0; done < 5; done++)
        this.#history.push({ agent: "demo", model: null, kind, durationMs: 1_000, ...cost, estimatedTokens: null });
    }
    this.budget = { ...NO_BUDGET, ...(this.unit === "usd" ? { runUsd: cap } : { tokens: cap }) };
  }

  get limit(): number {
    return this.budget.runUsd ?? this.budget.dayUsd ?? this.budget.tokens ?? this.budget.dayTokens ?? Infinity;
  }

  get used(): number {
    return this.ledger.reduce((sum, { amount }) => sum + amount, 0);
  }

  /** Goes on until nothing happens any more. */
  carry(): void {
    const ends = new Map<number, number>();
    for (;;) {
      this.#start(ends);
      if (ends.size === 0) return;
      const [attempt, at] = [...ends].toSorted((a, b) => a[1] - b[1])[0]!;
      this.now = at;
      this.#endTurn(attempt, ends);
      // What is booked is seen when somebody looks: turns that end before that are booked, too.
      const look = Math.ceil(at / LOOK_MS) * LOOK_MS;
      for (const [other, end] of ends) {
        if (end > look) continue;
        this.now = end;
        this.#endTurn(other, ends);
      }
      this.now = look;
      this.#enforce(ends);
    }
  }

  spending(): Spending {
    const usd = this.unit === "usd" ? this.used : 0;
    const tokens = this.unit === "tokens" ? this.used : 0;
    return {
      attempts: this.attempts,
      workedMs: new Map(),
      day: { usd, tokens, tasks: 0, ms: 0 },
      dayEnds: Infinity,
      expected: this.#expectAll(),
      dearest: { usd: 0, tokens: 0, [this.unit]: this.#isTooLittle() ? this.#dearest : 0 },
    };
  }

  #isTooLittle(): boolean {
    return wasTooLittle(this.unit, this.attempts, this.#reserved);
  }

  views() {
    return viewTasks(this.tasks, () => "demo", this.now, {
      holds: decideHolds(this.budget, this.spending()),
    });
  }

  /** Worked out anew when something was learnt. */
  #expectAll(): Map<number, Expected> {
    if (this.#expected?.learnt !== this.#history.length) {
      const all = new Map(this.tasks.map((task) => [task.id, this.#expect(task)]));
      this.#expected = { learnt: this.#history.length, all };
    }
    return this.#expected.all;
  }

  #expect({ spec }: Task): Expected {
    const coming = { agent: "demo", agentKind: "command", model: null, kind: spec.module, estimatedTokens: null };
    const { cost, tokens, duration } = estimateTask(coming, this.#history, []);
    return {
      usd: cost?.p90 ?? null,
      tokens: tokens?.p90 ?? null,
      ms: duration.p90,
      isGuess: duration.level === "cold-start",
    };
  }

  #start(ends: Map<number, number>): void {
    for (;;) {
      const ready = this.views().filter(({ standing }) => standing === "ready");
      const [key] = decideStarts(
        {
          ready: ready.map(({ task }) => ({ id: task.key, priority: "normal", pathBelow: 1, order: task.order })),
          running: this.tasks.filter(({ state }) => state === "running").length,
        },
        { maxParallel: this.#maxParallel },
      );
      if (key === undefined) return;
      const task = this.tasks.find((each) => each.key === key)!;
      const id = this.attempts.length + 1;
      const gaveWay = this.#gaveWay.get(task.id) ?? 0;
      if (this.attempts.some((each) => each.outcome === null && each.id < gaveWay)) this.tooSoon.push(key);
      if (!this.#reserved.has(task.id)) this.#reserved.set(task.id, this.#expectAll().get(task.id)!);
      this.attempts.push(sampleAttempt({ id, task: task.id, phase: "agent" }));
      this.#change(task, { state: "running", startedAt: this.now, park: null, notBefore: null });
      ends.set(id, this.now + this.#nextTurn(task.id)!.ms);
    }
  }

  #nextTurn(task: number): Turn | undefined {
    return this.#turns.get(task)![this.#booked.get(task) ?? 0];
  }

  #endTurn(id: number, ends: Map<number, number>): void {
    const attempt = this.attempts.find((each) => each.id === id)!;
    const turn = this.#nextTurn(attempt.task)!;
    this.ledger.push({ at: this.now, before: this.used, amount: turn[this.unit] });
    this.#endedAt.set(id, this.now);
    this.#dearest = Math.max(this.#dearest, turn[this.unit]);
    this.#booked.set(attempt.task, (this.#booked.get(attempt.task) ?? 0) + 1);
    const [before] = attempt.usage?.models ?? [];
    const costUsd = (before?.costUsd ?? 0) + (this.unit === "usd" ? turn.usd : 0);
    const input = (before?.tokens?.input ?? 0) + turn.tokens;
    const models = [{ model: "m", tokens: { ...NO_TOKENS, input }, costUsd, basis: "reported" as const }];
    this.#changeAttempt(id, { usage: { models, missing: null } });
    const next = this.#nextTurn(attempt.task);
    const stop = this.#stopping.get(id);
    if (next !== undefined && stop === undefined) {
      ends.set(id, this.now + next.ms);
      return;
    }
    ends.delete(id);
    if (next !== undefined) {
      this.#end(id, stop!);
      return;
    }
    this.#changeAttempt(id, { phase: "closed", outcome: { kind: "ok" } });
    this.#change(
      this.tasks.find((each) => each.id === attempt.task)!,
      { state: "done" },
    );
    const uses = this.#turns.get(attempt.task)!;
    const sum = (of: Unit) => uses.reduce((all, each) => all + each[of], 0);
    const { spec } = this.tasks.find((each) => each.id === attempt.task)!;
    this.#history.push({
      agent: "demo",
      model: null,
      kind: spec.module,
      durationMs: uses.reduce((all, { ms }) => all + ms, 0),
      costUsd: sum("usd"),
      tokens: sum("tokens"),
      estimatedTokens: null,
    });
  }

  #enforce(ends: Map<number, number>): void {
    const spending = this.spending();
    const yields = new Set(decideYields(this.budget, spending, () => true).map((each) => each.attempt));
    for (const id of ends.keys()) {
      const attempt = this.attempts.find((each) => each.id === id)!;
      const level = decideStop(this.budget, spending, attempt.task);
      const gives = level === null && yields.has(id);
      if ((level === null && !gives) || this.#stopping.has(id)) continue;
      this.stops++;
      if (gives) {
        this.yielded++;
        this.#gaveWay.set(attempt.task, id);
      }
      const outcome: Outcome = level === null ? { kind: "stopped" } : { kind: "budget", reason: describeLevel(level) };
      // A turn that has just begun has cost nothing yet; any other is paid.
      if (this.#isCheap && this.now - (this.#endedAt.get(id) ?? -Infinity) > LOOK_MS) {
        this.#stopping.set(id, outcome);
        ends.set(id, Math.min(ends.get(id)!, this.now + GRACE_MS));
        this.#changeAttempt(id, { stop: level === null ? "stopped" : "budget" });
        continue;
      }
      ends.delete(id);
      this.#end(id, outcome);
    }
  }

  /** What becomes of an attempt that was told to stop, and of its task. */
  #end(id: number, outcome: Outcome): void {
    this.#changeAttempt(id, { phase: "closed", outcome });
    const attempt = this.attempts.find((each) => each.id === id)!;
    const task = this.tasks.find((each) => each.id === attempt.task)!;
    const then = decideConsequence(
      task,
      attempt,
      outcome,
      { retries: 2 },
      { limit: null, endedByUs: false, diedBefore: false, restarts: [], restartPauseMs: 0 },
      0,
      this.#chance(),
    );
    if (then.do !== "park" && then.do !== "again") throw new Error(`a budget made it ${then.do}`);
    this.#change(task, { state: "pending", park: then.park, next: then.next, notBefore: then.notBefore });
  }

  #change(task: Task, change: Partial<Task>): void {
    this.tasks = this.tasks.map((each) => (each.id === task.id ? { ...each, ...change } : each));
  }

  #changeAttempt(id: number, change: Partial<Attempt>): void {
    this.attempts = this.attempts.map((each) => (each.id === id ? { ...each, ...change } : each));
  }

  /** What `owt resume --budget` does. */
  raise(): void {
    this.budget = NO_BUDGET;
    for (const task of this.tasks) if (task.park?.for === "budget") this.#change(task, { park: null, notBefore: null });
  }

  turnsOf(task: number): { all: number; booked: number } {
    return { all: this.#turns.get(task)!.length, booked: this.#booked.get(task) ?? 0 };
  }
}

test("200 nights with random costs: at most one turn over the cap, no task lost, and all is done once it is raised", () => {
  const seen = { nights: 0, stopped: 0 };
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const night = new Night(seed);
      night.carry();
      const { limit, used, ledger } = night;

      // The turn that reached the cap is the last one: but for those that ended before the next look, within a tenth of a second.
      const crossing = ledger.findIndex(({ before, amount }) => before + amount >= limit - 1e-9);
      const late = crossing === -1 ? [] : ledger.slice(crossing + 1);
      for (const turn of late) expect(turn.at - ledger[crossing]!.at).toBeLessThan(LOOK_MS);
      if (late.length === 0 && crossing !== -1) expect(used - ledger[crossing]!.amount).toBeLessThan(limit);

      // Nothing is lost by the stop: each task is done, or waits and says for what.
      const views = night.views();
      expect(isSettled(views) || night.budget.dayUsd !== null || night.budget.dayTokens !== null).toBe(true);
      for (const { task, standing, why } of views) {
        expect(["done", "pending"]).toContain(task.state);
        const { all, booked } = night.turnsOf(task.id);
        if (task.state === "done") expect(booked).toBe(all);
        else {
          expect(["waits-for-budget", "waits-for-time", "blocked"]).toContain(standing);
          expect(why).not.toBe("");
          expect(booked).toBeLessThan(all);
        }
      }
      // Work stopped because the cap was reached, and for no other reason.
      if (!views.every(({ standing }) => standing === "done")) {
        expect(crossing).not.toBe(-1);
        expect(levelsToWarnOf(night.budget, night.spending()).some(isUsedUp)).toBe(true);
      }
      seen.nights++;
      seen.stopped += night.stops > 0 ? 1 : 0;

      night.raise();
      night.carry();
      expect(night.tasks.every(({ state }) => FINAL_STATES.has(state) && state === "done")).toBe(true);
      for (const task of night.tasks) expect(night.turnsOf(task.id).booked).toBe(night.turnsOf(task.id).all);
    }),
    { numRuns: 200 },
  );
  expect(seen.nights).toBe(200);
  expect(seen.stopped).toBeGreaterThan(50);
});

test("200 nights side by side in which nothing is as cheap as it was, and who is stopped pays his turn: never more than one turn over the cap", () => {
  const seen = { capped: 0, yielded: 0 };
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const night = new Night(seed, { isCheap: true });
      night.carry();
      const over = night.used - night.limit;
      expect(over).toBeLessThanOrEqual(night.most + 1e-9);
      if (night.views().every(({ standing }) => standing === "done")) return;
      // It does not stop short of its cap either.
      expect(over).toBeGreaterThanOrEqual(-1e-9);
      seen.capped++;
      // Who gave way waits for those that began before him, and nothing is lost.
      expect(night.tooSoon).toEqual([]);
      seen.yielded += night.yielded;
      night.raise();
      night.carry();
      expect(night.tasks.every(({ state }) => state === "done")).toBe(true);
    }),
    { numRuns: 200 },
  );
  expect(seen.capped).toBeGreaterThan(50);
  expect(seen.yielded).toBeGreaterThan(50);
});

test("200 nights side by side in which everything costs what it did before: what fits comes home, and nobody gives way", () => {
  const seen = { full: 0 };
  const right = fc.record({
    turns: fc.integer({ min: 1, max: 6 }),
    each: fc.integer({ min: 1, max: 40 }),
    tasks: fc.double({ min: 1, max: 12, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.integer(), right, (seed, { turns, each, tasks }) => {
      const night = new Night(seed, { right: { turns, each, cap: turns * each * tasks } });
      night.carry();
      const done = night.tasks.filter(({ state }) => state === "done").length;
      const fit = Math.min(night.tasks.length, Math.floor(tasks));
      expect(done).toBeGreaterThanOrEqual(fit);
      expect(night.yielded).toBe(0);
      // Only what began alone, with less left than it needs, can meet the limit.
      expect(night.stops).toBeLessThanOrEqual(1);
      seen.full += done < night.tasks.length ? 1 : 0;
    }),
    { numRuns: 200 },
  );
  expect(seen.full).toBeGreaterThan(50);
});
