/** Where the tasks of a run stand, for every face. */
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { type TaskView, viewTasks } from "../core/view.ts";
import { readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";

/** The agent that a task is given to: the run's choice, else the plan's, else the configuration's. */
export function agentFor(engine: Engine, run: Run, task: Task): string {
  return run.options.agent ?? task.spec.agent ?? engine.config.agent.default;
}

/** The view of each task of a run, in plan order. */
export function viewRun(
  engine: Engine,
  run: Run,
  tasks: readonly Task[] = readTasks(engine.store, run.id),
): TaskView[] {
  return viewTasks(tasks, (task) => agentFor(engine, run, task), engine.now());
}
