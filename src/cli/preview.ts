/** The preview of a plan, as text and as data: order, what runs side by side, the critical path, what is done, what was ignored. */
import { criticalPath, waves } from "../core/dag.ts";
import type { PlannedTask, Problem } from "../core/plan.ts";
import { byDispatch, startOrder } from "../core/schedule.ts";
import type { Base } from "../engine/ingest.ts";
import type { Work } from "../engine/work.ts";
import { printable } from "./text.ts";

type PreviewTask = {
  id: string;
  title: string;
  module: string | null;
  /** `to-run`, `done`, or `left-out` by what the command line chose. */
  state: "to-run" | "done" | "left-out";
  /** Why it counts as done. */
  why?: string;
  needs: string[];
  priority: string;
  /** Counts from 1; null for a task that does not run. */
  wave: number | null;
  needs_review: boolean;
  verify: string[];
  touches: string[];
  agent: string | null;
  model: string | null;
  branch: string | null;
  file: string;
  line: number;
};

export type Preview = {
  plan: string;
  kind: string;
  target: string;
  builds_on: string | null;
  tasks: PreviewTask[];
  /** Ids that could run side by side if there were agents enough, in the order in which they get a free one; execution never waits for
   *  a wave. */
  waves: string[][];
  /** The order in which one agent at a time starts them. */
  order: string[];
  critical_path: string[];
  max_parallel: number;
  ignored: { file: string; reason: string }[];
  warnings: Omit<Problem, "code">[];
};

export function previewOf(work: Work, base: Base, maxParallel: number): Preview {
  const nodes = work.chosen.map(({ spec, needs }) => ({ id: spec.id, needs }));
  const starts = work.chosen.map(({ spec, needs }) => ({ ...spec, needs, weight: spec.estimatedTokens ?? 1 }));
  const rank = new Map(byDispatch(starts).map((id, at) => [id, at]));
  const steps = waves(nodes).map((ids) => ids.toSorted((a, b) => rank.get(a)! - rank.get(b)!));
  const waveOf = new Map(steps.flatMap((ids, index) => ids.map((id) => [id, index + 1] as const)));
  const weights = new Map(work.chosen.map(({ spec }) => [spec.id, spec.estimatedTokens ?? 1]));
  return {
    plan: work.planPath,
    kind: work.kind,
    target: base.target,
    builds_on: base.buildsOn,
    tasks: work.all.map((spec) => previewTask(spec, work.done.get(spec.id), waveOf.get(spec.id))),
    waves: steps,
    order: startOrder(starts),
    critical_path: criticalPath(nodes, (id) => weights.get(id) ?? 1).path,
    max_parallel: maxParallel,
    ignored: work.ignored,
    warnings: work.warnings.map(({ file, line, message, hint }) => ({ file, line, message, hint })),
  };
}

function previewTask(spec: PlannedTask, why: string | undefined, wave: number | undefined): PreviewTask {
  return {
    id: spec.id,
    title: spec.title,
    module: spec.module,
    state: wave !== undefined ? "to-run" : why !== undefined ? "done" : "left-out",
    ...(why === undefined ? {} : { why }),
    needs: [...spec.dependsOn, ...spec.implied],
    priority: spec.priority,
    wave: wave ?? null,
    needs_review: spec.needsReview,
    verify: spec.verify,
    touches: spec.touches,
    agent: spec.agent,
    model: spec.model,
    branch: spec.branch,
    file: spec.source.file,
    line: spec.source.line,
  };
}

export function renderPreview(preview: Preview): string {
  const { tasks } = preview;
  const toRun = tasks.filter((task) => task.state === "to-run");
  const done = tasks.filter((task) => task.state === "done");
  const counts = [`${toRun.length} to run`, done.length > 0 ? `${done.length} done` : "", leftOut(tasks)]
    .filter(Boolean)
    .join(", ");
  const lines = [
    `${count(tasks.length, "task")} in ${preview.plan || "what was written down by hand"}: ${counts}; to land on ${preview.target}`,
  ];
  if (preview.builds_on) lines.push(`builds on ${preview.builds_on}, which has not landed yet`);
  if (preview.max_parallel === 1 && preview.order.length > 1)
    lines.push("", "one after the other, in this order", ...preview.order.map((id) => renderTask(preview, id)));
  else preview.waves.forEach((ids, index) => lines.push(...renderWave(preview, ids, index)));
  if (preview.critical_path.length > 1) lines.push("", `critical path: ${preview.critical_path.join(" → ")}`);
  if (done.length > 0)
    lines.push("", "done:", ...done.map((task) => `  ${task.id}  ${printable(`${task.title}  (${task.why})`)}`));
  if (preview.ignored.length > 0)
    lines.push(
      "",
      `not tasks (${preview.ignored.length}):`,
      ...preview.ignored.map(({ file, reason }) => printable(`  ${file}  ${reason}`)),
    );
  if (preview.warnings.length > 0)
    lines.push(
      "",
      "warnings:",
      ...preview.warnings.map((each) => printable(`  ${each.file}:${each.line} ${each.message} (${each.hint})`)),
    );
  return `${lines.join("\n")}\n`;
}

function renderWave(preview: Preview, ids: string[], index: number): string[] {
  const { max_parallel: most } = preview;
  const side =
    ids.length > most
      ? `: ${ids.length} tasks, ${most} at a time`
      : ids.length > 1
        ? `, ${ids.length} side by side`
        : "";
  return ["", `step ${index + 1}${side}`, ...ids.map((id) => renderTask(preview, id))];
}

function renderTask(preview: Preview, id: string): string {
  const task = preview.tasks.find((each) => each.id === id)!;
  const marks = [
    task.priority === "normal" ? "" : `${task.priority} priority`,
    task.needs_review ? "needs review" : "",
    task.needs.length > 0 ? `after ${task.needs.join(", ")}` : "",
  ].filter(Boolean);
  return `  ${id}  ${printable(task.title)}${marks.length > 0 ? `  (${marks.join(" · ")})` : ""}`;
}

function leftOut(tasks: PreviewTask[]): string {
  const n = tasks.filter((task) => task.state === "left-out").length;
  return n > 0 ? `${n} left out` : "";
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
