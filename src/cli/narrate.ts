/** One line per event while a run goes on. */
import type { Event } from "../core/event.ts";
import { describeRedTip } from "../core/red-tip.ts";
import { describeLost } from "../core/lost-change.ts";
import { nameOfRival } from "../core/rival.ts";
import type { Park } from "../core/task.ts";
import { describeOutcome, type Outcome } from "../core/outcome.ts";
import { describeRescue } from "../core/stall.ts";
import { describePark } from "../core/park.ts";
import { renderAnswer } from "../core/task-answer.ts";
import type { Engine } from "../engine/engine.ts";
import { eventsAfter } from "../store/events.ts";
import { readTask } from "../store/tasks.ts";
import { ifReadable } from "./if-readable.ts";
import type { Io } from "./io.ts";
import { printableNames } from "../lib/printable.ts";
import { roughDuration } from "../lib/duration.ts";
import { clock, localTimes, type Paint, painter, printable } from "./text.ts";

export type Narration = {
  /** Prints what has not been printed yet. */
  flush(): void;
  /** Keeps silent until released; nothing is lost. */
  hold(): void;
  release(): void;
  stop(): void;
};

/** How long an event may wait to be printed together with those behind it. */
const GATHER_MS = 20;

/** Prints the events of a run from `seq` on, as they come, line by line with `tell`, until told to stop. `onEvents` is called behind each
 *  batch. */
export function narrate(
  io: Io,
  engine: Engine,
  run: string,
  seq: number,
  tell: (line: string) => void,
  onEvents: () => void = () => {},
): Narration {
  const paint = painter(io, io.stderr);
  const names = new Map<number, string>();
  let cursor = seq;
  let isHeld = false;
  const nameOf = (task: number) => {
    if (!names.has(task)) names.set(task, readTask(engine.store, task)?.key ?? String(task));
    return names.get(task)!;
  };
  const print = (event: Event) => {
    // The winner of several goes by the task's own name from now on.
    if (event.kind === "contest-decided" && event.task !== null) names.set(event.task, event.of);
    const line = lineFor(event, paint);
    if (!line) return;
    const who = event.task === null ? "" : `${paint("bold", nameOf(event.task))} `;
    const text = localTimes(line.text, event.at);
    const said = line.whole ? text.replaceAll("\n", "\n    ") : text.split("\n", 1)[0]!;
    tell(`${paint("dim", clock(event.at))} ${line.mark} ${who}${printable(said)}`);
    if (line.hint && event.task !== null) tell(`  ${paint("dim", `↳ ${line.hint(nameOf(event.task))}`)}`);
  };
  const flush = () => {
    if (isHeld) {
      onEvents();
      return;
    }
    const events = eventsAfter(engine.store, cursor, { run });
    for (const event of events) {
      cursor = event.seq;
      print(event);
    }
    if (events.length > 0) onEvents();
  };
  let version = engine.store.dataVersion();
  let due: NodeJS.Timeout | null = null;
  // Tasks side by side append a few events each millisecond: one look at the log for all that come within a moment.
  const stopListening = engine.store.onAppend(() => {
    due ??= setTimeout(() => {
      due = null;
      ifReadable(flush);
    }, GATHER_MS);
  });
  const look = setInterval(() => {
    ifReadable(() => {
      const now = engine.store.dataVersion();
      if (now !== version) flush();
      version = now;
    });
  }, 100);
  return {
    flush,
    hold: () => {
      isHeld = true;
    },
    release: () => {
      isHeld = false;
      flush();
    },
    stop: () => {
      stopListening();
      if (due) clearTimeout(due);
      clearInterval(look);
      isHeld = false;
      ifReadable(flush);
    },
  };
}

/** Outcomes that another line tells already: a hang, a death, red checks, the parked task, the integration. */
const TOLD_OTHERWISE = new Set<Outcome["kind"]>([
  "ok",
  "verify_failed",
  "hung",
  "lost",
  "asked",
  "denied",
  "auth",
  "billing",
  "limit",
  "budget",
]);

/** No other line tells of that. */
function isCut(outcome: Outcome): boolean {
  return outcome.kind === "lost" && outcome.rebooted === true;
}

