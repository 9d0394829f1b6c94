/** Plays a plan through as the dispatcher would carry it out, with durations that are given. Pure. */
import { byDispatch, type PlannedStart } from "./schedule.ts";

/** A plan made ready to be played many times: tasks as positions, best first. */
export type Rehearsal = {
  /** The tasks in the order of dispatch; durations are given in the same order. */
  ids: readonly string[];
  needs: readonly (readonly number[])[];
  neededBy: readonly (readonly number[])[];
};

export type Played = {
  /** From the first start to the last end, in the unit of the durations. */
  makespan: number;
  /** The most tasks that ran at once. */
  widest: number;
};

/** Works out once what every play of a plan needs. `weight` of the tasks decides who goes first, as in `decideStarts`. Needs outside the plan
 *  count as met; what waits in a cycle never starts. */
export function rehearse(tasks: readonly PlannedStart[]): Rehearsal {
  const ids = byDispatch(tasks);
  const rank = new Map(ids.map((id, at) => [id, at]));
  const needs: number[][] = ids.map(() => []);
  const neededBy: number[][] = ids.map(() => []);
  for (const task of tasks) {
    const at = rank.get(task.id)!;
    for (const need of new Set(task.needs)) {
      const upstream = rank.get(need);
      if (upstream === undefined) continue;
      needs[at]!.push(upstream);
      neededBy[upstream]!.push(at);
    }
  }
  return { ids, needs, neededBy };
}

/** Plays it once: whenever one of `maxParallel` places is free, the best ready task takes it. */
export function play({ needs, neededBy }: Rehearsal, durations: ArrayLike<number>, maxParallel: number): Played {
  const open = needs.map((each) => each.length);
  // Ranks are positions: the smallest number of what is ready is the best task.
  const ready = new Heap((at) => at);
  const ends = new Float64Array(open.length);
  const running = new Heap((at) => ends[at]!);
  for (const [at, count] of open.entries()) if (count === 0) ready.add(at);
  let now = 0;
  let widest = 0;
  for (;;) {
    while (running.size < maxParallel && ready.size > 0) {
      const at = ready.take()!;
      ends[at] = now + durations[at]!;
      running.add(at);
    }
    widest = Math.max(widest, running.size);
    const ended = running.take();
    if (ended === undefined) return { makespan: now, widest };
    now = ends[ended]!;
    // What ends at the same moment frees its places together, before anyone takes one.
    for (let at: number | undefined = ended; at !== undefined; at = running.takeUpTo(now)) {
      for (const next of neededBy[at]!) if (--open[next]! === 0) ready.add(next);
    }
  }
}

/** The time that the plan takes with one agent: everything, one after the other. */
export function total(durations: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < durations.length; at++) sum += durations[at]!;
  return sum;
}

/** Positions with the smallest key first. */
class Heap {
  readonly #key: (item: number) => number;
  readonly #items: number[] = [];

  constructor(key: (item: number) => number) {
    this.#key = key;
  }

  get size(): number {
    return this.#items.length;
  }

  add(item: number): void {
    const items = this.#items;
    const key = this.#key(item);
    let at = items.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#key(items[above]!) <= key) break;
      items[at] = items[above]!;
      at = above;
    }
    items[at] = item;
  }

  take(): number | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (first === undefined || items.length === 0) return first;
    const key = this.#key(last!);
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.#key(items[below + 1]!) < this.#key(items[below]!)) below++;
      if (this.#key(items[below]!) >= key) break;
      items[at] = items[below]!;
      at = below;
    }
    items[at] = last!;
    return first;
  }

  /** The first one, if its key is at most that. */
  takeUpTo(key: number): number | undefined {
    return this.#items.length > 0 && this.#key(this.#items[0]!) <= key ? this.take() : undefined;
  }
}
