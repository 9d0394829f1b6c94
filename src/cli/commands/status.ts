/** `owt status`: where everything stands. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { programOf } from "../../agents/agent.ts";
import { describeLevel } from "../../core/budget-words.ts";
import { describeLost } from "../../core/lost-change.ts";
import type { Run } from "../../core/run.ts";
import { describeOutage, type Outage } from "../../core/limit.ts";
import type { BareTask, Task } from "../../core/task.ts";
import { type TaskView, waitsForRoomAlone } from "../../core/view.ts";
import { type Answer, renderAnswer } from "../../core/task-answer.ts";
import { readLevels, readNearLevels } from "../../engine/budget.ts";
import { knownAgents, type Engine, findAgent } from "../../engine/engine.ts";
import { readRoomWait } from "../../engine/disk-users.ts";
import { findAtPrompt } from "../../engine/at-prompt.ts";
import { readInbox, readRefusedBatches } from "../../engine/inbox.ts";
import { isCarried, suspendedCarrier } from "../../engine/holder.ts";
import { spoolFolder } from "../../engine/spool-folder.ts";
import { answerFor, heldAnswers } from "../../engine/answer.ts";
import { readLastWord } from "../../engine/last-word.ts";
import { readSums } from "../../engine/report.ts";
import { showBriefly } from "../../engine/show.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { workedMs } from "../../core/attempt.ts";
import { readAstray } from "../../store/astray.ts";
import { readAttempts } from "../../store/attempts.ts";
import { readBacklog } from "../../store/backlog.ts";
import { readBackground } from "../../store/background.ts";
import { readLost, readRewritten } from "../../store/run-words.ts";
import { readExpected } from "../../store/expected.ts";
import { readRun, readRuns } from "../../store/runs.ts";
import { readBareTasks } from "../../store/bare-tasks.ts";
import { readFailedTasks, readTask } from "../../store/tasks.ts";
import { few, IN_A_LINE, IN_A_SENTENCE } from "../../lib/few.ts";
import { fit } from "../../lib/width.ts";
import { renderDuration, roughDuration } from "../../lib/duration.ts";
import { findRun } from "../../engine/find-run.ts";
import { isAlive } from "../../system/identity.ts";
import { findProgram } from "../../system/programs.ts";
import { answer, type Io, withEngine } from "../io.ts";
import type { Unwell } from "../worktrees/unwell.ts";
import { count } from "../preview.ts";
import { runBare } from "../bare.ts";
import { reviewTimes } from "../../engine/review-times.ts";
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
} from "../text.ts";
import { printableName } from "../../lib/printable.ts";
import { moreWords } from "../waiting-words.ts";

type JsonOption = { json?: boolean };

export function statusCommand(program: Command, io: Io): void {
  program
    .command("status [name]")
    .description(
      "what runs, what waits and why, money, limits, worktrees, agents; of one task or worktree: what it does now",
    )
    .option("--run <run>", "the task of this run; by default the one that is not done, else the newest")
    .option("--json", "print the answer as JSON")
    .action((name: string | undefined, options: JsonOption & { run?: string }) =>
      withEngine(io, async (engine) => {
        if (name === undefined && options.run === undefined) await showStatus(io, engine, options, null);
        else if (name === undefined || (options.run === undefined && readRun(engine.store, name)))
          await showStatus(io, engine, options, findRun(engine, name ?? options.run!).id);
        else {
          const { showNamed } = await import("../named-status.ts");
          await showNamed(io, engine, name, options);
        }
      }),
    );
}

/** The command as it is without any words but `--json`. Gives its exit code. */
export function runStatus(io: Io, options: { json: boolean }): Promise<number> {
  return runBare(io, options, (engine) => showStatus(io, engine, options, null));
}

/** Standings that a command of the user's ends. */
const WAITS = new Set<TaskView["standing"]>(["waits-for-person", "waits-for-budget"]);

function endOf(run: Run, views: readonly TaskView<BareTask>[]): string {
  if (run.landedAt !== null) return "landed without these (owt task retry, or owt task cancel)";
  const hasWork = views.some((view) => view.standing === "done");
  return hasWork ? `ended, not landed (owt land ${run.id})` : "ended, nothing integrated";
}

/** `only`: of this run alone. */
async function showStatus(io: Io, engine: Engine, options: JsonOption, only: string | null): Promise<void> {
  const status = await readStatus(engine, only);
  if (options.json) answer(io, options, toJson(engine, status), "");
  else answer(io, options, {}, render(io, engine, status, readDoings(engine, status)));
}

