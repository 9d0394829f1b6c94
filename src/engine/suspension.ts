/** Who carries the runs is suspended (Ctrl-Z): agents work on, and what they leave is taken in by nobody. From their end on that is no work of theirs. */
import { appendEvent } from "../store/events.ts";
import { readRuns } from "../store/runs.ts";
import { bookDeadTimes } from "./dead-time.ts";
import type { Engine } from "./engine.ts";

/** A beat that comes later than this was held up; what is less is a machine that has much to do. */
const LATE_MS = 3_000;

type Carrier = Pick<Engine, "repo" | "store" | "now">;

/** When each engine that carries runs was last seen at work (`performance.now()`). */
const beats = new WeakMap<Carrier, number>();

/** This process carries the runs from now on, and {@link beat}s at least once a second. */
export function beginBeat(engine: Carrier, at = performance.now()): void {
  beats.set(engine, at);
}

/** It does not any more. */
export function endBeat(engine: Carrier): void {
  beats.delete(engine);
}

/** Says that this process is at work. Where it was not since the last beat, that is written down and taken off what open attempts worked. */
export function beat(engine: Carrier, at = performance.now()): void {
  const before = beats.get(engine);
  if (before === undefined) return;
  const ms = Math.round(at - before);
  if (ms >= LATE_MS) bookSuspension(engine, ms);
  // Where it could not be written, the next beat does.
  beats.set(engine, at);
}

function bookSuspension(engine: Carrier, ms: number): void {
  engine.store.transaction(() => {
    for (const run of readRuns(engine.store, "open")) {
      const dead = bookDeadTimes(engine, run, { mostMs: ms });
      appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "run-suspended", ms, dead });
    }
  });
}
