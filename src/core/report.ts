/** What a run cost and brought, as data. Pure. */
import { type Attempt, msBetween, workedMs } from "./attempt.ts";
import type { Level } from "./budget-limits.ts";
import type { Settled } from "./conflict-rules.ts";
import { addUsages } from "./cost.ts";
import type { LostChange } from "./lost-change.ts";
import type { Outcome } from "./outcome.ts";
import { describeEnd, nameOfRival, onePerTask } from "./rival.ts";
import type { Run } from "./run.ts";
import { type CostReport, type ModelReport, reportCost, reportModel } from "./report-cost.ts";
import { speedUpOf, type Steps } from "./steps.ts";
import type { BareTask, Park, Task } from "./task.ts";
import { type TaskView } from "./view.ts";
import { describePark } from "./park.ts";
import { addWaits, noWaits, type SetAside, type Waiting, type Waits } from "./waiting.ts";

type AttemptReport = CostReport & {
  number: number;
  agent: string;
  /** In words; `outcome_kind` is for programs, null while it is open. */
  outcome: string;
  outcome_kind: Outcome["kind"] | null;
  /** Without what it waited for a person; null while it is open. */
  duration_ms: number | null;
  /** The most memory that its agent or a check of it took; null where it was not measured. */
  peak_memory_bytes: number | null;
  models: ModelReport[];
};

type TaskReport = CostReport & {
  id: string;
  title: string;
  state: Task["state"];
  /** Why it stands there; absent when there is nothing to say. */
  why?: string;
  agent: string | null;
  attempts: AttemptReport[];
  /** From its first start to its end, waiting included. */
  duration_ms: number | null;
  /** Time in which it was made ready and an agent worked: without checks, and without waiting for a person, for a limit, or for somebody to carry it. */
  work_ms: number;
  /** Time in which its work was checked and merged, without waiting for a turn. */
  checks_ms: number;
  /** For how long it waited, and for what, from the beginning of the run. */
  waiting_ms: Waits;
  commit: string | null;
  verified: boolean;
  /** Changes of others, or of its own, of which a conflict that it resolved left nothing. */
  lost: {
    path: string;
    of: string[];
    is_own: boolean;
    is_deletion?: boolean;
    is_mode?: boolean;
    is_binary?: boolean;
  }[];
  /** How often a check of its work was red and then green on the same tree. */
  flaky: number;
};

/** What all tasks of a run come to. */
export type RunSums = CostReport & {
  counts: Record<string, number>;
  models: ModelReport[];
  /** How far each limit is used up, in dollars or tokens; `reserved` is kept for what runs. */
  budget: {
    scope: Level["scope"];
    unit: Level["unit"];
    limit: number;
    used: number;
    reserved: number;
    at_least: boolean;
  }[];
  unverified: string[];
};

export type RunReport = RunSums & {
  run: string;
  state: Run["state"];
  plan: string;
  target: string;
  branch: string;
  builds_on: string | null;
  started_at: string;
  ended_at: string | null;
  landed_at: string | null;
  taken_out: boolean;
  duration_ms: number;
  /** What the work of the tasks would have taken one after the other. */
  sequential_ms: number;
  /** Null where it cannot be told. */
  speedup: number | null;
  /** The waiting of all tasks added up: side by side it is more than the run took. */
  waiting_ms: Waits;
  /** What was set aside, oldest first, and for how long; `until` is null while it still is. What was set aside for the same outage after each try in vain is told once: `times` is how often. */
  parked: {
    task: string;
    for: Park["for"];
    why: string;
    at: string;
    until: string | null;
    waited_ms: number;
    times: number;
  }[];
  /** Checks that were red and then green on the same tree, each with how often and with whose work it happened. */
  flaky: { command: string; times: number; tasks: string[] }[];
  /** Files whose conflicts rules of the configuration settled in what came in: by which, and in whose merges. */
  settled: { file: string; by: Settled["by"]; commands: string[]; tasks: string[] }[];
  /** Tasks that several agents did: who won, and why; null while that is open. */
  contests: {
    task: string;
    winner: string | null;
    why: string | null;
    rivals: {
      id: string;
      agent: string;
      state: Task["state"];
      lines: number | null;
      files: number | null;
      why: string | null;
    }[];
  }[];
  /** How often each rival won, of the decided tasks that it did. */
  wins: { agent: string; won: number; of: number }[];
  tasks: TaskReport[];
};

/** A file of the user's checkout that differs from its last commit, and the tasks whose agents were at work when it was last changed. */
export type CheckoutChange = { path: string; at: string; tasks: string[] };

