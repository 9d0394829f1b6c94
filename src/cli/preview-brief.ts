/** The preview of a plan on a screen that is lower than the whole of it: what it takes and costs, its steps, and what is unusual. */
import { fit } from "../lib/width.ts";
import { count, type Preview } from "./preview.ts";
import { critical, expected, head, renderPreview, timeAndCost } from "./preview-text.ts";
import { printable, wrap } from "./text.ts";

/** Columns and lines of a screen. */
export type ScreenSize = { columns: number; rows: number };

/** The whole preview where it and the question below it fit on the screen, else what matters most of it. */
export function renderPreviewToAsk(preview: Preview, { columns, rows }: ScreenSize): string {
  const whole = renderPreview(preview, columns);
  const left = rows - questionOf(preview, columns).length;
  return whole.split("\n").length - 1 <= left ? whole : renderBrief(preview, columns, left);
}

/** Asks for the start, with what a yes costs. */
export function renderQuestion(preview: Preview, columns: number): string {
  return `${questionOf(preview, columns).join("\n")} `;
}

function questionOf(preview: Preview, columns: number): string[] {
  const tasks = preview.tasks.filter(({ state }) => state === "to-run").length;
  const { estimate } = preview;
  const expects = estimate === null ? "" : ` expected ${timeAndCost(preview)}`;
  return wrap(`run ${count(tasks, "task")}?${expects} [y/N]`, columns - 1);
}

/** A step needs a line to itself, and what is said of all the others. */
const FEWEST_STEP_LINES = 2;

function renderBrief(preview: Preview, columns: number, rows: number): string {
  const top = [...head(preview, columns), ...expected(preview, columns)];
  const foot = wrap("each task with its time and cost: owt plan (or the same command with --dry-run)", columns);
  let left = rows - top.length - foot.length;
  const notes = unusual(preview, columns).filter(({ length }) => {
    const isRoomy = left - length >= FEWEST_STEP_LINES;
    if (isRoomy) left -= length;
    return isRoomy;
  });
  return `${[...top, ...steps(preview, columns, left), ...notes.flat(), ...foot].join("\n")}\n`;
}

function steps({ waves, order, max_parallel }: Preview, columns: number, most: number): string[] {
  if (most <= 0) return [];
  const lines =
    max_parallel === 1
      ? [`one after the other: ${order.join(", ")}`]
      : waves.map((ids, at) => `step ${at + 1}, ${count(ids.length, "task")}: ${ids.join(", ")}`);
  const isWhole = lines.length <= most;
  const shown = isWhole ? lines : lines.slice(0, most - 1);
  const rest = isWhole ? [] : [`… and ${count(lines.length - shown.length, "more step")}`];
  return [...shown, ...rest].map((line) => fit(line, columns));
}

/** What differs from a usual plan, most telling first; each as lines that belong together. */
function unusual(preview: Preview, columns: number): string[][] {
  const { tasks, warnings, overlaps, ignored, max_parallel } = preview;
  const reviewed = tasks.filter((task) => task.state === "to-run" && task.needs_review).map(({ id }) => id);
  const [warning] = warnings;
  const others = warnings.length > 1 ? ` (${warnings.length - 1} more)` : "";
  const words = [
    warning === undefined ? "" : `warning: ${warning.file}:${warning.line} ${warning.message}${others}`,
    reviewed.length === 0
      ? ""
      : `${count(reviewed.length, "task")} will wait for your approval: ${reviewed.join(", ")}`,
    overlaps.length === 0 || max_parallel === 1
      ? ""
      : `${count(overlaps.length, "pair")} of tasks touch the same files`,
    ignored.length === 0 ? "" : `${count(ignored.length, "file")} beside them: no tasks`,
  ];
  const notes = words.filter((text) => text !== "").map((text) => [fit(printable(text), columns)]);
  const path = critical(preview, columns);
  return path.length === 0 ? notes : [...notes, [fit(path.join(" ").replaceAll(/ +/g, " "), columns)]];
}
