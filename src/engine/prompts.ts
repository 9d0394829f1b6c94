/** Which prompt templates are in force, and what a task is told by them. They are read and checked once a process, before anything
 *  starts: a file that is being edited while a run goes on cannot break it. */
import { QUESTION_MARKER } from "../agents/agent.ts";
import { commandList } from "../core/config.ts";
import type { Answered } from "../core/conversation.ts";
import { OwtError } from "../core/errors.ts";
import { nearest } from "../core/names.ts";
import type { PlannedTask, Problem } from "../core/plan.ts";
import {
  type Occasion,
  OCCASIONS,
  parsePrompts,
  type PromptContext,
  promptError,
  promptName,
  type PromptProblem,
  type Prompts,
  type PromptText,
  renderTaskPrompt,
  tryPrompts,
} from "../core/prompt.ts";
import { nextAttemptId } from "../store/ids.ts";
import { findTasks } from "../store/tasks.ts";
import {
  listPromptFiles,
  type PromptFile,
  type PromptFolder,
  promptFolders,
  readPromptFile,
} from "../system/prompt-files.ts";
import { type Engine, taskBranch } from "./engine.ts";
import { isNoPlan } from "./read-plan.ts";
import { readWork, type Work } from "./work.ts";
import { readAsked } from "./asked-plan.ts";

/** A template in force, and those of the same name that it hides. */
export type PromptSource = { occasion: Occasion; name: string; inForce: PromptFile; hidden: PromptFile[] };

/** Every template with where it comes from, the folders that were looked in, and files in them that nothing uses. */
export type PromptSources = {
  sources: PromptSource[];
  folders: PromptFolder[];
  unused: { file: string; reason: string }[];
};

/** Reads the templates. Throws `config` with every file that cannot be read. */
export function readPromptSources(engine: Engine): PromptSources {
  const { root } = engine.repo;
  const folders = promptFolders(root, engine.layers, engine.env);
  const problems: OwtError[] = [];
  const sources = OCCASIONS.flatMap((occasion): PromptSource[] => {
    const name = promptName(occasion);
    const found = folders.flatMap((folder) => readOr(problems, () => readPromptFile(folder, name, root)) ?? []);
    const [inForce, ...hidden] = found;
    return inForce ? [{ occasion, name, inForce, hidden }] : [];
  });
  if (problems.length > 0) {
    const hint = [...new Set(problems.map((each) => each.hint))].join("; ");
    throw new OwtError("config", problems.map((each) => each.message).join("\n"), { hint });
  }
  return { sources, folders, unused: folders.flatMap(findUnused) };
}

function readOr<T>(problems: OwtError[], read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    problems.push(error);
    return null;
  }
}

/** Templates of the plan orchestrator for what is no task. */
const SEED_ONLY = /^(maintenance|skills)\//;

function findUnused(folder: PromptFolder): { file: string; reason: string }[] {
  if (folder.origin === "built-in") return [];
  const names = OCCASIONS.map(promptName);
  return listPromptFiles(folder)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const close = nearest(name, names);
      const reason = SEED_ONLY.test(name)
        ? "a template for what is no task"
        : close.length > 0
          ? `no template has this name; did you mean ${close.join(" or ")}?`
          : `no template has this name; there are ${names.join(", ")}`;
      return { file: `${folder.shown}/${name}`, reason };
    });
}

/** The templates, parsed and checked; read once and kept. Throws `config` with every problem, each at its file, line and column. */
export function loadPrompts(engine: Engine): Prompts {
  engine.prompts ??= parseSources(readPromptSources(engine));
  return engine.prompts;
}

function parseSources({ sources }: PromptSources): Prompts {
  const texts: Record<string, PromptText> = Object.fromEntries(
    sources.map(({ occasion, inForce }) => [occasion, { ...inForce, known: inForce.origin === "built-in" }]),
  );
  const parsed = parsePrompts(texts as Record<Occasion, PromptText>);
  if ("problems" in parsed) throw promptError(parsed.problems, NOTHING_STARTED);
  return parsed.prompts;
}

const NOTHING_STARTED = "correct them and run the command again; nothing was started";

/** Tries every template on every task that is to be done, before anything starts. Returns what is worth a look; throws `config`. */
export function checkPrompts(engine: Engine, work: Work): Problem[] {
  const prompts = loadPrompts(engine);
  const problems = new Map<string, PromptProblem>();
  for (const { spec } of work.chosen) {
    for (const problem of tryPrompts(prompts, futureContext(engine, spec))) {
      problems.set(`${problem.file}:${problem.line}:${problem.column}`, {
        ...problem,
        message: `${problem.message} (for ${spec.id})`,
      });
    }
  }
  if (problems.size > 0) throw promptError([...problems.values()], NOTHING_STARTED);
  return promptFolders(engine.repo.here, engine.layers, engine.env)
    .flatMap(findUnused)
    .filter(({ file }) => !SEED_ONLY.test(file.split("/").slice(-2).join("/")))
    .map(({ file, reason }) => ({
      file,
      line: 1,
      code: "unused-prompt",
      message: "is not used",
      hint: reason,
    }));
}

/** What a task's templates are given. It starts when all that it depends on is integrated, so all of that is there. */
export function promptContext(
  spec: PlannedTask,
  verify: string[],
  branch: string,
  answers: readonly Answered[] = [],
): PromptContext {
  const completed = [...spec.dependsOn, ...spec.implied];
  return { spec, completed, verify, branch, questionMarker: QUESTION_MARKER, meanwhile: [], answers };
}

/** The context of a task that no run has taken up yet, as its next attempt would have it. */
function futureContext(engine: Engine, spec: PlannedTask): PromptContext {
  const verify = [...new Set([...commandList(engine.config.run.verify), ...spec.verify])];
  return promptContext(spec, verify, taskBranch(spec, nextAttemptId(engine.store)));
}

/** The prompt that a task would get if it were the next to start: from the plan as it is now, else from the run that has it, else from
 *  the words themselves. Throws `unknown-name` with the nearest names. */
export async function renderPromptOf(engine: Engine, words: string): Promise<{ task: PlannedTask; prompt: string }> {
  const prompts = loadPrompts(engine);
  const task = await findSpec(engine, words);
  return { task, prompt: renderTaskPrompt(prompts, futureContext(engine, task)) };
}

async function findSpec(engine: Engine, words: string): Promise<PlannedTask> {
  const isText = /\s/.test(words.trim());
  const request = {
    plan: null,
    tasks: isText ? [] : [words],
    texts: isText ? [words] : [],
    module: null,
    count: null,
    withUpstreams: true,
    again: true,
  };
  try {
    const { all } = await readWork(engine, request, "", await readAsked(engine, request));
    return isText ? all.at(-1)! : (all.find((task) => task.id === words) ?? all.find((task) => isSame(task, words))!);
  } catch (error) {
    const isUnknown = error instanceof OwtError && error.code === "unknown-name";
    const known = isUnknown || isNoPlan(error) ? findTasks(engine.store, words)[0] : undefined;
    if (known) return known.spec;
    throw error;
  }
}

function isSame(task: PlannedTask, words: string): boolean {
  return task.id.toLowerCase() === words.toLowerCase();
}
