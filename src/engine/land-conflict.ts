/** A target that went on and conflicts with a run: a person finds the merge of both started, in a worktree on the run's branch. */
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { checkedOutWhere } from "../git/branch.ts";
import { findUnresolved } from "../git/conflicts.ts";
import type { Oid } from "../git/git.ts";
import { startMerge } from "../git/merge.ts";
import { findPlace, inProgress } from "../git/place.ts";
import { readStatus } from "../git/status.ts";
import { createWorktree } from "../git/worktree.ts";
import { printableNames, shellWord } from "../lib/printable.ts";
import { type Engine, landingWorktree } from "./engine.ts";

/** Starts the merge of the target, which stands at `target`, and says where it is to be resolved. */
export async function prepareMerge(
  engine: Engine,
  run: Run,
  { work, target, files }: { work: Oid; target: Oid; files: readonly string[] },
): Promise<OwtError> {
  const path = landingWorktree(engine, run.id);
  const before = await checkedOutWhere(engine.repo, run.branch);
  if (before !== null && before !== path)
    return needsPerson(run, files, `merge it there: git -C ${shellWord(before)} merge ${run.target}`);
  const made = await createWorktree(engine.repo, { path, base: work, branch: run.branch });
  if ("refused" in made) {
    const byHand = `git switch ${run.branch} && git merge ${run.target}`;
    return needsPerson(run, files, `something is in the way at ${path}; merge it by hand: ${byHand}`);
  }
  const git = `git -C ${shellWord(path)}`;
  const place = findPlace(engine.repo, path)!;
  // A merge that a person is at work on stays theirs, be it of what the target was before.
  if (inProgress(place) === null) {
    if ((await readStatus(place)).changes.length > 0)
      return needsPerson(run, files, `commit what is changed in ${path} (${git} commit -a)`);
    await startMerge(engine.repo, path, target);
  }
  const open = (await findUnresolved(engine.repo, path)).map((each) => each.path);
  if (open.length === 0) return needsPerson(run, files, `it is resolved in ${path}, and not committed: ${git} commit`);
  return needsPerson(run, open, `it is started in ${path}: resolve it there, ${git} commit -a`);
}

function needsPerson(run: Run, files: readonly string[], hint: string): OwtError {
  return new OwtError(
    "needs-person",
    `${run.target} went on and conflicts with ${run.id} in ${printableNames([...files])}`,
    { hint: `${hint}; then: owt land ${run.id}` },
  );
}