/** What the event log tells beside the state of things. */
export type FromLog = {
  /** How far each limit is used up. */
  levels?: readonly Level[];
  /** For how long (ms) an attempt, by id, waited for a person while it was open. */
  reviews?: ReadonlyMap<number, number>;
  /** For how long (ms) the work of an attempt, by id, was checked and merged, and waited for that. */
  checks?: ReadonlyMap<number, number>;
  waiting?: Waiting;
  steps?: Steps;
  flaky?: readonly Flake[];
  /** What conflicts that a task resolved threw away, by its row number. */
  lost?: ReadonlyMap<number, readonly LostChange[]>;
  /** What rules settled in merges of tasks, by row number, that were about to come in with a commit. */
  settled?: readonly { task: number; commit: string; files: readonly Settled[] }[];
  /** It was landed, and its target holds it no more. */
  isTakenOut?: boolean;
};

/** A check that was red and then green on the same tree, and the tasks whose work was checked, by row number. */
export type Flake = { command: string; tasks: readonly number[] };

const NO_WAITING: Waiting = { byTask: new Map(), inChecks: new Map(), deadInChecks: new Map(), parked: [], setMs: 0 };
const NO_STEPS: Steps = { workMs: 0, ownMs: 0, most: 0, stoppedMs: 0 };

/** The report of a run. `now` (epoch ms) stands in for the end of what still goes on. */
export function reportRun(
  run: Run,
  views: readonly TaskView[],
  attempts: readonly Attempt[],
  now: number,
  fromLog: FromLog = {},
): RunReport {
  const { levels = [], reviews = new Map(), checks = new Map(), steps = NO_STEPS, flaky = [] } = fromLog;
  const { waiting = NO_WAITING } = fromLog;
  const byTask = Map.groupBy(attempts, (attempt) => attempt.task);
  const reports = views.map((view) => ({
    ...reportTask(view, byTask.get(view.task.id) ?? [], now, {
      reviews,
      checks,
      waited: waiting.inChecks.get(view.task.id) ?? 0,
      dead: waiting.deadInChecks.get(view.task.id) ?? 0,
    }),
    waiting_ms: waiting.byTask.get(view.task.id) ?? noWaits(),
    lost: (fromLog.lost?.get(view.task.id) ?? []).map(lostOf),
    flaky: flaky.filter(({ tasks }) => tasks.includes(view.task.id)).length,
  }));
  const duration = msBetween(run.createdAt, (run.endedAt ?? now) - waiting.setMs);
  return {
    run: run.id,
    state: run.state,
    plan: run.planPath,
    target: run.target,
    branch: run.branch,
    builds_on: run.buildsOn,
    started_at: iso(run.createdAt)!,
    ended_at: iso(run.endedAt),
    landed_at: iso(run.landedAt),
    taken_out: fromLog.isTakenOut ?? false,
    duration_ms: duration,
    sequential_ms: steps.workMs + steps.ownMs,
    speedup: speedUpOf(steps, duration),
    ...sumUp(views, attempts, levels),
    waiting_ms: addWaits(reports.map((task) => task.waiting_ms)),
    parked: reportParked(views, waiting.parked),
    flaky: reportFlaky(views, flaky),
    settled: reportSettled(views, fromLog.settled ?? []),
    ...reportContests(views),
    tasks: reports,
  };
}

/** A run in a few figures, without its tasks one by one. */
export function sumUp(
  views: readonly TaskView<BareTask>[],
  attempts: readonly Attempt[],
  levels: readonly Level[],
): RunSums {
  const counts: Record<string, number> = {};
  const unverified: string[] = [];
  for (const { task } of onePerTask(views, (view) => view.task)) {
    counts[task.state] = (counts[task.state] ?? 0) + 1;
    if (task.state === "done" && !task.verified) unverified.push(task.key);
  }
  const cost = addUsages(attempts.map((attempt) => attempt.usage));
  return {
    counts,
    ...reportCost(cost),
    models: cost.models.map(reportModel),
    budget: levels.map(({ scope, unit, limit, used, taken, isAtLeast }) => ({
      scope,
      unit,
      limit,
      used,
      reserved: taken - used,
      at_least: isAtLeast,
    })),
    unverified,
  };
}

function reportParked(views: readonly TaskView[], parked: readonly SetAside[]): RunReport["parked"] {
  const keys = new Map(views.map(({ task }) => [task.id, task.key]));
  return sameOutages(parked).map((row) => {
    const [first, last] = [row[0]!, row.at(-1)!];
    return {
      task: keys.get(first.task) ?? String(first.task),
      for: last.park.for,
      why: describePark(last.park),
      at: iso(first.at)!,
      until: iso(last.until),
      waited_ms: row.reduce((sum, { waitedMs }) => sum + waitedMs, 0),
      times: row.length,
    };
  });
}

/** What each task was set aside for, with what came of one outage together, in the order of their first times. */
function sameOutages(parked: readonly SetAside[]): SetAside[][] {
  const rows: SetAside[][] = [];
  const newest = new Map<number, SetAside[]>();
  for (const each of parked) {
    const row = newest.get(each.task);
    const outage = outageOf(each.park);
    if (row !== undefined && outage !== null && outage === outageOf(row[0]!.park)) row.push(each);
    else {
      rows.push([each]);
      newest.set(each.task, rows.at(-1)!);
    }
  }
  return rows;
}