type Status = Awaited<ReturnType<typeof readStatus>>;

async function readStatus(engine: Engine, only: string | null) {
  const failed = new Set(readFailedTasks(engine.store).map((task) => task.id));
  const withTasks = (run: Run) => ({ run, tasks: readBareTasks(engine.store, run.id) });
  const isMeant = (run: Run) => only === null || run.id === only;
  const open = readRuns(engine.store, "open").filter(isMeant).map(withTasks);
  const ended = readRuns(engine.store, "ended")
    .filter(isMeant)
    .map(withTasks)
    .filter(
      ({ run, tasks }) =>
        only !== null || tasks.some((task) => failed.has(task.id) || (run.landedAt === null && task.state === "done")),
    );
  const carriedBy = isCarried(engine);
  const suspended = carriedBy === null ? null : suspendedCarrier(engine);
  const asking = carriedBy === null ? findAtPrompt(engine) : null;
  const runs = [...ended, ...open].map(({ run, tasks }) => {
    // Of a run that has landed only what did not come with it is news.
    const isLanded = run.state === "ended" && run.landedAt !== null && only === null;
    const views = showBriefly(engine, run, tasks, carriedBy === null);
    const news = views.filter((view) => !isLanded || failed.has(view.task.id));
    const isCarriedOn = carriedBy !== null && suspended === null;
    const goesOn = run.state === "open" && run.wish === null && isCarriedOn && !waitsForRoomAlone(views);
    const expected = goesOn ? readExpected(engine.store, run.id) : null;
    const process = run.state === "open" ? readBackground(engine.store, run.id) : null;
    const background = process && isAlive(process) ? process.pid : null;
    return {
      run,
      views: news,
      sums: readSums(engine, run, views),
      expected,
      background,
      limits: limitsIn(views, engine.now()),
    };
  });
  const agents = knownAgents(engine.config).map((name) => ({ name, path: agentPath(engine, name) }));
  const worktrees = await listCheckouts(engine.repo);
  const unwell = await unwellAgents(engine);
  const held = runs.flatMap(({ views }) => views.filter(({ task }) => task.park?.for === "hand"));
  const heldTasks = held.map(({ task }) => readTask(engine.store, task.id)!);
  const answers = await heldAnswers(engine, heldTasks);
  const room = readRoomWait(engine);
  return {
    runs,
    agents,
    worktrees,
    backlog: readBacklog(engine.store),
    carriedBy,
    suspended,
    asking,
    unwell,
    answers,
    room,
  };
}

async function unwellAgents(engine: Engine): Promise<Unwell> {
  if (!existsSync(spoolFolder(engine))) return { data: [], lines: [] };
  const { readUnwell } = await import("../worktrees/unwell.ts");
  return readUnwell(engine);
}

/** What provider's limits hold, or outages, by the time when it may go on; null where nobody knows it. */
function limitsIn(views: readonly TaskView<BareTask>[], now: number): HeldByLimit[] {
  const held = views.flatMap(({ task: { state, park, notBefore, key } }) => {
    const isHeld = state === "pending" && park?.for === "limit" && (notBefore === null || notBefore > now);
    return isHeld ? [{ park, until: notBefore, task: key }] : [];
  });
  const byLogin = Map.groupBy(held, ({ park }) => park.credential);
  return [...byLogin.values()].flatMap((group) =>
    closeTogether(
      group.map(({ park, until, task }) => ({
        until,
        isGuess: park.isGuess === true,
        outage: park.outage ?? null,
        task,
      })),
    ),
  );
}

/** `isGuess`: nobody said when it is over; it is tried then. */
type HeldByLimit = { until: number | null; isGuess: boolean; outage: Outage | null; tasks: string[] };

/** Each that met one limit has a reset of its own, spread over a minute: they are one, which is over at its first. */
function closeTogether(held: (Omit<HeldByLimit, "tasks"> & { task: string })[]): HeldByLimit[] {
  const limits: HeldByLimit[] = [];
  for (const { task, ...each } of held.toSorted((a, b) => (a.until ?? Infinity) - (b.until ?? Infinity))) {
    const { until } = each;
    const last = limits.at(-1);
    const isSame = last !== undefined && (last.until === until || (until ?? Infinity) - (last.until ?? 0) <= SPREAD_MS);
    if (isSame) last.tasks.push(task);
    else limits.push({ ...each, tasks: [task] });
  }
  return limits;
}

