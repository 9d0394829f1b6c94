/** Small pieces of text that every command prints alike: marks, tables, times. */
import { type Cost, describeCost } from "../core/cost.ts";
import type { RunReport } from "../core/report.ts";
import type { CostReport } from "../core/report-cost.ts";
import type { TimeLeft } from "../core/time-left.ts";
import type { TaskView } from "../core/view.ts";
import type { LogLine } from "../engine/logs.ts";
import { roughDuration } from "../lib/duration.ts";
import { widthOf } from "../lib/width.ts";
import { inOneLine, printable } from "../lib/printable.ts";
import { type Io, wantsColor } from "./io.ts";

export { printable };

export { wrap } from "../lib/width.ts";

const COLORS = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;
export type Paint = (color: keyof typeof COLORS, text: string) => string;

/** Colours text for a stream, or leaves it plain. */
export function painter(io: Io, stream: { isTTY?: boolean }): Paint {
  const on = wantsColor(io, stream);
  return (color, text) => (on ? `\u001B[${COLORS[color]}m${text}\u001B[0m` : text);
}

const MARKS: Record<TaskView["standing"], [mark: string, color: keyof typeof COLORS]> = {
  ready: ["○", "dim"],
  blocked: ["○", "dim"],
  "waits-for-person": ["?", "yellow"],
  "waits-for-time": ["◷", "yellow"],
  "waits-for-budget": ["◷", "yellow"],
  "waits-for-room": ["◷", "yellow"],
  working: ["◎", "cyan"],
  done: ["✓", "green"],
  failed: ["✗", "red"],
  skipped: ["–", "dim"],
  cancelled: ["–", "dim"],
};

/** The mark of a standing. */
export function markOf(standing: TaskView["standing"], paint: Paint): string {
  const [mark, color] = MARKS[standing];
  return paint(color, mark);
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(cells: string[][]): string {
  // A name may hold a line end.
  const rows = cells.map((row) => row.map(inOneLine));
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, widthOf(cell))));
  const pad = (cell: string, index: number, row: string[]) =>
    index === row.length - 1 ? cell : cell + " ".repeat(widths[index]! - widthOf(cell));
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

/** `14:03:07`, local time. */
export function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8);
}

/** A moment as people here read it: `14:03` in local time, and with its day where that is another one than today's (`now`). What is less than a minute ahead has its seconds:
 *  who waits for it waits for seconds; so has one that is told to the second (`isExact`), where there are some. */
export function localTime(at: number, now: number | null, { isExact = false } = {}): string {
  const moment = new Date(at);
  const isToday = now !== null && moment.toDateString() === new Date(now).toDateString();
  const two = (value: number) => String(value).padStart(2, "0");
  const day = isToday ? "" : `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} `;
  const isSoon = now !== null && at > now && at - now < 60_000;
  const hasSeconds = isSoon || (isExact && moment.getSeconds() !== 0);
  return `${day}${two(moment.getHours())}:${two(moment.getMinutes())}${hasSeconds ? `:${two(moment.getSeconds())}` : ""}`;
}

/** The same of all times that a text holds for programs. `now` is null for what is read on other days: each has its day. */
export function localTimes(text: string, now: number | null): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (moment) => localTime(Date.parse(moment), now));
}

/** A line of a log as people read it: what an agent wrote stays as it is. */
export function logWords({ text, isOwn }: LogLine): string {
  return isOwn === true ? localTimes(text, Date.now()) : text;
}

/** Why a task stands where it stands, in one line for people; empty where its state says all. */
export function whyWords({ task, why }: { task: Pick<TaskView["task"], "state">; why: string }, now: number): string {
  return why === task.state ? "" : printable(localTimes(why.replaceAll(/\s*\n\s*/g, " "), now));
}

/** A cost in words: `$1.25`, `at least $1.25`, `unknown`; empty where no agent has run. */
export function costWords(cost: Pick<CostReport, "cost_usd" | "cost_at_least" | "cost_basis">): string {
  return describeCost({ usd: cost.cost_usd, isAtLeast: cost.cost_at_least, basis: cost.cost_basis });
}

/** The same of a sum that is not a report. */
export function costOf(cost: Pick<Cost, "usd" | "isAtLeast" | "basis">): string {
  return describeCost(cost);
}

/** Which tasks came in unchecked: their names, unless it is all that are done. */
export function whichUnverified({ unverified, counts }: Pick<RunReport, "unverified" | "counts">): string {
  const isAll = unverified.length > 1 && unverified.length === (counts["done"] ?? 0);
  return isAll ? `all ${unverified.length}` : unverified.join(", ");
}

/** `about 12m left`, and where nothing like it was done here yet, what that is worth. */
export function leftWords({ ms, isRough }: TimeLeft): string {
  return `about ${roughDuration(ms)} left${isRough ? GUESS : ""}`;
}

/** How a run stands that somebody wished to pause or to stop: while something still works, and when nothing does. */
export function wishWord(wish: "pause" | "stop", isAtWork: boolean): string {
  if (wish === "pause") return isAtWork ? "pausing" : "paused";
  return isAtWork ? "stopping" : "stopped";
}

/** Of a process that was stopped (Ctrl-Z, SIGSTOP): what lets it go on. */
export function suspendedWords(pid: number): string {
  return `owt (pid ${pid}) is suspended: ${continueLine(pid)}`;
}

/** The line that lets it go on. */
export function continueLine(pid: number): string {
  return `fg in its terminal, or kill -CONT ${pid}`;
}

/** Behind a time that is no more than a table's. */
export const GUESS = ", a first guess";

/** `1.2M`, `34k`, `567`; empty for what is not known. */
export function tokenWords(count: number | null): string {
  if (count === null) return "";
  if (count >= 1_000_000) return `${(count / 1_000_000).toFixed(1)}M`;
  return count >= 10_000 ? `${Math.round(count / 1_000)}k` : String(count);
}
