/** What a whole plan is expected to take and to cost. Pure; chance is passed in, so that a plan has one forecast.
 *
 *  Neither the sum nor the longest path of P90s is a P90: that all tasks go badly at once is far rarer than one in ten, and where two
 *  paths meet the later one decides, so that even the middle is later than the path of the middles. So the plan is played many times by
 *  the dispatcher's own rule, each time with durations and costs drawn for its tasks, and P50 and P90 are read off the plays. A task's draw
 *  is lognormal, through its P50 and P90: work takes at least some time, and now and then much longer. What a table says (cold start) is
 *  wrong for all tasks alike: half of the spread of such a task is drawn once for the whole play. Time and cost of a task are one draw:
 *  what takes long costs much. */
import { criticalPath } from "./dag.ts";
import { ENOUGH, type EstimateLevel, type Range, type TaskEstimate } from "./estimate.ts";
import { quantileOfSorted } from "../lib/quantile.ts";
import type { PlannedStart } from "./schedule.ts";
import { play, rehearse, total } from "./simulate.ts";

/** A task of a plan with its estimate. `weight` is not asked for: the middle time is the weight. */
export type EstimatedStart = Omit<PlannedStart, "weight"> & { estimate: TaskEstimate };

export type Forecast = {
  /** From the first start to the last end with `maxParallel` agents, milliseconds; waiting for persons and limits is not in it. */
  makespan: Range;
  /** With one agent. */
  sequential: Range;
  /** Middle against middle; 1 where nothing runs side by side. */
  speedUp: number;
  /** Dollars; null when no task's cost is known. */
  cost: Range | null;
  /** Tasks whose cost is not in it. */
  costUnknown: number;
  /** Longest path by middle time, first task first, and its length in milliseconds: with any number of agents no run is shorter. */
  criticalPath: { path: string[]; length: number };
  /** Tasks at once: at most, and on average over the middle run. */
  parallelism: { most: number; average: number };
  basis: ForecastBasis;
};

/** What the figures were told from. `tasks` is the number of earlier tasks there are, `cold` of how many of the plan's tasks the time
 *  came from the table. */
export type ForecastBasis = { tasks: number; cold: number; levels: EstimateLevel[] };

/** Large plans are played less often: their sums vary less, and each play takes longer. */
const MOST_PLAYS = 1_000;
const FEWEST_PLAYS = 25;
const TASKS_PLAYED = 250_000;

/** The normal distribution's 90th percentile. */
const Z90 = 1.2815515655446004;
const SHARED_OF_COLD = 0.5;

/** The forecast of a plan that `maxParallel` agents carry out. `past` is how many earlier tasks the estimates were told from. */
export function forecast(
  tasks: readonly EstimatedStart[],
  maxParallel: number,
  past: number,
  chance: () => number,
): Forecast {
  const weighted = tasks.map((task) => ({ ...task, weight: task.estimate.duration.p50 }));
  const rehearsal = rehearse(weighted);
  const byId = new Map(tasks.map((task) => [task.id, task.estimate]));
  const estimates = rehearsal.ids.map((id) => byId.get(id)!);
  const draws = estimates.map(drawOf);
  const plays = Math.min(MOST_PLAYS, Math.max(FEWEST_PLAYS, Math.ceil(TASKS_PLAYED / Math.max(1, tasks.length))));
  const makespans: number[] = [];
  const sequentials: number[] = [];
  const costs: number[] = [];
  const durations = new Float64Array(draws.length);
  for (let round = 0; round < plays; round++) {
    const shared = normal(chance);
    let cost = 0;
    for (const [at, draw] of draws.entries()) {
      const own = normal(chance);
      durations[at] = lognormal(draw.duration, own, shared);
      if (draw.cost !== null) cost += lognormal(draw.cost, own, shared);
    }
    makespans.push(play(rehearsal, durations, maxParallel).makespan);
    sequentials.push(total(durations));
    costs.push(cost);
  }
  const middle = Float64Array.from(estimates, (estimate) => estimate.duration.p50);
  const middleRun = play(rehearsal, middle, maxParallel);
  const [makespan, sequential] = [rangeOf(makespans), rangeOf(sequentials)];
  const weights = new Map(weighted.map(({ id, weight }) => [id, weight]));
  return {
    makespan,
    sequential,
    speedUp: makespan.p50 > 0 ? sequential.p50 / makespan.p50 : 1,
    cost: estimates.some(({ cost }) => cost !== null) ? rangeOf(costs) : null,
    costUnknown: estimates.filter(({ cost }) => cost === null).length,
    criticalPath: criticalPath(tasks, (id) => weights.get(id) ?? 0),
    parallelism: {
      most: middleRun.widest,
      average: middleRun.makespan > 0 ? total(middle) / middleRun.makespan : middleRun.widest,
    },
    basis: {
      tasks: past,
      cold: estimates.filter(({ duration }) => duration.level === "cold-start").length,
      levels: [...new Set(estimates.map(({ duration }) => duration.level))],
    },
  };
}

/** A label for people: where the figures come from. */
export function describeBasis({ tasks, cold }: ForecastBasis): string {
  if (tasks === 0) return "cold start: no history yet";
  const from = `from ${tasks} earlier ${tasks === 1 ? "task" : "tasks"}`;
  if (cold > 0) return `${from}; cold start for ${cold}`;
  return tasks < ENOUGH ? `${from}, so a rough guess` : from;
}

/** A lognormal distribution: its median, the spread of its logarithm, and the part of that which all tasks share. */
type Draw = { p50: number; sigma: number; sharedSigma: number };

function drawOf({ duration, cost }: TaskEstimate): { duration: Draw; cost: Draw | null } {
  return { duration: draw(duration), cost: cost && draw(cost) };
}

function draw({ p50, p90, level }: Range & { level: EstimateLevel }): Draw {
  const sigma = p50 > 0 && p90 > p50 ? Math.log(p90 / p50) / Z90 : 0;
  const shared = level === "cold-start" ? SHARED_OF_COLD : 0;
  return { p50, sigma: sigma * Math.sqrt(1 - shared), sharedSigma: sigma * Math.sqrt(shared) };
}

function lognormal({ p50, sigma, sharedSigma }: Draw, own: number, shared: number): number {
  return p50 * Math.exp(sigma * own + sharedSigma * shared);
}

/** A normally distributed number (Box and Muller). */
function normal(chance: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}

function rangeOf(values: number[]): Range {
  values.sort((a, b) => a - b);
  return { p50: quantileOfSorted(values, 0.5), p90: quantileOfSorted(values, 0.9) };
}
