/** Rivals before a run: which agents the command line means, and a row for each of them in the place of each task. */
import type { AgentChoices } from "../core/choices.ts";
import { OwtError } from "../core/errors.ts";
import { checkRivals, parseRival, type RivalChoice, rivalKey, specForRival } from "../core/rival.ts";
import type { NewTask } from "../store/runs.ts";
import { type Engine, findAgent, knownAgents } from "./engine.ts";
import { kindNamed } from "./view.ts";

/** What the command line says of agents. */
type Asked = {
  agent?: string | null;
  choices?: AgentChoices;
  rivals?: { count: number | null; names: readonly string[] | null };
};

/** The agents that `--agents` names; none where it is not said. Throws `usage` where their number is another one or another option contradicts them,
 *  `unknown-name` with the nearest ones. */
export function rivalChoices(engine: Engine, { agent, choices, rivals }: Asked): RivalChoice[] {
  const { default: first, named } = engine.config.agent;
  const all = [...new Set([first, ...Object.keys(named), ...knownAgents(engine.config)])];
  const wrong = checkRivals(rivals?.count ?? undefined, rivals?.names ?? undefined, all);
  if (wrong !== null) throw new OwtError("usage", wrong.message, { hint: wrong.hint });
  if (!rivals?.names) return [];
  const other = agent != null ? "--agent" : choices?.model !== undefined ? "--model" : null;
  if (other !== null)
    throw new OwtError("usage", `${other} and --agents contradict each other`, {
      hint: `name agents and models with --agents: ${all[0]}:MODEL,${all[1]}`,
    });
  const known = new Set(knownAgents(engine.config));
  return rivals.names.map((name) => {
    const choice = parseRival(name, (word) => known.has(word));
    findAgent(engine, choice.agent);
    return choice;
  });
}

/** Whether several agents do it: two cannot work on one branch of the plan's. */
export function hasRivals({ spec }: Pick<NewTask, "spec">, rivals: readonly RivalChoice[]): boolean {
  return rivals.length > 0 && spec.branch === null;
}

/** The rows of these tasks, one for each rival. Throws `plan` where a task of the plan has the name of one. */
export function rowsFor(engine: Engine, tasks: readonly NewTask[], rivals: readonly RivalChoice[]): NewTask[] {
  const ids = new Set(tasks.map(({ spec }) => spec.id));
  return tasks.flatMap((task) => {
    if (!hasRivals(task, rivals)) return [task];
    return rivals.map((choice, place) => {
      const key = rivalKey(task.spec.id, choice);
      if (ids.has(key))
        throw new OwtError("plan", `${key} is a task of the plan, and would be a rival for ${task.spec.id}`, {
          hint: "rename one of them, or do it without rivals: owt run",
        });
      const spec = specForRival(task.spec, choice, isOwnKind(engine, task, choice));
      return { ...task, spec, rival: { ...choice, of: task.spec.id, place, size: null, end: null } };
    });
  });
}

/** Whether what the plan chose for a task is meant for agents of a rival's kind. */
export function isOwnKind(engine: Engine, { spec }: Pick<NewTask, "spec">, { agent }: RivalChoice): boolean {
  return kindNamed(engine, agent) === kindNamed(engine, spec.agent ?? engine.config.agent.default);
}
