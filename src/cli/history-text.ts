/** What came of everything that was tried here: tables for a terminal, and the same as markdown. */
import { type HistoryReport, type HistoryRow, type NamedRow } from "../core/history.ts";
import { renderUsd } from "../core/cost.ts";
import { renderDuration } from "../lib/duration.ts";
import { count } from "./preview.ts";
import { printable, table, wrap } from "./text.ts";

const HEADER = ["tasks", "done", "first try", "middle time", "all time", "cost", "a task"];

const GROUPS: readonly [keyof Omit<HistoryReport, "all">, title: string, nameless: string][] = [
  ["by_agent", "agent", "?"],
  ["by_model", "model", "its own choice"],
  ["by_kind", "kind", "none"],
  ["by_day", "day", "?"],
];

const NOTHING = "no task was tried in this repository yet";

/** `width` in columns. */
export function renderHistory(history: HistoryReport, width: number): string {
  if (history.all.tasks === 0) return NOTHING;
  const tables = GROUPS.map(([key, title, nameless]) => {
    const rows = history[key].map((row) => [shorten(nameOf(row, nameless), width - 66), ...cells(row)]);
    return table([[title, ...HEADER], ...rows]);
  });
  return [...wrap(summary(history), width, 2), "", tables.join("\n\n"), ...unknown(history, width)].join("\n");
}

export function renderHistoryMarkdown(history: HistoryReport): string {
  if (history.all.tasks === 0) return NOTHING;
  const row = (each: string[]) => `| ${each.join(" | ")} |`;
  const tables = GROUPS.flatMap(([key, title, nameless]) => [
    "",
    row([title, ...HEADER]),
    row(["---", ...HEADER.map(() => "---")]),
    ...history[key].map((each) => row([nameOf(each, nameless).replaceAll("|", "\\|"), ...cells(each)])),
  ]);
  return [`# History`, "", summary(history), ...tables, ...unknown(history, Infinity)].join("\n");
}

function summary({ all }: HistoryReport): string {
  const rate = all.success === null ? "" : ` (${percent(all.success)} done)`;
  const cancelled = all.cancelled === 0 ? "" : `, ${all.cancelled} cancelled`;
  const open = all.open === 0 ? "" : `, ${all.open} still open`;
  return `${count(all.tasks, "task")}: ${all.done} done, ${all.failed} failed${rate}${cancelled}${open}, ${count(all.attempts, "attempt")}, ${renderDuration(all.work_ms)} of work, cost ${costIn(all.cost_usd)}`;
}

function cells(row: HistoryRow): string[] {
  return [
    String(row.tasks),
    percent(row.success),
    percent(row.first_try),
    row.median_ms === null ? "" : renderDuration(row.median_ms),
    renderDuration(row.work_ms),
    costIn(row.cost_usd),
    costIn(row.cost_per_task_usd),
  ];
}

/** What nobody told is called so wherever a cost stands. */
function costIn(usd: number | null): string {
  return usd === null ? "unknown" : renderUsd(usd);
}

function unknown({ all }: HistoryReport, width: number): string[] {
  if (all.cost_unknown === 0 || all.cost_usd === null) return [];
  return ["", ...wrap(`the cost of ${count(all.cost_unknown, "task")} is not known, and in no sum`, width)];
}

function nameOf({ name }: NamedRow, nameless: string): string {
  return name === null ? nameless : printable(name);
}

function shorten(name: string, most: number): string {
  const room = Math.max(8, most);
  return name.length > room ? `${name.slice(0, room - 1)}…` : name;
}

/** Nothing, where none came to an end of its own. */
function percent(share: number | null): string {
  return share === null ? "" : `${Math.round(share * 100)}%`;
}
