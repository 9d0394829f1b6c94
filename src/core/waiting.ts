/** How long the tasks of a run waited, and for what, told from its event log. Pure.
 *
 *  A moment counts for one reason, the first of those that hold, in the order in which a screen tells them: a person, a budget it reached,
 *  upstream tasks, a time (a usage limit that it or another one met, a pause), a budget of the run, a stop of the whole run, a want of room, another
 *  task with the same files, a free place. */
import { CARRIER_KINDS, type Event, type Fact } from "./event.ts";
import type { RoomKind } from "./room.ts";
import { joined, lengthOf } from "./steps.ts";
import { FINAL_STATES, type Park, type Task } from "./task.ts";

export type WaitReason =
  /** Tasks that it depends on were not done. */
  | "upstream"
  /** Everything was there but an agent. */
  | "place"
  /** An answer, an approval, a permission, a login, a conflict to be resolved. */
  | "person"
  /** A usage limit of a provider. */
  | "limit"
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

/** A time in which a task was set aside; `until` is null while it still is. */
export type Parking = { task: number; park: Park; at: number; until: number | null };

/** `inChecks`: how much of it, in milliseconds, while a task's work was to be checked and merged; `deadInChecks`: how much of that it was dead. */
export type Waiting = {
  byTask: ReadonlyMap<number, Waits>;
  inChecks: ReadonlyMap<number, number>;
  deadInChecks: ReadonlyMap<number, number>;
  parked: Parking[];
};

