/** The live table: which tasks it shows, and each of its lines, for a screen of a given size. Pure. */
import { onePerTask } from "../../core/rival.ts";
import type { TaskView } from "../../core/view.ts";
import type { RunProgress, TaskProgress } from "../../engine/progress.ts";
import { renderDuration, roughDuration } from "../../lib/duration.ts";
import { column, fit, fitAround, widthOf } from "../../lib/width.ts";
import { count } from "../preview.ts";
import { costOf, GUESS, localTimes, markOf, type Paint, printable, wishWord } from "../text.ts";

export type Room = { columns: number; rows: number };

/** What a screen needs first when there is not room for all: what goes on, then what asks for something, then what is to come. */
const FIRST: TaskView["standing"][] = [
  "working",
  "waits-for-person",
  "failed",
  "waits-for-time",
  "waits-for-budget",
  "waits-for-room",
  "ready",
  "blocked",
  "done",
  "skipped",
  "cancelled",
];

/** A name takes at most this part of the width. One that is longer is cut in its middle: tasks of a module differ at their end. */
const NAME_SHARE = 0.3;
const GAP = 2;
/** What it does or waits for is never shorter than this, as long as a figure can go instead. */
const MIN_WORDS = 16;
const FIGURES = ["time", "cost", "lines", "left"] as const;
type Figure = (typeof FIGURES)[number];
const YIELDING: Figure[] = ["lines", "cost", "left", "time"];

/** The lines, each narrower than the room is wide, and fewer than it has rows. `notice` stands at their foot. */
export function renderTable(progress: RunProgress, room: Room, paint: Paint, notice: string | null = null): string[] {
  const width = Math.max(1, room.columns - 1);
  const foot = notice === null ? [] : [paint("yellow", fit(printable(notice), width))];
  const space = Math.max(0, room.rows - 4 - foot.length);
  const shown = choose(progress.tasks, space);
  const rest = progress.tasks.filter((task) => !shown.includes(task));
  const lines = renderRows(shown, width, paint);
  if (rest.length > 0)
    lines.push(paint("dim", fit(`  … and ${count(rest.length, "more task")}: ${tally(rest)}`, width)));
  // One row is left for an Enter that somebody presses.
  return [...lines, ...foot, fit(headline(progress, width), width)].slice(-Math.max(1, room.rows - 2));
}

/** In plan order, so that a row stays where it is as long as it is shown. */
function choose(tasks: TaskProgress[], space: number): TaskProgress[] {
  if (tasks.length <= space) return tasks;
  const isLate = ({ view }: TaskProgress) => FIRST.indexOf(view.standing);
  // Of what is done, what was done last.
  const endedAt = ({ view }: TaskProgress) => view.task.endedAt ?? 0;
  const wanted = tasks.toSorted((a, b) => isLate(a) - isLate(b) || endedAt(b) - endedAt(a) || order(a) - order(b));
  return wanted.slice(0, space).toSorted((a, b) => order(a) - order(b));
}

function order({ view }: TaskProgress): number {
  return view.task.order;
}

function renderRows(tasks: TaskProgress[], width: number, paint: Paint): string[] {
  const cells = withoutUnknown(tasks.map(cellsOf));
  const widest = (pick: (cell: Cells) => string) => Math.max(0, ...cells.map((cell) => widthOf(pick(cell))));
  const name = Math.min(
    widest((cell) => cell.name),
    Math.floor(width * NAME_SHARE),
  );
  // Columns in which nothing stands take no room; on a narrow screen the last named ones give way to the words.
  const figures = FIGURES.map((key) => ({ key, width: widest((cell) => cell[key]) })).filter((each) => each.width > 0);
  const roomFor = () => width - (2 + name + GAP) - figures.reduce((sum, each) => sum + each.width + GAP, 0);
  for (const key of YIELDING) if (roomFor() < MIN_WORDS) removeFrom(figures, key);
  const words = Math.max(0, roomFor());
  return cells.map((cell, at) => {
    const { standing } = tasks[at]!.view;
    const mark = markOf(standing, paint);
    const said = standing === "blocked" ? fitAround(cell.words, words) : cell.words;
    const numbers = figures.map((each) => " ".repeat(GAP) + column(cell[each.key], each.width, "end")).join("");
    return `${mark} ${column(fitAround(cell.name, name), name)}${" ".repeat(GAP)}${column(said, words)}${numbers}`.trimEnd();
  });
}

