/** How long the tasks of a run waited, and for what, told from its event log. Pure.
 *
 *  A moment counts for one reason, the first of those that hold, in the order in which a screen tells them: a person, a budget it reached,
 *  upstream tasks, a time (a usage limit that it or another one met, a pause), a budget of the run, a stop of the whole run, a want of room, another
 *  task with the same files, a free place. */
import type { Event } from "./event.ts";
import { readPassedTime } from "./passed-time.ts";
import type { RoomKind } from "./room.ts";
import { joined, lengthOf } from "./steps.ts";
import type { Park } from "./task.ts";
import {
  astraySpans,
  holdSpans,
  limitSpans,
  outside,
  shortSpans,
  type Span,
  spansByTask,
  suspendedSpans,
  uncarriedSpans,
  wishSpans,
  within,
} from "./waiting-spans.ts";
import { type Merge, type Parking, type Rest, TaskLog, type Waiter } from "./waiting-task.ts";

export type WaitReason =
  /** Tasks that it depends on were not done. */
  | "upstream"
  /** Everything was there but an agent. */
  | "place"
  /** An answer, an approval, a permission, a login, a conflict to be resolved. */
  | "person"
  /** A usage limit of a provider. */
  | "limit"
  /** An API that could not be reached. */
  | "outage"
  | "budget"
  /** Memory, room on the disk, a worktree: of which there was not enough for one more. */
  | RoomKind
  /** A task at work touches the same files, and something else could go first. */
  | "overlap"
  /** The pause before another try. */
  | "retry"
  /** Green, and others do the same task still. */
  | "rivals"
  /** Its turn to be checked in its own worktree. */
  | "check"
  /** Its turn to be merged. */
  | "integration"
  /** The run was paused or stopped, or nobody carried it. */
  | "stopped";

/** Milliseconds by reason. */
export type Waits = Record<WaitReason, number>;

/** `inChecks`: how much of it, in milliseconds, while a task's work was to be checked and merged, and what the clock was set by then; `deadInChecks`: how much of that
 *  it was dead, or is counted as that. */
export type Waiting = {
  byTask: ReadonlyMap<number, Waits>;
  inChecks: ReadonlyMap<number, number>;
  deadInChecks: ReadonlyMap<number, number>;
  parked: SetAside[];
  /** By how much the clock was set meanwhile, or the machine slept. */
  setMs: number;
};

/** By the clock on the wall, but for `waitedMs`: what passed of it. */
export type SetAside = Parking & { waitedMs: number };

export function noWaits(): Waits {
  return {
    upstream: 0,
    place: 0,
    person: 0,
    limit: 0,
    outage: 0,
    budget: 0,
    memory: 0,
    disk: 0,
    worktrees: 0,
    overlap: 0,
    retry: 0,
    rivals: 0,
    check: 0,
    integration: 0,
    stopped: 0,
  };
}

export function addWaits(all: readonly Waits[]): Waits {
  const sum = noWaits();
  for (const waits of all) for (const reason of Object.keys(sum) as WaitReason[]) sum[reason] += waits[reason];
  return sum;
}

export type WaitingRun = {
  createdAt: number;
  endedAt: number | null;
  /** Whether anybody carries it now. */
  isCarried: boolean;
  /** The agent that a task is given to: who waits for a login waits for that of its agent. */
  agentOf: (task: Waiter) => string;
};

type Layer = readonly [WaitReason, readonly Span[]];

/** `told` are the events of the run, in their order: all, or all but the phases in which an attempt is at work; `now` ends what still goes on. What a person did not take up again yet (a failed task, a
 *  cancelled one) does not wait; what the clock was set by, nobody waited. */