/** The exit code that stands for a timeout, ours and that of coreutils. */
const TIMED_OUT = 124;

type Line = {
  mark: string;
  text: string;
  /** All lines of it are told. */ whole?: true;
  /** The command that helps, for a task of this key. */ hint?: (task: string) => string;
};

/** What happened, in a line for people; null for what only programs want to know. */
export function lineFor(event: Event, paint: Paint): Line | null {
  switch (event.kind) {
    case "agent-started":
      return { mark: paint("cyan", "◎"), text: event.adopted ? "goes on (its agent lived on)" : "started" };
    case "leftovers":
      return {
        mark: paint("dim", "○"),
        text: `leftovers committed as ${event.commit.slice(0, 10)}${event.left.length > 0 ? `, left out: ${printableNames(event.left)}` : ""}`,
      };
    case "dependencies":
      return { mark: paint("dim", "○"), text: describeBrought(event) };
    case "verify-ended":
      return event.code === 0
        ? {
            mark: paint("green", "✓"),
            text: `${whatIsChecked(event)}passes ${event.command}${event.again ? ", run again" : ""}`,
          }
        : {
            mark: paint("yellow", "▲"),
            text: `${whatIsChecked(event)}fails ${event.command}${event.again ? " again" : ""} (${event.code === TIMED_OUT ? "its time was up" : `exit ${event.code}`})`,
          };
    case "verify-flaky":
      return {
        mark: paint("yellow", "▲"),
        text: `flaky: ${event.command} failed (exit ${event.code}) and passed when it was run again on the same tree`,
      };
    case "attempt-ended":
      return (TOLD_OTHERWISE.has(event.outcome.kind) && !isCut(event.outcome)) || isToldAsWait(event.outcome)
        ? null
        : { mark: paint("yellow", "▲"), text: describeOutcome(event.outcome) };
    case "task-integrated":
      return {
        mark: paint("green", "✓"),
        text: `integrated as ${event.commit.slice(0, 10)}${withOthers(event.others)}${event.verified ? "" : " (unverified)"}`,
      };
    case "task-moved":
      return lineForMove(event, paint);
    case "task-parked":
      return {
        mark: paint("yellow", "?"),
        text: describeParked(event.park),
        ...(event.park.for === "hand" || event.park.for === "conflict"
          ? { hint: (task: string) => `owt task approve ${task}` }
          : {}),
        ...(event.park.for === "agent" || (event.park.for === "git" && event.park.checkout === undefined)
          ? { hint: (task: string) => `owt task retry ${task}` }
          : {}),
        ...(event.park.for === "answer" ? { whole: true, hint: (task: string) => `owt task answer ${task} "…"` } : {}),
      };
    case "task-answered":
      return { mark: paint("cyan", "❯"), text: `answered: ${event.text}` };
    case "rescued":
      return {
        mark: paint("dim", "○"),
        text: `what it left is saved; it comes back with: owt restore ${event.rescue}`,
      };
    case "run-wish":
      return { mark: paint("yellow", "▲"), text: event.wish === null ? "goes on" : `${event.wish} was asked for` };
    case "agent-hung":
      return { mark: paint("yellow", "▲"), text: describeRescue(event) };
    case "run-landed":
      return { mark: paint("green", "✓"), text: `landed on ${event.target} as ${event.commit.slice(0, 10)}` };
    case "budget-warned":
      return { mark: paint("yellow", "▲"), text: event.text };
    case "run-short":
      if (event.of === null) return event.isFirst ? { mark: paint("cyan", "❯"), text: "there is room again" } : null;
      return event.isFirst ? { mark: paint("yellow", "◷"), text: event.why } : null;
    case "target-rewritten":
      return event.why === null
        ? { mark: paint("cyan", "❯"), text: "the target holds again what the run began with" }
        : { mark: paint("yellow", "▲"), text: event.why };
    case "target-taken-in":
      return {
        mark: paint("dim", "○"),
        text: `${event.branch} takes in what was committed on ${event.target} meanwhile; it is at ${event.tip.slice(0, 10)}`,
      };
    case "run-astray":
      return event.astray === null
        ? { mark: paint("cyan", "❯"), text: "the branch is where the run's work is again" }
        : { mark: paint("yellow", "▲"), text: `${event.astray.why}; put it right: ${renderAnswer(event.astray)}` };
    case "tip-red":
      return event.red === null
        ? { mark: paint("cyan", "❯"), text: "what waited for the branch to be mended is merged and checked again" }
        : { mark: paint("yellow", "▲"), text: describeRedTip(event.red) };
    case "contest-decided":
      return {
        mark: paint("green", "✓"),
        text: `${nameOfRival(event)} did it best (${event.why}); over ${event.over.join(", ")}`,
      };
    case "side-lost":
      return { mark: paint("yellow", "▲"), text: `its resolution is taken as it is: ${describeLost(event.lost)}` };
    case "note":
      return { mark: paint("dim", "○"), text: event.text };
    case "run-held":
      return event.until === undefined ? null : { mark: paint("yellow", "◷"), text: describeDayUsedUp(event) };
    case "clock-set":
      return { mark: paint("dim", "○"), text: describeClockSet(event.ms) };
    case "run-created":
    case "run-carried":
    case "run-suspended":
    case "room-needed":
    case "run-limited":
    case "run-apart":
    case "run-behind":
    case "batch-ended":
    case "tasks-joined":
    case "run-ended":
    case "task-next":
    case "attempt-opened":
    case "attempt-phase":
    case "agent-said":
    case "agent-ended":
    case "verify-started":
    case "merges-checked":
    case "landing-checked":
    case "conflicts-settled":
      return null;
    default: {
      const never: never = event;
      return never;
    }
  }
}

