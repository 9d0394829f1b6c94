/** What waits for what in a plan, and what a change makes of it: as data, and as text for people. */
import type { Dependency, GraphShape } from "../core/dependencies.ts";
import type { Plan, PlannedTask } from "../core/plan.ts";
import type { DependencyChange } from "../engine/plan-deps.ts";
import { roughDuration } from "../lib/duration.ts";
import { count } from "./preview.ts";
import { printable, wrap } from "./text.ts";

type ShownTask = {
  id: string;
  title: string;
  /** Named by the plan. */
  depends_on: string[];
  /** By the order of its module. */
  implied: string[];
  needed_by: string[];
  file: string;
  line: number;
};

type ShownDependencies = { plan: string; kind: Plan["kind"]; dependencies: number; tasks: ShownTask[] };

type ShownGraph = { dependencies: number; waves: string[][]; critical_path: string[]; critical_path_ms: number };

type ShownChange = {
  added: Dependency[];
  removed: Dependency[];
  /** No longer named, and still there by the order of the module. */
  kept_by_order: Dependency[];
  before: ShownGraph;
  after: ShownGraph;
  files: string[];
};

export function listDependencies(plan: Plan, tasks: readonly PlannedTask[]): ShownDependencies {
  const neededBy = new Map<string, string[]>();
  for (const { id, dependsOn, implied } of plan.tasks)
    for (const need of [...dependsOn, ...implied]) neededBy.set(need, [...(neededBy.get(need) ?? []), id]);
  return {
    plan: plan.path,
    kind: plan.kind,
    dependencies: [...neededBy.values()].flat().length,
    tasks: tasks.map((task) => ({
      id: task.id,
      title: task.title,
      depends_on: task.dependsOn,
      implied: task.implied,
      needed_by: neededBy.get(task.id) ?? [],
      file: task.source.file,
      line: task.source.line,
    })),
  };
}

export function renderDependencies(shown: ShownDependencies, width: number): string {
  const isOne = shown.tasks.length === 1;
  const lines = shown.tasks.flatMap((task) => renderTask(task, isOne, width));
  if (isOne) return `${lines.join("\n")}\n`;
  const orders = shown.tasks.some(({ implied }) => implied.length > 0);
  return `${[
    ...wrap(`${count(shown.tasks.length, "task")} in ${shown.plan}, ${dependencies(shown.dependencies)}`, width),
    "",
    ...lines,
    "",
    ...(orders ? wrap(`(order): ${BY_ORDER}`, width, 2) : []),
    "change them: owt plan deps TASK --add ID --remove ID",
  ].join("\n")}\n`;
}

const BY_ORDER =
  "inside a module each task follows the one before, without a depends_on; what is to run beside it needs a module of its own";

function renderTask(task: ShownTask, isDetailed: boolean, width: number): string[] {
  const needs = [...task.depends_on, ...task.implied.map((id) => `${id} (order)`)].join(", ");
  if (!isDetailed) return wrap(`  ${task.id}${needs ? `  after ${needs}` : ""}`, width, 6);
  return [
    ...wrap(`${task.id}  ${printable(task.title)}`, width, 2),
    ...wrap(`  waits for: ${needs || "nothing"}`, width, 6),
    ...wrap(`  needed by: ${task.needed_by.join(", ") || "nothing"}`, width, 6),
    ...wrap(`  ${task.file}:${task.line}`, width, 6),
    ...(task.implied.length > 0 ? wrap(`  (order): ${BY_ORDER}`, width, 6) : []),
  ];
}

export function shownChange(change: DependencyChange): ShownChange {
  const graph = (shape: GraphShape): ShownGraph => ({
    dependencies: shape.dependencies,
    waves: shape.waves,
    critical_path: shape.criticalPath,
    critical_path_ms: Math.round(shape.length),
  });
  return {
    added: change.added,
    removed: change.removed,
    kept_by_order: change.kept,
    before: graph(change.before),
    after: graph(change.after),
    files: change.files.map(({ path }) => path),
  };
}

export function renderChange({ added, removed, kept, before, after }: DependencyChange, width: number): string {
  const from = (was: string, is: string) => (was === is ? `${was} (as before)` : `${was} → ${is}`);
  const path = ({ criticalPath, length }: GraphShape) => `${roughDuration(length)}: ${criticalPath.join(" → ")}`;
  const paths =
    path(before) === path(after)
      ? [`critical path  ${path(after)} (as before)`]
      : [`critical path  before ${path(before)}`, `               after  ${path(after)}`];
  return [
    ...added.flatMap(({ task, needs }) => wrap(`+ ${task} waits for ${needs}`, width, 4)),
    ...removed.flatMap(({ task, needs }) => wrap(`- ${task} no longer waits for ${needs}`, width, 4)),
    ...kept.flatMap(({ task, needs }) =>
      wrap(`  ${task} still waits for ${needs}, by the order of its module`, width, 4),
    ),
    "",
    `dependencies   ${from(String(before.dependencies), String(after.dependencies))}`,
    `steps          ${from(String(before.waves.length), String(after.waves.length))}`,
    ...paths.flatMap((line) => wrap(line, width, 17)),
    "",
  ].join("\n");
}

function dependencies(n: number): string {
  return `${n} ${n === 1 ? "dependency" : "dependencies"}`;
}