export function readWaiting(run: WaitingRun, tasks: readonly Waiter[], told: readonly Event[], now: number): Waiting {
  const { events, jumps, setMs, wallAt } = readPassedTime(told);
  const end = (run.endedAt ?? now) - setMs;
  const log = new Map(tasks.map((task) => [task.id, new TaskLog(task, run.createdAt)]));
  const byKey = new Map([...log.values()].map((each) => [each.task.key, each]));
  for (const event of events) {
    if (event.kind === "tasks-joined") for (const key of event.keys) byKey.get(key)?.joined(event.at);
    if (event.task !== null) log.get(event.task)?.take(event);
    if (event.kind === "merges-checked") for (const task of event.tasks) log.get(task)?.takenUp(event.at);
    if (event.kind === "run-carried" || event.kind === "run-suspended")
      for (const { task, ms } of event.dead ?? []) log.get(task)?.dead.push({ from: event.at - ms, to: event.at });
  }
  for (const each of log.values()) each.close(end);
  const parked = [...log.values()].flatMap((each) => each.parked);
  const merges = [...log.values()].flatMap((each) => each.merges.map((span) => ({ ...span, id: each.task.id })));
  const around: Around = {
    end,
    agentOf: run.agentOf,
    halts: joined([...wishSpans(events, end), ...uncarriedSpans(run, events, end), ...suspendedSpans(events)]),
    holds: holdSpans(events, end),
    limits: limitSpans(events, end, (limit) => limit.outage === undefined),
    outages: limitSpans(events, end, (limit) => limit.outage !== undefined),
    shortages: shortSpans(events, end),
    apart: spansByTask(events, "run-apart", end),
    reds: spansByTask(events, "tip-red", end),
    behind: spansByTask(events, "run-behind", end),
    astray: astraySpans(events, end),
    logins: parked.filter(({ park }) => HOLDS_OTHERS.has(park.for)),
    queues: queueSpans(merges),
  };
  const byTask = new Map<number, Waits>();
  const inChecks = new Map<number, number>();
  const deadInChecks = new Map<number, number>();
  for (const each of log.values()) {
    const upstream = Math.max(-Infinity, ...each.task.needs.map((key) => byKey.get(key)?.doneAt ?? Infinity));
    const atRest = waitsAtRest(each, upstream, around);
    const toCheck = waitsInChecks(each, around);
    const dead = joined(each.dead);
    const inWork = outside(dead, each.checked);
    byTask.set(each.task.id, addWaits([atRest, toCheck, { ...noWaits(), stopped: lengthOf(inWork) }]));
    const setIn = (spans: readonly Span[]) =>
      jumps.reduce((sum, { at, ms }) => sum + (spans.some(({ from, to }) => from <= at && at < to) ? ms : 0), 0);
    inChecks.set(each.task.id, sumOf(toCheck) + setIn(each.checked));
    const deadMs = lengthOf(dead) - lengthOf(inWork);
    deadInChecks.set(each.task.id, deadMs + setIn(outside(each.checked, each.merges)));
  }
  const setAside = parked.map((each) => ({
    ...each,
    at: wallAt(each.at),
    until: each.until === null ? null : wallAt(each.until),
    waitedMs: (each.until ?? end) - each.at,
  }));
  return { byTask, inChecks, deadInChecks, parked: setAside.toSorted((a, b) => a.at - b.at), setMs };
}

/** What the log says of the run as a whole, or of several of its tasks at once. */
type Around = {
  end: number;
  agentOf: WaitingRun["agentOf"];
  /** It was paused or stopped, or nobody carried it. */
  halts: readonly Span[];
  holds: ReturnType<typeof holdSpans>;
  limits: ReturnType<typeof limitSpans>;
  outages: ReturnType<typeof limitSpans>;
  shortages: readonly Layer[];
  apart: ReadonlyMap<number, Span[]>;
  reds: ReadonlyMap<number, Span[]>;
  behind: ReadonlyMap<number, Span[]>;
  /** Its branch was not where its work was. */
  astray: readonly Span[];
  /** What keeps back others with the same agent, too. */
  logins: readonly Parking[];
  queues: ReadonlyMap<number, Span[]>;
};

