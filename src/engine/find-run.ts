import { OwtError } from "../core/errors.ts";
import { nearest } from "../core/names.ts";
import type { Run } from "../core/run.ts";
import { readRun, readRuns } from "../store/runs.ts";
import type { Engine } from "./engine.ts";

/** The run named, or `unknown-name` with the nearest. */
export function findRun(engine: Engine, id: string): Run {
  const run = readRun(engine.store, id);
  if (run) return run;
  const known = readRuns(engine.store).map((each) => each.id);
  const close = nearest(id, known);
  throw new OwtError("unknown-name", `there is no run ${id}`, {
    hint: close.length > 0 ? `did you mean ${close.join(" or ")}?` : "see: owt status",
  });
}