/** Whose API could not be reached. */
function outageOf(park: Park): string | null {
  return park.for === "limit" ? (park.outage?.agent ?? null) : null;
}

function reportFlaky(views: readonly TaskView[], flaky: readonly Flake[]): RunReport["flaky"] {
  const keyOf = new Map(views.map(({ task }) => [task.id, task.key]));
  return [...Map.groupBy(flaky, ({ command }) => command)].map(([command, flakes]) => ({
    command,
    times: flakes.length,
    tasks: [...new Set(flakes.flatMap(({ tasks }) => tasks.map((id) => keyOf.get(id) ?? String(id))))],
  }));
}

/** Of a merge that did not come in after all, another one was made. */
function reportSettled(views: readonly TaskView[], settled: NonNullable<FromLog["settled"]>): RunReport["settled"] {
  const tasks = new Map(views.map(({ task }) => [task.id, task]));
  const rows = settled.flatMap(({ task: id, commit, files }) => {
    const task = tasks.get(id);
    return task?.commit === commit ? files.map((file) => ({ ...file, task: task.key })) : [];
  });
  const byRule = Map.groupBy(rows, ({ file, by, commands }) => JSON.stringify([by, commands, file]));
  return [...byRule.values()].map((same) => {
    const { file, by, commands } = same[0]!;
    return { file, by, commands, tasks: [...new Set(same.map(({ task }) => task))] };
  });
}

function reportContests(views: readonly TaskView[]): Pick<RunReport, "contests" | "wins"> {
  const rows = views.flatMap(({ task, why }) => (task.rival === null ? [] : [{ task, rival: task.rival, why }]));
  const contests = [...Map.groupBy(rows, ({ rival }) => rival.of)].map(([task, rivals]) => {
    const winner = rivals.find(({ rival }) => rival.end?.isWinner === true)?.rival;
    return {
      task,
      winner: winner ? nameOfRival(winner) : null,
      why: winner?.end?.why ?? null,
      rivals: rivals.map(({ task: row, rival, why }) => ({
        id: row.key,
        agent: nameOfRival(rival),
        state: row.state,
        lines: rival.size?.lines ?? null,
        files: rival.size?.files ?? null,
        why: rival.end?.why ?? (why || null),
      })),
    };
  });
  const decided = contests.filter(({ winner }) => winner !== null);
  const agents = new Set(decided.flatMap(({ rivals }) => rivals.map(({ agent }) => agent)));
  const wins = [...agents].map((agent) => ({
    agent,
    won: decided.filter(({ winner }) => winner === agent).length,
    of: decided.filter(({ rivals }) => rivals.some((each) => each.agent === agent)).length,
  }));
  return { contests, wins };
}

/** Milliseconds by the attempt's id. */
type Times = ReadonlyMap<number, number>;

function reportTask(
  { task, why }: TaskView,
  attempts: readonly Attempt[],
  now: number,
  { reviews, checks, waited, dead }: { reviews: Times; checks: Times; waited: number; dead: number },
): Omit<TaskReport, "waiting_ms" | "flaky" | "lost"> {
  const checkedMs = attempts.reduce((sum, { id }) => sum + (checks.get(id) ?? 0), 0);
  return {
    id: task.key,
    title: task.spec.title,
    state: task.state,
    ...(why ? { why } : {}),
    agent: attempts.at(-1)?.agent ?? null,
    attempts: attempts.map((attempt) =>
      reportAttempt(task, attempt, attempt.endedAt === null ? null : workedMs([attempt], now, reviews)),
    ),
    duration_ms: task.startedAt === null ? null : msBetween(task.startedAt, task.endedAt ?? now),
    work_ms: Math.max(0, workedMs(attempts, now, reviews) - (checkedMs - dead)),
    checks_ms: Math.max(0, checkedMs - waited),
    ...reportCost(addUsages(attempts.map((attempt) => attempt.usage))),
    commit: task.commit,
    verified: task.verified,
  };
}

function reportAttempt(task: BareTask, attempt: Attempt, workMs: number | null): AttemptReport {
  const cost = addUsages([attempt.usage]);
  return {
    number: attempt.number,
    agent: attempt.agent,
    outcome: attempt.outcome ? describeEnd(task, attempt.outcome) : attempt.phase,
    outcome_kind: attempt.outcome?.kind ?? null,
    duration_ms: workMs,
    peak_memory_bytes: attempt.peakBytes,
    ...reportCost(cost),
    models: cost.models.map(reportModel),
  };
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function lostOf({
  path,
  of,
  isOwn,
  isDeletion,
  isMode,
  isBinary,
}: LostChange): RunReport["tasks"][number]["lost"][number] {
  return {
    path,
    of,
    is_own: isOwn,
    ...(isDeletion ? { is_deletion: true } : {}),
    ...(isMode ? { is_mode: true } : {}),
    ...(isBinary ? { is_binary: true } : {}),
  };
}
