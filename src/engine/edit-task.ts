/** Changes what a task asks for, wherever that is written down: in a file of the plan, in the backlog, or in the run that took it from there. */
import { OwtError } from "../core/errors.ts";
import { nearest } from "../core/names.ts";
import type { PlannedTask } from "../core/plan.ts";
import { editFeatureText, promptFileOf } from "../core/plan-edit-features.ts";
import { replaceBody } from "../core/plan-edit-text.ts";
import { planKeyOf } from "../core/rival.ts";
import type { Run } from "../core/run.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { changeInBacklog, readBacklog } from "../store/backlog.ts";
import { appendEvent } from "../store/events.ts";
import { readRun, readRuns } from "../store/runs.ts";
import { findTasks, readTasks, replaceSpec } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { writePlanFiles } from "./plan-deps.ts";
import { findPlan, findPromptFile, isNoPlan, readPlan, readPlanText } from "./read-plan.ts";
import { refreshRun } from "./refresh.ts";
import { rivalsFor } from "./find-task.ts";
import { hashTask } from "./work.ts";
import { adHocTask, planError } from "./asked-plan.ts";

/** A task whose text can be changed now. */
export type Editable = {
  key: string;
  /** What a person is given to edit: the whole file, where it has one to itself. */
  draft: string;
  /** What the file is called, for an editor that goes by it. */
  fileName: string;
  /** Where it is written down, in words. */
  where: string;
  /** Puts a draft, or a mere text, in its place. */
  put(text: string): Promise<Edited>;
};

/** `run` is the open run that took the new text, null where the next one will; `others` are tasks whose own files had changed, too. */
export type Edited = { where: string; run: string | null; others: string[] };

/** The task with this key. Throws `unknown-name` with the nearest keys, and `wrong-state` for one that is done or that an agent is at work on. */
export async function findEditable(engine: Engine, key: string, run?: string): Promise<Editable> {
  const task = findTasks(engine.store, key).find((each) => run === undefined || each.run === run);
  if (task?.rival?.end === null) throw oneOfRivals(key, task.rival.of);
  for (const each of task ? [task] : rivalsFor(engine, key, run)) {
    refuseAtWork(each);
    if (each.rival && each.spec.source.file.startsWith("owt ")) throw oneOfRivals(each.key, null);
  }
  if (task && task.spec.source.file.startsWith("owt ")) return inRun(engine, task);
  const stored = readBacklog(engine.store).find((each) => each.id === key);
  if (stored && run === undefined) return inBacklog(engine, stored);
  const taken = task && readRun(engine.store, task.run);
  const open = taken?.state === "open" ? taken : null;
  const plan = await readHere(engine, open ?? taken ?? null);
  const spec = plan?.tasks.find((each) => each.id === key);
  if (!plan || !spec) throw unknownTask(engine, key, plan?.tasks ?? []);
  refuseDone(spec, task);
  return plan.kind === "feature-list" ? inFeatureList(engine, plan, spec, open) : inMarkdown(engine, plan, spec, open);
}

/** Rivals are asked the same, and what is only written down in the run would have to be changed for each. */
function oneOfRivals(key: string, of: string | null): OwtError {
  return new OwtError("wrong-state", `${key} is one of several rivals, who are all asked the same`, {
    hint: of === null ? "cancel them, and write the task down anew: owt task create" : `owt task edit ${of}`,
  });
}

type Here = { root: string; path: string; kind: string; tasks: PlannedTask[] };

/** The plan that the run follows, else the one there is; null where there is none. */
async function readHere(engine: Engine, run: Run | null): Promise<Here | null> {
  const root = run?.options.checkout ?? engine.repo.here;
  try {
    const path = run?.planPath || (await findPlan(root, undefined, engine.config.run.plan));
    const result = await readPlan(root, path);
    if ("problems" in result) throw planError(result.problems);
    return { root, path, kind: result.plan.kind, tasks: result.plan.tasks };
  } catch (error) {
    if (isNoPlan(error)) return null;
    throw error;
  }
}

function inMarkdown(engine: Engine, plan: Here, spec: PlannedTask, run: Run | null): Editable {
  const { file } = spec.source;
  const was = readPlanText(plan.root, file);
  return {
    key: spec.id,
    draft: was,
    fileName: baseName(file),
    where: file,
    put: (text) => putFile(engine, plan, spec.id, run, { path: file, was, text: replaceBody(was, text) }),
  };
}

/** A prompt file of its own where there is one, else the description in the list. */
function inFeatureList(engine: Engine, plan: Here, spec: PlannedTask, run: Run | null): Editable {
  const list = readPlanText(plan.root, plan.path);
  const named = promptFileOf(plan.path, list, spec.id);
  const prompt = findPromptFile(plan.root, plan.path, named ?? `${spec.id}.md`);
  if (prompt) {
    const { path, text: was } = prompt;
    const asFile = (text: string) => (text.endsWith("\n") ? text : `${text}\n`);
    return {
      key: spec.id,
      draft: was,
      fileName: baseName(path),
      where: path,
      put: (text) => putFile(engine, plan, spec.id, run, { path, was, text: asFile(text) }),
    };
  }
  return {
    key: spec.id,
    draft: `${spec.content}\n`,
    fileName: `${baseName(spec.id)}.md`,
    where: `${plan.path}, its description`,
    put: (text) => {
      const edited = editFeatureText(plan.path, list, spec.id, text.trim());
      return putFile(engine, plan, spec.id, run, { path: plan.path, was: list, text: edited });
    },
  };
}

