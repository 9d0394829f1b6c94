/** What follows when an attempt ended without success: again, later, a person, or failure. Pure. */
import { isCrashLoop, LONGEST_RESTART_PAUSE_MS, restartPauseMs } from "./crash-loop.ts";
import { keyOf, LONGEST_GUESS_MS, LONGEST_STATED_MS, type UsageLimit } from "./limit.ts";
import { describeOutcome, type Outcome } from "./outcome.ts";
import { nudgeAfter } from "./stall.ts";
import { type NextStart, type Park, type Task, withinOf } from "./task.ts";

export type RetryLimits = { retries: number };

export type Consequence =
  | {
      do: "again";
      next: NextStart;
      notBefore: number | null;
      /** How many tries in a row have ended badly, with this one. */
      failures: number;
      /** Why it waits, where there is more to say than until when. */
      park: Park | null;
    }
  | { do: "park"; park: Park; next: NextStart; notBefore: number | null }
  | { do: "fail"; reason: string };

/** Waiting time after so many failures: 2 s, 4 s, 8 s … 5 minutes; `chance` in [0, 1) spreads it by a quarter either way. */
function backoffMs(failures: number, chance: number): number {
  return Math.round(Math.min(300_000, 2_000 * 2 ** failures) * (0.75 + chance / 2));
}

/** The longest pauses that are ever chosen here, in milliseconds, with their spread. */
const LONGEST_BACKOFF_MS = LONGEST_RESTART_PAUSE_MS * 1.25;
/** A day's budget begins anew with the next local day, of which one a year has 25 hours. */
const LONGEST_DAY_MS = 90_000_000;

/** Whether a task need not wait for a time (any more). A pause that is longer than any there is was written before the clock was set back,
 *  and is over. */
export function isDue(task: Pick<Task, "notBefore" | "park">, now: number): boolean {
  if (task.notBefore === null || task.notBefore <= now) return true;
  return task.notBefore - now > longestPause(task.park);
}

function longestPause(park: Park | null): number {
  if (park?.for === "budget") return LONGEST_DAY_MS;
  if (park?.for !== "limit") return LONGEST_BACKOFF_MS;
  return park.isGuess ? LONGEST_GUESS_MS : LONGEST_STATED_MS;
}

/** So often in a row a task is excused with a full disk. */
const MOST_FULL = 8;

/** What went before an attempt, or came of it, that decides what comes behind it. */
export type Before = {
  /** The limit or the outage that it met, as it stands now. */
  limit: Pick<UsageLimit, "until" | "isGuess" | "credential" | "model" | "outage" | "agent"> | null;
  /** Whether its conversation was ended by us once already, because it took too long or did nothing any more. */
  endedByUs: boolean;
  /** Whether its conversation died once already, or fell to a full disk. */
  diedBefore: boolean;
  /** When agents of the task were started again because the one before had died (epoch ms). */
  restarts: readonly number[];
  /** The first pause behind such a death, in milliseconds. */
  restartPauseMs: number;
  /** How many attempts of its task right before it fell to a full disk. */
  disksFull?: number;
};

/** Decides from the outcome of an attempt what happens to its task.
 *  Outcomes that integration handles itself (ok, verify_failed, conflict) never come here. */
