/** Times that a run's log tells of, as spans. Pure. */
import { CARRIER_KINDS, type Event, type Fact } from "./event.ts";
import type { RoomKind } from "./room.ts";

/** Half open, in epoch milliseconds. */
export type Span = { from: number; to: number };

/** The parts of spans that lie in some of these bounds. */
export function within(spans: readonly Span[], bounds: readonly Span[]): Span[] {
  return spans.flatMap((span) =>
    bounds
      .map((bound) => ({ from: Math.max(span.from, bound.from), to: Math.min(span.to, bound.to) }))
      .filter(({ from, to }) => from < to),
  );
}

/** The parts of spans that lie in none of these bounds. */
export function outside(spans: readonly Span[], bounds: readonly Span[]): Span[] {
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

export function wishSpans(events: readonly Event[], end: number): Span[] {
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
export function uncarriedSpans(
  run: { isCarried: boolean; endedAt: number | null },
  events: readonly Event[],
  end: number,
): Span[] {
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

export function suspendedSpans(events: readonly Event[]): Span[] {
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
export function holdSpans(events: readonly Event[], end: number): { all: Span[]; byTask: Map<number, Span[]> } {
  const all: Span[] = [];
  const byTask = new Map<number, Span[]>();
  const notes = events.filter((event) => event.kind === "run-held");
  for (const [note, span] of untilNext(notes, end)) {
    if (note.by !== null) all.push(span);
    for (const task of note.tasks) addSpan(byTask, task, span);
  }
  return { all, byTask };
}

/** When limits that others met kept tasks back, by task: until a time, and while one tried whether they were over. `counts`: which of them are meant. */
export function limitSpans(
  events: readonly Event[],
  end: number,
  counts: (limit: Extract<Fact, { kind: "run-limited" }>["limits"][number]) => boolean,
): Record<"closed" | "tried", Map<number, Span[]>> {
  const spans = { closed: new Map<number, Span[]>(), tried: new Map<number, Span[]>() };
  const notes = events.filter((event) => event.kind === "run-limited");
  for (const [note, { from, to }] of untilNext(notes, end))
    for (const { until, tasks } of note.limits.filter(counts)) {
      const byTask = until === null ? spans.tried : spans.closed;
      for (const task of tasks) addSpan(byTask, task, { from, to: Math.min(to, until ?? to) });
    }
  return spans;
}

/** When the whole run waited for a person to put its branch right. */
export function astraySpans(events: readonly Event[], end: number): Span[] {
  const notes = events.filter((event) => event.kind === "run-astray");
  return untilNext(notes, end).flatMap(([{ astray }, span]) => (astray === null ? [] : [span]));
}

/** What is said of single tasks until the next word of its kind: that they let others go first, that their merges wait for a conflict to be resolved in
 *  the same file, or for a person to mend the branch itself. By task. */
export function spansByTask(
  events: readonly Event[],
  kind: "run-apart" | "run-behind" | "tip-red",
  end: number,
): Map<number, Span[]> {
  const byTask = new Map<number, Span[]>();
  const notes = events.filter((event) => event.kind === kind);
  for (const [note, span] of untilNext(notes, end)) for (const task of tasksOf(note)) addSpan(byTask, task, span);
  return byTask;
}

function tasksOf(note: Event): number[] {
  if (note.kind === "tip-red") return note.red?.tasks ?? [];
  return note.kind === "run-apart" || note.kind === "run-behind" ? note.tasks.map(({ task }) => task) : [];
}

/** When there was no room for more, by what was short. */
export function shortSpans(events: readonly Event[], end: number): [RoomKind, Span[]][] {
  const notes = events.filter((event) => event.kind === "run-short");
  return untilNext(notes, end).flatMap(([note, span]): [RoomKind, Span[]][] =>
    note.of === null ? [] : [[note.of, [span]]],
  );
}
