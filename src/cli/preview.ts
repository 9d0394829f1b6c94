/** The preview of a plan as data: order, what runs side by side, the critical path, time and cost, what is done, what was ignored. */
import { waves } from "../core/dag.ts";
import type { EstimateLevel, Range, TaskEstimate } from "../core/estimate.ts";
import { describeBasis, type EstimatedStart, type Forecast, forecast } from "../core/forecast.ts";
import { type Overlap, overlapsIn } from "../core/overlap.ts";
import type { PlannedTask, Problem } from "../core/plan.ts";
import { nameOfRival, rivalKey } from "../core/rival.ts";
import { byDispatch, startOrder } from "../core/schedule.ts";
import type { Engine } from "../engine/engine.ts";
import { readFootprints } from "../engine/footprints.ts";
import type { Base } from "../engine/base.ts";
import { rowsFor } from "../engine/rivals.ts";
import type { Work } from "../engine/work.ts";
import type { NewTask } from "../store/runs.ts";
import { seededChance } from "../lib/chance.ts";

/** Half of the cases stay below `p50`, nine of ten below `p90`. */
export type PreviewRange = Range;

type PreviewEstimate = {
  duration_ms: PreviewRange;
  /** Null is unknown. */
  cost_usd: PreviewRange | null;
  /** Which earlier tasks the time was told from, and how many; 0 for a cold start. */
  from: EstimateLevel;
  earlier_tasks: number;
};

/** What is expected of all that runs. */
type PreviewForecast = {
  /** In words: `cold start: no history yet`, `from 23 earlier tasks`. */
  label: string;
  earlier_tasks: number;
  /** How many of the tasks are estimated without history. */
  cold_tasks: number;
  /** From the first start to the last end. */
  makespan_ms: PreviewRange;
  /** One after the other. */
  sequential_ms: PreviewRange;
  speedup: number;
  /** Null is unknown. */
  cost_usd: PreviewRange | null;
  /** Tasks whose cost is not in it. */
  cost_unknown_tasks: number;
  critical_path_ms: number;
  /** Tasks at once. */
  parallelism: { most: number; average: number };
};

export type PreviewTask = {
  id: string;
  title: string;
  module: string | null;
  /** `to-run`, `done`, or `left-out` by what the command line chose, or because it was cancelled. */
  state: "to-run" | "done" | "left-out";
  /** Why it counts as done. */
  why?: string;
  needs: string[];
  priority: string;
  /** Counts from 1; null for a task that does not run. */
  wave: number | null;
  needs_review: boolean;
  verify: string[];
  touches: string[];
  agent: string | null;
  model: string | null;
  /** Agents that are each to do it; none where one does it. Its estimate is that of all: the longest time, and the cost of each added up. */
  rivals: string[];
  branch: string | null;
  file: string;
  line: number;
  /** Null for a task that does not run. */
  estimate: PreviewEstimate | null;
};

export type Preview = {
  plan: string;
  kind: string;
  target: string;
  /** Runs that have not landed and whose work it begins with. */
  builds_on: string[];
  tasks: PreviewTask[];
  /** Ids that could run side by side if there were agents enough, in the order in which they get a free one; execution never waits for
   *  a wave. */
  waves: string[][];
  /** The order in which one agent at a time starts them. */
  order: string[];
  critical_path: string[];
  max_parallel: number;
  /** Tasks that touch the same files though neither needs the other: not begun side by side while something else of the same priority is ready. The first hundred. */
  overlaps: Overlap[];
  /** Null where nothing runs. */
  estimate: PreviewForecast | null;
  ignored: { file: string; reason: string }[];
  warnings: Omit<Problem, "code">[];
};

/** A plan has one forecast: chance begins at the same place each time. */
const SEED = 1;

/** So many pairs are looked for. */
const MOST_OVERLAPS = 100;

