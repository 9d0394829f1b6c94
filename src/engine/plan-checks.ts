/** What is wrong with a plan only in this place: agents that nobody set up, and branches that cannot be had. */
import { OwtError } from "../core/errors.ts";
import { checkBranchName } from "../core/names.ts";
import type { PlannedTask, Problem } from "../core/plan.ts";
import { checkedOutWhere, isAncestor, readRef } from "../git/branch.ts";
import { lastAttemptOn } from "../store/attempts.ts";
import { type Engine, findAgent } from "./engine.ts";

/** Agents that these tasks name but nobody has set up. */
export function agentProblems(engine: Engine, specs: readonly PlannedTask[]): Problem[] {
  return specs.flatMap((spec) => {
    if (spec.agent === null) return [];
    try {
      findAgent(engine, spec.agent);
      return [];
    } catch (error) {
      if (!(error instanceof OwtError)) throw error;
      const place = { file: spec.source.file, line: spec.lines?.agent ?? spec.source.line };
      const message = `${spec.id}: ${error.message}`;
      return [{ ...place, code: "unknown-agent", message, hint: error.hint ?? "" }];
    }
  });
}

/** A branch name that a plan chose must be free, or one that an earlier attempt worked on and that holds nothing which `base`, the commit
 *  that the run starts from, does not hold: that one is moved forward when its task begins. Without a base only the name is looked at. */
export async function branchProblems(
  engine: Engine,
  specs: readonly PlannedTask[],
  base: string | null,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const spec of specs) {
    const taken = spec.branch === null ? null : await whyTaken(engine, spec.branch, base);
    if (taken === null) continue;
    problems.push({
      file: spec.source.file,
      line: spec.lines?.branch ?? spec.source.line,
      code: "branch-taken",
      message: `the branch ${spec.branch} of ${spec.id} ${taken}`,
      hint: "rename the branch in the plan, or rename or delete the existing one",
    });
  }
  return problems;
}

async function whyTaken(engine: Engine, branch: string, base: string | null): Promise<string | null> {
  // A name that is refused has been reported as that.
  if (checkBranchName(branch) !== null) return null;
  const tip = await readRef(engine.repo, `refs/heads/${branch}`);
  if (tip === null) return null;
  const last = lastAttemptOn(engine.store, branch);
  if (last === null) return "exists already";
  // A try that came to nothing is gone on from, wherever its worktree was kept.
  if (base === null || (last.outcome !== null && last.outcome.kind !== "ok")) return null;
  if (!(await isAncestor(engine.repo, tip, base)))
    return "exists already, with commits that the run does not start from";
  const place = await checkedOutWhere(engine.repo, branch);
  return place === null ? null : `exists already, and is checked out in ${place}`;
}
