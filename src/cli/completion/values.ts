/** What may stand in a place of the command line, read from the repository as it is now. */
import { permissionModes } from "../../agents/registry.ts";
import { configKeys } from "../../core/config-about.ts";
import { BUILT_IN_LAYOUTS } from "../../core/layout.ts";
import type { Task } from "../../core/task.ts";
import { nameOf } from "../../core/worktree.ts";
import { type Engine, knownAgents } from "../../engine/engine.ts";
import { mayTakeOver } from "../../core/take-over.ts";
import { waitsForAnswer, waitsForApproval } from "../../engine/tasks.ts";
import { readOnlyPlan } from "../../engine/plan-deps.ts";
import { listKept } from "../../engine/environment-files.ts";
import { readPromptSources } from "../../engine/prompts.ts";
import { listRescues } from "../../git/rescue.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { readBacklog } from "../../store/backlog.ts";
import { readRuns } from "../../store/runs.ts";
import { readSchedule } from "../../system/schedule-files.ts";
import { readTasks } from "../../store/tasks.ts";

export type Offer = { word: string; about: string };

const STATES =
  "pending running verifying contest review integrating done failed skipped cancelled not_started in_progress complete";

/** What a command can do something with; for any other command every task. */
const FITS: Record<string, (task: Task) => boolean> = {
  "owt task answer": waitsForAnswer,
  "owt task approve": waitsForApproval,
  "owt task retry": ({ state, park }) => ["failed", "cancelled", "skipped"].includes(state) || park !== null,
  "owt switch": mayTakeOver,
  "owt task cancel": ({ state }) => !["done", "cancelled", "skipped"].includes(state),
};

const OPEN_ONLY = new Set(["owt resume", "owt pause", "owt stop", "owt parallel"]);

/** The command that is called, and the run whose tasks it is about, where the line names one. */
type Called = { command: string; run: string | null };

/** What is offered for an argument (`task`) or the value of an option (`--agent`) of a command; null where nothing is known of it. */
export function valuesOf(place: string, called: Called): ((engine: Engine) => Promise<Offer[]>) | null {
  switch (place) {
    case "task":
      return async (engine) => tasksFor(engine, called);
    case "plan-or-task":
    case "plan-or-task-or-text":
    case "task-or-text":
    case "--depends-on":
    case "--add":
    case "--remove":
      return plannedTasks;
    case "run":
    case "--run":
      return async (engine) => runsFor(engine, called.command);
    case "template":
      return async (engine) =>
        readPromptSources(engine).sources.map(({ occasion, name }) => ({ word: occasion, about: name }));
    case "worktree":
      return worktrees;
    case "name":
      return async (engine) => [
        ...(await worktrees(engine)),
        ...(called.command === "owt wait" ? [] : tasksFor(engine, called)),
      ];
    case "batch":
      return async ({ repo, env }) =>
        readSchedule(repo.here, env).batches.map(({ name, cron }) => ({ word: name, about: cron }));
    case "id":
      return saved;
    case "--layout":
      return async ({ config }) => [...BUILT_IN_LAYOUTS, ...Object.keys(config.tmux.layouts ?? {})].map(plain);
    case "--agent":
    case "--agents":
      return async (engine) => knownAgents(engine.config).map(plain);
    case "--permission-mode":
      return async () => (permissionModes() ?? []).map(plain);
    case "--module":
      return async (engine) => modules(engine);
    case "--state":
      return async () => STATES.split(" ").map(plain);
    case "--profile":
      return async (engine) =>
        [...new Set(engine.layers.flatMap(({ values }) => Object.keys(values.profile ?? {})))].map(plain);
    case "key":
      return async () => configKeys().map(({ key, says }) => ({ word: key, about: says }));
    case "shell":
      return async () => ["bash", "zsh", "fish"].map(plain);
    default:
      return null;
  }
}

function plain(word: string): Offer {
  return { word, about: "" };
}

async function worktrees({ repo }: Engine): Promise<Offer[]> {
  return (await listCheckouts(repo)).map((each) => ({ word: nameOf(each), about: each.path }));
}

/** What was saved before worktrees were removed. */
async function saved(engine: Engine): Promise<Offer[]> {
  const rescues = await listRescues(engine.repo);
  return [
    ...rescues.map(({ id, note }) => ({ word: id, about: note })),
    ...listKept(engine).map(({ id, files }) => ({ word: id, about: `changed ${files.join(", ")}` })),
  ];
}

/** The newest run first. */
function tasksFor(engine: Engine, { command, run: named }: Called): Offer[] {
  const fits = FITS[command] ?? (() => true);
  const runs = readRuns(engine.store)
    .filter(({ id }) => named === null || id === named)
    .toReversed();
  const tasks = runs.flatMap((run) => readTasks(engine.store, run.id)).filter(fits);
  return tasks.map(({ key, state, spec }) => ({ word: key, about: `${state}: ${spec.title}` }));
}

async function plannedTasks(engine: Engine): Promise<Offer[]> {
  const written = readBacklog(engine.store).map(({ id, title }) => ({ word: id, about: title }));
  try {
    const { tasks } = await readOnlyPlan(engine, null);
    return [...tasks.map(({ id, title }) => ({ word: id, about: title })), ...written];
  } catch {
    // No plan, or one with problems: those are told by the command itself.
    return [...tasksFor(engine, { command: "", run: null }), ...written];
  }
}

function runsFor(engine: Engine, command: string): Offer[] {
  const runs = readRuns(engine.store, OPEN_ONLY.has(command) ? "open" : undefined).toReversed();
  return runs.map(({ id, state, planPath }) => ({ word: id, about: `${state}: ${planPath}` }));
}

async function modules(engine: Engine): Promise<Offer[]> {
  const { tasks } = await readOnlyPlan(engine, null);
  return [...new Set(tasks.flatMap(({ module }) => (module === null ? [] : [module])))].map(plain);
}
