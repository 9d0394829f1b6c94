/** Whole nights with a budget, by a clock of their own: random plans, turns and limits, played by the decisions that the runner asks. */
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { sampleAttempt, sampleSpec, sampleTask } from "../../test/rig/samples.ts";
import { seededChance } from "../lib/chance.ts";
import type { Attempt } from "./attempt.ts";
import {
  decideHolds,
  decideStop,
  decideYields,
  type Expected,
  isUsedUp,
  levelsToWarnOf,
  type RunSpending,
  type Spending,
  wasTooLittle,
} from "./budget.ts";
import { type Budget, NO_BUDGET } from "./budget-limits.ts";
import { describeLevel } from "./budget-words.ts";
import { NO_TOKENS } from "./cost.ts";
import type { Outcome } from "./outcome.ts";
import { estimateTask, type PastTask } from "./estimate.ts";
import { decideConsequence } from "./retry.ts";
import { decideStarts } from "./schedule.ts";
import type { Task } from "./task.ts";
import { FINAL_STATES } from "./task.ts";
import { isSettled, viewTasks } from "./view.ts";

// So many nights take seconds of a processor, which is minutes beside others on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

/** How often a meter is looked at under a budget; see engine/meter.ts. */
const LOOK_MS = 100;

/** So long one that is told to stop has to leave; what its turn costs is booked by then. See `[run] grace`. */
const GRACE_MS = 10_000;

type Turn = { ms: number; usd: number; tokens: number };

/** One booked turn: when it ended, and what was used before it. */
type Booked = { at: number; before: number; amount: number };

type Unit = "usd" | "tokens" | "ms";

/** Nights of which everything is known: so many turns of a task, what each takes, and the limit. */
type Right = {
  turns: number;
  each: number;
  cap: number;
  /** In what the limit is, where that is not left to chance. */
  unit?: Unit;
  /** So long at most an agent works on behind its last turn, which has cost all that it will. */
  lastMs?: number;
  /** Nothing alike was done before, so that one after the other begins. */
  isNew?: boolean;
};

class Night {
  readonly #chance: () => number;
  readonly #turns = new Map<number, Turn[]>();
  /** How many turns of a task have been booked: its conversation remembers them. */
  readonly #booked = new Map<number, number>();
  readonly #history: PastTask[] = [];
  #expected: { learnt: number; all: Map<number, Expected> } | null = null;
  #maxParallel: number;
  tasks: Task[] = [];
  attempts: Attempt[] = [];
  readonly ledger: Booked[] = [];
  readonly unit: Unit;
  #lastMs = 0;
  budget: Budget;
  stops = 0;
  now = 0;
  /** Nothing of it knows what is coming: what was done before was cheap, and who is told to stop pays the turn that he is at. */
  readonly #isCheap: boolean;
  readonly #stopping = new Map<number, Outcome>();
  /** When an attempt's last turn ended. */
  readonly #endedAt = new Map<number, number>();
  /** Of each run. */
  readonly #dearest = new Map<number, number>();
  /** So many runs share the tasks, and the budget of a day. */
  readonly #runs: number;
  /** For how long each attempt's agent worked. */
  readonly #worked = new Map<number, number>();
  /** What was expected of each task when it began. */
  readonly #reserved = new Map<number, Expected>();
  /** How many were stopped before a limit was reached. */
  yielded = 0;
  /** Tasks that gave way and began again though others that had begun before them were still at work. */
  readonly tooSoon: string[] = [];
  readonly #gaveWay = new Map<number, number>();
  /** Attempts that began though it was known that what is expected is too little, and how much their tasks had been booked then. */
  readonly #warned = new Map<number, number>();
  /** Of these, how many there were, those told to give way before their first turn was over, and those that passed one by that gave way. */
  readonly begunLate = { all: 0, inVain: 0, passedBy: 0 };
  /** The dearest turn there is. */
  most = 0;

