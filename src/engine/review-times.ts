/** For how long attempts waited for their rivals or for an approval: that is no work of theirs. */
import type { BareTask, Task } from "../core/task.ts";
import { readReviewTimes } from "../store/events.ts";
import type { Engine } from "./engine.ts";

/** A task that waits for its approval now is one of which `spec` is known. */
type Reviewed = Pick<BareTask, "rival" | "approved"> & Partial<Pick<Task, "spec">>;

const NONE: ReadonlyMap<number, number> = new Map();

/** By the attempt's id, in milliseconds until `now`: the moment to which the work is counted that it is taken off from. The log of the run is read only where
 *  one of these tasks may have waited so. */
export function reviewTimes(
  engine: Engine,
  run: string,
  tasks: readonly Reviewed[],
  now: number,
): ReadonlyMap<number, number> {
  const mayWait = tasks.some(({ spec, rival, approved }) => spec?.needsReview === true || rival !== null || approved);
  return mayWait ? readReviewTimes(engine.store, run, now) : NONE;
}
