/** The preview of a plan, as text and as data: order, what runs side by side, the critical path, what was ignored. */
import { criticalPath, waves } from "../core/dag.ts";
import type { Base } from "../engine/ingest.ts";
import type { Work } from "../engine/work.ts";
import { printable } from "./text.ts";

export type Preview = {
  plan: string;
  kind: string;
  target: string;
  builds_on: string | null;
  tasks: {
    id: string;
    title: string;
    needs: string[];
    priority: string;
    wave: number;
    needs_review: boolean;
    verify: string[];
    agent: string | null;
    model: string | null;
    branch: string | null;
    file: string;
    line: number;
  }[];
  waves: string[][];
  critical_path: string[];
  max_parallel: number;
  done: { id: string; why: string }[];
  ignored: { file: string; reason: string }[];
  warnings: { file: string; line: number; message: string; hint: string }[];
};

export function previewOf(work: Work, base: Base, maxParallel: number): Preview {
  const nodes = work.chosen.map(({ spec, needs }) => ({ id: spec.id, needs }));
  const steps = waves(nodes);
  const waveOf = new Map(steps.flatMap((ids, index) => ids.map((id) => [id, index + 1] as const)));
  const weights = new Map(work.chosen.map(({ spec }) => [spec.id, spec.estimatedTokens ?? 1]));
  return {
    plan: work.planPath,
    kind: work.kind,
    target: base.target,
    builds_on: base.buildsOn,
    tasks: work.chosen.map(({ spec, needs }) => ({
      id: spec.id,
      title: spec.title,
      needs,
      priority: spec.priority,
      wave: waveOf.get(spec.id) ?? 0,
      needs_review: spec.needsReview,
      verify: spec.verify,
      agent: spec.agent,
      model: spec.model,
      branch: spec.branch,
      file: spec.source.file,
      line: spec.source.line,
    })),
    waves: steps,
    critical_path: criticalPath(nodes, (id) => weights.get(id) ?? 1).path,
    max_parallel: maxParallel,
    done: [...work.done].map(([id, why]) => ({ id, why })),
    ignored: work.ignored,
    warnings: work.warnings.map(({ file, line, message, hint }) => ({ file, line, message, hint })),
  };
}

export function renderPreview(preview: Preview): string {
  const lines = [
    `${count(preview.tasks.length, "task")} from ${preview.plan || "tasks written down by hand"}, to land on ${preview.target}`,
  ];
  if (preview.builds_on) lines.push(`builds on ${preview.builds_on}, which has not landed yet`);
  const byId = new Map(preview.tasks.map((task) => [task.id, task]));
  preview.waves.forEach((ids, index) => {
    const side = ids.length > 1 ? `, ${Math.min(ids.length, preview.max_parallel)} side by side` : "";
    lines.push("", `step ${index + 1}${side}`);
    for (const id of ids) {
      const task = byId.get(id)!;
      const marks = [
        task.priority === "normal" ? "" : `${task.priority} priority`,
        task.needs_review ? "needs review" : "",
        task.needs.length > 0 ? `after ${task.needs.join(", ")}` : "",
      ];
      const more = marks.filter(Boolean).join(" · ");
      lines.push(`  ${id}  ${printable(task.title)}${more ? `  (${more})` : ""}`);
    }
  });
  if (preview.critical_path.length > 1) lines.push("", `critical path: ${preview.critical_path.join(" → ")}`);
  if (preview.done.length > 0)
    lines.push("", `done already (${preview.done.length}):`, ...preview.done.map(({ id, why }) => `  ${id}  ${why}`));
  if (preview.ignored.length > 0)
    lines.push(
      "",
      `not tasks (${preview.ignored.length}):`,
      ...preview.ignored.map(({ file, reason }) => `  ${file}  ${reason}`),
    );
  if (preview.warnings.length > 0)
    lines.push(
      "",
      "warnings:",
      ...preview.warnings.map((each) => `  ${each.file}:${each.line} ${each.message} (${each.hint})`),
    );
  return `${lines.join("\n")}\n`;
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