const SPREAD_MS = 120_000;

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

function toJson(engine: Engine, status: Status): object {
  return {
    project: engine.repo.root,
    carried_by: status.carriedBy,
    carrier_is_suspended: status.suspended !== null,
    asking: status.asking && { pid: status.asking.pid, run: status.asking.run, task: status.asking.task },
    room: status.room && { ...status.room, since: new Date(status.room.since).toISOString() },
    batches: readRefusedBatches(engine).map((each) => ({ ...each, since: new Date(each.since).toISOString() })),
    runs: status.runs.map(({ run, views, sums, expected, background, limits }) => ({
      id: run.id,
      state: run.state,
      wish: run.wish,
      target: run.target,
      branch: run.branch,
      astray: run.state === "open" ? readAstray(engine.store, run.id) : null,
      target_rewritten: readRewritten(engine.store, run.id),
      counts: sums.counts,
      cost_usd: sums.cost_usd,
      cost_at_least: sums.cost_at_least,
      cost_basis: sums.cost_basis,
      input_tokens: sums.input_tokens,
      output_tokens: sums.output_tokens,
      budget: sums.budget,
      near_budgets: readNearLevels(engine, run).map(({ why, until, command }) => ({
        why,
        until: until === null ? null : new Date(until).toISOString(),
        command,
      })),
      limits: limits.map(({ until, tasks, outage }) => ({
        until: until && new Date(until).toISOString(),
        outage: outage && describeOutage(outage, null),
        tasks,
      })),
      expected_end: expected?.end == null ? null : new Date(expected.end).toISOString(),
      expected_is_rough: expected?.isRough ?? false,
      background_pid: background,
      unverified: sums.unverified,
      tasks: views.map((view) => ({
        id: view.task.key,
        state: view.task.state,
        standing: view.standing,
        why: view.why,
        verified: view.task.verified,
        ...(WAITS.has(view.standing) ? answerOf(engine, status, readTask(engine.store, view.task.id)!) : {}),
      })),
    })),
    written_down: status.backlog.map((task) => task.id),
    worktrees: status.worktrees.map(({ path, branch }) => ({ path, branch })),
    unwell: status.unwell.data,
    agents: status.agents,
  };
}

function stateOf({ wish }: Run, views: readonly TaskView<BareTask>[]): string {
  return wish === null
    ? "open"
    : wishWord(
        wish,
        views.some(({ standing }) => standing === "working"),
      );
}

function render(io: Io, engine: Engine, status: Status, doings: ReadonlyMap<number, string>): string {
  const paint = painter(io, io.stdout);
  const { runs, agents, worktrees, backlog, carriedBy, suspended, room } = status;
  const isOpen = runs.some(({ run }) => run.state === "open");
  const idle = isOpen ? idleWords(status) : "nothing runs";
  const carried = suspended === null ? `owt (pid ${carriedBy}) carries the runs` : suspendedWords(suspended);
  const lines = [`${engine.repo.root}: ${carriedBy ? carried : idle}`];
  for (const { run, views, sums, expected, background, limits } of runs) {
    const cost = sums.cost_basis === null ? "" : ` · cost ${costWords(sums)}`;
    const state = run.state === "open" ? stateOf(run, views) : endOf(run, views);
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
    for (const limit of limits) lines.push(...limitLines(limit, engine.now()));
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

function answerOf(engine: Engine, { answers }: Status, task: Task): Answer {
  return answers.get(task.id) ?? answerFor(engine, task);
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

function limitLines(limit: HeldByLimit, now: number): string[] {
  const { outage, until, tasks } = limit;
  if (outage === null) return [`  usage limit${limitWords(limit, now)}: ${few(tasks, IN_A_LINE)}`];
  const next = until === null ? "" : `; next try at ${localTime(until, now)}`;
  return [
    `  ▲ ${printable(describeOutage(outage, null))}${next}: ${few(tasks, IN_A_LINE)}`,
    `    ↳ try at once: owt task retry ${tasks[0]}`,
  ];
}

function limitWords({ until, isGuess }: HeldByLimit, now: number): string {
  if (until === null || !isGuess) return timeWords(until, now);
  return `, no reset known; next try at ${localTime(until, now)}`;
}

function timeWords(until: number | null, now: number): string {
  return until === null ? "" : ` until ${localTime(until, now)}`;
}

function agentPath(engine: Engine, name: string): string | null {
  return findProgram(programOf(findAgent(engine, name)), engine.env);
}
