/** Runs that were landed, and whose target was reset or rewritten since so that it holds their work no more: nobody lands those again unasked, since that may be meant. */
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { isAncestor, readRef } from "../git/branch.ts";
import type { Oid } from "../git/git.ts";
import { isObject } from "../git/loose-object.ts";
import { onlyWentOn } from "../git/went-on.ts";
import { isAllIn } from "../git/work-in.ts";
import { readLandedAs } from "../store/run-words.ts";
import { readRuns } from "../store/runs.ts";
import { lastIntegrated } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";

/** Whether a run was landed, and its target holds its work no more. A run whose branch is gone, or whose target is, is nobody's news. */
export async function isOutAgain(engine: Engine, run: Run): Promise<boolean> {
  const { repo, store } = engine;
  if (run.landedAt === null) return false;
  const as = readLandedAs(store, run.id);
  if (as !== null && onlyWentOn(repo, run.target, as)) return false;
  const tip = await readRef(repo, `refs/heads/${run.target}`);
  const work = await readRef(repo, `refs/heads/${run.branch}`);
  if (tip === null || work === null || (await isAncestor(repo, work, tip))) return false;
  // What a person committed onto the run's branch since never was in the target.
  const last = lastIntegrated(store, run.id);
  if (last !== null && (await isObject(repo, last)) && (await isAncestor(repo, last, tip))) return false;
  return !(await isAllIn(repo, work, tip));
}

/** Those of all ended runs. */
export async function findOutAgain(engine: Engine): Promise<Run[]> {
  const out: Run[] = [];
  for (const run of readRuns(engine.store, "ended")) if (await isOutAgain(engine, run)) out.push(run);
  return out;
}

/** Throws `needs-person` where landing a run, which stands at `work`, would bring back one that was landed and taken out again, be it itself. */
export async function refuseOutAgain(engine: Engine, run: Run, work: Oid): Promise<void> {
  for (const each of readRuns(engine.store, "ended")) {
    if (each.target !== run.target || each.landedAt === null) continue;
    const held = await readRef(engine.repo, `refs/heads/${each.branch}`);
    if (held === null || !(await isAncestor(engine.repo, held, work))) continue;
    if (await isOutAgain(engine, each)) throw outAgain(run, each);
  }
}

/** `held`: the run that was taken out, where that is not the one that is to land. */
export function outAgain(run: Run, held: Run = run): OwtError {
  const { id, branch, target } = run;
  if (held.id === id)
    return new OwtError("needs-person", `${id} was landed, and taken out of ${target} again`, {
      hint: `land it once more: owt land ${id} --again`,
    });
  return new OwtError(
    "needs-person",
    `${id} holds the work of ${held.id}, which was landed, and taken out of ${target} again; landing would bring that back`,
    {
      hint: `leave it out: git switch -c ${id}-work ${branch} && git rebase --rebase-merges --onto ${target} ${held.branch}, and merge that; bring it back all the same: owt land ${id} --again`,
    },
  );
}
