/** The submodules of a worktree, for tasks, for the run's own worktree and for worktrees by hand. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SetupSaid } from "../core/reuse.ts";
import { bringSubmodules, type BringOptions } from "../git/bring-submodules.ts";
import type { Oid, Place } from "../git/git.ts";
import { offerKept } from "../git/submodules.ts";
import type { Engine } from "./engine.ts";

/** Checks out the submodules of the commit that a worktree stands at, and has the others ready for who checks them out by hand. What cannot be
 *  brought is told, and no reason to do without the worktree. Costs one look where there are none. */
export async function readySubmodules(
  engine: Engine,
  place: Place,
  commit: Oid,
  options: BringOptions & { tell?: (said: SetupSaid) => void },
): Promise<void> {
  if (!existsSync(join(place.root, ".gitmodules"))) return;
  if (engine.config.environment.submodules) {
    const { tell, ...how } = options;
    const started = performance.now();
    const { done, left } = await bringSubmodules(engine.repo, place, commit, how);
    if (done.length > 0) tell?.({ level: "submodules", done, tookMs: performance.now() - started });
    for (const { path, isThere, why, hint } of left) {
      const text = `submodule ${path} ${isThere ? "stays where it was" : "is not checked out"}: ${why} (${hint})`;
      tell?.({ level: "warning", about: `submodule ${path}`, text });
    }
  }
  await offerKept(engine.repo, place, commit);
}
