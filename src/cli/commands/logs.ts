/** `owt logs`: what agents said and did, of one task or of several. */
import { type Command, Option } from "commander";
import type { Attempt } from "../../core/attempt.ts";
import { OwtError } from "../../core/errors.ts";
import type { Task } from "../../core/task.ts";
import type { Engine } from "../../engine/engine.ts";
import { findRun } from "../../engine/find-run.ts";
import { followAttempts } from "../../engine/follow-logs.ts";
import { findAttempt, isBefore, LEVELS, type LogLine, readLog, renderBeside, renderLog } from "../../engine/logs.ts";
import { findTask, rivalsFor } from "../../engine/find-task.ts";
import { parseSaidDuration } from "../../lib/duration.ts";
import { readAttempts } from "../../store/attempts.ts";
import { readRuns } from "../../store/runs.ts";
import { readTasks } from "../../store/tasks.ts";
import { gapLine } from "../../system/capped-file.ts";
import { type Io, tell, withEngine } from "../io.ts";
import { Pen } from "../pen.ts";
import { logWords, painter, printable } from "../text.ts";
import { positiveInteger } from "../work-options.ts";

type Options = {
  follow?: boolean;
  all?: boolean;
  raw?: boolean;
  attempt?: number;
  level: keyof typeof LEVELS;
  grep?: string;
  ignoreCase?: boolean;
  since?: string;
  run?: string;
  json?: boolean;
};

export function logsCommand(program: Command, io: Io): void {
  program
    .command("logs [task...]")
    .description("what the agents of tasks said and did")
    .option("-f, --follow", "go on as they work, through repairs and further tries")
    .option("--all", "all tasks of the run; with -f also those that start later")
    .addOption(
      new Option("--level <level>", "only what went wrong; with it tool calls, or words")
        .choices(Object.keys(LEVELS))
        .default("all"),
    )
    .option("--grep <pattern>", "only lines that match this regular expression")
    .option("-i, --ignore-case", "--grep takes large and small letters alike")
    .option("--since <time>", "only what was written since: 10m, 2h, or a date and time")
    .option("--raw", "the agent's own output, byte for byte")
    .option("--attempt <n>", "of this attempt; by default the last", positiveInteger)
    .option("--run <run>", "of the tasks of this run; by default the newest")
    .option("--json", "print the answer as JSON")
    .action((words: string[], options: Options) =>
      withEngine(io, async (engine) => {
        refuseContradictions(words, options);
        const keys = words.flatMap((word) => withRivals(engine, word, options));
        const wish = { since: parseSince(options.since, engine.now()), signal: io.signal };
        const isMatch = matcher(options);
        if (keys.length === 1 && !options.all) await showOne(io, engine, keys[0]!, options, wish, isMatch);
        else await showSeveral(io, engine, keys, options, wish, isMatch);
      }),
    );
}

/** A task that several agents do stands for all of them, where its output is not wanted as it is. */
function withRivals(engine: Engine, key: string, { raw, attempt, run }: Options): string[] {
  const rivals = raw || attempt !== undefined ? [] : rivalsFor(engine, key, run);
  return rivals.length === 0 ? [key] : rivals.map((rival) => rival.key);
}

function refuseContradictions(keys: readonly string[], options: Options): void {
  const usage = (message: string, hint: string) => new OwtError("usage", message, { hint });
  if (keys.length === 0 && !options.all)
    throw usage("of which task?", "owt logs T, or of all of the run: owt logs --all");
  if (keys.length > 0 && options.all)
    throw usage("--all is every task of the run", `owt logs --all, or: owt logs ${keys.join(" ")}`);
  const isOne = keys.length === 1;
  if (!isOne && (options.raw || options.attempt !== undefined))
    throw usage(
      "--raw and --attempt are for one task",
      `name one task: owt logs ${keys[0] ?? "T"} ${options.raw ? "--raw" : "--attempt 1"}`,
    );
  if (options.raw && (options.grep !== undefined || options.level !== "all"))
    throw usage("--raw is the output as it is", `owt logs ${keys[0] ?? "T"} --raw, or without --raw`);
}

/** Epoch milliseconds; null for everything. */
function parseSince(text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  const ago = parseSaidDuration(text);
  if (ago !== null) return now - ago;
  const at = /^[\d\s.]+$/.test(text) ? Number.NaN : Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new OwtError("usage", `${text} is no time`, {
    hint: "owt logs T --since 10m, --since 2h, or --since 2026-11-21T14:00",
  });
}

/** Whether a line is wanted. */
function matcher({ grep, ignoreCase, level }: Options): (line: LogLine) => boolean {
  const levels = LEVELS[level];
  const pattern = grep === undefined ? null : patternOf(grep, ignoreCase ?? false);
  return (line) => levels.includes(line.level) && (pattern === null || pattern.test(line.text));
}

function patternOf(text: string, ignoreCase: boolean): RegExp {
  try {
    return new RegExp(text, ignoreCase ? "iu" : "u");
  } catch (cause) {
    throw new OwtError("usage", `--grep ${text} is no regular expression`, {
      hint: "put a \\ before characters that are meant as they are: owt logs T --grep '\\('",
      cause,
    });
  }
}

type Wish = { since: number | null; signal: AbortSignal };

