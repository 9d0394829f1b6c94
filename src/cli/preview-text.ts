/** The preview of a plan as text for people: no line is longer than the screen is wide, unless a single word is. */
import { renderUsd } from "../core/cost.ts";
import { roughDuration } from "../lib/duration.ts";
import { listed } from "../lib/printable.ts";
import { count, type Preview, type PreviewRange, type PreviewTask } from "./preview.ts";
import { printable, wrap } from "./text.ts";

/** `width` in columns. */
export function renderPreview(preview: Preview, width: number): string {
  const paragraphs = [
    head(preview, width),
    expected(preview, width),
    steps(preview, width),
    critical(preview, width),
    overlaps(preview, width),
  ];
  paragraphs.push(done(preview, width), notTasks(preview, width), warnings(preview, width));
  return `${paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

/** How many tasks there are, and where they land. */
export function head({ tasks, plan, target, builds_on }: Preview, width: number): string[] {
  const of = (state: PreviewTask["state"]) => tasks.filter((task) => task.state === state).length;
  const counts = [
    `${of("to-run")} to run`,
    of("done") > 0 ? `${of("done")} done` : "",
    of("left-out") > 0 ? `${of("left-out")} left out` : "",
  ];
  const rivals = [...new Set(tasks.flatMap((task) => task.rivals))];
  const once = tasks.filter((task) => task.state === "to-run" && task.rivals.length === 0).map(({ id }) => id);
  const where = plan || "what was written down by hand";
  return [
    ...wrap(
      `${count(tasks.length, "task")} in ${where}: ${counts.filter(Boolean).join(", ")}; to land on ${target}`,
      width,
    ),
    ...(rivals.length === 0
      ? []
      : wrap(`each task is done ${rivals.length} times, and the better work kept: ${rivals.join(", ")}`, width)),
    ...(rivals.length === 0 || once.length === 0
      ? []
      : wrap(`done once, since the plan names the branch: ${once.join(", ")}`, width)),
    ...(builds_on.length === 0
      ? []
      : wrap(`builds on ${listed(builds_on)}, which ${builds_on.length === 1 ? "has" : "have"} not landed yet`, width)),
  ];
}

/** What they are expected to take and to cost. */
export function expected({ estimate, max_parallel }: Preview, width: number): string[] {
  if (estimate === null) return [];
  const { sequential_ms, parallelism, speedup, label } = estimate;
  const alone = isAlone(estimate);
  const side = `${count(max_parallel, "agent")}, ${parallelism.average.toFixed(1)} at work on average`;
  const rows = [
    `time  ${timeOfAll(estimate)} with ${alone ? "one agent at a time" : side}`,
    alone ? "" : `      ${timeRange(sequential_ms)} one after the other: speed-up ${speedup.toFixed(1)}`,
    `cost  ${costOfAll(estimate)}`,
  ].filter(Boolean);
  return [...wrap(`expected, P50–P90 (${label}):`, width), ...rows.flatMap((row) => wrap(`  ${row}`, width, 8))];
}

/** `12m–20m, cost $3.10–$5.00`; nothing where nothing runs. */
export function timeAndCost({ estimate }: Preview): string {
  return estimate === null ? "" : `${timeOfAll(estimate)}, cost ${costOfAll(estimate)}`;
}

type Expected = NonNullable<Preview["estimate"]>;

function isAlone({ parallelism }: Expected): boolean {
  return parallelism.most <= 1;
}

function timeOfAll(estimate: Expected): string {
  return timeRange(isAlone(estimate) ? estimate.sequential_ms : estimate.makespan_ms);
}

function costOfAll({ cost_usd, cost_unknown_tasks }: Expected): string {
  if (cost_usd === null) return "unknown";
  const unknown = cost_unknown_tasks > 0 ? `, and ${count(cost_unknown_tasks, "task")} of unknown cost` : "";
  return `${moneyRange(cost_usd)}${unknown}`;
}

function steps(preview: Preview, width: number): string[] {
  const lines = new Map(preview.tasks.map((task) => [task.id, task]));
  const columns = widths(preview.tasks.filter((task) => task.state === "to-run"));
  const render = (ids: readonly string[]) => ids.flatMap((id) => renderTask(lines.get(id)!, columns, width));
  if (preview.max_parallel === 1 && preview.order.length > 1)
    return ["one after the other, in this order", ...render(preview.order)];
  return preview.waves.flatMap((ids, index) => {
    return [
      ...(index > 0 ? [""] : []),
      `step ${index + 1}${sideBySide(ids.length, preview.max_parallel)}`,
      ...render(ids),
    ];
  });
}

function sideBySide(tasks: number, most: number): string {
  if (tasks > most) return `: ${tasks} tasks, ${most} at a time`;
  return tasks > 1 ? `, ${tasks} side by side` : "";
}

type Columns = { id: number; time: number; cost: number };

/** Long ids are left to stick out: the figures of all others would be far from their names. */
const WIDEST_ID = 30;

function widths(tasks: readonly PreviewTask[]): Columns {
  const widest = (cells: string[]) => Math.max(0, ...cells.map((cell) => cell.length));
  return {
    id: Math.min(WIDEST_ID, widest(tasks.map(({ id }) => id))),
    time: widest(tasks.map(timeOf)),
    cost: widest(tasks.map(costOf)),
  };
}

function renderTask(task: PreviewTask, columns: Columns, width: number): string[] {
  const marks = [
    task.priority === "normal" ? "" : `${task.priority} priority`,
    task.needs_review ? "needs review" : "",
    task.needs.length > 0 ? `after ${task.needs.join(", ")}` : "",
  ].filter(Boolean);
  const cells = [task.id.padEnd(columns.id), timeOf(task).padEnd(columns.time), costOf(task).padEnd(columns.cost)];
  const text = `${printable(task.title)}${marks.length > 0 ? `  (${marks.join(" · ")})` : ""}`;
  return wrap(`  ${cells.filter((cell) => cell !== "").join("  ")}  ${text}`, width, 6);
}

function timeOf({ estimate }: PreviewTask): string {
  return estimate === null ? "" : timeRange(estimate.duration_ms);
}

function costOf({ estimate }: PreviewTask): string {
  return estimate?.cost_usd ? moneyRange(estimate.cost_usd) : "";
}

/** The chain of tasks that takes longest; none where nothing is to be ordered. */
export function critical({ critical_path, order, estimate }: Preview, width: number): string[] {
  if (order.length < 2 || estimate === null) return [];
  return wrap(`critical path, ${roughDuration(estimate.critical_path_ms)}: ${critical_path.join(" → ")}`, width, 2);
}

/** More lines say no more. */
const SHOWN_OVERLAPS = 8;

function overlaps({ overlaps, max_parallel }: Preview, width: number): string[] {
  if (overlaps.length === 0 || max_parallel === 1) return [];
  const shown = overlaps.slice(0, SHOWN_OVERLAPS);
  const rest = overlaps.length - shown.length;
  return [
    ...wrap(
      "touch the same files, and are not begun side by side while something else of the same priority is ready:",
      width,
      2,
    ),
    ...shown.flatMap(({ tasks, path }) => wrap(printable(`  ${tasks.join(" and ")}  ${path}`), width, 6)),
    ...(rest > 0 ? [`  … and ${rest} more pairs`] : []),
  ];
}

function done({ tasks }: Preview, width: number): string[] {
  const ended = tasks.filter((task) => task.state === "done");
  if (ended.length === 0) return [];
  return [
    "done:",
    ...ended.flatMap((task) => wrap(`  ${task.id}  ${printable(`${task.title}  (${task.why})`)}`, width, 6)),
  ];
}

function notTasks({ ignored }: Preview, width: number): string[] {
  if (ignored.length === 0) return [];
  return [
    `not tasks (${ignored.length}):`,
    ...ignored.flatMap(({ file, reason }) => wrap(printable(`  ${file}  ${reason}`), width, 6)),
  ];
}

function warnings(preview: Preview, width: number): string[] {
  if (preview.warnings.length === 0) return [];
  return [
    "warnings:",
    ...preview.warnings.flatMap((each) =>
      wrap(printable(`  ${each.file}:${each.line} ${each.message} (${each.hint})`), width, 6),
    ),
  ];
}

/** `9m–20m` */
function timeRange({ p50, p90 }: PreviewRange): string {
  return range(roughDuration(p50), roughDuration(p90));
}

function moneyRange({ p50, p90 }: PreviewRange): string {
  return range(renderUsd(p50), renderUsd(p90));
}

function range(low: string, high: string): string {
  return low === high ? low : `${low}–${high}`;
}