/** The plan is read as it would be, before anything is written. */
async function putFile(
  engine: Engine,
  plan: Here,
  key: string,
  run: Run | null,
  change: { path: string; was: string; text: string },
): Promise<Edited> {
  const result = await readPlan(plan.root, plan.path, new Map([[change.path, change.text]]));
  if ("problems" in result)
    throw planError(result.problems, `nothing was written; mend the text, and again: owt task edit ${key} --file FILE`);
  if (!result.plan.tasks.some((task) => task.id === key))
    throw new OwtError("plan", `with that text ${change.path} would be no task ${key} any more`, {
      hint: `leave what its id is made of (module, epic, id) as it is: owt task edit ${key}`,
    });
  writePlanFiles(engine, plan.root, [change], `look again: owt task edit ${key}`);
  if (!run) return { where: change.path, run: null, others: [] };
  const { changed } = await refreshRun(engine, run.id);
  const taken = readTasks(engine.store, run.id).find((task) => planKeyOf(task) === key)!;
  if (changed.includes(key)) tellEdited(engine, taken);
  return {
    where: change.path,
    run: changed.includes(key) ? run.id : null,
    others: changed.filter((each) => each !== key),
  };
}

function inBacklog(engine: Engine, spec: PlannedTask): Editable {
  return byHand(spec, (changed) => {
    if (!changeInBacklog(engine.store, spec, changed)) throw movedOn(spec.id);
    return null;
  });
}

function inRun(engine: Engine, task: Task): Editable {
  if (task.state === "done")
    throw new OwtError("wrong-state", `${task.key} is done: it is integrated in ${task.run}`, {
      hint: 'write down what is still to do: owt task create "…"',
    });
  return byHand(task.spec, (changed) =>
    engine.store.transaction(() => {
      if (!replaceSpec(engine.store, task, changed, hashTask(changed), task.needs)) throw movedOn(task.key);
      tellEdited(engine, task);
      return readRun(engine.store, task.run)?.state === "open" ? task.run : null;
    }),
  );
}

function byHand(spec: PlannedTask, put: (changed: PlannedTask) => string | null): Editable {
  const where = "what was written down by hand";
  return {
    key: spec.id,
    draft: `${spec.content}\n`,
    fileName: `${baseName(spec.id)}.md`,
    where,
    put: async (text) => {
      // Its id stays, for others wait for it by that name.
      const { title, content, description } = adHocTask(text, 0);
      return { where, run: put({ ...spec, title, content, description }), others: [] };
    },
  };
}

function tellEdited(engine: Engine, task: Task): void {
  const text = "its text was changed; its next attempt is told so";
  appendEvent(engine.store, engine.now(), { run: task.run, task: task.id }, { kind: "note", text });
}

function refuseAtWork(task: Task): void {
  if (task.state === "pending" || FINAL_STATES.has(task.state)) return;
  const what =
    task.state === "review" ? "its work waits for approval" : "its agent works on the text that it began with";
  throw new OwtError("wrong-state", `${task.key} (${task.run}) is ${task.state}: ${what}`, {
    hint: `stop it first: owt task cancel ${task.key}; then edit it, and: owt task retry ${task.key}`,
  });
}

/** What is done stays done as long as its text is the one that was worked on; a file says so itself, too. */
function refuseDone(spec: PlannedTask, task: Task | undefined): void {
  const isDone = task?.state === "done" && task.hash === hashTask(spec);
  if (!isDone && spec.status !== "complete") return;
  const why = isDone ? `it is integrated in ${task.run}` : `${spec.source.file} says complete`;
  throw new OwtError("wrong-state", `${spec.id} is done: ${why}`, {
    hint: `to have it done anew, change ${spec.source.file} yourself, or: owt run ${spec.id} --again`,
  });
}

function movedOn(key: string): OwtError {
  return new OwtError("wrong-state", `${key} has gone on meanwhile`, { hint: `see: owt task show ${key}` });
}

function unknownTask(engine: Engine, key: string, planned: readonly PlannedTask[]): OwtError {
  const inRuns = readRuns(engine.store).flatMap((run) => readTasks(engine.store, run.id).map((task) => task.key));
  const stored = readBacklog(engine.store).map((task) => task.id);
  const close = nearest(key, new Set([...planned.map((task) => task.id), ...stored, ...inRuns]));
  return new OwtError("unknown-name", `there is no task ${key} to edit`, {
    hint: close.length > 0 ? `did you mean ${close.join(" or ")}?` : "list them with: owt plan, owt task list",
  });
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
