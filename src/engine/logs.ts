/** What an agent said and did, rendered from its own output; and the raw bytes for who wants them. */
import { existsSync, watch } from "node:fs";
import type { AgentEvent } from "../agents/agent.ts";
import { addUsages, renderUsd } from "../core/cost.ts";
import { describeCheck } from "../core/red-check.ts";
import type { Attempt } from "../core/attempt.ts";
import { OwtError } from "../core/errors.ts";
import type { Event } from "../core/event.ts";
import { describeOutcome, type Outcome } from "../core/outcome.ts";
import { describeRescue } from "../core/stall.ts";
import { LineSplitter } from "../lib/lines.ts";
import { readTail } from "../lib/tail.ts";
import { readAttempt, readAttempts } from "../store/attempts.ts";
import { readBeside, readPhaseBegan } from "../store/events.ts";
import { type Piece, readCapped } from "../system/capped-file.ts";
import { type Engine, findAgent, isAgent } from "./engine.ts";
import { offsetAt } from "./log-times.ts";
import { findTask } from "./find-task.ts";
import { outputFiles } from "./transcript.ts";

/** The attempt of a task by its number, by default the last. Throws `unknown-name` or `wrong-state`. */
export function findAttempt(engine: Engine, key: string, number: number | null, run?: string): Attempt {
  const task = findTask(engine, key, { run });
  const attempts = readAttempts(engine.store, task.id);
  if (attempts.length === 0)
    throw new OwtError("wrong-state", `${task.key} has not been started`, { hint: `see: owt task show ${task.key}` });
  const found = number === null ? attempts.at(-1) : attempts.find((attempt) => attempt.number === number);
  if (found) return found;
  throw new OwtError("unknown-name", `${task.key} has no attempt ${number}`, {
    hint: `it has ${attempts.map((attempt) => attempt.number).join(", ")}; see: owt task show ${task.key}`,
  });
}

/** The raw bytes of an attempt's output, as far as they were kept; with `follow` until the attempt ends or the signal aborts. What is yielded
 *  is valid until the next. `since` (epoch ms) leaves out what was written before, as exactly as that is known. */
export async function* readLog(
  engine: Engine,
  attempt: Attempt,
  { follow = false, since = null, signal, onCaughtUp }: LogWish,
): AsyncGenerator<Piece, void, undefined> {
  const { out } = outputFiles(engine, attempt.id);
  if (isBefore(engine, attempt, since)) return;
  for (let at = since === null ? 0 : offsetAt(out, since); ;) {
    const isOver = readAttempt(engine.store, attempt.id)?.outcome !== null;
    for (const piece of readCapped(out, at)) {
      yield piece;
      if (signal.aborted) return;
      at = piece.kind === "gap" ? piece.to : piece.at + piece.bytes.length;
    }
    if (!follow || isOver || signal.aborted) return;
    onCaughtUp?.();
    await fileChanges(out, signal);
  }
}

/** Whether all that is told of an attempt was told before a time (epoch ms; null: none); what waits for a person or its rivals says nothing more. */
export function isBefore({ store }: Engine, { id, phase, endedAt }: Attempt, since: number | null): boolean {
  if (since === null) return false;
  const isStill = phase === "review" || phase === "contest";
  const last = endedAt ?? (isStill ? readPhaseBegan(store, id) : null);
  return last !== null && last < since;
}

export type LogWish = {
  follow?: boolean;
  since?: number | null;
  signal: AbortSignal;
  /** Called, with `follow`, whenever all that is there has been told, and more is waited for. */
  onCaughtUp?: () => void;
};

/** What sort of line it is: what went wrong, what the agent did, what it said. */
export type LogLevel = "error" | "tool" | "said";

/** What a level shows: errors are always among it. */
export const LEVELS = {
  error: ["error"],
  tool: ["error", "tool"],
  said: ["error", "said"],
  all: ["error", "tool", "said"],
};

/** One line, without a newline. Times in one that is in our words (`isOwn`) are in UTC, whatever the reader's zone. */
export type LogLine = { level: LogLevel; text: string; isOwn?: boolean };

/** The same in lines, some at a time: rendered as its agent means them, or as they are. */
export async function* renderLog(
  engine: Engine,
  attempt: Attempt,
  wish: LogWish & { asTheyAre?: boolean },
): AsyncGenerator<LogLine[], void, undefined> {
  // What one wrote that is known no more is shown as it is.
  const agent = isAgent(engine, attempt.agent) ? findAgent(engine, attempt.agent) : null;
  const render = (line: string): LogLine[] =>
    wish.asTheyAre || agent === null ? [{ level: "said", text: line }] : agent.parse(line).flatMap(renderEvent);
  const splitter = new LineSplitter();
  for await (const piece of readLog(engine, attempt, wish)) {
    const lines: LogLine[] = [];
    if (piece.kind === "gap") {
      // What is there of the lines at its edges is no line.
      splitter.drop(true);
      lines.push({ level: "error", text: `… ${piece.to - piece.from} bytes were left out here` });
    } else {
      splitter.take(piece.bytes, (line) => lines.push(...render(line)));
    }
    if (lines.length > 0) yield lines;
  }
  const last: LogLine[] = [];
  splitter.finish((line) => last.push(...render(line)));
  yield last;
}

/** The end of what an agent said and did: at most so many lines. However large its output is, only its last part is read. */
export function renderEnd(engine: Engine, attempt: Attempt, most: number): LogLine[] {
  if (!isAgent(engine, attempt.agent)) return [];
  const agent = findAgent(engine, attempt.agent);
  const lines = readTail(outputFiles(engine, attempt.id).out, END_BYTES).split("\n");
  const rendered: LogLine[] = [];
  for (let at = lines.length - 1; at >= 0 && rendered.length < most; at--)
    rendered.unshift(...agent.parse(lines[at]!).flatMap(renderEvent));
  return rendered.slice(-most);
}

