/** Which tasks of a run wait to be integrated. Whoever works for the queue takes all that wait at once: what comes meanwhile waits for the next turn.
 *  Nothing of it is stored: a task waits as long as its attempt is in the phase `merge`, and whoever carries the run next asks for it again. */
import type { StopCause } from "../core/attempt.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Carried, StepResult } from "./attempt-moves.ts";
import type { RuledLink } from "./conflict-rules.ts";
import type { Engine } from "./engine.ts";

/** A task that waits, or is being merged. It is settled once, with what its attempt does then. */
export class Waiter {
  readonly carried: Carried;
  readonly settled: Promise<StepResult>;
  /** Its merges, by the commit that it was merged with. */
  readonly merges = new Map<string, RuledLink>();
  /** Stops the check that it is in. */
  halt: (() => void) | null = null;
  /** The check is stopped for another one's sake. */
  isHalted = false;
  #stopped: StopCause | null = null;
  readonly #settle: PromiseWithResolvers<StepResult>;
  isSettled = false;
  isWaiting = true;

  constructor(carried: Carried) {
    this.carried = carried;
    this.#settle = Promise.withResolvers();
    this.settled = this.#settle.promise;
  }

  /** Whether somebody wants its attempt ended, or everything. */
  get isStopped(): boolean {
    return this.#stopped !== null;
  }

  /** Taken up, and neither settled nor given back. */
  get isInHand(): boolean {
    return !this.isSettled && !this.isWaiting;
  }

  settle(result: StepResult): void {
    this.isSettled = true;
    this.#settle.resolve(result);
  }

  fail(error: unknown): void {
    this.isSettled = true;
    this.#settle.reject(error);
  }

  stop(cause: StopCause): void {
    if (this.isHalted) return;
    this.#stopped ??= cause;
    this.halt?.();
  }

  /** Has its attempt do what it was stopped for: it is looked at anew, or left for whoever carries the run next. */
  giveWay(): void {
    this.settle(this.#stopped === "stopped" ? "leave" : "on");
  }
}

/** Works for those that wait; it settles each of them, or gives it back with `waitAgain`. */
export type Turn = (waiters: Waiter[]) => Promise<void>;

const waiting = new MapPer<Engine, string, Waiter[]>();

/** Those that the turn which goes on in a run has taken up, of whom some joined it on the way. */
const taken = new MapPer<Engine, string, Set<Waiter>>();

function waitersOf(engine: Engine, run: string): Waiter[] {
  const runs = waiting.of(engine);
  const waiters = runs.get(run) ?? [];
  runs.set(run, waiters);
  return waiters;
}

/** Waits for a turn that settles the attempt's task. Until then a stop is obeyed at once. */
export async function waitForTurn(engine: Engine, carried: Carried, turn: Turn): Promise<StepResult> {
  const { id, run } = carried.attempt;
  const waiter = new Waiter(carried);
  const waiters = waitersOf(engine, run);
  waiters.push(waiter);
  engine.live.set(id, (cause) => {
    waiter.stop(cause);
    if (!waiter.isWaiting) return;
    waiters.splice(waiters.indexOf(waiter), 1);
    waiter.isWaiting = false;
    waiter.giveWay();
  });
  askForTurn(engine, run, turn);
  try {
    return await waiter.settled;
  } finally {
    engine.live.delete(id);
  }
}

/** Those that came while the turn went on: they are its own now. */
export function takeMore(engine: Engine, run: string): Waiter[] {
  const more = waitersOf(engine, run).splice(0);
  for (const waiter of more) {
    waiter.isWaiting = false;
    taken.of(engine).get(run)?.add(waiter);
  }
  return more;
}

/** Puts back at the head what could not be settled. */
export function waitAgain(engine: Engine, run: string, back: readonly Waiter[], turn: Turn): void {
  for (const waiter of back) if (waiter.isStopped) waiter.giveWay();
  const left = back.filter((waiter) => !waiter.isSettled);
  if (left.length === 0) return;
  for (const waiter of left) waiter.isWaiting = true;
  waitersOf(engine, run).unshift(...left);
  askForTurn(engine, run, turn);
}

function askForTurn(engine: Engine, run: string, turn: Turn): void {
  void inTurn(engine, run, async () => {
    const ours = new Set<Waiter>();
    taken.of(engine).set(run, ours);
    const waiters = takeMore(engine, run);
    if (waiters.length === 0) return;
    try {
      await turn(waiters);
    } catch (error) {
      for (const waiter of ours) if (waiter.isInHand) waiter.fail(error);
    }
  });
}

/** Does one thing after the other for a run's branch. */
export function inTurn<T>(engine: Engine, run: string, work: () => Promise<T>): Promise<T> {
  const before = engine.queues.get(run) ?? Promise.resolve();
  const mine = before.then(work, work);
  engine.queues.set(
    run,
    mine.catch(() => {}),
  );
  return mine;
}