export function noWaits(): Waits {
  return {
    upstream: 0,
    place: 0,
    person: 0,
    limit: 0,
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

export type Waiter = Pick<Task, "id" | "key" | "needs">;

export type WaitingRun = {
  createdAt: number;
  endedAt: number | null;
  /** Whether anybody carries it now. */
  isCarried: boolean;
  /** The agent that a task is given to: who waits for a login waits for that of its agent. */
  agentOf: (task: Waiter) => string;
};

/** Half open, in epoch milliseconds. */
type Span = { from: number; to: number };
type Layer = readonly [WaitReason, readonly Span[]];

/** `events` are those of the run, in their order: all, or all but the phases in which an attempt is at work; `now` ends what still goes on. What a person did not take up again yet (a failed task, a
 *  cancelled one) does not wait. */
export function readWaiting(run: WaitingRun, tasks: readonly Waiter[], events: readonly Event[], now: number): Waiting {
  const end = run.endedAt ?? now;
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
  const halts = joined([...wishSpans(events, end), ...uncarriedSpans(run, events, end), ...suspendedSpans(events)]);
  const holds = holdSpans(events, end);
  const limits = limitSpans(events, end);
  const shortages = shortSpans(events, end);
  const apart = apartSpans(events, end);
  const reds = redSpans(events, end);
  const behind = behindSpans(events, end);
  const logins = [...log.values()].flatMap((each) => each.parked.filter(({ park }) => HOLDS_OTHERS.has(park.for)));
  const queues = queueSpans(
    [...log.values()].flatMap((each) => each.merges.map((span) => ({ ...span, id: each.task.id }))),
  );
  const byTask = new Map<number, Waits>();
  const inChecks = new Map<number, number>();
  const deadInChecks = new Map<number, number>();
  for (const each of log.values()) {
    const upstream = each.task.needs.map((key) => byKey.get(key)?.doneAt ?? Infinity);
    const agent = logins.length > 0 ? run.agentOf(each.task) : "";
    const sharesLogin = ({ task, park }: Parking) =>
      task !== each.task.id && (park.for === "login" || park.for === "agent") && park.agent === agent;
    const common: Layer[] = [
      ["upstream", [{ from: -Infinity, to: Math.max(-Infinity, ...upstream) }]],
      ["person", logins.filter(sharesLogin).map(({ at, until }) => ({ from: at, to: until ?? end }))],
    ];
    const waits = noWaits();
    for (const rest of each.rests) {
      const held = [...holds.all, ...(holds.byTask.get(each.task.id) ?? [])];
      share(waits, rest, [
        ...layersOf(rest, common),
        ["limit", limits.closed.get(each.task.id) ?? []],
        ["budget", held],
        ["stopped", halts],
        // Nobody tries it any more where nobody carries the run.
        ["limit", limits.tried.get(each.task.id) ?? []],
        ...shortages,
        ["overlap", apart.get(each.task.id) ?? []],
        ["place", [rest]],
      ]);
    }
    for (const span of each.reviews) share(waits, span, [["person", [span]]]);
    for (const span of each.contests)
      share(waits, span, [
        ["stopped", halts],
        ["rivals", [span]],
      ]);
    const before = sumOf(waits);
    for (const span of each.checks)
      share(waits, span, [
        ["stopped", halts],
        ["check", [span]],
      ]);
    const held = [...(reds.get(each.task.id) ?? []), ...(behind.get(each.task.id) ?? [])];
    const idle = joined([...(queues.get(each.task.id) ?? []), ...within(held, each.merges)]);
    for (const span of idle)
      share(waits, span, [
        ["person", reds.get(each.task.id) ?? []],
        ["stopped", halts],
        ["integration", [span]],
      ]);
    const dead = joined(each.dead);
    const inWork = outside(dead, each.checked);
    for (const span of outside(within(dead, each.checked), [...each.checks, ...idle]))
      share(waits, span, [["stopped", [span]]]);
    inChecks.set(each.task.id, sumOf(waits) - before);
    deadInChecks.set(each.task.id, lengthOf(dead) - lengthOf(inWork));
    for (const span of inWork) share(waits, span, [["stopped", [span]]]);
    byTask.set(each.task.id, waits);
  }
  return {
    byTask,
    inChecks,
    deadInChecks,
    parked: [...log.values()].flatMap((each) => each.parked).toSorted((a, b) => a.at - b.at),
  };
}

function sumOf(waits: Waits): number {
  return Object.values(waits).reduce((sum, ms) => sum + ms, 0);
}

/** What a task is parked for that keeps back whatever its agent would be given. */
const HOLDS_OTHERS = new Set<Park["for"]>(["login", "agent"]);

/** A time in which a task stood still: why, as far as it was said of the task itself. */
type Rest = Span & { park: Park | null; notBefore: number | null };

function layersOf({ park, notBefore }: Rest, common: readonly Layer[]): Layer[] {
  const always: Span[] = [{ from: -Infinity, to: Infinity }];
  const untilThen: Span[] = notBefore === null ? [] : [{ from: -Infinity, to: notBefore }];
  if (park === null) return [...common, ["retry", untilThen]];
  if (park.for === "limit") return [...common, ["limit", notBefore === null ? always : untilThen]];
  if (park.for === "retry") return [...common, ["retry", untilThen]];
  if (park.for === "budget")
    return park.until === null ? [["budget", always]] : [...common, ["budget", [{ from: -Infinity, to: park.until }]]];
  return [["person", always]];
}

/** The parts of spans that lie in some of these bounds. */
function within(spans: readonly Span[], bounds: readonly Span[]): Span[] {
  return spans.flatMap((span) =>
    bounds
      .map((bound) => ({ from: Math.max(span.from, bound.from), to: Math.min(span.to, bound.to) }))
      .filter(({ from, to }) => from < to),
  );
}

/** The parts of spans that lie in none of these bounds. */
function outside(spans: readonly Span[], bounds: readonly Span[]): Span[] {
  return bounds.reduce<Span[]>(
    (left, cut) =>
      left.flatMap(({ from, to }) =>
        [
          { from, to: Math.min(to, cut.from) },
          { from: Math.max(from, cut.to), to },
        ].filter((piece) => piece.from < piece.to),
      ),
    [...spans],
  );
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

/** What the log says of one task. */
class TaskLog {
  readonly task: Waiter;
  readonly rests: Rest[] = [];
  readonly reviews: Span[] = [];
  /** Green, until it was decided who of its rivals comes in. */
  readonly contests: Span[] = [];
  /** From the wish to be merged to its end; `taken` is when its merged work was taken up to be checked, where it was. */
  readonly merges: Merge[] = [];
  /** Green or not, before its check began. */
  readonly checks: Span[] = [];
  /** Its work was to be checked or merged, or was being so. */
  readonly checked: Span[] = [];
  /** Its attempt was open, nobody carried it and nothing of it was alive. */
  readonly dead: Span[] = [];
  readonly parked: Parking[] = [];
  doneAt = Infinity;
  #rest: Omit<Rest, "to"> | null;
  #reviewSince: number | null = null;
  #contestSince: number | null = null;
  #mergeSince: number | null = null;
  #checkSince: number | null = null;
  #checkedSince: number | null = null;
  #takenAt: number | null = null;

  constructor(task: Waiter, createdAt: number) {
    this.task = task;
    this.#rest = { from: createdAt, park: null, notBefore: null };
  }

  /** It came into the run after the others. */
  joined(at: number): void {
    if (this.#rest && this.rests.length === 0) this.#rest = { ...this.#rest, from: at };
  }

  take(event: Event): void {
    switch (event.kind) {
      case "task-moved":
        this.#endRest(event.at);
        if (event.to === "pending") this.#rest = { from: event.at, park: null, notBefore: event.notBefore ?? null };
        if (event.to === "done") this.doneAt = event.at;
        if (FINAL_STATES.has(event.to)) this.#leavePhase(event.at);
        return;
      case "task-parked":
        this.#endRest(event.at);
        this.#rest = { from: event.at, park: event.park, notBefore: event.notBefore };
        this.parked.push({ task: this.task.id, park: event.park, at: event.at, until: null });
        return;
      case "task-answered":
      case "task-next":
        if (!this.#rest) return;
        this.#endRest(event.at);
        this.#rest = { from: event.at, park: null, notBefore: null };
        return;
      case "attempt-phase":
        // What becomes of a merge belongs to it; asked for again, it is another one.
        if (event.phase === "advance") return;
        this.#leavePhase(event.at);
        if (event.phase === "review") this.#reviewSince = event.at;
        if (event.phase === "contest") this.#contestSince = event.at;
        if (event.phase === "merge") this.#mergeSince = event.at;
        if (event.phase === "verify") this.#checkSince = event.at;
        if (event.phase === "verify" || event.phase === "merge") this.#checkedSince = event.at;
        return;
      case "verify-started":
        if (event.where === "task") this.#beginCheck(event.at);
        return;
      case "attempt-ended":
        this.#leavePhase(event.at);
        return;
      default:
    }
  }

  /** Its merged work is being checked, alone or with that of others. */
  takenUp(at: number): void {
    if (this.#mergeSince !== null) this.#takenAt ??= at;
  }

  close(end: number): void {
    const isParked = this.#rest?.park != null;
    this.#endRest(end);
    if (isParked) this.parked.at(-1)!.until = null;
    this.#leavePhase(end);
  }

  #endRest(at: number): void {
    if (!this.#rest) return;
    if (this.#rest.park) this.parked.at(-1)!.until = at;
    this.rests.push({ ...this.#rest, to: at });
    this.#rest = null;
  }

  #beginCheck(at: number): void {
    if (this.#checkSince !== null) this.checks.push({ from: this.#checkSince, to: at });
    this.#checkSince = null;
  }

  #leavePhase(at: number): void {
    this.#beginCheck(at);
    if (this.#reviewSince !== null) this.reviews.push({ from: this.#reviewSince, to: at });
    if (this.#contestSince !== null) this.contests.push({ from: this.#contestSince, to: at });
    if (this.#mergeSince !== null) this.merges.push({ from: this.#mergeSince, to: at, taken: this.#takenAt });
    if (this.#checkedSince !== null) this.checked.push({ from: this.#checkedSince, to: at });
    this.#reviewSince = null;
    this.#contestSince = null;
    this.#mergeSince = null;
    this.#checkedSince = null;
    this.#takenAt = null;
  }
}

type Merge = Span & { taken: number | null };

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

function wishSpans(events: readonly Event[], end: number): Span[] {
  const spans: Span[] = [];
  let since: number | null = null;
  for (const event of events) {
    if (event.kind !== "run-wish" && event.kind !== "run-ended") continue;
    if (since !== null && (event.kind === "run-ended" || event.wish === null)) {
      spans.push({ from: since, to: event.at });
      since = null;
    } else if (event.kind === "run-wish" && event.wish !== null) since ??= event.at;
  }
  return since === null ? spans : [...spans, { from: since, to: end }];
}

/** A process that was killed leaves no word of its end: nobody carried the run from its last event on until the next process took it up. What a person steers
 *  meanwhile is no event of its. */
function uncarriedSpans(run: WaitingRun, events: readonly Event[], end: number): Span[] {
  const spans: Span[] = [];
  let last: Event | null = null;
  for (const event of events) {
    if (event.kind === "run-carried" && last !== null && last.kind !== "run-created")
      spans.push({ from: last.at, to: event.at });
    if (isOfCarrier(event)) last = event;
  }
  return run.isCarried || run.endedAt !== null || last === null ? spans : [...spans, { from: last.at, to: end }];
}

const OF_CARRIER = new Set<Fact["kind"]>(CARRIER_KINDS);

function isOfCarrier({ attempt, kind }: Event): boolean {
  return attempt !== null || OF_CARRIER.has(kind);
}

function suspendedSpans(events: readonly Event[]): Span[] {
  return events.flatMap((event) =>
    event.kind === "run-suspended" ? [{ from: event.at - event.ms, to: event.at }] : [],
  );
}

/** Each of these notes with the time for which it holds: until the next one says otherwise. */
function untilNext<T extends { at: number }>(notes: readonly T[], end: number): [T, Span][] {
  return notes.map((note, index) => [note, { from: note.at, to: notes[index + 1]?.at ?? end }]);
}

function addSpan(byTask: Map<number, Span[]>, task: number, span: Span): void {
  byTask.set(task, [...(byTask.get(task) ?? []), span]);
}

/** When a budget kept back the whole run, and when single tasks of it. */
function holdSpans(events: readonly Event[], end: number): { all: Span[]; byTask: Map<number, Span[]> } {
  const all: Span[] = [];
  const byTask = new Map<number, Span[]>();
  const notes = events.filter((event) => event.kind === "run-held");
  for (const [note, span] of untilNext(notes, end)) {
    if (note.by !== null) all.push(span);
    for (const task of note.tasks) addSpan(byTask, task, span);
  }
  return { all, byTask };
}

/** When limits that others met kept tasks back, by task: until a time, and while one tried whether they were over. */
function limitSpans(events: readonly Event[], end: number): Record<"closed" | "tried", Map<number, Span[]>> {
  const spans = { closed: new Map<number, Span[]>(), tried: new Map<number, Span[]>() };
  const notes = events.filter((event) => event.kind === "run-limited");
  for (const [note, { from, to }] of untilNext(notes, end))
    for (const { until, tasks } of note.limits) {
      const byTask = until === null ? spans.tried : spans.closed;
      for (const task of tasks) addSpan(byTask, task, { from, to: Math.min(to, until ?? to) });
    }
  return spans;
}

/** When tasks let others go first, by task. */
function apartSpans(events: readonly Event[], end: number): Map<number, Span[]> {
  const byTask = new Map<number, Span[]>();
  const notes = events.filter((event) => event.kind === "run-apart");
  for (const [note, span] of untilNext(notes, end)) for (const { task } of note.tasks) addSpan(byTask, task, span);
  return byTask;
}

/** When merges waited for a conflict to be resolved in the same file, by task. */
function behindSpans(events: readonly Event[], end: number): Map<number, Span[]> {
  const byTask = new Map<number, Span[]>();
  const notes = events.filter((event) => event.kind === "run-behind");
  for (const [note, span] of untilNext(notes, end)) for (const { task } of note.tasks) addSpan(byTask, task, span);
  return byTask;
}

/** When merges waited for a person to mend the branch itself, by task. */
function redSpans(events: readonly Event[], end: number): Map<number, Span[]> {
  const byTask = new Map<number, Span[]>();
  const notes = events.filter((event) => event.kind === "tip-red");
  for (const [{ red }, span] of untilNext(notes, end)) for (const task of red?.tasks ?? []) addSpan(byTask, task, span);
  return byTask;
}

/** When there was no room for more, by what was short. */
function shortSpans(events: readonly Event[], end: number): Layer[] {
  const notes = events.filter((event) => event.kind === "run-short");
  return untilNext(notes, end).flatMap(([note, span]): Layer[] => (note.of === null ? [] : [[note.of, [span]]]));
}