async function showOne(
  io: Io,
  engine: Engine,
  key: string,
  options: Options,
  wish: Wish,
  isMatch: (line: LogLine) => boolean,
): Promise<void> {
  const pen = new Pen(io);
  const follow = options.follow ?? false;
  const attempt = findAttempt(engine, key, options.attempt ?? null, options.run);
  if (options.raw && !options.json) {
    for await (const piece of readLog(engine, attempt, { ...wish, follow }))
      await pen.write(piece.kind === "bytes" ? piece.bytes : Buffer.from(gapLine(piece.to - piece.from)));
    return;
  }
  if (options.json) await pen.begin({ task: key, attempt: attempt.number });
  let shown = 0;
  const onLine = async (line: LogLine) => {
    shown++;
    const text = options.raw ? line.text : printable(options.json ? line.text : logWords(line));
    await (options.json ? pen.item(text) : pen.write(`${text}\n`));
  };
  const show = (each: Attempt) =>
    showAttempt(engine, each, { ...wish, follow, raw: options.raw ?? false }, isMatch, onLine);
  if (follow && options.attempt === undefined && !options.raw) {
    const task = findTask(engine, key, { run: options.run });
    // One after the other: a repair goes on where the attempt before it ended.
    let before: Promise<void> = Promise.resolve();
    await followAttempts(
      engine,
      () => [task],
      (_, each) => (before = before.then(() => show(each))),
      io.signal,
    );
  } else for (const each of attemptsMeant(engine, attempt.task, attempt, options)) await show(each);
  if (options.json) await pen.end();
  if (shown === 0) tellEmpty(io, key, options, attempt.endedAt !== null);
}

/** Nothing at all would leave somebody wondering whether the command worked. */
function tellEmpty(io: Io, of: string, { grep, level, since }: Options, isOver = false): void {
  const chosen = [
    ...(grep === undefined ? [] : [`--grep ${grep}`]),
    ...(since === undefined ? [] : [`--since ${since}`]),
    ...(level === "all" ? [] : [`--level ${level}`]),
  ];
  const none = isOver ? "nothing was said" : "nothing was said yet";
  tell(io, printable(chosen.length > 0 ? `no line of ${of} fits ${chosen.join(" ")}` : `${of}: ${none}`));
}

/** Who searches, or looks back, looks through all tries; else the last one counts, or the one that was named. */
function attemptsMeant(engine: Engine, task: number, named: Attempt | null, options: Options): Attempt[] {
  const searches = options.attempt === undefined && !options.raw && (options.grep ?? options.since) !== undefined;
  const all = readAttempts(engine.store, task);
  if (searches) return all;
  return named ? [named] : all.slice(-1);
}

async function showAttempt(
  engine: Engine,
  attempt: Attempt,
  wish: Wish & { follow: boolean; raw: boolean; onCaughtUp?: () => void },
  isMatch: (line: LogLine) => boolean,
  onLine: (line: LogLine) => Promise<void>,
): Promise<void> {
  const asTheyAre = wish.raw;
  let isFailureSaid = false;
  for await (const lines of renderLog(engine, attempt, { ...wish, asTheyAre }))
    for (const line of lines) {
      isFailureSaid ||= line.level === "error";
      if (asTheyAre || isMatch(line)) await onLine(line);
    }
  if (!asTheyAre && !isBefore(engine, attempt, wish.since))
    for (const line of renderBeside(engine, attempt, isFailureSaid)) if (isMatch(line)) await onLine(line);
}

/** Each line with the name of its task before it. */
async function showSeveral(
  io: Io,
  engine: Engine,
  keys: readonly string[],
  options: Options,
  wish: Wish,
  isMatch: (line: LogLine) => boolean,
): Promise<void> {
  const named = keys.map((key) => findTask(engine, key, { run: options.run }));
  const tasksNow = options.all ? () => tasksOf(engine, options.run) : () => named;
  const tasks = tasksNow();
  const pen = new Pen(io);
  const paint = painter(io, io.stdout);
  const width = Math.max(0, ...tasks.map(({ key }) => key.length));
  if (options.json) await pen.begin({ tasks: tasks.map(({ key }) => key) });
  const follow = options.follow ?? false;
  let shown = 0;
  const show = (task: Task, attempt: Attempt, onCaughtUp: () => void = () => {}) =>
    showAttempt(engine, attempt, { ...wish, follow, raw: false, onCaughtUp }, isMatch, async (line) => {
      shown++;
      const text = printable(options.json ? line.text : logWords(line));
      if (options.json) await pen.item({ task: task.key, attempt: attempt.number, level: line.level, text });
      else await pen.write(`${paint("dim", `${task.key.padEnd(width)} |`)} ${text}\n`);
    });
  if (follow) await followAttempts(engine, tasksNow, pastInTurn(show), io.signal);
  else
    for (const task of tasks) for (const each of attemptsMeant(engine, task.id, null, options)) await show(task, each);
  if (options.json) await pen.end();
  if (shown === 0) tellEmpty(io, keys.length === 0 ? "the run" : keys.join(", "), options);
}

/** What each has said already is shown as a whole, in the order in which they began, before the next one's; what is new comes as it is said. */
function pastInTurn(
  show: (task: Task, attempt: Attempt, onCaughtUp: () => void) => Promise<void>,
): (task: Task, attempt: Attempt) => Promise<void> {
  let turn: Promise<void> = Promise.resolve();
  return async (task, attempt) => {
    const before = turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    turn = promise;
    await before;
    await show(task, attempt, resolve).finally(resolve);
  };
}

function tasksOf(engine: Engine, run: string | undefined): Task[] {
  const id = run ?? readRuns(engine.store).at(-1)?.id;
  if (id === undefined) throw new OwtError("wrong-state", "there is no run yet", { hint: "start one: owt run" });
  return readTasks(engine.store, findRun(engine, id).id);
}
