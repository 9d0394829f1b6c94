/** Reads and changes the dependencies of a plan: a change is worked out, looked at as a whole plan, and only then written. */
import { realpathSync } from "node:fs";
import { join, sep } from "node:path";
import {
  compareGraphs,
  type Dependency,
  type DependencyWish,
  type GraphShape,
  shapeOf,
  understandWish,
} from "../core/dependencies.ts";
import { OwtError } from "../core/errors.ts";
import type { Plan, PlannedTask } from "../core/plan.ts";
import { cannotEdit } from "../core/plan-edit.ts";
import { editFeatureNeeds } from "../core/plan-edit-features.ts";
import { editMarkdownNeeds } from "../core/plan-edit-markdown.ts";
import { changeFiles } from "../system/change-files.ts";
import { type Engine, planJournals } from "./engine.ts";
import { Estimates } from "./estimates.ts";
import { findPlan, readPlan, readPlanText } from "./read-plan.ts";
import { planError } from "./asked-plan.ts";

/** A change of a plan's dependencies that nobody has written yet. */
export type DependencyChange = {
  added: Dependency[];
  removed: Dependency[];
  /** No longer named, but still there by the order of the module. */
  kept: Dependency[];
  before: GraphShape;
  after: GraphShape;
  /** The plan as it will be. */
  plan: Plan;
  /** Paths from the top of the checkout, with the text that is there and the one to come. */
  files: { path: string; was: string; text: string }[];
};

/** The plan that is meant (see `findPlan`). Throws `plan` with all its problems. */
export async function readOnlyPlan(engine: Engine, named: string | null): Promise<Plan> {
  const path = await findPlan(engine.repo.here, named ?? undefined, engine.config.run.plan);
  const result = await readPlan(engine.repo.here, path);
  if ("problems" in result) throw planError(result.problems);
  return result.plan;
}

/** What wishes, one after the other, make of a plan. Throws what `understandWish` throws, and `plan` for a change that makes tasks wait for
 *  each other (with the path) or that a file cannot take. */
export async function changeDependencies(
  engine: Engine,
  plan: Plan,
  wishes: readonly DependencyWish[],
): Promise<DependencyChange> {
  const texts = new Map<string, { was: string; text: string }>();
  let changed = plan;
  for (const wish of wishes) changed = await applyWish(engine, changed, wish, texts);
  const estimates = new Estimates(engine, { agent: null, choices: { plan: plan.settings.choices ?? {}, flags: {} } });
  const weight = (task: PlannedTask) => estimates.of(task).duration.p50;
  const { added, removed } = compareGraphs(plan.tasks, changed.tasks);
  return {
    added,
    removed,
    kept: keptByOrder(plan.tasks, changed.tasks),
    before: shapeOf(plan.tasks, weight),
    after: shapeOf(changed.tasks, weight),
    plan: changed,
    files: [...texts].flatMap(([path, { was, text }]) => (was === text ? [] : [{ path, was, text }])),
  };
}

async function applyWish(
  engine: Engine,
  plan: Plan,
  wish: DependencyWish,
  texts: Map<string, { was: string; text: string }>,
): Promise<Plan> {
  const { task, edit } = understandWish(plan.tasks, wish);
  if (edit.add.length === 0 && edit.remove.length === 0) return plan;
  const { file } = task.source;
  const before = texts.get(file) ?? sameText(readPlanText(engine.repo.here, file));
  const text =
    plan.kind === "feature-list"
      ? editFeatureNeeds(file, before.text, task.id, edit)
      : editMarkdownNeeds(file, before.text, task.dependsOn, edit);
  texts.set(file, { was: before.was, text });
  const result = await readPlan(
    engine.repo.here,
    plan.path,
    new Map([...texts].map(([path, each]) => [path, each.text])),
  );
  if ("problems" in result) throw refusedChange(result.problems, task.id);
  refuseOtherChanges(plan, result.plan, task, edit);
  return result.plan;
}

function sameText(text: string): { was: string; text: string } {
  return { was: text, text };
}

function refusedChange(problems: { code: string; message: string; hint: string }[], id: string): OwtError {
  const cycle = problems.find(({ code }) => code === "cycle");
  const [problem] = problems;
  if (cycle === undefined) return new OwtError("plan", `${id}: ${problem!.message}`, { hint: problem!.hint });
  return new OwtError("plan", `nothing was changed: ${cycle.message}`, { hint: cycle.hint });
}

/** The edited plan is read again as a whole: whatever is not as it should be is not written. */
function refuseOtherChanges(
  before: Plan,
  after: Plan,
  task: PlannedTask,
  { add, remove }: { add: readonly string[]; remove: readonly string[] },
): void {
  const wanted = [...task.dependsOn.filter((id) => !remove.includes(id)), ...add];
  // Lines move with the change, and what the order of a module implies is told apart from what is named.
  const essence = (each: PlannedTask, dependsOn: readonly string[]) =>
    JSON.stringify({ ...each, source: each.source.file, lines: null, implied: null, dependsOn });
  const was = before.tasks.map((each) => essence(each, each.id === task.id ? wanted : each.dependsOn));
  const is = after.tasks.map((each) => essence(each, each.dependsOn));
  if (was.join("\n") !== is.join("\n")) throw cannotEdit(task.source.file, "the plan would not read as it should");
}

function keptByOrder(before: readonly PlannedTask[], after: readonly PlannedTask[]): Dependency[] {
  const named = new Map(before.map(({ id, dependsOn }) => [id, dependsOn]));
  return after.flatMap(({ id, implied }) =>
    implied.filter((needs) => named.get(id)?.includes(needs)).map((needs) => ({ task: id, needs })),
  );
}

/** Writes a change, all of its files or none. Throws `wrong-state`, before anything is written, when a file is not what it was when the change was
 *  worked out, and `environment` when it has come to lie outside the checkout. */
export function writeChange(engine: Engine, change: Pick<DependencyChange, "files">): void {
  writePlanFiles(engine, engine.repo.here, change.files, "look again: owt plan deps");
}

/** The same for any change of files below `checkout`; `hint` is for who finds that somebody else changed one. */
export function writePlanFiles(
  { repo }: Pick<Engine, "repo">,
  checkout: string,
  files: DependencyChange["files"],
  hint: string,
): void {
  const top = realpathSync(checkout);
  const places = files.map(({ path, was, text }) => {
    if (readPlanText(top, path) !== was) throw new OwtError("wrong-state", `${path} was changed meanwhile`, { hint });
    // A link inside the checkout is followed: the file is changed, the link stays.
    const place = realpathSync(join(top, path));
    if (!place.startsWith(top + sep))
      throw new OwtError("environment", `${path} leads out of the repository`, { hint: "copy the file into it" });
    return { path: place, was, text };
  });
  changeFiles(places, planJournals(repo));
}
