/** Changes of a plan's dependencies: what may be changed, and what becomes of the graph. Pure. */
import { criticalPath, waves } from "./dag.ts";
import { OwtError } from "./errors.ts";
import { nearest } from "./names.ts";
import type { PlannedTask } from "./plan.ts";
import type { NeedsEdit } from "./plan-edit.ts";

/** What is asked for: ids as a person writes them. */
export type DependencyWish = { task: string; add: readonly string[]; remove: readonly string[] };

/** `task` waits for `needs`. */
export type Dependency = { task: string; needs: string };

/** What a wish comes to for one task; nothing in `edit` means that all is as wished already. */
export type DependencyEdit = { task: PlannedTask; edit: NeedsEdit };

/** Finds the tasks that a wish means and leaves out what is so already. Throws `unknown-name` with the nearest names, `usage` for what cannot be
 *  wished: a task that waits for itself, one that is added and removed, a dependency that is not there or follows from the order of the module. */
export function understandWish(tasks: readonly PlannedTask[], wish: DependencyWish): DependencyEdit {
  const find = (name: string) => findPlanned(tasks, name);
  const task = find(wish.task);
  const add = [...new Set(wish.add.map((name) => find(name).id))];
  const remove = [...new Set(wish.remove.map((name) => removable(tasks, task, name)))];
  if (add.includes(task.id))
    throw new OwtError("usage", `${task.id} cannot wait for itself`, { hint: "name another task: owt plan deps" });
  const both = add.find((id) => remove.includes(id));
  if (both !== undefined)
    throw new OwtError("usage", `${both} is to be added and removed`, {
      hint: `one of them: owt plan deps ${task.id} --add ${both}`,
    });
  return { task, edit: { add: add.filter((id) => !task.dependsOn.includes(id)), remove } };
}

/** The task of that id, whatever its case. Throws `unknown-name` with the nearest ones. */
export function findPlanned(tasks: readonly PlannedTask[], name: string): PlannedTask {
  const found = tasks.find(({ id }) => id === name) ?? tasks.find(({ id }) => id.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  const near = nearest(
    name,
    tasks.map(({ id }) => id),
  );
  throw new OwtError("unknown-name", `there is no task named ${name} in the plan`, {
    hint: near.length > 0 ? `did you mean ${near.join(" or ")}? see: owt plan deps` : "list them with: owt plan deps",
  });
}

/** What a file names can be removed, also when no task has that id any more. */
function removable(tasks: readonly PlannedTask[], task: PlannedTask, name: string): string {
  const { id } = findPlanned(tasks, name);
  if (task.dependsOn.includes(id)) return id;
  if (task.implied.includes(id)) {
    throw new OwtError("usage", `${task.id} waits for ${id} by the order of its module, not by a depends_on`, {
      hint: `to be free of it, ${task.id} needs a module of its own: move ${task.source.file} to another folder; see: owt plan deps ${task.id}`,
    });
  }
  const named = task.dependsOn.length > 0 ? `it waits for ${task.dependsOn.join(", ")}` : "it names none";
  throw new OwtError("usage", `${task.id} does not depend on ${id}`, {
    hint: `${named}; see: owt plan deps ${task.id}`,
  });
}

/** A plan's graph in figures. */
export type GraphShape = {
  dependencies: number;
  waves: string[][];
  criticalPath: string[];
  /** In the unit of the weights. */
  length: number;
};

/** `weight` is a task's expected length. */
export function shapeOf(tasks: readonly PlannedTask[], weight: (task: PlannedTask) => number): GraphShape {
  const nodes = tasks.map((task) => ({ id: task.id, needs: needsOf(task) }));
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const { path, length } = criticalPath(nodes, (id) => weight(byId.get(id)!));
  return { dependencies: dependenciesOf(tasks).length, waves: waves(nodes), criticalPath: path, length };
}

/** What the graph gained and lost. A dependency that was named and now only follows from the order of a module is neither. */
export function compareGraphs(
  before: readonly PlannedTask[],
  after: readonly PlannedTask[],
): { added: Dependency[]; removed: Dependency[] } {
  const [was, is] = [dependenciesOf(before), dependenciesOf(after)];
  const without = (all: readonly Dependency[], known: readonly Dependency[]) => {
    const keys = new Set(known.map(keyOf));
    return all.filter((each) => !keys.has(keyOf(each)));
  };
  return { added: without(is, was), removed: without(was, is) };
}

function dependenciesOf(tasks: readonly PlannedTask[]): Dependency[] {
  return tasks.flatMap((task) => needsOf(task).map((needs) => ({ task: task.id, needs })));
}

function needsOf({ dependsOn, implied }: PlannedTask): string[] {
  return [...dependsOn, ...implied];
}

function keyOf({ task, needs }: Dependency): string {
  return `${task} ${needs}`;
}
