/** For how long nobody carried an attempt and nothing of it was alive: that is no work of its. Of what outlived its owt every moment counts. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import type { Dead } from "../core/event.ts";
import type { Run } from "../core/run.ts";
import { foldersIn } from "../git/place.ts";
import { addDeadTime, readOpenAttempts } from "../store/attempts.ts";
import { readLastStep } from "../store/events.ts";
import { readLaunch } from "../system/launch.ts";
import { attemptDir, type Engine } from "./engine.ts";

/** Writes down what was dead until now, for whoever takes a run up. `jumpMs`: by how much the clock was set while nobody carried it, which is booked already. `mostMs`:
 *  for how long nobody did, where that is known. */
export function bookDeadTimes(
  engine: Pick<Engine, "repo" | "store" | "now">,
  run: Pick<Run, "id">,
  { jumpMs = 0, mostMs = Infinity },
): Dead[] {
  const open = readOpenAttempts(engine.store).filter((attempt) => attempt.run === run.id && isAtWork(attempt));
  return open.flatMap((attempt) => {
    const ms = Math.min(mostMs, deadFor(engine, attempt, jumpMs));
    if (ms <= 0) return [];
    addDeadTime(engine.store, attempt.id, ms);
    return [{ attempt: attempt.id, task: attempt.task, ms }];
  });
}

/** Waiting for somebody is counted by itself. */
function isAtWork({ phase, outcome }: Attempt): boolean {
  return outcome === null && phase !== "contest" && phase !== "review";
}

/** What ends it is the last that is known of it: a step of ours, a line of its agent or of a check, their exit. */
function deadFor(engine: Pick<Engine, "repo" | "store" | "now">, attempt: Attempt, jumpMs: number): number {
  const top = attemptDir(engine, attempt.id);
  const launches = [top, ...foldersIn(top).map((name) => join(top, name))];
  if (launches.some((dir) => readLaunch(dir).kind === "alive")) return 0;
  const written = launches.flatMap((dir) => SIGNS.map((name) => writtenAt(join(dir, name))));
  const last = Math.max(attempt.startedAt, readLastStep(engine.store, attempt), ...written);
  return Math.round(engine.now() - jumpMs - last);
}

const SIGNS = ["out", "err", "exit"];

/** Epoch milliseconds; 0 where it is not there. */
function writtenAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
