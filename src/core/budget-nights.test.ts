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

type Turn = { ms: number; usd: number; tokens: number };

/** One booked turn: when it ended, and what was used before it. */
type Booked = { at: number; before: number; amount: number };

type Unit = "usd" | "tokens";

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
  /** Nothing of it knows what is coming: what was done before was cheap, and who is told to stop ends the turn that he is at. */
  readonly #isCheap: boolean;
  readonly #stopping = new Map<number, Outcome>();
  /** When an attempt's last turn ended. */
  readonly #endedAt = new Map<number, number>();
  #dearest = 0;
  /** The dearest turn there is. */
  most = 0;

  constructor(seed: number, { isCheap = false }: { isCheap?: boolean } = {}) {
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
      dearest: this.unit === "usd" ? { usd: this.#dearest, tokens: 0 } : { usd: 0, tokens: this.#dearest },
    };
  }

  views() {
    return viewTasks(this.tasks, () => "demo", this.now, decideHolds(this.budget, this.spending()));
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
    const yields = new Set(decideYields(this.budget, spending).map((each) => each.attempt));
    for (const id of ends.keys()) {
      const attempt = this.attempts.find((each) => each.id === id)!;
      const level = decideStop(this.budget, spending, attempt.task);
      const gives = level === null && yields.has(id);
      if ((level === null && !gives) || this.#stopping.has(id)) continue;
      this.stops++;
      const outcome: Outcome = level === null ? { kind: "stopped" } : { kind: "budget", reason: describeLevel(level) };
      // A turn that has just begun has cost nothing yet; any other comes to its end.
      if (this.#isCheap && this.now - (this.#endedAt.get(id) ?? -Infinity) > LOOK_MS) {
        this.#stopping.set(id, outcome);
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
      { limit: null, endedByUs: false, restarts: [], restartPauseMs: 0 },
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

test("200 nights side by side in which nothing is as cheap as it was, and who is stopped ends his turn: never more than one turn over the cap", () => {
  const seen = { capped: 0 };
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
    }),
    { numRuns: 200 },
  );
  expect(seen.capped).toBeGreaterThan(50);
});
