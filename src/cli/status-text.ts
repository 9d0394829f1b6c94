/** What `owt status` says of where everything stands, in words. */
import { describeLevel } from "../core/budget-words.ts";
import { describeLost } from "../core/lost-change.ts";
import type { Run } from "../core/run.ts";
import { describeOutage } from "../core/limit.ts";
import type { BareTask } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { renderAnswer } from "../core/task-answer.ts";
import { readLevels, readNearLevels } from "../engine/budget.ts";
import type { Engine } from "../engine/engine.ts";
import { readInbox, readRefusedBatches } from "../engine/inbox.ts";
import { readLastWord } from "../engine/last-word.ts";
import { workedMs } from "../core/attempt.ts";
import { readAstray } from "../store/astray.ts";
import { readAttempts } from "../store/attempts.ts";
import { readLost, readRewritten } from "../store/run-words.ts";
import { few, IN_A_LINE, IN_A_SENTENCE } from "../lib/few.ts";
import { fit } from "../lib/width.ts";
import { renderDuration, roughDuration } from "../lib/duration.ts";
import type { Io } from "./io.ts";
import { count } from "./preview.ts";
import { reviewTimes } from "../engine/review-times.ts";
import {
  costWords,
  GUESS,
  localTime,
  localTimes,
  markOf,
  painter,
  printable,
  suspendedWords,
  table,
  whyWords,
  wishWord,
} from "./text.ts";
import { printableName } from "../lib/printable.ts";
import { moreWords } from "./waiting-words.ts";
import { answerOf, type HeldByLimit, type Status, WAITS } from "./read-status.ts";

/** The answer of `owt status` for people. */
export function renderStatus(io: Io, engine: Engine, status: Status): string {
  const doings = readDoings(engine, status);
  const paint = painter(io, io.stdout);
  const { runs, agents, worktrees, backlog, carriedBy, suspended, room } = status;
  const isOpen = runs.some(({ run }) => run.state === "open");
  const idle = isOpen ? idleWords(status) : "nothing runs";
  const carried = suspended === null ? `owt (pid ${carriedBy}) carries the runs` : suspendedWords(suspended);
  const lines = [`${engine.repo.root}: ${carriedBy ? carried : idle}`];
  for (const { run, isOut, views, sums, expected, background, limits } of runs) {
    const cost = sums.cost_basis === null ? "" : ` · cost ${costWords(sums)}`;
    const state = run.state === "open" ? stateOf(run, views) : endOf(run, views, isOut);
    const counts = Object.entries(sums.counts).map(([word, n]) => `${n} ${word}`);
    lines.push("", `${run.id} · ${state} · ${counts.join(", ")}${cost}`);
    lines.push(...readLevels(engine, run).map((level) => `  budget: ${describeLevel(level)}`));
    for (const { why, until, command } of readNearLevels(engine, run)) {
      const then = until === null ? "" : `; nothing begins${timeWords(until, engine.now())}`;
      lines.push(`  ▲ ${why}${then}; raise it: ${command}`);
    }
    const astray = run.state === "open" ? readAstray(engine.store, run.id) : null;
    if (astray !== null) lines.push(`  ▲ ${printable(astray.why)}`, `    ↳ ${printable(renderAnswer(astray))}`);
    const rewritten = run.landedAt === null ? readRewritten(engine.store, run.id) : null;
    if (rewritten !== null) lines.push(`  ▲ ${printable(rewritten)}; how to land all the same: owt land ${run.id}`);
    for (const [task, lost] of readLost(engine.store, run.id)) {
      const view = views.find((each) => each.task.id === task);
      if (view !== undefined) lines.push(`  ▲ ${printable(`${view.task.key}: ${describeLost(lost)}`)}`);
    }
    if (background !== null) lines.push(`  in the background (pid ${background}); watch it: owt resume ${run.id}`);
    if (expected?.end != null) lines.push(`  ${endWords(expected.end, engine.now(), expected.isRough ?? false)}`);
    for (const limit of limits) lines.push(...limitLines(run.id, limit, engine.now()));
    const shown = worthARow(views);
    const rows = shown.map((view) => [
      `  ${markOf(view.standing, paint)} ${view.task.key}`,
      view.task.state,
      doings.get(view.task.id) ?? whyWords(view, engine.now()),
    ]);
    if (rows.length > 0) lines.push(table(rows));
    if (shown.length < views.length) lines.push(`  … and ${views.length - shown.length} more: owt task list`);
  }
  if (room !== null) lines.push("", `▲ ${printable(room.why)}`, `    ↳ ${renderAnswer(room)}`);
  for (const refused of readRefusedBatches(engine)) {
    const text = printable(localTimes(`the batch ${refused.batch} ${refused.why}`, engine.now()));
    lines.push("", `▲ ${text}`, `    ↳ ${printable(renderAnswer(refused))}`);
  }
  lines.push(...waitingLines(engine, status));
  const whole = backlog.length > IN_A_SENTENCE ? "; all: owt task list" : "";
  if (backlog.length > 0) lines.push("", `written down: ${few(backlog.map((task) => task.id))} (owt run${whole})`);
  const places = worktrees.map(({ path, branch }) => `  ${printableName(path)}  ${printable(branch ?? "detached")}`);
  lines.push("", count(worktrees.length, "worktree"), ...places);
  if (status.unwell.lines.length > 0) lines.push("", "agents that need a look", ...status.unwell.lines);
  const installed = agents.map(({ name, path }) => (path ? name : `${name} (not installed)`));
  lines.push("", `agents: ${installed.join(", ")}`);
  return lines.join("\n");
}

