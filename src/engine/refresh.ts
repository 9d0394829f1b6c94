/** A run follows its plan: what nobody has finished yet takes the text that the plan has now, and the checks that are configured now. */
import { existsSync } from "node:fs";
import { commandList } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import type { PlannedTask } from "../core/plan.ts";
import { findRevived } from "../core/view.ts";
import { hasLost, planKeyOf, specForRival } from "../core/rival.ts";
import type { Run, RunOptions } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { readRef } from "../git/branch.ts";
import { readRun, setRunOptions } from "../store/runs.ts";
import { moveTask, readTasks, replaceSpec } from "../store/tasks.ts";
import { grantsNeeded, requireApproval } from "./approvals.ts";
import type { Engine } from "./engine.ts";
import { branchProblems, demoProblems, modeProblems } from "./plan-checks.ts";
import { readPlan } from "./read-plan.ts";
import { isOwnKind } from "./rivals.ts";
import { hashTask } from "./work.ts";
import { planError } from "./asked-plan.ts";

/** Tasks whose text may still change: no agent is at work on them, and nothing of them is integrated. */
const OPEN_TO_CHANGE = new Set<Task["state"]>(["pending", "failed", "skipped", "cancelled"]);

/** Takes the plan's present text into a run. Returns the keys that changed, and what else there is to say of it.
 *  Throws `not-approved` when the new text brings commands that the user has not approved, `plan` when it names a branch that cannot be had, a permission mode that no agent takes, or a step that the demo agent cannot play. */
export async function refreshRun(engine: Engine, runId: string): Promise<{ changed: string[]; kept: string | null }> {
  const run = readRun(engine.store, runId);
  if (!run) return { changed: [], kept: null };
  const planned = await readPlanned(run);
  if (typeof planned === "string") return { changed: [], kept: planned };
  const changes = changesOf(engine, readTasks(engine.store, run.id), planned);
  const specs = changes.map((change) => change.spec);
  requireApproval(engine, grantsNeeded(engine, specs, {}));
  const renamed = changes.filter(({ task, spec }) => spec.branch !== task.spec.branch).map(({ spec }) => spec);
  const taken = await branchProblems(engine, renamed, await readRef(engine.repo, run.branch));
  const modes = modeProblems(engine, { planPath: run.planPath, settings: {}, specs });
  const demo = demoProblems(engine, specs, { agent: run.options.agent });
  if (taken.length + modes.length + demo.length > 0) throw planError([...taken, ...modes, ...demo]);
  const removed = dropRemoved(engine, run, planned);
  const options = { ...run.options, verify: commandList(engine.config.run.verify) };
  const changed = followPlan(engine, run, changes, options);
  return {
    changed,
    kept: removed.length > 0 ? `no longer in the plan, and cancelled: ${removed.join(", ")}` : null,
  };
}

export type SpecChange = { task: Task; spec: PlannedTask; hash: string; needs: string[] };

/** The tasks of a run that ask for something else, or wait for something else, now. */
export function changesOf(engine: Engine, tasks: readonly Task[], planned: readonly PlannedTask[]): SpecChange[] {
  const specs = new Map(planned.map((spec) => [spec.id, spec]));
  const inRun = new Set(tasks.map(planKeyOf));
  return tasks.flatMap((task) => {
    const asked = specs.get(planKeyOf(task));
    if (!asked || !OPEN_TO_CHANGE.has(task.state) || hasLost(task)) return [];
    const spec =
      task.rival === null ? asked : specForRival(asked, task.rival, isOwnKind(engine, { spec: asked }, task.rival));
    const hash = hashTask(spec);
    // Dependencies stay within the run.
    const needs = [...spec.dependsOn, ...spec.implied].filter((key) => inRun.has(key));
    const waitsForTheSame = needs.length === task.needs.length && needs.every((key) => task.needs.includes(key));
    return hash === task.hash && waitsForTheSame ? [] : [{ task, spec, hash, needs }];
  });
}

/** Writes the changes and returns their keys. A task that waits for nothing dead any more is taken up again. */
export function followPlan(engine: Engine, run: Run, changes: readonly SpecChange[], options: RunOptions): string[] {
  return engine.store.transaction(() => {
    const replaced = changes.filter(({ task, spec, hash, needs }) =>
      replaceSpec(engine.store, task, spec, hash, needs),
    );
    for (const task of findRevived(readTasks(engine.store, run.id))) {
      moveTask(engine.store, engine.now(), task, "pending", { reason: null, endedAt: null });
    }
    setRunOptions(engine.store, run.id, options);
    return [...new Set(replaced.map(({ task }) => planKeyOf(task)))];
  });
}

/** Tasks that left the plan and that nobody has begun are cancelled. Returns their keys. */
function dropRemoved(engine: Engine, run: Run, planned: readonly PlannedTask[]): string[] {
  if (planned.length === 0) return [];
  const there = new Set(planned.map((spec) => spec.id));
  const isUntouched = (task: Task) => task.state === "skipped" || (task.state === "pending" && task.startedAt === null);
  const gone = readTasks(engine.store, run.id).filter(
    (task) => !there.has(planKeyOf(task)) && !task.spec.source.file.startsWith("owt ") && isUntouched(task),
  );
  const change = { reason: "no longer in the plan", endedAt: engine.now() };
  for (const task of gone) moveTask(engine.store, engine.now(), task, "cancelled", change);
  return gone.map((task) => task.key);
}

async function readPlanned(run: Run): Promise<PlannedTask[] | string> {
  if (run.planKind === "ad-hoc" || run.planPath === "") return [];
  if (!existsSync(run.options.checkout)) return `${run.options.checkout} is gone; the run keeps the text it has`;
  try {
    const result = await readPlan(run.options.checkout, run.planPath);
    return "plan" in result
      ? result.plan.tasks
      : `${run.planPath} has problems (owt plan tells); the run keeps the text it has`;
  } catch (error) {
    if (error instanceof OwtError && error.code === "plan") return `${error.message}; the run keeps the text it has`;
    throw error;
  }
}
