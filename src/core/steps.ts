/** What the work of a run would have taken one after the other, told from its log. Side by side, attempts wait for each other's turns: the time
 *  that one was open says little of the time that it needs alone. */
import { msBetween } from "./attempt.ts";
import type { Event } from "./event.ts";

/** Half open, in epoch milliseconds. */
type Span = { from: number; to: number };

/** Milliseconds. */
export type Steps = {
  /** Agents and checks, all of them added up. */
  workMs: number;
  /** Steps of our own (worktrees, commits, merges). One process does them, so together they take no longer than the time in which any was
   *  under way. */
  ownMs: number;
  /** How many attempts were at work at a time, at most. */
  most: number;
  /** Nobody carried the run, and nothing of it was alive. */
  stoppedMs: number;
};

/** Programs of others run in them, side by side. */
const WORK = new Set(["setup", "agent", "verify"]);
/** Nothing is done. */
const REST = new Set(["contest", "review", "tidy", "closed"]);

/** An attempt as the log has told of it so far. `isQueued`: it waits for a place to be checked. */
type Open = { phase: string; since: number; place: number | null; check: number | null; isQueued: boolean };

/** `events` are those that open, carry and end attempts and checks, and the last words of who carried the run, in their order; `now` ends what still goes on.
 *  `isLeft`: nobody carries the run now, and it is not over. */
export function readSteps(events: readonly Event[], now: number, { isLeft = false } = {}): Steps {
  const log = new Map<number, Open>();
  const work: Span[] = [];
  const own: Span[] = [];
  const checks: Span[] = [];
  const places: Span[] = [];
  const enter = (attempt: number, phase: string, at: number) => {
    const before = log.get(attempt);
    if (before && !REST.has(before.phase) && !before.isQueued)
      (WORK.has(before.phase) ? work : own).push({ from: before.since, to: at });
    const isQueued = phase === "verify";
    const isAtWork = !isQueued && phase !== "merge" && phase !== "advance" && !REST.has(phase);
    const place = before?.place ?? null;
    if (place !== null && !isAtWork) places.push({ from: place, to: at });
    const check = before?.check ?? null;
    log.set(attempt, { phase, since: at, place: isAtWork ? (place ?? at) : null, check, isQueued });
  };
  const beginCheck = (attempt: number, at: number) => {
    const open = log.get(attempt);
    if (open?.isQueued) log.set(attempt, { ...open, since: at, place: at, isQueued: false });
  };
  /** What was dead did nothing in its phase until it was taken up. */
  const sleep = ({ attempt, ms }: { attempt: number; ms: number }) => {
    const open = log.get(attempt);
    if (open) open.since += ms;
  };
  /** From `from` on nobody carried it, until `to`: who was at work then, and is not told to be dead, went on. */
  const stopped = (from: number, to: number, dead: readonly { attempt: number; ms: number }[]) => {
    const deadMs = new Map(dead.map(({ attempt, ms }) => [attempt, ms]));
    const atWork = [...log].filter(([, { phase }]) => !REST.has(phase)).map(([id]) => to - (deadMs.get(id) ?? 0));
    stoppedMs += msBetween(Math.max(from, ...atWork), to);
  };
  let setMs = 0;
  let stoppedMs = 0;
  let last: number | null = null;
  for (const event of events) {
    const { attempt } = event;
    if (event.kind === "clock-set") setMs += event.ms;
    const at = event.at - setMs;
    if (event.kind === "run-carried" || event.kind === "run-suspended") {
      const from = event.kind === "run-suspended" ? at - event.ms : last;
      if (from !== null) stopped(from, at, event.dead ?? []);
      for (const dead of event.dead ?? []) sleep(dead);
    }
    last = at;
    if (attempt === null) continue;
    if (event.kind === "attempt-opened") enter(attempt, "workspace", at);
    if (event.kind === "attempt-phase") enter(attempt, event.phase, at);
    if (event.kind === "attempt-ended") enter(attempt, "closed", at);
    if (event.kind === "verify-started" && event.where === "task") beginCheck(attempt, at);
    const open = log.get(attempt);
    // Those in the task's own worktree are a phase of their own.
    if (!open || !("where" in event) || event.where !== "run") continue;
    if (event.kind === "verify-started") open.check = at;
    else if (open.check !== null) {
      checks.push({ from: open.check, to: at });
      open.check = null;
    }
  }
  if (isLeft && last !== null) stopped(last, now - setMs, []);
  for (const attempt of log.keys()) enter(attempt, "closed", now - setMs);
  const checkedMs = lengthOf(joined(checks));
  return {
    workMs: lengthOf(work) + checkedMs,
    // Integrations wait while the merged work of another is checked.
    ownMs: lengthOf(joined([...own, ...checks])) - checkedMs,
    most: mostAtATime(places),
    stoppedMs,
  };
}

/** How many times as fast the run was as its work one after the other, while it was not stopped: not above what worked at a time, and null where it cannot be told. Where
 *  our own steps are more than a tenth of it, the times of the agents, who then mostly wait for a processor, say nothing of what they need alone. */
export function speedUpOf({ workMs, ownMs, most, stoppedMs }: Steps, durationMs: number): number | null {
  const sequential = workMs + ownMs;
  const carriedMs = durationMs - stoppedMs;
  if (carriedMs <= 0 || sequential <= 0 || ownMs > sequential / 10) return null;
  return Math.round(Math.min(sequential / carriedMs, Math.max(1, most)) * 100) / 100;
}

/** How long spans are together, in milliseconds. */
export function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, to }) => sum + msBetween(from, to), 0);
}

/** The same times without what is in them twice. */
export function joined(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else result.push({ ...span });
  }
  return result;
}

function mostAtATime(spans: readonly Span[]): number {
  const turns = spans.flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  // Who leaves makes room for who comes in the same moment.
  for (const { by } of turns.toSorted((a, b) => a.at - b.at || a.by - b.by)) most = Math.max(most, (now += by));
  return most;
}