export function decideConsequence(
  task: Pick<Task, "failures" | "next">,
  attempt: { id: number; agent: string; credential?: string },
  outcome: Outcome,
  limits: RetryLimits,
  before: Before,
  now: number,
  chance: number,
): Consequence {
  const resume: NextStart = { kind: "resume", from: attempt.id, ...withinOf(task.next) };
  const repeat = repeatTurn(task.next, attempt.id);
  switch (outcome.kind) {
    case "asked":
      return { do: "park", park: { for: "answer", question: outcome.question }, next: resume, notBefore: null };
    case "denied":
      return {
        do: "park",
        park: { for: "permission", agent: attempt.agent, tools: outcome.tools },
        next: resume,
        notBefore: null,
      };
    case "auth":
    case "billing":
      return {
        do: "park",
        park: {
          for: "login",
          agent: attempt.agent,
          ...(attempt.credential === undefined ? {} : { credential: attempt.credential }),
          reason: describeOutcome(outcome),
        },
        next: repeat,
        notBefore: null,
      };
    case "limit":
      return parkAtLimit(before.limit!, repeat);
    case "stopped":
      return { do: "again", next: repeat, notBefore: null, failures: task.failures, park: null };
    case "lost": {
      // Nobody's failure, and the more so where the power fails again; but for what brings the machine down itself.
      if (outcome.rebooted === true && !isCrashLoop(before.restarts, now))
        return { do: "again", next: repeat, notBefore: null, failures: task.failures, park: null };
      // A conversation that died again where it was to go on is not taken up a third time, and one that cannot even start there not a second time.
      const isGivenUp = task.next.kind === "resume" && (before.diedBefore || outcome.atOnce === true);
      const next: NextStart = isGivenUp ? { kind: "fresh" } : repeat;
      // One that was killed and had got on with its work has not failed so often in a row.
      const tried = outcome.hasMade === true ? { failures: 0 } : task;
      return afterCrash(tried, outcome, limits, next, before, now, chance);
    }
    case "disk_full": {
      // Where it fills the disk itself, again and again, that is what is wrong with it.
      if ((before.disksFull ?? 0) >= MOST_FULL)
        return again(task, outcome, limits, { next: { kind: "fresh" }, notBefore: null });
      const next: NextStart = task.next.kind === "resume" && before.diedBefore ? { kind: "fresh" } : repeat;
      return { do: "again", next, notBefore: null, failures: task.failures, park: null };
    }
    case "transient": {
      if (before.limit?.outage !== undefined) return parkAtLimit(before.limit, repeat);
      const pause = restartPauseMs(task.failures + 1, before.restartPauseMs, chance);
      const notBefore = now + Math.max(pause, backoffMs(task.failures, chance));
      return again(task, outcome, limits, { next: repeat, notBefore });
    }
    case "failed":
      if (outcome.unknownAgent === true) {
        const park = { for: "agent" as const, agent: attempt.agent, reason: reasonOf(outcome) };
        return { do: "park", park, next: repeat, notBefore: null };
      }
      if (outcome.waits === true)
        return { do: "park", park: { for: "git", reason: reasonOf(outcome) }, next: repeat, notBefore: null };
      if (outcome.final === true || (outcome.final === "afresh" && task.next.kind === "fresh"))
        return { do: "fail", reason: reasonOf(outcome) };
      if (outcome.missing !== undefined)
        return again(task, outcome, limits, {
          next: toldOnce(task.next, attempt.id, outcome.missing),
          notBefore: null,
        });
      return outcome.atOnce === true
        ? afterCrash(task, outcome, limits, { kind: "fresh" }, before, now, chance)
        : again(task, outcome, limits, { next: { kind: "fresh" }, notBefore: null });
    case "timed_out": {
      // It may have been nearly there: its conversation goes on once. One that takes as long again is begun anew.
      const next: NextStart = before.endedByUs ? { kind: "fresh" } : repeat;
      return again(task, outcome, limits, { next, notBefore: null });
    }
    case "hung": {
      // Told what held it up, it may do it another way. A conversation that hangs twice has something in it that does.
      const nudged: NextStart = repeat.kind === "resume" ? { ...repeat, because: nudgeAfter(outcome) } : repeat;
      return again(task, outcome, limits, { next: before.endedByUs ? { kind: "fresh" } : nudged, notBefore: null });
    }
    case "nothing_done":
      return again(task, outcome, limits, { next: toldOnce(task.next, attempt.id, NOTHING_DONE), notBefore: null });
    case "verify_failed":
      return { do: "fail", reason: reasonOf(outcome) };
    case "budget": {
      const until = outcome.until ?? null;
      const scope = outcome.scope === undefined ? {} : { scope: outcome.scope };
      const park = { for: "budget" as const, reason: outcome.reason, until, ...scope };
      return { do: "park", park, next: repeat, notBefore: until };
    }
    case "turns":
    case "aborted":
    case "ok":
    case "conflict":
      return { do: "fail", reason: describeOutcome(outcome) };
    default: {
      const never: never = outcome;
      return never;
    }
  }
}

