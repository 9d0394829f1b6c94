/** A run follows its plan: what nobody has finished yet takes the text that the plan has now, and the checks that are configured now. */
import { commandList } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import type { PlannedTask } from "../core/plan.ts";
import type { Run, RunOptions } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { readRun, setRunOptions } from "../store/runs.ts";
import { readTasks, replaceSpec } from "../store/tasks.ts";
import { grantsNeeded, requireApproval } from "./approvals.ts";
import type { Engine } from "./engine.ts";
import { readPlan } from "./read-plan.ts";
import { hashTask } from "./work.ts";

/** Tasks whose text may still change: no agent is at work on them, and nothing of them is integrated. */
const OPEN_TO_CHANGE = new Set<Task["state"]>(["pending", "failed", "skipped", "cancelled"]);

/** Takes the plan's present text into a run. Returns the keys that changed, or why the plan could not be followed.
 *  Throws `not-approved` when the new text brings commands that the user has not approved. */
export async function refreshRun(engine: Engine, runId: string): Promise<{ changed: string[]; kept: string | null }> {
  const run = readRun(engine.store, runId);
  if (!run) return { changed: [], kept: null };
  const planned = await readPlanned(engine, run);
  if (typeof planned === "string") return { changed: [], kept: planned };
  const changes = changesOf(readTasks(engine.store, run.id), planned);
  requireApproval(
    engine,
    grantsNeeded(
      engine,
      changes.map((change) => change.spec),
      {},
    ),
  );
  return {
    changed: followPlan(engine, run, changes, { ...run.options, verify: commandList(engine.config.run.verify) }),
    kept: null,
  };
}

export type SpecChange = { task: Task; spec: PlannedTask; hash: string };

/** The tasks of a run that ask for something else now. */
export function changesOf(tasks: readonly Task[], planned: readonly PlannedTask[]): SpecChange[] {
  const specs = new Map(planned.map((spec) => [spec.id, spec]));
  return tasks.flatMap((task) => {
    const spec = specs.get(task.key);
    if (!spec || !OPEN_TO_CHANGE.has(task.state)) return [];
    const hash = hashTask(spec);
    return hash === task.hash ? [] : [{ task, spec, hash }];
  });
}

/** Writes the changes and returns their keys. Dependencies stay within the run. */
export function followPlan(engine: Engine, run: Run, changes: readonly SpecChange[], options: RunOptions): string[] {
  return engine.store.transaction(() => {
    const keys = new Set(readTasks(engine.store, run.id).map((task) => task.key));
    for (const { task, spec, hash } of changes) {
      const needs = [...spec.dependsOn, ...spec.implied].filter((key) => keys.has(key));
      replaceSpec(engine.store, task.id, spec, hash, needs);
    }
    setRunOptions(engine.store, run.id, options);
    return changes.map(({ task }) => task.key);
  });
}

async function readPlanned(engine: Engine, run: Run): Promise<PlannedTask[] | string> {
  if (run.planKind === "ad-hoc" || run.planPath === "") return [];
  try {
    const result = await readPlan(engine.repo.root, run.planPath);
    return "plan" in result
      ? result.plan.tasks
      : `${run.planPath} has problems (owt plan tells); the run keeps the text it has`;
  } catch (error) {
    if (error instanceof OwtError && error.code === "plan") return `${error.message}; the run keeps the text it has`;
    throw error;
  }
}