const END_BYTES = 64 * 1024;

/** What a program that ended badly wrote to its standard error, and in what it failed where its output (`isSaid`) does not tell. */
function renderFailure(engine: Engine, { id }: Attempt, isSaid: boolean): LogLine[] {
  const outcome = readAttempt(engine.store, id)?.outcome ?? null;
  if (outcome === null || !PROGRAM_FAILED.has(outcome.kind)) return [];
  const said = readTail(outputFiles(engine, id).err, END_BYTES).trimEnd();
  const why =
    isSaid || (outcome.kind === "failed" && outcome.output) ? [] : ownLines("error", `✗ ${describeOutcome(outcome)}`);
  return [...(said === "" ? [] : inLines("error", said)), ...why];
}

const PROGRAM_FAILED = new Set<Outcome["kind"]>(["failed", "lost", "transient", "auth", "billing"]);

/** What is told beside the agent: what its program wrote to standard error when it failed, that it hung, checks behind its turn that were red or flaky, notes such as a rule that settled a conflict, a setup
 *  that failed before it. */
export function renderBeside(engine: Engine, attempt: Attempt, isFailureSaid: boolean): LogLine[] {
  const events = readBeside(engine.store, attempt);
  const ending = renderChecks(engine, attempt);
  // The last red check is told with its output.
  const last = ending.length === 0 ? -1 : events.findLastIndex(isRed);
  const asides = events.flatMap((event, at) => (at === last ? [] : renderAside(event)));
  return [...renderFailure(engine, attempt, isFailureSaid), ...asides, ...ending];
}

function isRed(event: Event): boolean {
  return event.kind === "verify-ended" && event.code !== 0;
}

function renderAside(event: Event): LogLine[] {
  switch (event.kind) {
    case "agent-hung":
      return inLines("error", `✗ ${describeRescue(event)}`);
    case "verify-ended":
      return isRed(event)
        ? inLines("error", `✗ ${whatWasChecked(event)} fails ${event.command} (exit ${event.code})`)
        : [];
    case "verify-flaky":
      return inLines("error", `✗ flaky: ${event.command} failed (exit ${event.code}) and passed when it was run again`);
    case "note":
      return ownLines("said", `○ ${event.text}`);
    default:
      return [];
  }
}

function whatWasChecked({ where, others = 0, again }: Extract<Event, { kind: "verify-ended" }>): string {
  const merged = others > 0 ? `merged work, together with ${others} more,` : "merged work";
  return `${where === "run" ? merged : "its work"}${again ? " again" : ""}`;
}

function renderChecks(engine: Engine, attempt: Attempt): LogLine[] {
  const outcome = readAttempt(engine.store, attempt.id)?.outcome;
  if (outcome?.kind === "verify_failed") return told(`✗ verify failed: ${describeCheck(outcome)}`, outcome.output);
  if (outcome?.kind === "conflict" && outcome.output) return told(`✗ ${describeOutcome(outcome)}`, outcome.output);
  if (outcome?.kind === "failed" && outcome.output) return told(`✗ ${outcome.reason}`, outcome.output);
  return [];
}

function told(head: string, output: string): LogLine[] {
  return inLines("error", output.trim() === "" ? head : `${head}\n${output}`);
}

function inLines(level: LogLevel, text: string): LogLine[] {
  return text.split("\n").map((line) => ({ level, text: line }));
}

function ownLines(level: LogLevel, text: string): LogLine[] {
  return inLines(level, text).map((line) => ({ ...line, isOwn: true }));
}

function renderEvent(event: AgentEvent): LogLine[] {
  switch (event.kind) {
    case "said":
      return inLines("said", event.text);
    case "tool":
      return inLines("tool", `→ ${event.name}  ${event.detail}`);
    case "tool-result":
      return event.isError ? inLines("error", `  ✗ ${event.text.split("\n").slice(0, 5).join("\n    ")}`) : [];
    case "denied":
      return inLines("error", `✗ was not allowed to use ${event.tool}`);
    case "limit":
      return ownLines(
        "error",
        `◷ usage limit${event.resetsAt === null ? "" : `, resets at ${new Date(event.resetsAt).toISOString()}`}`,
      );
    case "error":
      return inLines("error", `✗ ${event.text}`);
    case "retrying":
      return inLines("error", `↻ ${event.text}`);
    case "session":
    case "answer":
      return [];
    case "used":
      return event.usage.costUsd === null ? [] : inLines("said", `· ${exactUsd(event.usage.costUsd)}`);
    case "result": {
      const { isError, text, usage } = event.result;
      const cost = usage && addUsages([{ models: usage, missing: null }]).usd;
      const price = cost === null ? "" : ` (${exactUsd(cost)})`;
      return inLines(isError ? "error" : "said", `= ${isError ? "ended with an error: " : ""}${text}${price}`);
    }
    default: {
      const never: never = event;
      return never;
    }
  }
}

/** Resolves at the next change of a file, or after a moment: the file may not be there yet. */
function fileChanges(file: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const watcher = existsSync(file) ? watch(file, done) : null;
    const timer = setTimeout(done, 250);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

/** To a tenth of a cent; what is less, never as nothing. */
function exactUsd(usd: number): string {
  return usd > 0 && usd < 0.001 ? renderUsd(usd) : `$${usd.toFixed(3)}`;
}