/** Of open runs that nobody carries right now. */
function idleWords({ asking }: Status): string {
  if (asking === null) return "nobody carries the open runs; go on with: owt resume";
  return `owt (pid ${asking.pid}) asks for the answer to ${asking.task} in its terminal, and then goes on; now: owt resume`;
}

/** The oldest of what waits for a person, each with what answers it. */
function waitingLines(engine: Engine, status: Status): string[] {
  const { runs } = status;
  const isAnything = runs.some(({ views }) => views.some(({ standing }) => ANSWERED.has(standing)));
  const shown = new Set(runs.map(({ run }) => run.id));
  const waiting = isAnything ? readInbox(engine).filter(({ run }) => shown.has(run)) : [];
  if (waiting.length === 0) return [];
  const told = waiting.slice(0, MOST_WAITING).flatMap(({ run, view, more }) => {
    const why = printable(localTimes(view.why.split("\n", 1)[0]!, engine.now()));
    return [
      `  ${view.task.key}${moreWords(more)} (${run}) ${why}`,
      `    ↳ ${renderAnswer(answerOf(engine, status, view.task))}`,
    ];
  });
  const rest = waiting.length - MOST_WAITING;
  const more = rest > 0 ? [`  … and ${rest} more: owt inbox`] : [];
  return [
    "",
    `${count(waiting.length, "thing")} ${waiting.length === 1 ? "waits" : "wait"} for you, the oldest first`,
    ...told,
    ...more,
  ];
}

const MOST_WAITING = 5;
const ANSWERED = new Set<TaskView["standing"]>([...WAITS, "failed"]);

/** All of a small run. Of a large one what goes on, waits or failed, and no more than a person reads; the figures above count the rest. */
function worthARow(views: readonly TaskView<BareTask>[]): readonly TaskView<BareTask>[] {
  if (views.length <= MOST_ROWS) return views;
  return views.filter((view) => !QUIET.has(view.standing)).slice(0, MOST_ROWS);
}

const MOST_ROWS = 50;
/** Columns of what an agent did last. */
const MOST_SAID = 60;
const QUIET = new Set<TaskView["standing"]>(["done", "blocked", "ready", "skipped", "cancelled"]);

function endWords(end: number, now: number, isRough: boolean): string {
  // What goes on beyond what was expected has no end that one could name.
  if (now - end >= LATE_MS) return `later than expected, by ${roughDuration(now - end)}`;
  const guess = isRough ? GUESS : "";
  if (end <= now) return `expected to end about now${guess}`;
  return `expected to end in ${roughDuration(end - now)}, at ${localTime(end, now)}${guess}`;
}

/** Who carries it works the end out anew so long after it passed. */
const LATE_MS = 20_000;

function limitLines(run: string, limit: HeldByLimit, now: number): string[] {
  const { outage, until, tasks } = limit;
  const atOnce = `    ↳ try at once: owt resume ${run}`;
  if (outage === null) return [`  usage limit${limitWords(limit, now)}: ${few(tasks, IN_A_LINE)}`, atOnce];
  const next = until === null ? "" : `; next try at ${localTime(until, now)}`;
  return [`  ▲ ${printable(describeOutage(outage, null))}${next}: ${few(tasks, IN_A_LINE)}`, atOnce];
}

function limitWords({ until, isGuess }: HeldByLimit, now: number): string {
  if (until === null || !isGuess) return timeWords(until, now);
  return `, no reset known; next try at ${localTime(until, now)}`;
}

function timeWords(until: number | null, now: number): string {
  return until === null ? "" : ` until ${localTime(until, now)}`;
}

/** What goes on in words, by the task's row number: for how long it was worked on, and what its agent did last. */
function readDoings(engine: Engine, { runs }: Status): Map<number, string> {
  const working = runs.flatMap(({ views }) =>
    views.filter((view) => view.standing === "working" && whyWords(view, 0) === ""),
  );
  return new Map(
    working.map(({ task }) => {
      const attempts = readAttempts(engine.store, task.id);
      const last = attempts.at(-1);
      const said = last ? readLastWord(engine, last) : "";
      const now = engine.now();
      const time = renderDuration(workedMs(attempts, now, reviewTimes(engine, task.run, [task], now)));
      return [task.id, [time, fit(printable(said), MOST_SAID)].filter(Boolean).join(" · ")];
    }),
  );
}

function endOf(run: Run, views: readonly TaskView<BareTask>[], isOut: boolean): string {
  if (isOut) return `was landed, and taken out of ${run.target} again (once more: owt land ${run.id} --again)`;
  if (run.landedAt !== null) return "landed without these (owt task retry, or owt task cancel)";
  const hasWork = views.some((view) => view.standing === "done");
  return hasWork ? `ended, not landed (owt land ${run.id})` : "ended, nothing integrated";
}

function stateOf({ wish }: Run, views: readonly TaskView<BareTask>[]): string {
  return wish === null
    ? "open"
    : wishWord(
        wish,
        views.some(({ standing }) => standing === "working"),
      );
}