function removeFrom(figures: { key: Figure }[], key: Figure): void {
  const at = figures.findIndex((each) => each.key === key);
  if (at !== -1) figures.splice(at, 1);
}

type Cells = { name: string; words: string; time: string; cost: string; lines: string; left: string };

/** A column that says of each row that its cost is not known says less than the words that it would shorten: the last line says it once. */
function withoutUnknown(cells: Cells[]): Cells[] {
  const isTold = cells.some(({ cost }) => cost !== "" && cost !== "unknown");
  return isTold ? cells : cells.map((cell) => ({ ...cell, cost: "" }));
}

function cellsOf({ view, workedMs, cost, lines, doing, left }: TaskProgress): Cells {
  return {
    name: printable(view.task.key),
    words: oneLine(view.standing === "working" ? doing || view.why : briefly(view) || view.standing),
    time: workedMs === null ? "" : renderDuration(workedMs),
    cost: costOf(cost),
    lines: lines === null || lines.added + lines.removed === 0 ? "" : `+${lines.added} −${lines.removed}`,
    left: left === null ? "" : `~${roughDuration(left.ms)}${left.isRough ? "?" : ""}`,
  };
}

/** Why it waits; upstream tasks of its own module without the module's name, which stands before it already. */
function briefly({ task, why, waitsFor }: TaskView): string {
  const module = /^.*\//.exec(task.key)?.[0];
  if (module === undefined || waitsFor.length === 0) return why;
  return waitsFor.reduce(
    (text, key) => (key.startsWith(module) ? text.replace(key, key.slice(module.length)) : text),
    why,
  );
}

/** What matters first stands first: the end is cut where there is no room. When it will end is worth more than a cost that nobody knows, than saying that the
 *  end is guessed, and, like what is spent, than what is not to be done. */
function headline({ run, tasks, cost, left }: RunProgress, columns: number): string {
  const spent = costOf(cost);
  const isAtWork = tasks.some(({ view }) => view.standing === "working");
  const head = [run.id, ...(run.wish === null ? [] : [wishWord(run.wish, isAtWork)])];
  const counted = onePerTask(tasks, ({ view }) => view.task);
  const stands = [...head, tally(counted)];
  const money = spent === "" ? [] : [spent === "unknown" ? "cost unknown" : spent];
  const known = spent === "unknown" ? [] : money;
  // Nobody can tell where all that goes on is beyond what was expected of it.
  const end = left === null || left.ms === 0 ? [] : [`about ${roughDuration(left.ms)} left`];
  const guessed = end.map((words) => words + (left?.isRough === true ? GUESS : ""));
  const ways = [
    [...stands, ...money, ...guessed],
    [...stands, ...known, ...guessed],
    [...stands, ...known, ...end],
    [...head, tally(counted, GOES_ON), ...known, ...end],
    [...head, tally(counted, IN_SHORT), ...known, ...end],
    [...head, ...known, ...end, tally(counted, IN_SHORT)],
  ].map((parts) => parts.join(" · "));
  return ways.find((way) => widthOf(way) <= columns) ?? ways.at(-1)!;
}

const WORDS: [words: string, standings: TaskView["standing"][]][] = [
  ["done", ["done"]],
  ["working", ["working"]],
  ["waiting for a person", ["waits-for-person"]],
  ["waiting for a time", ["waits-for-time"]],
  ["waiting for the budget", ["waits-for-budget"]],
  ["waiting for room", ["waits-for-room"]],
  ["to come", ["ready", "blocked"]],
  ["failed", ["failed"]],
  ["skipped", ["skipped"]],
  ["cancelled", ["cancelled"]],
];

/** Without those that are not to be done. */
const GOES_ON = WORDS.filter(([words]) => words !== "skipped" && words !== "cancelled");

/** Beside other counts it is plain that who is for something waits for it. */
const IN_SHORT = GOES_ON.map(([words, standings]): (typeof WORDS)[number] => [
  words.replace("waiting for", "for"),
  standings,
]);

function tally(tasks: readonly TaskProgress[], of = WORDS): string {
  return of
    .map(([words, standings]) => [tasks.filter(({ view }) => standings.includes(view.standing)).length, words])
    .filter(([n]) => n !== 0)
    .map(([n, words]) => `${n} ${words}`)
    .join(" · ");
}

function oneLine(text: string): string {
  return printable(localTimes(text, Date.now()).replaceAll(/\s+/g, " ").trim());
}
