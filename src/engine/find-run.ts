import { OwtError } from "../core/errors.ts";
import { nearestHint } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import { readRun, readRuns } from "../store/runs.ts";
import type { Engine } from "./engine.ts";

/** The run named, or `unknown-name` with the nearest. */
export function findRun(engine: Engine, id: string): Run {
  const run = readRun(engine.store, id);
  if (run) return run;
  const known = readRuns(engine.store).map((each) => each.id);
  throw new OwtError("unknown-name", `there is no run ${id}`, {
    hint: nearestHint(id, known, "see: owt status"),
  });
}
