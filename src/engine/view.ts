/** What is asked for in each task of a run, and where it stands, for every face. */
import { type AgentChoices, configuredChoices, layChoices, stated } from "../core/choices.ts";
import type { Run } from "../core/run.ts";
import type { BareTask, Task } from "../core/task.ts";
import { findRefusedLogin, type Logins, type TaskView, viewTasks } from "../core/view.ts";
import { readRuns } from "../store/runs.ts";
import { readBareTasks, readTask, readTasks } from "../store/tasks.ts";
import { readHolds } from "./budget.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { readHolding } from "./governor.ts";
import { knownShortage } from "./room.ts";

/** The agent that a task is given to: the run's choice, else the plan's, else the configuration's. */
export function agentFor(engine: Engine, run: Run, task: Task): string {
  return run.options.agent ?? task.spec.agent ?? engine.config.agent.default;
}

/** How the agent is to be run for a task: configuration, plan, task and command line, each over the one before. */
export function choicesFor(engine: Engine, run: Run, task: Task, agent: string): AgentChoices {
  const own = layChoices(task.spec.choices, stated({ model: task.spec.model }));
  const { plan, flags } = run.options.choices;
  return layChoices(configuredChoices(engine.config.agent.named[agent]), plan, own, flags);
}

/** The view of each of a run's bare tasks, in plan order. */
export function viewBriefly(engine: Engine, run: Run, tasks: readonly BareTask[]): TaskView<BareTask>[] {
  return viewNow(engine, run, tasks, ({ id }) => agentFor(engine, run, readTask(engine.store, id)!));
}

/** The view of each task of a run, in plan order. */
export function viewRun(
  engine: Engine,
  run: Run,
  tasks: readonly Task[] = readTasks(engine.store, run.id),
): TaskView[] {
  return viewNow(engine, run, tasks, (task) => agentFor(engine, run, task));
}

function viewNow<T extends BareTask>(
  engine: Engine,
  run: Run,
  tasks: readonly T[],
  agentOf: (task: T) => string,
): TaskView<T>[] {
  const [holds, logins] = [readHolds(engine, run), readLogins(engine, run, tasks)];
  return viewTasks(tasks, agentOf, engine.now(), holds, logins, readHolding(engine), knownShortage(engine));
}

/** The task, of whichever open run, whose refused login holds this one. */
export function refusedLoginOf(engine: Engine, run: Run, task: Task): BareTask | undefined {
  const logins = readLogins(engine, run, readTasks(engine.store, run.id));
  return findRefusedLogin(logins, (each: Task) => agentFor(engine, run, each))(task);
}

function readLogins(engine: Engine, run: Run, own: readonly BareTask[]): Logins {
  const others = readRuns(engine.store, "open").filter((each) => each.id !== run.id);
  const known = new Map<string, string>();
  return {
    tasks: [...own, ...others.flatMap((each) => readBareTasks(engine.store, each.id))],
    credentialOf: (agent) => {
      if (!known.has(agent)) known.set(agent, credentialOf(engine, agent));
      return known.get(agent)!;
    },
  };
}
