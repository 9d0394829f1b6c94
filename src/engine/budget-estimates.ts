/** What the tasks of a run are expected to use, as far as its budget keeps something for them. */
import type { Expected } from "../core/budget.ts";
import type { Run } from "../core/run.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Store } from "../store/database.ts";
import { readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { Estimates } from "./estimates.ts";

type Known = { key: string; estimates: Estimates };

const KNOWN = new MapPer<Store, string, Known>();

/** The bad case of each task that has not ended, by its row number: nine of ten such tasks stayed below it. `ended` attempts of the run have told
 *  something since the last time, so that the history is read anew when there are more. */
export function readExpectedUses(engine: Engine, run: Run, ended: number): Map<number, Expected> {
  const runs = KNOWN.of(engine.store);
  const key = JSON.stringify([run.options.agent, run.options.choices, ended]);
  const before = runs.get(run.id);
  const known = before?.key === key ? before : { key, estimates: new Estimates(engine, run.options) };
  runs.set(run.id, known);
  const open = readTasks(engine.store, run.id).filter(({ state }) => state === "pending" || state === "running");
  return new Map(
    open.map(({ id, spec }) => {
      const { cost, tokens, duration } = known.estimates.of(spec);
      const isGuess = (cost ?? duration).level === "cold-start";
      return [id, { usd: cost?.p90 ?? null, tokens: tokens?.p90 ?? null, ms: duration.p90, isGuess }];
    }),
  );
}
