/** Looks whether the branch of a run that is carried is where its work is, and lets the run wait where it is not: the other runs go on. */
import type { Astray } from "../core/astray.ts";
import type { Run } from "../core/run.ts";
import { readRef } from "../git/branch.ts";
import { MapPer } from "../lib/map-per.ts";
import { readAstray, writeAstray } from "../store/astray.ts";
import { lastIntegrated } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { findTip } from "./run-tip.ts";

/** Where the branch of a run stood, and what was integrated, when nothing was amiss. */
const fine = new MapPer<Engine, string, string>();

/** What keeps the run waiting; null where nothing does. Written down for all who look as soon as that changes. */
export async function noteAstray(engine: Engine, run: Run): Promise<Astray | null> {
  const known = fine.of(engine);
  const stands = `${await readRef(engine.repo, `refs/heads/${run.branch}`)} ${lastIntegrated(engine.store, run.id)}`;
  if (known.get(run.id) === stands) return null;
  const found = await findTip(engine, run);
  const astray = "astray" in found ? found.astray : null;
  if (astray === null) known.set(run.id, stands);
  else known.delete(run.id);
  if (astray?.why !== readAstray(engine.store, run.id)?.why) writeAstray(engine.store, engine.now(), run.id, astray);
  return astray;
}