/** What a task waited for while no attempt at it was open, and for its rivals or an approval. `upstream`: when the last of what it needs was done. */
function waitsAtRest(log: TaskLog, upstream: number, around: Around): Waits {
  const { end, halts, holds, limits, outages, shortages, apart, astray, logins } = around;
  const { id } = log.task;
  const agent = logins.length > 0 ? around.agentOf(log.task) : "";
  const sharesLogin = ({ task, park }: Parking) =>
    task !== id && (park.for === "login" || park.for === "agent") && park.agent === agent;
  const common: Layer[] = [
    ["upstream", [{ from: -Infinity, to: upstream }]],
    ["person", [...astray, ...logins.filter(sharesLogin).map(({ at, until }) => ({ from: at, to: until ?? end }))]],
  ];
  const waits = noWaits();
  for (const rest of log.rests) {
    share(waits, rest, [
      ...layersOf(rest, common),
      ["limit", limits.closed.get(id) ?? []],
      ["outage", outages.closed.get(id) ?? []],
      ["budget", [...holds.all, ...(holds.byTask.get(id) ?? [])]],
      ["stopped", halts],
      // Nobody tries it any more where nobody carries the run.
      ["limit", limits.tried.get(id) ?? []],
      ["outage", outages.tried.get(id) ?? []],
      ...shortages,
      ["overlap", apart.get(id) ?? []],
      ["place", [rest]],
    ]);
  }
  for (const span of log.reviews) share(waits, span, [["person", [span]]]);
  for (const span of log.contests)
    share(waits, span, [
      ["stopped", halts],
      ["rivals", [span]],
    ]);
  return waits;
}

/** What it waited for from when its work was there to be checked until it was merged. */
function waitsInChecks(log: TaskLog, { halts, reds, behind, astray, queues }: Around): Waits {
  const { id } = log.task;
  const waits = noWaits();
  for (const span of log.checks)
    share(waits, span, [
      ["stopped", halts],
      ["check", [span]],
    ]);
  const held = [...(reds.get(id) ?? []), ...(behind.get(id) ?? []), ...astray];
  const idle = joined([...(queues.get(id) ?? []), ...within(held, log.merges)]);
  for (const span of idle)
    share(waits, span, [
      ["person", [...astray, ...(reds.get(id) ?? [])]],
      ["stopped", halts],
      ["integration", [span]],
    ]);
  const dead = within(joined(log.dead), log.checked);
  for (const span of outside(dead, [...log.checks, ...idle])) share(waits, span, [["stopped", [span]]]);
  return waits;
}

function sumOf(waits: Waits): number {
  return Object.values(waits).reduce((sum, ms) => sum + ms, 0);
}

/** What a task is parked for that keeps back whatever its agent would be given. */
const HOLDS_OTHERS = new Set<Park["for"]>(["login", "agent"]);

function layersOf({ park, notBefore }: Rest, common: readonly Layer[]): Layer[] {
  const always: Span[] = [{ from: -Infinity, to: Infinity }];
  const untilThen: Span[] = notBefore === null ? [] : [{ from: -Infinity, to: notBefore }];
  if (park === null) return [...common, ["retry", untilThen]];
  if (park.for === "limit")
    return [...common, [park.outage === undefined ? "limit" : "outage", notBefore === null ? always : untilThen]];
  if (park.for === "retry") return [...common, ["retry", untilThen]];
  if (park.for === "budget") return notBefore === null ? [["budget", always]] : [...common, ["budget", untilThen]];
  return [["person", always]];
}

/** Gives each moment of a span to the first layer that has it. */
function share(waits: Waits, span: Span, layers: readonly Layer[]): void {
  let left: Span[] = [{ from: span.from, to: span.to }];
  for (const [reason, spans] of layers) {
    const rest = outside(left, spans);
    waits[reason] += lengthOf(left) - lengthOf(rest);
    left = rest;
  }
}

/** Who was taken up to be checked waited until then. The others are merged one at a time, in the order in which they asked: who asked later waits until all before
 *  it are through. */
function queueSpans(merges: readonly (Merge & { id: number })[]): Map<number, Span[]> {
  const waits = new Map<number, Span[]>();
  let free = -Infinity;
  for (const { id, from, to, taken } of merges.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const turn = Math.min(to, taken ?? free);
    if (turn > from) waits.set(id, [...(waits.get(id) ?? []), { from, to: turn }]);
    free = Math.max(free, to);
  }
  return waits;
}