export async function previewOf(engine: Engine, work: Work, base: Base, maxParallel: number): Promise<Preview> {
  const touches = await readFootprints(
    engine,
    work.chosen.map(({ spec }) => spec),
  );
  const touching = work.chosen.map(({ spec, needs }) => ({ id: spec.id, needs, touches: touches(spec) }));
  const rows = Map.groupBy(rowsFor(engine, work.chosen, work.rivals), ({ spec }) => spec.id);
  const starts = work.chosen.map((task) => {
    const estimate = estimateAll(rows.get(task.spec.id)!.map(({ spec }) => work.estimates.of(spec)));
    const { id, priority } = task.spec;
    return { id, priority, needs: task.needs, estimate, weight: estimate.duration.p50 };
  });
  const rank = new Map(byDispatch(starts).map((id, at) => [id, at]));
  const steps = waves(starts).map((ids) => ids.toSorted((a, b) => rank.get(a)! - rank.get(b)!));
  const waveOf = new Map(steps.flatMap((ids, index) => ids.map((id) => [id, index + 1] as const)));
  const estimates = new Map(starts.map(({ id, estimate }) => [id, estimate]));
  const earlier = work.estimates.pastTasks(work.chosen.map(({ spec }) => spec));
  const idOf = new Map([...rows].flatMap(([id, each]) => each.map((row) => [keyOf(row), id])));
  const expected = forecast(startsOf(work, rows), maxParallel, earlier, seededChance(SEED));
  return {
    plan: work.planPath,
    kind: work.kind,
    target: base.target,
    builds_on: base.joined,
    tasks: work.all.map((spec) =>
      previewTask(
        spec,
        work.done.get(spec.id),
        work.leftOut.get(spec.id),
        waveOf.get(spec.id),
        estimates.get(spec.id),
        rows.get(spec.id) ?? [],
      ),
    ),
    waves: steps,
    order: startOrder(starts),
    critical_path: expected.criticalPath.path.map((key) => idOf.get(key)!),
    max_parallel: maxParallel,
    overlaps: overlapsIn(touching, MOST_OVERLAPS),
    estimate: starts.length === 0 ? null : previewForecast(expected),
    ignored: work.ignored,
    warnings: work.warnings.map(({ file, line, message, hint }) => ({ file, line, message, hint })),
  };
}

function keyOf({ spec, rival }: NewTask): string {
  return rival === undefined ? spec.id : rivalKey(spec.id, rival);
}

/** What is played: a task that has rivals is done by each of them, and what needs it waits for all. */
function startsOf({ estimates }: Work, rows: ReadonlyMap<string, NewTask[]>): EstimatedStart[] {
  return [...rows.values()].flat().map((row) => ({
    id: keyOf(row),
    priority: row.spec.priority,
    needs: row.needs.flatMap((need) => rows.get(need)?.map(keyOf) ?? [need]),
    estimate: estimates.of(row.spec),
  }));
}

/** Of all rivals: they work side by side, and each costs its own. */
function estimateAll(estimates: readonly TaskEstimate[]): TaskEstimate {
  const slowest = estimates.reduce((one, other) => (other.duration.p50 > one.duration.p50 ? other : one));
  const costs = estimates.map(({ cost }) => cost).filter((cost) => cost !== null);
  const sum = (part: "p50" | "p90") => costs.reduce((all, cost) => all + cost[part], 0);
  return {
    ...slowest,
    cost: costs.length < estimates.length ? null : { ...costs[0]!, p50: sum("p50"), p90: sum("p90") },
  };
}

function previewTask(
  spec: PlannedTask,
  done: string | undefined,
  leftOut: string | undefined,
  wave: number | undefined,
  estimate: TaskEstimate | undefined,
  rows: readonly NewTask[],
): PreviewTask {
  const why = done ?? leftOut;
  return {
    id: spec.id,
    title: spec.title,
    module: spec.module,
    state: wave !== undefined ? "to-run" : done !== undefined ? "done" : "left-out",
    ...(why === undefined ? {} : { why }),
    needs: [...spec.dependsOn, ...spec.implied],
    priority: spec.priority,
    wave: wave ?? null,
    needs_review: spec.needsReview,
    verify: spec.verify,
    touches: spec.touches,
    agent: spec.agent,
    model: spec.model,
    rivals: rows.flatMap(({ rival }) => (rival === undefined ? [] : [nameOfRival(rival)])),
    branch: spec.branch,
    file: spec.source.file,
    line: spec.source.line,
    estimate: estimate === undefined ? null : previewEstimate(estimate),
  };
}

function previewEstimate({ duration, cost }: TaskEstimate): PreviewEstimate {
  return {
    duration_ms: milliseconds(duration),
    cost_usd: cost && dollars(cost),
    from: duration.level,
    earlier_tasks: duration.tasks,
  };
}

function previewForecast(expected: Forecast): PreviewForecast {
  const { basis, parallelism } = expected;
  return {
    label: describeBasis(basis),
    earlier_tasks: basis.tasks,
    cold_tasks: basis.cold,
    makespan_ms: milliseconds(expected.makespan),
    sequential_ms: milliseconds(expected.sequential),
    speedup: hundredths(expected.speedUp),
    cost_usd: expected.cost && dollars(expected.cost),
    cost_unknown_tasks: expected.costUnknown,
    critical_path_ms: Math.round(expected.criticalPath.length),
    parallelism: { most: parallelism.most, average: hundredths(parallelism.average) },
  };
}

function milliseconds({ p50, p90 }: Range): PreviewRange {
  return { p50: Math.round(p50), p90: Math.round(p90) };
}

/** To a hundredth of a cent: an estimate knows no more. */
function dollars({ p50, p90 }: Range): PreviewRange {
  return { p50: Math.round(p50 * 1e4) / 1e4, p90: Math.round(p90 * 1e4) / 1e4 };
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}

/** `1 task`, `2 tasks`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