/** Neither a limit nor an API that cannot be reached is the task's failure, nor counted as one. */
function parkAtLimit(limit: NonNullable<Before["limit"]>, next: NextStart): Consequence {
  const { until, isGuess, agent, outage } = limit;
  const park = {
    for: "limit" as const,
    until,
    credential: keyOf(limit),
    ...(isGuess ? { isGuess: true as const } : {}),
    ...(outage === undefined ? {} : { outage: { agent, reason: outage } }),
  };
  return { do: "park", park, next, notBefore: until };
}

/** What a turn that was cut off was told is told again: an answer, a red check or a conflict may never have reached the agent,
 *  and hearing it twice in one conversation does no harm. */
function repeatTurn(next: NextStart, attempt: number): NextStart {
  switch (next.kind) {
    case "answer":
    case "repair":
    case "conflict":
      return { ...next, from: attempt };
    case "resume":
      // The question whether a resolution is meant may never have reached the agent.
      return next.resolved === undefined
        ? { kind: "resume", from: attempt, ...withinOf(next) }
        : { ...next, from: attempt };
    case "fresh":
    case "by-hand":
      return { kind: "resume", from: attempt };
    default: {
      const never: never = next;
      return never;
    }
  }
}

const NOTHING_DONE =
  "your turn ended, and nothing in this worktree has changed. Do what the task asks; if it cannot be done, ask";

/** In its own conversation an agent is told once what its work lacks; the next begins afresh. */
function toldOnce(next: NextStart, from: number, because: string): NextStart {
  return next.kind === "resume" && next.because !== undefined ? { kind: "fresh" } : { kind: "resume", from, because };
}

/** Behind the death of an agent the next one waits, longer each time, and is not started for ever. */
function afterCrash(
  task: Pick<Task, "failures">,
  outcome: Outcome,
  limits: RetryLimits,
  next: NextStart,
  { restarts, restartPauseMs: firstMs }: Before,
  now: number,
  chance: number,
): Consequence {
  const notBefore = now + restartPauseMs(task.failures + 1, firstMs, chance);
  if (isCrashLoop(restarts, notBefore))
    return { do: "fail", reason: reasonOf(outcome, " (its agents die again and again, within minutes)") };
  const reason = `${describeOutcome(outcome)}; starts again at ${new Date(notBefore).toISOString()}`;
  return again(task, outcome, limits, { next, notBefore, park: { for: "retry", reason } });
}

function again(
  task: Pick<Task, "failures">,
  outcome: Outcome,
  limits: RetryLimits,
  how: { next: NextStart; notBefore: number | null; park?: Park },
): Consequence {
  if (task.failures < limits.retries) return { do: "again", park: null, ...how, failures: task.failures + 1 };
  const tries = task.failures + 1;
  return { do: "fail", reason: reasonOf(outcome, tries > 1 ? ` (${tries} tries)` : "") };
}

/** The outcome in a line, and behind it what a person needs of a program's output to know why. */
function reasonOf(outcome: Outcome, tries = ""): string {
  const output = tailOf(printedIn(outcome));
  return `${describeOutcome(outcome)}${tries}${output === "" ? "" : `\n${output}`}`;
}

function printedIn(outcome: Outcome): string {
  if (outcome.kind === "nothing_done" && outcome.said.trim().includes("\n")) return outcome.said;
  return "output" in outcome ? (outcome.output ?? "") : "";
}

function tailOf(output: string): string {
  return output.trimEnd().split("\n").slice(-REASON_LINES).join("\n");
}

const REASON_LINES = 12;
