/** What is wrong with a plan only in this place: agents that nobody set up, and branches that cannot be had. */
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { findDemoFaults } from "../agents/demo-steps.ts";
import { kindOf, permissionModes } from "../agents/registry.ts";
import { checkBranchName, nearest } from "../core/names.ts";
import type { PlannedTask, PlanSettings, Problem } from "../core/plan.ts";
import { checkedOutWhere, isAncestor, readRef } from "../git/branch.ts";
import { lastAttemptOn } from "../store/attempts.ts";
import { readTextIfThere } from "../system/files.ts";
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

/** Steps for the demo agent that it could not play, in the tasks that are given to it: by an agent's end each would be told alone, and late. */
export function demoProblems(
  engine: Engine,
  specs: readonly PlannedTask[],
  { agent = null, rivals = null }: { agent?: string | null; rivals?: { names: readonly string[] | null } | null },
): Problem[] {
  const named = rivals?.names?.map((name) => name.split(":", 1)[0]!);
  const isDemo = (name: string) => kindOf(name, engine.config.agent.named[name] ?? {}) === "demo";
  const played = specs.filter((spec) => (named ?? [agent ?? spec.agent ?? engine.config.agent.default]).some(isDemo));
  return played.flatMap((spec) => {
    const faults = findDemoFaults(spec.content);
    const lines = faults.length === 0 ? [] : linesFrom(engine, spec.source);
    let at = 0;
    return faults.map(({ step, why }) => {
      const isIt = (line: string, index: number) => index >= at && line.trim() === step;
      // Only the last block can be one that nothing ends.
      const found = step.startsWith("```") ? lines.findLastIndex(isIt) : lines.findIndex(isIt);
      // The text of a feature may stand in a file of its own, or as a string.
      const line = found === -1 ? spec.source.line : spec.source.line + found;
      at = found === -1 ? at : found + 1;
      const hint = "mend the step, or have another agent do the task: owt run --agent NAME";
      return { file: spec.source.file, line, code: "demo-step", message: `${spec.id}: ${why}`, hint };
    });
  });
}

/** Of the file that a task stands in, from its own line on; none where it cannot be read. */
function linesFrom(engine: Engine, { file, line }: PlannedTask["source"]): string[] {
  const text = readTextIfThere(join(engine.repo.here, file)) ?? "";
  return text.split("\n").slice(line - 1);
}

/** Permission modes that no agent takes: told before anything starts, and not by each task's agent. What a plan says reaches whichever agent a task
 *  is given to, and the modes of others mean nothing to it. */
export function modeProblems(
  engine: Pick<Engine, "layers" | "config">,
  work: { planPath: string; settings: PlanSettings; specs: readonly PlannedTask[] },
): Problem[] {
  const problems: Problem[] = [];
  const look = (mode: string | undefined, modes: readonly string[] | null, file: string, line: number, who: string) => {
    if (mode === undefined || modes === null || modes.includes(mode)) return;
    const close = nearest(mode, modes);
    const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `there are ${modes.join(", ")}`;
    problems.push({ file, line, code: "unknown-mode", message: `${who}: there is no permission mode ${mode}`, hint });
  };
  for (const layer of engine.layers) {
    for (const [name, { permission_mode: mode }] of Object.entries(layer.values.agent?.named ?? {})) {
      const kind = kindOf(name, engine.config.agent.named[name] ?? {}) ?? "command";
      look(mode, permissionModes(kind), layer.name, 1, `[agent.${name}]`);
    }
  }
  look(work.settings.choices?.permissionMode, permissionModes(), work.planPath, 1, "the plan");
  for (const { id, source, choices } of work.specs)
    look(choices.permissionMode, permissionModes(), source.file, source.line, id);
  return problems;
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
