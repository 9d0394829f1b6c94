/** The profile of the configuration that a run works with: the one that it was begun with, until it is gone on with under another. */
import { profileNames } from "../core/config.ts";
import { setRunOptions } from "../store/runs.ts";
import { wantedProfile } from "../system/config-files.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./find-run.ts";

/** `use`: the engine is to be opened again under this one; `lost`: the run was begun with it, and the configuration has it no more. */
export type RunProfile = { use: string } | { lost: string } | null;

/** What has to be done about the profile of a run before it is gone on with. One that was named now is the run's from now on. */
export function settleProfile(engine: Engine, run: string): RunProfile {
  const wanted = wantedProfile(engine.env);
  const { options } = findRun(engine, run);
  const begun = options.profile ?? null;
  if (wanted !== null) {
    if (wanted !== begun) setRunOptions(engine.store, run, { ...options, profile: wanted });
    return null;
  }
  if (begun === null) return null;
  return profileNames(engine.layers).includes(begun) ? { use: begun } : { lost: begun };
}
