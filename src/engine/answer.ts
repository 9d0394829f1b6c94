/** What a person can do about a task that waits for them. */
import { suggestRules } from "../agents/rules.ts";
import type { Run } from "../core/run.ts";
import { contestsIn } from "../core/rival.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { waitsForPerson } from "../core/park.ts";
import { type Answer, answerCommand, type Permit } from "../core/task-answer.ts";
import { readAstray } from "../store/astray.ts";
import { readAttempts } from "../store/attempts.ts";
import { readRun } from "../store/runs.ts";
import { findTasks, readTasks } from "../store/tasks.ts";
import { budgetCommand } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { choicesFor, refusedLoginOf } from "./view.ts";

/** The command that answers a waiting task, or raises the budget it waits for, naming its run where a later one has a task of the same key. */
export function answerFor(engine: Engine, task: Task): Answer {
  const run = readRun(engine.store, task.run);
  const astray = run && waitsWithRun(task) ? readAstray(engine.store, run.id) : null;
  if (astray !== null) return { command: astray.command, note: astray.note };
  const login = run && task.state === "pending" && task.park === null ? refusedLoginOf(engine, run, task) : undefined;
  if (login) return { command: `owt task retry ${login.key} --run ${login.run}`, note: "once its login is mended" };
  // A limit or a pause that is over leaves its word behind; what holds the task is the budget.
  if (task.state === "pending" && (task.park === null || !waitsForPerson(task.park)))
    return { command: budgetCommand(engine, task), note: null };
  const isNewest = findTasks(engine.store, task.key)[0]?.id === task.id;
  const permit = run ? permitFor(engine, run, task) : undefined;
  return answerCommand(task, isNewest, {
    permit,
    hasWords: endedWithWords(engine, task),
    isAlone: hasRivalsLeft(engine, task),
  });
}

/** Whether what is amiss with the run's branch keeps a task waiting. */
function waitsWithRun({ state, park }: Task): boolean {
  return state === "integrating" || (state === "pending" && (park === null || !waitsForPerson(park)));
}

/** Whether one of several that do its task has not come to its end. */
function hasRivalsLeft({ store }: Engine, { run, rival }: Task): boolean {
  if (rival === null) return false;
  const rivals = contestsIn(readTasks(store, run)).get(rival.of) ?? [];
  return rivals.some(({ state }) => !FINAL_STATES.has(state));
}

/** The same as it can be typed now: of a task that a person has, and that cannot be given back as it stands, it leads there. Looks at its worktree and
 *  session. */
export async function answerNow(engine: Engine, task: Task): Promise<Answer> {
  const given = answerFor(engine, task);
  if (task.park?.for !== "hand") return given;
  // Only what somebody has needs git and tmux to be looked at.
  const { whyNotDone } = await import("./hand-back.ts");
  const why = await whyNotDone(engine, task);
  if (why === null) return given;
  const isNewest = findTasks(engine.store, task.key)[0]?.id === task.id;
  const command = `owt switch ${task.key}${isNewest ? "" : ` --run ${task.run}`}`;
  return { command, note: `${why}; then: ${given.command}` };
}

/** {@link answerNow} of those of these that a person has, by the task's row number. */
export async function heldAnswers(engine: Engine, tasks: readonly Task[]): Promise<Map<number, Answer>> {
  const held = tasks.filter(({ park }) => park?.for === "hand");
  return new Map(await Promise.all(held.map(async (task) => [task.id, await answerNow(engine, task)] as const)));
}

/** Where and how the refused tools are allowed: in whatever says which are allowed now, for a list replaces the ones below it. */
function permitFor(engine: Engine, run: Run, task: Task): Permit | undefined {
  if (task.park?.for !== "permission") return undefined;
  const { agent, tools } = task.park;
  const allowed = choicesFor(engine, run, task, agent).allowedTools ?? [];
  const { rules, warning } = suggestRules(tools);
  const list = JSON.stringify([...new Set([...allowed, ...rules])]);
  if (task.spec.choices?.allowedTools)
    return { line: `allowed_tools: ${list}`, file: `${task.spec.source.file}:${task.spec.source.line}`, warning };
  if (run.options.choices.plan.allowedTools)
    return { line: `"claude": {"allowed_tools": ${list}}`, file: run.planPath, warning };
  return { line: `allowed_tools = ${list}`, file: `.worktreerc under [agent.${agent}]`, warning };
}

/** Whether a failed task ended with words instead of work: what they ask for can be answered. */
export function endedWithWords(engine: Engine, task: Task): boolean {
  return task.state === "failed" && readAttempts(engine.store, task.id).at(-1)?.outcome?.kind === "nothing_done";
}
