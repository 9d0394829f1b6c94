/** A target that went on and conflicts with a run: a person finds the merge of both started, in a worktree on the run's branch. */
import { existsSync } from "node:fs";
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { checkedOutWhere, isAncestor } from "../git/branch.ts";
import { commitsWithout } from "../git/changes.ts";
import { findUnresolved, readMerging } from "../git/conflicts.ts";
import type { Oid, Place } from "../git/git.ts";
import { startMerge } from "../git/merge.ts";
import { findPlace, inProgress, readHead } from "../git/place.ts";
import { readStatus } from "../git/status.ts";
import { createWorktree } from "../git/worktree.ts";
import { printableNames, shellWord } from "../lib/printable.ts";
import { type Engine, landingWorktree } from "./engine.ts";
import { nameCommits } from "./taken-out.ts";

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
  if (before === path && !existsSync(path))
    return needsPerson(
      run,
      files,
      `the files of ${path} are gone (where you moved it: git worktree repair NEW-FOLDER): git worktree prune`,
    );
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
  const dropped = await findDropped(engine, place, target);
  if (dropped !== null)
    return needsPerson(
      run,
      files,
      `what is under way in ${path} is a merge with ${dropped}, which ${run.target} does not hold any more; give it up: ${git} merge --abort && owt land ${run.id}`,
    );
  const open = (await findUnresolved(engine.repo, path)).map((each) => each.path);
  if (open.length === 0) return needsPerson(run, files, `it is resolved in ${path}, and not committed: ${git} commit`);
  return needsPerson(run, open, `it is started in ${path}: resolve it there, ${git} commit -a`);
}

/** What the merge that is under way brings in, and the target, which stands at `tip`, does not hold any more, in words; null where there is no such thing. */
async function findDropped({ repo }: Engine, place: Place, tip: Oid): Promise<string | null> {
  for (const merging of await readMerging(repo, place, await readHead(repo, place)))
    if (!(await isAncestor(repo, merging, tip))) return nameCommits(await commitsWithout(repo, merging, [tip]));
  return null;
}

function needsPerson(run: Run, files: readonly string[], hint: string): OwtError {
  return new OwtError(
    "needs-person",
    `${run.target} went on and conflicts with ${run.id} in ${printableNames([...files])}`,
    { hint: `${hint}; then: owt land ${run.id}` },
  );
}
