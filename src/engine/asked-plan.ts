/** The plan that is asked for: of its files, of tasks written down by hand, or of a sentence; with all that is wrong with it in one error. Read only. */
import type { AgentChoices } from "../core/choices.ts";
import { OwtError } from "../core/errors.ts";
import { nearest, slug } from "../core/names.ts";
import { checkPlan, type Plan, type PlannedTask, type PlanResult, type Problem } from "../core/plan.ts";
import { readBacklog } from "../store/backlog.ts";
import { readRuns } from "../store/runs.ts";
import { readDoneTasks, readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { nearestPlans } from "./near-paths.ts";
import { agentProblems, branchProblems, demoProblems } from "./plan-checks.ts";
import { findPlan, isNoPlan, readPlan } from "./read-plan.ts";
import { shellWord } from "../lib/printable.ts";

/** What the command line asks for. */
export type WorkRequest = {
  /** Where the words were said: what is no task may have been meant as a path from there. */
  from?: string;
  /** Path of a plan; null means: the one there is. */
  plan: string | null;
  /** Ids of single tasks; empty means all. */
  tasks: string[];
  /** Texts of tasks that nobody wrote down yet. */
  texts: string[];
  module: string | null;
  /** At most so many tasks, in the order in which they would start. */
  count: number | null;
  /** For a slot of a batch: what an open run of the plan has under way, behind it, or waiting for a person is none of the `count`. */
  slot?: boolean;
  withUpstreams: boolean;
  /** Repeat what is done. */
  again: boolean;
  /** The agent that the command line names, and how it is to be run: what an estimate goes by. */
  agent?: string | null;
  choices?: AgentChoices;
  /** Agents that are each to do every task: how many (`--rivals`), and which (`--agents`). */
  rivals?: { count: number | null; names: readonly string[] | null };
};

/** Plan and backlog, as far as they are asked for. Throws `plan` with every problem at once. */
export async function readAsked(engine: Engine, request: WorkRequest): Promise<Plan> {
  const texts = request.texts.map((text, index) => adHocTask(text, index));
  const backlog = request.plan === null ? readBacklog(engine.store) : [];
  const onlyTexts = texts.length > 0 && request.plan === null && request.tasks.length === 0 && request.module === null;
  refuseTakenNames(texts, backlog);
  const plan = onlyTexts ? null : await readPlanIfAny(engine, request, backlog.length > 0 || texts.length > 0);
  if (plan && backlog.length === 0 && texts.length === 0) return plan;
  return join(engine, plan, onlyTexts ? texts : [...backlog, ...texts]);
}

/** A text that reads like a task which is written down already would silently run that one. */
function refuseTakenNames(texts: PlannedTask[], backlog: PlannedTask[]): void {
  for (const text of texts) {
    const other = backlog.find((task) => task.id === text.id && task.content !== text.content);
    if (!other) continue;
    throw new OwtError("usage", `a task named ${text.id} is written down already: ${other.title}`, {
      hint: `run that one: owt run ${text.id}; or begin this one with other words`,
    });
  }
}

async function readPlanIfAny(engine: Engine, request: WorkRequest, mayMiss: boolean): Promise<Plan | null> {
  let path: string;
  try {
    path = await findPlan(engine.repo.here, request.plan ?? undefined, engine.config.run.plan);
  } catch (error) {
    if (!isNoPlan(error)) throw error;
    if (mayMiss) return null;
    const known = readRuns(engine.store).flatMap((run) => readTasks(engine.store, run.id).map((task) => task.key));
    throw request.tasks.length > 0 ? unknownTask(request.tasks[0]!, [...new Set(known)], request.from) : error;
  }
  const result = await readPlan(engine.repo.here, path);
  if ("problems" in result) throw await allProblems(engine, request, result);
  return result.plan;
}

/** The tasks of the plan there is: empty where there is none, null where it has problems. */
export async function readPlannedTasks(engine: Engine): Promise<PlannedTask[] | null> {
  try {
    const path = await findPlan(engine.repo.here, undefined, engine.config.run.plan);
    const result = await readPlan(engine.repo.here, path);
    return "plan" in result ? result.plan.tasks : null;
  } catch (error) {
    if (error instanceof OwtError && error.code === "plan") return isNoPlan(error) ? [] : null;
    throw error;
  }
}

/** Puts tasks written down by hand behind those of the plan and checks the whole graph. */
function join(engine: Engine, plan: Plan | null, byHand: PlannedTask[]): Plan {
  const taken = new Set(plan?.tasks.map((task) => task.id));
  const tasks = [...(plan?.tasks ?? []), ...byHand.filter((task) => !taken.has(task.id))];
  const doneBefore = new Set(readDoneTasks(engine.store).map((task) => task.key));
  const known = new Set(tasks.map((task) => task.id));
  const result = checkPlan({
    kind: plan?.kind ?? "ad-hoc",
    path: plan?.path ?? "",
    ignored: plan?.ignored ?? [],
    warnings: plan?.warnings ?? [],
    settings: plan?.settings ?? {},
    // A stored task may wait for one of an earlier run that no plan lists any more.
    tasks: tasks.map((task) => ({
      task: { ...task, dependsOn: task.dependsOn.filter((id) => known.has(id) || !doneBefore.has(id)) },
      needLines: [],
      branchLine: task.source.line,
    })),
  });
  if ("problems" in result) throw planError(result.problems);
  return result.plan;
}

/** The problems of a plan that cannot run, together with what is wrong with its tasks only here. */
async function allProblems(
  engine: Engine,
  request: WorkRequest,
  result: Exclude<PlanResult, { plan: Plan }>,
): Promise<OwtError> {
  const tasks = result.tasks.filter((task) => task.status !== "complete");
  const branches = await branchProblems(engine, tasks, null);
  return planError([
    ...result.problems,
    ...agentProblems(engine, tasks),
    ...demoProblems(engine, tasks, request),
    ...branches,
  ]);
}

/** All problems of a plan in one error, each as `file:line message (hint)`. `hint` where it is not its files that are to be mended. */
export function planError(problems: Problem[], hint = mendHint(problems)): OwtError {
  const lines = problems.map((problem) => `${problem.file}:${problem.line} ${problem.message}\n    ${problem.hint}`);
  return new OwtError(
    "plan",
    `the plan has ${problems.length} ${problems.length === 1 ? "problem" : "problems"}:\n${lines.join("\n")}`,
    { hint },
  );
}

/** More files are mended one after the other. */
const MOST_FILES = 3;

/** The command that opens the files: all that any command of ours could say of them stands above it. */
function mendHint(problems: readonly Problem[]): string {
  const files = [...new Set(problems.map(({ file }) => file))].filter((file) => /\.(md|markdown|jsonc?)$/i.test(file));
  if (files.length === 0) return "nothing was started; what a plan can be: owt plan --help";
  const words = files.slice(0, MOST_FILES).map(shellWord);
  return `mend it: \${EDITOR:-vi} ${words.join(" ")}; then the same again (nothing was started)`;
}

/** A task from a sentence. */
export function adHocTask(text: string, index: number, more: Partial<PlannedTask> = {}): PlannedTask {
  const title = text.trim().split("\n", 1)[0]!.slice(0, 100);
  return {
    id: slug(title),
    title,
    module: null,
    content: text.trim(),
    context: "",
    source: { file: "owt run", line: index + 1 },
    dependsOn: [],
    implied: [],
    priority: "normal",
    status: "not_started",
    needsReview: false,
    verify: [],
    touches: [],
    agent: null,
    model: null,
    branch: null,
    choices: {},
    tags: [],
    creates: [],
    uses: [],
    estimatedTokens: null,
    description: title,
    ...more,
  };
}

/** Of a name that no task has: the nearest ones, or the path that may have been meant. */
export function unknownTask(wanted: string, ids: string[], from: string | undefined, modules: string[] = []): OwtError {
  const paths = from === undefined ? [] : nearestPlans(from, wanted).slice(0, 3);
  const [module] = nearest(wanted, modules, 1);
  // The tasks of a module that was meant are meant with it.
  const others = ids.filter((id) => module === undefined || !id.startsWith(`${module}/`));
  const close =
    module === undefined && paths.length > 0
      ? paths
      : [...(module === undefined ? [] : [`--module ${module}`]), ...nearest(wanted, others)];
  return new OwtError("unknown-name", `there is no task or plan named ${wanted}`, {
    hint:
      close.length > 0
        ? `did you mean ${close.join(" or ")}? see: owt plan`
        : 'list them with: owt plan. A task in words needs a space: owt run "add a login page"',
  });
}
