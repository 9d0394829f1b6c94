/** What is asked for in each task of a run, and where it stands, for every face. */
import { kindOf } from "../agents/registry.ts";
import { type AgentChoices, configuredChoices, layChoices, stated } from "../core/choices.ts";
import { findFree, type LimitHold, mayTry } from "../core/limit.ts";
import { isUndecided } from "../core/rival.ts";
import type { Run } from "../core/run.ts";
import type { BareTask, Task } from "../core/task.ts";
import { findRefusedLogin, type Logins, type TaskView, viewTasks } from "../core/view.ts";
import { readAttempt } from "../store/attempts.ts";
import { readHeldApart } from "../store/footprints.ts";
import { readHeldMerges } from "../store/resolving.ts";
import { readRuns } from "../store/runs.ts";
import { readBareTasks } from "../store/bare-tasks.ts";
import { readTask, readTasks } from "../store/tasks.ts";
import { readHolds } from "./budget.ts";
import { credentialOf } from "./credentials.ts";
import { type Engine, isAgent } from "./engine.ts";
import { type Holding, readHolding } from "./governor.ts";
import { knownShortage } from "./room.ts";

/** The agent that a task is given to: the one that a rival is, else the run's choice, else the plan's, else the configuration's. */
export function agentFor(engine: Engine, run: Run, task: Task): string {
  return task.rival?.agent ?? run.options.agent ?? task.spec.agent ?? engine.config.agent.default;
}

/** The agent of a task's next attempt: that of the conversation which goes on, else the one it is given to. While a usage limit holds it, the first
 *  free one of those that it falls over to (`[agent.NAME] fall_over`); `insteadOf` is the one that has to wait then. A rival is nobody else. */
export function nextAgent(
  engine: Engine,
  run: Run,
  task: Task,
  holding: Holding = readHolding(engine),
): { agent: string; insteadOf: string | null } {
  const before = task.next.kind === "fresh" ? null : readAttempt(engine.store, task.next.from);
  // Where that one is no more, the one that the task is given to works on in its place.
  const given = agentFor(engine, run, task);
  const own = before && (isAgent(engine, before.agent) || !isAgent(engine, given)) ? before.agent : given;
  if (holding === null || isUndecided(task) || task.next.kind === "by-hand") return { agent: own, insteadOf: null };
  const isHeld = (agent: string) => {
    const limit = holding(agent, () => nextModel(engine, run, task, agent));
    return limit !== null && (limit.probe !== null || !mayTry(limit, engine.now()));
  };
  const { named } = engine.config.agent;
  const fallOver = (each: string) => {
    const to = named[each]?.fall_over;
    return to !== undefined && isAgent(engine, to) ? to : undefined;
  };
  const agent = findFree(own, fallOver, isHeld);
  return { agent, insteadOf: agent === own ? null : own };
}

/** What keeps the agent of a task's next attempt back; null where nothing does. */
export function limitOf(engine: Engine, run: Run, task: Task, holding: NonNullable<Holding>): LimitHold | null {
  const { agent } = nextAgent(engine, run, task, holding);
  return holding(agent, () => nextModel(engine, run, task, agent));
}

/** The model with which an agent would take a task up next: that of the conversation which goes on, else the chosen one; null is the agent's own choice. */
export function nextModel(engine: Engine, run: Run, task: Task, agent: string): string | null {
  const before = task.next.kind === "fresh" ? null : readAttempt(engine.store, task.next.from);
  if (before?.agent === agent && before.model !== null) return before.model;
  return choicesFor(engine, run, task, agent).model ?? null;
}

/** How the agent is to be run for a task: configuration, plan, task and command line, each over the one before. What was chosen for another kind of
 *  agent, which this one stands in for, says nothing about it. */
export function choicesFor(engine: Engine, run: Run, task: Task, agent: string): AgentChoices {
  if (kindNamed(engine, agent) !== kindNamed(engine, agentFor(engine, run, task)))
    return configuredChoices(engine.config.agent.named[agent]);
  const own = layChoices(task.spec.choices, stated({ model: task.spec.model }));
  const { plan, flags } = run.options.choices;
  const { rival } = task;
  // What a plan says of all its tasks was said of the agent that they would be given to.
  const isMeant = rival === null || kindNamed(engine, agent) === kindNamed(engine, engine.config.agent.default);
  const as = rival?.agent === agent ? stated({ model: rival.model ?? undefined }) : {};
  return layChoices(configuredChoices(engine.config.agent.named[agent]), isMeant ? plan : {}, own, flags, as);
}

/** The kind of an agent, by its name; null where there is no such agent. */
export function kindNamed(engine: Engine, agent: string): string | null {
  return kindOf(agent, engine.config.agent.named[agent] ?? {});
}

/** The view of each of a run's bare tasks, in plan order. */
export function viewBriefly(engine: Engine, run: Run, tasks: readonly BareTask[]): TaskView<BareTask>[] {
  return viewNow(engine, run, tasks, ({ id }) => readTask(engine.store, id)!);
}

/** The view of each task of a run, in plan order. */
export function viewRun(
  engine: Engine,
  run: Run,
  tasks: readonly Task[] = readTasks(engine.store, run.id),
): TaskView[] {
  return viewNow(engine, run, tasks, (task) => task);
}

function viewNow<T extends BareTask>(
  engine: Engine,
  run: Run,
  tasks: readonly T[],
  wholeOf: (task: T) => Task,
): TaskView<T>[] {
  const holding = readHolding(engine);
  const agentOf = (task: T) => nextAgent(engine, run, wholeOf(task), holding).agent;
  return viewTasks(tasks, agentOf, engine.now(), {
    holds: readHolds(engine, run),
    logins: readLogins(engine, run, tasks),
    limitOf: holding && ((agent, task) => holding(agent, () => nextModel(engine, run, wholeOf(task), agent))),
    shortage: knownShortage(engine),
    apart: readHeldApart(engine.store, run.id),
    merges: readHeldMerges(engine.store, run.id),
  });
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
