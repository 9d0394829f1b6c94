/** The firings of a repository's batches: which are still under way, and which have come to their end. */
import { posix } from "node:path";
import type { Batch } from "../core/batch.ts";
import type { Firing } from "../core/firing.ts";
import { describeTimeOver } from "../core/run-time.ts";
import type { Run } from "../core/run.ts";
import { countFinal } from "../core/view.ts";
import { readBackground } from "../store/background.ts";
import { type Claimed, endFiring, readOpenFirings } from "../store/firings.ts";
import { readRun } from "../store/runs.ts";
import { isAlive } from "../system/identity.ts";
import type { Engine } from "./engine.ts";
import { isCarried } from "./holder.ts";
import { usualPlan } from "./read-plan.ts";
import { isRunSettled } from "./settled.ts";
import { timeOverOf } from "./run-time.ts";
import { viewRun } from "./view.ts";

/** Whether the run of a firing is being started, or carried. */
export function isUnderWay(engine: Engine, firing: Claimed): boolean {
  return isUnfinished(engine, firing) && !isForsaken(engine, firing);
}

/** Whether there is still something to come of a firing. Where nobody carries its run, who watches goes on with it, and begins nothing beside it. */
export function isUnfinished(engine: Engine, firing: Claimed): boolean {
  return firing.state === "claimed" ? isAlive(firing.owner) : findUnfinished(engine, firing) !== null;
}

/** Whether a firing has a run that would go on, were there anybody to carry it. */
export function isForsaken(engine: Engine, firing: Claimed): boolean {
  const run = findUnfinished(engine, firing);
  if (run === null || isAlive(firing.owner) || isCarried(engine) !== null) return false;
  const background = readBackground(engine.store, run.id);
  return background === null || !isAlive(background);
}

/** The firing of another batch whose run this one would share, were it started now: one of the same plan that was claimed before and is not over. Batches
 *  of different plans share none; one that names none has the plan that a run takes by itself. `before`: the number of its own firing; `batches`: those of its schedule, which say the plan of what has no run yet. */
export function findAhead(
  engine: Engine,
  { name, plan }: Pick<Batch, "name" | "plan">,
  { before, batches }: { before: number; batches: readonly Pick<Batch, "name" | "plan">[] },
): Claimed | null {
  const usual = usualPlan(engine.repo.here, engine.config.run.plan);
  const planOf = ({ run, batch }: Claimed) =>
    run === null ? batches.find((each) => each.name === batch)?.plan : readRun(engine.store, run)?.planPath;
  const isElsewhere = (each: Claimed) => {
    const [own, other] = [plan ?? usual, planOf(each) ?? usual];
    return own !== null && other !== null && normalize(own) !== normalize(other);
  };
  const ahead = readOpenFirings(engine.store).find(
    (each) => each.batch !== name && each.id < before && isUnfinished(engine, each) && !isElsewhere(each),
  );
  return ahead ?? null;
}

function normalize(path: string): string {
  return posix.normalize(path).replace(/\/$/, "");
}

/** What a slot waits for behind another batch, in words. */
export function describeAhead({ batch, run }: Firing): string {
  return `waits for the end of ${run === null ? "what is being started" : run} of the batch ${batch}, of the same plan`;
}

/** The run of a firing that is not over; null where it has none. */
function findUnfinished(engine: Engine, { state, run: id }: Claimed): Run | null {
  const run = state === "running" && id !== null ? readRun(engine.store, id) : null;
  return run === null || isRunSettled(engine, run) ? null : run;
}

/** Writes down which firings are over, because their runs have ended or wait for a person. */
export function settleFirings(engine: Engine): Claimed[] {
  return readOpenFirings(engine.store).filter((firing) => {
    const run = firing.run === null ? null : readRun(engine.store, firing.run);
    if (firing.state !== "running" || run === null || !isRunSettled(engine, run)) return false;
    const end = { from: "running", to: "over", reason: describeEnd(engine, run), now: engine.now() } as const;
    return endFiring(engine.store, firing, end);
  });
}

/** `3 done, 1 failed`; `2 done; waits for a person`. */
function describeEnd(engine: Engine, run: Run): string {
  const views = viewRun(engine, run);
  const counts = Object.entries(countFinal(views.map(({ task }) => task))).filter(([, count]) => count > 0);
  const words = counts.map(([state, count]) => `${count} ${state}`).join(", ") || "nothing done";
  if (run.state === "ended") return words;
  const timeOver = timeOverOf(engine, run);
  const isHeld = views.some(({ standing }) => standing === "waits-for-budget");
  if (run.wish === "stop") return `${words}; stopped`;
  if (isHeld) return `${words}; ${timeOver === null ? "waits for the budget" : describeTimeOver(timeOver)}`;
  return `${words}; waits for a person`;
}
