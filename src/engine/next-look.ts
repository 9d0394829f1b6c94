/** When the loop that carries runs has to look again though nothing happens. */
import type { Attempt } from "../core/attempt.ts";
import { hasLimitOf } from "../core/budget-limits.ts";
import { isBranchAmiss } from "../core/held-merges.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { readHeldMerges } from "../store/resolving.ts";
import { dayEnds } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { nextProbe } from "./governor.ts";
import { waitsForCheckout } from "./held-checkout.ts";

/** What one turn of the loop looks at. Read once a turn: a plan can have thousands of tasks. `at` is when it began to (epoch ms). */
export type Look = { at: number; runs: Run[]; tasks: Map<string, Task[]>; attempts: Attempt[] };

/** A timer stands still while the machine sleeps, and does not see that the clock was set: so often the time is looked at. */
const LOOK_AT_CLOCK_MS = 30_000;
/** So often it is looked whether a red branch has moved, or a checkout is free. */
const LOOK_AT_TIP_MS = 1_000;

/** Milliseconds until a task may be started that waits for a time now, or the clock is to be looked at again; null when none waits. What was decided in this turn was
 *  decided at any moment since it began: a time that has passed meanwhile may have been ahead then, and is looked at again at once. */
export function soonest(engine: Engine, seen: Look): number | null {
  const waiting = [...seen.tasks.values()].flat().filter((task) => task.state === "pending" && task.notBefore !== null);
  const days = seen.runs.filter((run) => hasLimitOf(run.options.budget, { scope: "day" })).map(() => dayEnds(seen.at));
  // From then on nothing waits for a time any more.
  const ends = seen.runs.flatMap((run) => run.options.time?.endsAt ?? []);
  const probe = nextProbe(engine);
  const times = [...waiting.map((task) => task.notBefore!), ...days, ...ends, ...(probe === null ? [] : [probe])];
  // A clock that was set back meanwhile has its times ahead again.
  const now = engine.now();
  const later = times.filter((at) => at > Math.min(seen.at, now));
  // Who mends a branch tells nobody.
  const isHeld = [...seen.tasks.values()].some((tasks) => tasks.some(waitsForCheckout));
  if (isHeld || seen.runs.some(({ id }) => isBranchAmiss(readHeldMerges(engine.store, id))))
    later.push(now + LOOK_AT_TIP_MS);
  return later.length === 0 ? null : Math.min(LOOK_AT_CLOCK_MS, Math.max(0, Math.min(...later) - now));
}