/** The wait behind it says the same. */
function isToldAsWait(outcome: Outcome): boolean {
  return outcome.kind === "failed" && outcome.waits === true;
}

/** What is in conflict the end of its attempt has said. */
function describeParked(park: Park): string {
  if (park.for !== "conflict") return describePark(park);
  return `to be ${park.lost === undefined ? "resolved" : "looked at"} by a person in ${park.worktree}`;
}

function describeClockSet(ms: number): string {
  const by = `by ${roughDuration(Math.abs(ms))}`;
  const how = ms > 0 ? `was set forward ${by}, or the machine slept` : `was set back ${by}`;
  return `the clock ${how}: no work is counted for that`;
}

/** Until then nothing else is heard of the run. */
function describeDayUsedUp({ usedUp = "the day", until = 0 }: Extract<Event, { kind: "run-held" }>): string {
  return `the budget of ${usedUp} is used up: goes on at ${new Date(until).toISOString()} (to raise it: owt inbox)`;
}

function whatIsChecked({ where, others }: Extract<Event, { kind: "verify-ended" }>): string {
  if (where === "tip") return "the branch alone ";
  return where === "run" ? `merged work${withOthers(others)} ` : "";
}

function withOthers(others = 0): string {
  return others === 0 ? "" : ` together with ${others} other${others === 1 ? "" : "s"}`;
}

/** `why` says of an install why nothing was copied. */
function describeBrought({ folder, way, why, tookMs }: Extract<Event, { kind: "dependencies" }>): string {
  const done = { install: "installed", copy: "copied", clone: "cloned", hardlink: "linked" }[way];
  return `dependencies${folder === "" ? "" : ` of ${folder}`} ${done} in ${(tookMs / 1_000).toFixed(1)} s (${why})`;
}

function lineForMove(event: Extract<Event, { kind: "task-moved" }>, paint: Paint): Line | null {
  switch (event.to) {
    case "failed":
      return { mark: paint("red", "✗"), text: `failed: ${event.reason ?? ""}` };
    case "skipped":
      return { mark: paint("dim", "–"), text: `skipped: ${event.reason ?? ""}` };
    case "cancelled":
      return {
        mark: paint("dim", "–"),
        text: event.reason && event.reason !== "cancelled" ? event.reason : "cancelled",
      };
    case "review":
      return { mark: paint("yellow", "?"), text: "waits for approval", hint: (task) => `owt task approve ${task}` };
    case "contest":
      return { mark: paint("green", "✓"), text: "waits for its rivals" };
    case "pending":
    case "running":
    case "verifying":
    case "integrating":
    case "done":
      return null;
    default: {
      const never: never = event.to;
      return never;
    }
  }
}
