/** Whether a person brought a run together with a target that went on by throwing a side away: that lands only where they say that it is meant. */
import { ruleFor } from "../core/conflict-rules.ts";
import { OwtError } from "../core/errors.ts";
import { type LostChange, showLost } from "../core/lost-change.ts";
import type { Run } from "../core/run.ts";
import { checkedOutWhere, isAncestor } from "../git/branch.ts";
import { forkOf, mergesOn } from "../git/changes.ts";
import type { Oid } from "../git/git.ts";
import { tasksThatChanged } from "../git/integrations.ts";
import { findLostSides } from "../git/lost-side.ts";
import { mergeTrees } from "../git/merge.ts";
import { shellWord } from "../lib/printable.ts";
import { lastIntegrated } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";

/** `work`: where the run's branch is, `target`: where its target is, `commit`: what both come to, which is to land. */
type Together = Record<"work" | "target" | "commit", Oid>;

/** What is lost of either side in what is to land. Nothing where nobody but owt brought them together: what somebody else commits onto the run's branch is theirs to
 *  change, as long as it settles nothing that both sides changed. */
export async function findLandingLost(engine: Engine, run: Run, together: Together): Promise<LostChange[]> {
  const { repo, config, store } = engine;
  const { work, target, commit } = together;
  const ours = lastIntegrated(store, run.id) ?? run.base;
  if (work === ours || (await isAncestor(repo, ours, target))) return [];
  if (!(await isSettledByHand(engine, { ours, work, target }))) return [];
  const rules = config.conflicts ?? {};
  const lost = await findLostSides(repo, { ours, theirs: target, head: commit });
  const fork = await forkOf(repo, ours, target);
  return Promise.all(
    lost
      .filter(({ path }) => ruleFor(path, rules) === null)
      .map(async ({ path, side, ...rest }) => {
        const tasks = side === "ours" ? await tasksThatChanged(repo, fork, ours, path) : [run.target];
        return { path, isOwn: false, of: tasks.length > 0 ? tasks : [run.id], ...rest };
      }),
  );
}

/** Whether the two conflict, or were merged by whoever committed onto the run's branch. */
async function isSettledByHand(
  { repo }: Engine,
  { ours, work, target }: Record<"ours" | "work" | "target", Oid>,
): Promise<boolean> {
  const merged = await mergeTrees(repo, ours, target, repo.root);
  if ("unrelated" in merged) return false;
  return "files" in merged || (await mergesOn(repo, work, ours)).length > 0;
}

/** Says what is lost, and how it lands all the same. */
export async function refuseLost({ repo }: Engine, run: Run, lost: readonly LostChange[]): Promise<OwtError> {
  const checkout = await checkedOutWhere(repo, run.branch);
  const there = checkout === null ? `git switch ${run.branch}` : `cd ${shellWord(checkout)}`;
  const back = checkout === null ? `git switch ${run.target} && ` : "";
  const what = `${run.target} and ${run.id} were brought together by throwing a side away:\n${showLost(lost).join("\n")}`;
  return new OwtError("needs-person", what, {
    hint: `bring it back, and commit: ${there}; then: ${back}owt land ${run.id}; where it is meant so: owt land ${run.id} --as-resolved`,
  });
}