  constructor(
    seed: number,
    { isCheap = false, right = null, runs = 1 }: { isCheap?: boolean; right?: Right | null; runs?: number } = {},
  ) {
    this.#isCheap = isCheap;
    this.#runs = runs;
    const chance = (this.#chance = seededChance(seed));
    const between = (low: number, high: number) => low + chance() * (high - low);
    const count = Math.floor(between(3, 25));
    for (let id = 1; id <= count; id++) {
      const isNeeded = () => id > 1 && chance() < 0.25;
      const needs = [1, 2]
        .flatMap(() => (isNeeded() ? [Math.ceil(between(0, id - 1))] : []))
        .flatMap((each) => (this.#runOf(each) === this.#runOf(id) ? [`t${each}`] : []));
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
    const either = chance() < 0.7 ? "usd" : "tokens";
    this.unit = right?.unit ?? either;
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
    const least = isCheap ? runs * this.#maxParallel * this.most : 0;
    const limit = Math.max(least, whole * between(0.02, 0.9));
    const scope = chance();
    const isDay = scope < 0.3 || runs > 1;
    this.budget =
      this.unit === "usd"
        ? { ...NO_BUDGET, ...(isDay ? { dayUsd: limit } : { runUsd: limit }) }
        : { ...NO_BUDGET, ...(isDay ? { dayTokens: limit } : { tokens: limit }) };
    if (right?.isNew === true) this.#maxParallel = 1;
    if (right !== null) this.#knowAll(right);
  }

  /** Each task costs what each did before, unless all that was done before was cheap. */
  #knowAll({ turns, each, cap, lastMs = 0, isNew = false }: Right): void {
    this.#lastMs = lastMs;
    const between = (low: number, high: number) => low + this.#chance() * (high - low);
    this.tasks = this.tasks.map((task) => ({ ...task, needs: [] }));
    for (const { id } of this.tasks) {
      const all = Array.from({ length: turns }, () => ({
        ms: this.unit === "ms" ? each : between(200, 180_000),
        usd: each,
        tokens: each,
      }));
      this.#turns.set(id, all);
      const kind = id % 2 === 0 ? "shop" : "web";
      const cost = { costUsd: turns * each, tokens: turns * each };
      const durationMs = this.unit === "ms" ? turns * each : 1_000;
      for (let done = 0; done < 5 && !this.#isCheap && !isNew; done++)
        this.#history.push({ agent: "demo", model: null, kind, durationMs, ...cost, estimatedTokens: null });
    }
    const names = {
      usd: ["runUsd", "dayUsd"],
      tokens: ["tokens", "dayTokens"],
      ms: ["runTimeMs", "dayTimeMs"],
    } as const;
    this.budget = { ...NO_BUDGET, [names[this.unit][this.#runs > 1 ? 1 : 0]]: cap };
  }

  #runOf(task: number): number {
    return task % this.#runs;
  }

  get limit(): number {
    const { runUsd, dayUsd, tokens, dayTokens, runTimeMs, dayTimeMs } = this.budget;
    return runUsd ?? dayUsd ?? tokens ?? dayTokens ?? runTimeMs ?? dayTimeMs ?? Infinity;
  }

  get used(): number {
    return this.ledger.reduce((sum, { amount }) => sum + amount, 0);
  }

  /** Goes on until nothing happens any more. */
  carry(): void {
    const ends = new Map<number, number>();
    for (;;) {
      for (let run = 0; run < this.#runs; run++) this.#start(run, ends);
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

  spending(run = 0): Spending {
    const usd = this.unit === "usd" ? this.used : 0;
    const tokens = this.unit === "tokens" ? this.used : 0;
    const ms = this.unit === "ms" ? this.used : 0;
    const tasks = new Set(this.attempts.map(({ task }) => task)).size;
    const others = Array.from({ length: this.#runs }, (_, each) => each).filter((each) => each !== run);
    return {
      ...this.#spendingOf(run),
      day: { usd, tokens, tasks, ms },
      dayEnds: Infinity,
      besides: others.map((each) => this.#spendingOf(each)),
    };
  }

  #spendingOf(run: number): RunSpending {
    const attempts = this.attempts.filter(({ task }) => this.#runOf(task) === run);
    const { unit } = this;
    const isTooLittle = unit !== "ms" && wasTooLittle(unit, attempts, this.#reserved);
    return {
      attempts,
      workedMs: unit === "ms" ? this.#worked : new Map(),
      expected: new Map([...this.#expectAll()].filter(([task]) => this.#runOf(task) === run)),
      dearest: { usd: 0, tokens: 0, ...(isTooLittle ? { [unit]: this.#dearest.get(run) ?? 0 } : {}) },
    };
  }

  views() {
    return Array.from({ length: this.#runs }, (_, run) => this.#viewsOf(run)).flat();
  }

  #viewsOf(run: number) {
    const tasks = this.tasks.filter(({ id }) => this.#runOf(id) === run);
    return viewTasks(tasks, () => "demo", this.now, { holds: decideHolds(this.budget, this.spending(run)) });
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

  #start(run: number, ends: Map<number, number>): void {
    for (;;) {
      const ready = this.#viewsOf(run).filter(({ standing }) => standing === "ready");
      const [key] = decideStarts(
        {
          ready: ready.map(({ task }) => ({ id: task.key, priority: "normal", pathBelow: 1, order: task.order })),
          running: this.tasks.filter(({ id, state }) => this.#runOf(id) === run && state === "running").length,
        },
        { maxParallel: this.#maxParallel },
      );
      if (key === undefined) return;
      const task = this.tasks.find((each) => each.key === key)!;
      const id = this.attempts.length + 1;
      const gaveWay = this.#gaveWay.get(task.id) ?? 0;
      if (this.attempts.some((each) => each.outcome === null && each.id < gaveWay)) this.tooSoon.push(key);
      if (!this.#reserved.has(task.id)) this.#reserved.set(task.id, this.#expectAll().get(task.id)!);
      this.#noteLateStart(run, id, task);
      this.attempts.push(sampleAttempt({ id, task: task.id, phase: "agent" }));
      this.#change(task, { state: "running", startedAt: this.now, park: null, notBefore: null });
      ends.set(id, this.now + (this.#nextTurn(task.id)?.ms ?? this.#lastMs));
    }
  }

  #noteLateStart(run: number, id: number, task: Task): void {
    const { besides, ...own } = this.spending(run);
    const { unit } = this;
    const isKnown = unit !== "ms" && [own, ...besides].some(({ dearest }) => dearest[unit] > 0);
    if (!isKnown || !this.attempts.some(({ outcome }) => outcome === null)) return;
    this.#warned.set(id, this.#booked.get(task.id) ?? 0);
    this.begunLate.all++;
    const isParked = (each: Task) => each.state === "pending" && this.#gaveWay.has(each.id);
    if (task.startedAt === null && this.tasks.some(isParked)) this.begunLate.passedBy++;
  }

  #nextTurn(task: number): Turn | undefined {
    return this.#turns.get(task)![this.#booked.get(task) ?? 0];
  }

  #endTurn(id: number, ends: Map<number, number>): void {
    const attempt = this.attempts.find((each) => each.id === id)!;
    const turn = this.#nextTurn(attempt.task);
    if (turn === undefined) {
      this.#comeHome(id, ends);
      return;
    }
    this.#worked.set(id, (this.#worked.get(id) ?? 0) + turn.ms);
    this.ledger.push({ at: this.now, before: this.used, amount: turn[this.unit] });
    this.#endedAt.set(id, this.now);
    const run = this.#runOf(attempt.task);
    this.#dearest.set(run, Math.max(this.#dearest.get(run) ?? 0, turn[this.unit]));
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
    if (next !== undefined) {
      ends.delete(id);
      this.#end(id, stop!);
      return;
    }
    // It leaves behind its last word; or it has something to do still that costs nothing.
    if (this.#lastMs === 0) this.#comeHome(id, ends);
    else ends.set(id, this.now + Math.ceil(this.#chance() * this.#lastMs));
  }

  #comeHome(id: number, ends: Map<number, number>): void {
    ends.delete(id);
    const attempt = this.attempts.find((each) => each.id === id)!;
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
    for (let run = 0; run < this.#runs; run++) this.#enforceIn(run, ends);
  }

  #enforceIn(run: number, ends: Map<number, number>): void {
    const spending = this.spending(run);
    const yields = new Set(decideYields(this.budget, spending, () => true).map((each) => each.attempt));
    for (const id of ends.keys()) {
      const attempt = this.attempts.find((each) => each.id === id)!;
      if (this.#runOf(attempt.task) !== run) continue;
      const level = decideStop(this.budget, spending, attempt.task);
      const gives = level === null && yields.has(id);
      if ((level === null && !gives) || this.#stopping.has(id)) continue;
      this.stops++;
      if (gives) {
        this.yielded++;
        if (this.#warned.get(id) === (this.#booked.get(attempt.task) ?? 0)) this.begunLate.inVain++;
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

test.each([1, 2])(
  "200 nights side by side, with runs: %i, in which nothing is as cheap as it was, and who is stopped pays his turn: never more than one turn over the cap",
  (runs) => {
    const seen = { capped: 0, yielded: 0, begunLate: 0, inVain: 0, passedBy: 0 };
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const night = new Night(seed, { isCheap: true, runs });
        night.carry();
        const over = night.used - night.limit;
        expect(over).toBeLessThanOrEqual(night.most + 1e-8);
        if (night.views().every(({ standing }) => standing === "done")) return;
        // It does not stop short of its cap either.
        expect(over).toBeGreaterThanOrEqual(-1e-9);
        seen.capped++;
        // Who gave way waits for those that began before him, and nothing is lost.
        expect(night.tooSoon).toEqual([]);
        seen.yielded += night.yielded;
        seen.begunLate += night.begunLate.all;
        seen.inVain += night.begunLate.inVain;
        seen.passedBy += night.begunLate.passedBy;
        night.raise();
        night.carry();
        expect(night.tasks.every(({ state }) => state === "done")).toBe(true);
      }),
      { numRuns: 200 },
    );
    expect(seen.capped).toBeGreaterThan(50);
    expect(seen.yielded).toBeGreaterThan(50);
    // Once that is known nothing begins only to be stopped at its first turn, nor passes by who was.
    expect(seen.begunLate).toBeGreaterThan(50);
    expect(seen.inVain).toBeLessThanOrEqual(seen.begunLate / 100);
    expect(seen.passedBy).toBe(0);
  },
);

test.each([1, 2])(
  "200 nights side by side, with runs: %i, in which everything costs what it did before: what fits comes home, and nobody gives way",
  (runs) => {
    const seen = { full: 0 };
    const right = fc.record({
      turns: fc.integer({ min: 1, max: 6 }),
      each: fc.integer({ min: 5, max: 200 }),
      tasks: fc.double({ min: 1, max: 12, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.integer(), right, (seed, { turns, each, tasks }) => {
        const night = new Night(seed, { runs, right: { turns, each, cap: turns * each * tasks } });
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
  },
);

test.each([1, 2])(
  "200 nights begun together, with runs: %i, with a history that is far too cheap: where the cap is three times what a task costs, one comes home",
  (runs) => {
    const seen = { yielded: 0, home: 0, fit: 0 };
    const dear = fc.record({
      // Who is told to give way pays the turn that he is at: of few turns that is too much of what a task costs.
      turns: fc.integer({ min: 5, max: 20 }),
      each: fc.integer({ min: 200, max: 4_000 }),
      tasks: fc.double({ min: 3, max: 6, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.integer(), dear, (seed, { turns, each, tasks }) => {
        const cap = runs * turns * each * tasks;
        const night = new Night(seed, { isCheap: true, runs, right: { turns, each, cap } });
        night.carry();
        const home = night.tasks.filter(({ state }) => state === "done").length;
        expect(home).toBeGreaterThan(0);
        expect(night.used - night.limit).toBeLessThanOrEqual(each + 1e-8);
        seen.home += home;
        seen.fit += Math.min(night.tasks.length, Math.floor(runs * tasks));
        seen.yielded += night.yielded;
      }),
      { numRuns: 200 },
    );
    expect(seen.yielded).toBeGreaterThan(100);
    // What is paid for the turns of those that give way is missing for others.
    expect(seen.home).toBeGreaterThan(seen.fit * 0.8);
  },
);

/** Nights whose cap is so many turns, to the cent. */
type Exact = { turns: number; each: number; capped: number; unit: Unit; lastMs: number };

const exact: fc.Arbitrary<Exact> = fc.record({
  turns: fc.integer({ min: 1, max: 6 }),
  each: fc.integer({ min: 1, max: 40 }),
  capped: fc.integer({ min: 6, max: 120 }),
  unit: fc.constantFrom<Unit>("usd", "tokens", "ms"),
  lastMs: fc.integer({ min: 1_000, max: 60_000 }),
});

function playExact(
  seed: number,
  { turns, each, capped, unit, lastMs }: Exact,
  about: { runs: number; isNew: boolean },
) {
  // Hundredths of a dollar, whose sums are no round figures; seconds.
  const one = unit === "usd" ? each / 100 : unit === "ms" ? each * 1_000 : each;
  const right = { turns, each: one, cap: capped * one, unit, lastMs, isNew: about.isNew };
  const night = new Night(seed, { runs: about.runs, right });
  night.carry();
  expect(night.used - night.limit).toBeLessThanOrEqual(one + 1e-8);
  const home = night.tasks.filter(({ state }) => state === "done").length;
  return { night, home, fit: Math.min(night.tasks.length, Math.floor(capped / turns)) };
}

test.each([1, 2])(
  "200 nights with runs: %i, whose cap is as large as what is to come, to the cent: what fits comes home, and at most a turn is over",
  (runs) => {
    const seen = { exact: 0 };
    fc.assert(
      fc.property(fc.integer(), exact, (seed, chosen) => {
        const { night, home, fit } = playExact(seed, chosen, { runs, isNew: false });
        expect(home).toBe(fit);
        expect(night.yielded).toBe(0);
        seen.exact += Math.abs(night.used - night.limit) < 1e-9 ? 1 : 0;
      }),
      { numRuns: 200 },
    );
    expect(seen.exact).toBeGreaterThan(20);
  },
);

test("200 nights with such a cap in which nobody knows what is to come, one task after the other: the same", () => {
  fc.assert(
    fc.property(fc.integer(), exact, (seed, chosen) => {
      const { home, fit } = playExact(seed, chosen, { runs: 1, isNew: true });
      expect(home).toBe(fit);
    }),
    { numRuns: 200 },
  );
});

test("of as many tasks as may begin each comes home", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 25 }), (seed, most) => {
      const night = new Night(seed, { right: { turns: 3, each: 1, cap: Infinity, lastMs: 10_000 } });
      night.budget = { ...NO_BUDGET, runTasks: most };
      night.carry();
      expect(night.tasks.filter(({ state }) => state === "done").length).toBe(Math.min(most, night.tasks.length));
      expect(night.stops).toBe(0);
    }),
    { numRuns: 200 },
  );
});
