/** In which order those that wait are integrated. */
import { orderMerges } from "../core/merge-order.ts";
import { byPriorityThenPath } from "../core/schedule.ts";
import { Forecast } from "../git/forecast.ts";
import { readTasks } from "../store/tasks.ts";
import { hasResolved } from "./clash.ts";
import type { Engine } from "./engine.ts";
import { estimatesOf } from "./estimates.ts";
import type { Waiter } from "./merge-queue.ts";
import { rankFor } from "./rank.ts";
import { verifyCommands } from "./verify.ts";

const forecasts = new WeakMap<Engine, Forecast>();

/** Who has just resolved a conflict has the next turn; as few as can be meet a conflict; then as tasks are started: by priority, then what most waits behind. What needs no check goes first. */
export async function inMergeOrder(engine: Engine, waiters: readonly Waiter[]): Promise<Waiter[]> {
  const isChecked = waiters.some(hasChecks);
  // Where nothing is checked all are through in a moment, whoever comes first.
  const asTheyCame = isChecked ? byRank(engine, waiters) : [...waiters];
  if ((await clashes(engine, asTheyCame)).length === 0) return asTheyCame;
  const ranked = isChecked ? asTheyCame : byRank(engine, waiters);
  return orderMerges(ranked.length, await clashes(engine, ranked), dueAmong(ranked)).map((index) => ranked[index]!);
}

/** Those whose conflicts were resolved, a person's work before that of agents. */
function dueAmong(waiters: readonly Waiter[]): number[] {
  const due = waiters.flatMap((waiter, index) => (hasResolved(waiter.carried.task) ? [index] : []));
  const isByHand = (index: number) => waiters[index]!.carried.task.next.kind === "by-hand";
  return due.toSorted((a, b) => Number(isByHand(b)) - Number(isByHand(a)));
}

function hasChecks({ carried: { run, task } }: Waiter): boolean {
  return verifyCommands(run, task).length > 0;
}

function byRank(engine: Engine, waiters: readonly Waiter[]): Waiter[] {
  const { run } = waiters[0]!.carried;
  const rank = rankFor(readTasks(engine.store, run.id), estimatesOf(engine, run));
  const ranks = new Map(waiters.map((waiter) => [waiter, rank(waiter.carried.task)]));
  return waiters.toSorted(
    (a, b) => Number(hasChecks(a)) - Number(hasChecks(b)) || byPriorityThenPath(ranks.get(a)!, ranks.get(b)!),
  );
}

function clashes(engine: Engine, waiters: readonly Waiter[]): Promise<[number, number][]> {
  const forecast = forecasts.get(engine) ?? new Forecast(engine.repo);
  forecasts.set(engine, forecast);
  return forecast.clashes(waiters.map(({ carried: { attempt } }) => ({ base: attempt.base, head: attempt.head! })));
}

/** Ends the process that forecasts. */
export async function closeForecasts(engine: Engine): Promise<void> {
  await forecasts.get(engine)?.close();
  forecasts.delete(engine);
}
