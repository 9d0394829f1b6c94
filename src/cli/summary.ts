/** The end of a run in the words one would paste into a message: what came home, what did not and why, what to do next. */
import type { RunReport } from "../core/report.ts";
import { onePerTask } from "../core/rival.ts";
import type { Task } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { few } from "../lib/few.ts";
import { renderDuration } from "../lib/duration.ts";
import type { Io } from "./io.ts";
import { count } from "./preview.ts";
import {
  costWords,
  localTime,
  localTimes,
  markOf,
  painter,
  printable,
  table,
  whichUnverified,
  whyWords,
} from "./text.ts";

/** `commandOf` names the command that answers a waiting task; `stoppedAt` (epoch ms): the run stands still because somebody stopped it then. */
export function renderSummary(
  io: Io,
  report: RunReport,
  views: readonly TaskView[],
  commandOf: (task: Task) => string,
  stoppedAt: number | null = null,
): string {
  const paint = painter(io, io.stdout);
  const rows = views.map((view) => {
    const task = report.tasks.find((each) => each.id === view.task.key);
    const time = task?.duration_ms == null ? "" : renderDuration(task.work_ms);
    return [
      `${markOf(view.standing, paint)} ${view.task.key}`,
      view.task.state,
      time,
      whyWords({ ...view, why: view.why.split("\n", 1)[0]! }, Date.now()),
    ];
  });
  const done = report.counts["done"] ?? 0;
  const head = `${report.run}: ${done} of ${count(onePerTask(views, ({ task }) => task).length, "task")} integrated on ${report.branch} in ${renderDuration(report.duration_ms)}`;
  const cost = report.cost_basis === null ? "" : `, cost ${costWords(report)}`;
  const speed =
    done > 0 && report.speedup !== null && report.speedup > 1
      ? `, ${report.speedup} times as fast as one after the other`
      : "";
  return `${[table(rows), "", head + cost + speed, ...nextSteps(report, views, commandOf), ...goOn(report, views, stoppedAt)].join("\n")}\n`;
}

function nextSteps(report: RunReport, views: readonly TaskView[], commandOf: (task: Task) => string): string[] {
  const lines: string[] = [];
  if (report.unverified.length > 0) lines.push(`unverified, for want of a verify command: ${whichUnverified(report)}`);
  const forBudget = views.filter((view) => view.standing === "waits-for-budget");
  // What a budget holds back is one thing, with one command; another one is another.
  const byCommand = Map.groupBy(forBudget, ({ task }) => commandOf(task));
  const isParked = ({ task }: TaskView) => task.park?.for === "budget";
  const held = new Map([...byCommand.values()].map((group) => [group.find(isParked) ?? group[0]!, group]));
  // So is what many wait for with one command.
  const forPerson = views.filter((view) => view.standing === "waits-for-person");
  const same = Map.groupBy(forPerson, ({ why, task }) => JSON.stringify([why, commandOf(task)]));
  const together = new Map([...same.values()].map((group) => [group[0]!, group]));
  const tell = (group: readonly TaskView[], { why, task }: TaskView) => {
    const keys = group.map((each) => each.task.key);
    lines.push(`${few(keys)}: ${printable(localTimes(why, Date.now()))}`, `  ↳ ${commandOf(task)}`);
  };
  for (const view of views) {
    const budget = held.get(view);
    if (budget !== undefined) tell(budget, view);
    const group = together.get(view);
    if (group !== undefined && group.length > 1) tell(group, view);
    else if (group !== undefined)
      lines.push(`${view.task.key} ${printable(localTimes(view.why, Date.now()))}`, `  ↳ ${commandOf(view.task)}`);
    if (view.standing === "failed")
      lines.push(
        `${view.task.key} failed: ${printable(localTimes(view.why, Date.now()))}`,
        `  ↳ ${commandOf(view.task)}`,
      );
  }
  return lines;
}

function goOn(report: RunReport, views: readonly TaskView[], stoppedAt: number | null): string[] {
  if (report.landed_at !== null) return [];
  if (report.state === "ended" && (report.counts["done"] ?? 0) > 0)
    return [`bring it into ${report.target}:`, `  ↳ owt land ${report.run}`];
  if (stoppedAt !== null) {
    const when = localTime(stoppedAt, Date.now());
    return [`stopped at ${when} by: owt stop; what was done is kept, go on with it:`, `  ↳ owt resume ${report.run}`];
  }
  return report.state === "open" && !isOnlyHeld(views) ? ["then go on:", `  ↳ owt resume ${report.run}`] : [];
}

/** The command that raises the budget goes on with the run, too. */
function isOnlyHeld(views: readonly TaskView[]): boolean {
  const waits = new Set<TaskView["standing"]>([
    "waits-for-person",
    "waits-for-time",
    "waits-for-room",
    "ready",
    "working",
  ]);
  return views.some((view) => view.standing === "waits-for-budget") && !views.some((view) => waits.has(view.standing));
}
