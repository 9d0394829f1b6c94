/** `owt task list`: the tasks of a run, and those written down. */
import { type Command, Option } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearest, nearestHint } from "../../core/names.ts";
import type { PlannedTask } from "../../core/plan.ts";
import { TASK_STATES } from "../../core/task.ts";
import type { Engine } from "../../engine/engine.ts";
import { findRun } from "../../engine/find-run.ts";
import { showRun } from "../../engine/show.ts";
import { readPlannedTasks } from "../../engine/asked-plan.ts";
import { readBacklog } from "../../store/backlog.ts";
import { readRuns } from "../../store/runs.ts";
import { readTasks } from "../../store/tasks.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { markOf, painter, printable, table, whyWords } from "../text.ts";

type ListOptions = { json?: boolean; module?: string; state?: string; priority?: string; tag?: string; run?: string };

/** The seeds' words for states. */
const STATE_WORDS: Record<string, string[]> = {
  not_started: ["pending"],
  in_progress: ["running", "verifying", "contest", "review", "integrating"],
  complete: ["done"],
};

export function listCommand(task: Command, io: Io): void {
  task
    .command("list")
    .description("the tasks of the newest run, and those written down")
    .option("--run <run>", "of this run")
    .option("--module <name>", "only this module")
    .option("--state <state>", "only this state (also not_started, in_progress, complete)")
    .addOption(new Option("--priority <priority>", "only this priority").choices(["high", "normal", "medium", "low"]))
    .option("--tag <tag>", "only what has this tag")
    .option("--json", "print the answer as JSON")
    .action((options: ListOptions) => withEngine(io, async (engine) => listTasks(io, engine, options)));
}

const STATES: readonly string[] = TASK_STATES;

function statesOf(word: string): string[] {
  const states = STATE_WORDS[word] ?? (STATES.includes(word) ? [word] : null);
  if (states) return states;
  const close = nearest(word, [...STATES, ...Object.keys(STATE_WORDS)]);
  throw new OwtError("usage", `there is no state ${word}`, {
    hint: `${close.length > 0 ? `did you mean ${close.join(" or ")}?` : `states: ${STATES.join(", ")};`} see: owt task list --help`,
  });
}

async function listTasks(io: Io, engine: Engine, options: ListOptions): Promise<void> {
  const run = options.run ?? readRuns(engine.store).at(-1)?.id;
  const states = options.state === undefined ? null : statesOf(options.state);
  const wanted = (spec: { module: string | null; priority: string; tags: string[] }, state: string) =>
    (options.tag === undefined || spec.tags.includes(options.tag)) &&
    (options.module === undefined || spec.module === options.module) &&
    (options.priority === undefined ||
      spec.priority === (options.priority === "medium" ? "normal" : options.priority)) &&
    (states === null || states.includes(state));
  const views =
    run === undefined
      ? []
      : showRun(engine, findRun(engine, run)).filter((view) => wanted(view.task.spec, view.task.state));
  await refuseUnknownWords(engine, options);
  const backlog = options.run === undefined ? readBacklog(engine.store).filter((spec) => wanted(spec, "pending")) : [];
  const tasks = [
    ...views.map(({ task, standing, why }) => ({
      id: task.key,
      title: task.spec.title,
      run: task.run as string | null,
      state: task.state as string,
      standing: standing as string,
      why,
      priority: task.spec.priority,
      module: task.spec.module,
      needs: task.needs,
    })),
    ...backlog.map((spec) => ({
      id: spec.id,
      title: spec.title,
      run: null,
      state: "pending",
      standing: "written-down",
      why: "no run has taken it up yet",
      priority: spec.priority,
      module: spec.module,
      needs: spec.dependsOn,
    })),
  ];
  const paint = painter(io, io.stdout);
  const rows = [
    ...views.map((view) => [
      `${markOf(view.standing, paint)} ${view.task.key}`,
      view.task.state,
      printable(view.task.spec.title),
      whyWords(view, engine.now()),
    ]),
    ...backlog.map((spec) => [`○ ${spec.id}`, "written down", printable(spec.title), ""]),
  ];
  answer(io, options, { tasks }, rows.length === 0 ? "no tasks" : table(rows));
}

/** A module or a tag that nothing has is a slip of the fingers, not an empty answer. */
async function refuseUnknownWords(engine: Engine, { module, tag }: ListOptions): Promise<void> {
  if (module !== undefined)
    await refuseUnknown(engine, module, {
      what: "is of a module named",
      list: "modules",
      of: (spec) => (spec.module === null ? [] : [spec.module]),
    });
  if (tag !== undefined) await refuseUnknown(engine, tag, { what: "has a tag", list: "tags", of: ({ tags }) => tags });
}

type Word = { what: string; list: string; of: (spec: PlannedTask) => string[] };

async function refuseUnknown(engine: Engine, word: string, { what, list, of }: Word): Promise<void> {
  const inRuns = readRuns(engine.store).flatMap((run) => readTasks(engine.store, run.id).map(({ spec }) => spec));
  const here = [...inRuns, ...readBacklog(engine.store)].flatMap(of);
  if (here.includes(word)) return;
  const planned = await readPlannedTasks(engine);
  const known = [...new Set([...here, ...(planned ?? []).flatMap(of)])];
  // With a plan that cannot be read nobody knows.
  if (planned === null || known.includes(word)) return;
  throw new OwtError("unknown-name", `no task here ${what} ${word}`, {
    hint: nearestHint(word, known, `${list}: ${known.join(", ") || "none"}; see: owt task list`),
  });
}
