/** What the sessions of this repository's worktrees do now. */
import { lastInterrupt } from "../../agents/claude-interrupt.ts";
import { type Queue, readQueue } from "../../agents/claude-queue.ts";
import { lastTelling } from "../../agents/claude-record.ts";
import { lastSign } from "../../agents/claude-signs.ts";
import { isNotification, putBackSince, readOwnStatus } from "../../agents/claude-status.ts";
import { healthOf, isSilent } from "../../core/session-health.ts";
import {
  hasStopped,
  hasToolBegun,
  isAboutToWork,
  type SessionState,
  stateOf,
  TAKES_WITHIN_MS,
} from "../../core/session-state.ts";
import { parseDuration } from "../../lib/duration.ts";
import { findSuspended, isAtWork } from "../../system/at-work.ts";
import { agentPane, isAgentClosed, type Pane, type Session } from "../../tmux/list.ts";
import { findProgram } from "../../system/programs.ts";
import { type ProcessUsage, usageOf } from "../../system/usage.ts";
import { processesIn } from "../../tmux/session.ts";
import type { Engine } from "../engine.ts";
import { repositorySessions } from "../sessions.ts";
import { readIdentity } from "../../system/identity.ts";
import { readHandSpool, readSpool, type Spool } from "../spool.ts";
import { followMoved } from "./moved.ts";

export type SessionStanding = {
  session: Session;
  /** The agent's pane; null where the session has none. */
  pane: Pane | null;
  /** It was made with an agent, whose pane a person has closed. */
  isClosed: boolean;
  state: SessionState;
  /** When it came to that state, as far as it told; epoch ms. */
  since: number | null;
  /** The process of its agent that is stopped; null where none is. */
  suspended: number | null;
  /** Of everything that was started in the session; null where the system does not tell. */
  usage: ProcessUsage | null;
};

/** By the path of the worktree; those without a session are not among them. None where tmux is not installed. */
export async function readStates(engine: Engine): Promise<Map<string, SessionStanding>> {
  if (findProgram("tmux", engine.env) === null) return new Map();
  await followMoved(engine);
  const sessions = await repositorySessions(engine);
  const standings = sessions.map((session) => withHealth(engine, standingOf(engine, session)));
  return new Map((await Promise.all(standings)).map((standing) => [standing.session.worktree!, standing]));
}

/** The same with the agent's health; half a second is taken only for one that has been silent for long. */
async function withHealth(engine: Engine, standing: SessionStanding): Promise<SessionStanding> {
  const { pane, state, since, session } = standing;
  if (pane === null || pane.dead !== null || pane.pid === 0) return standing;
  const written = signOf(readSpool(engine, session.worktree!));
  const heardAt = Math.max(since ?? session.createdAt, written?.at ?? 0);
  const at = { now: engine.now(), hungAfterMs: parseDuration(engine.config.tmux.hung_after) ?? 0 };
  const isBusy = isSilent(state, heardAt, at) && (await isAtWork(pane.pid, heardAt));
  const hasOpenTool = written?.hasOpenTool ?? false;
  const suspended = findSuspended(pane.pid);
  const now = healthOf(state, { heardAt, hasOpenTool, isSuspended: suspended !== null, isBusy }, at);
  return { ...standing, state: now, since: now === "hung" ? heardAt : since, suspended };
}

/** How one session stands. */
export function standingOf(engine: Pick<Engine, "repo" | "now">, session: Session): SessionStanding {
  const pane = agentPane(session);
  const isClosed = isAgentClosed(session);
  const spool = readSpool(engine, session.worktree!);
  const told = pane || isClosed ? { isDead: isClosed || pane?.dead != null, tells: spool !== null } : null;
  return {
    session,
    pane,
    isClosed,
    ...heardOf(stateOf(true, told, spool?.lines ?? []), spool, engine.now()),
    suspended: null,
    usage: usageOf(processesIn(session)),
  };
}

/** When the agent of a session was about to begin a tool of which nothing more was heard (epoch ms); null where that is not the last of it. */
export function toolBegunAt(engine: Pick<Engine, "repo">, worktree: string): number | null {
  const spool = readSpool(engine, worktree);
  return spool !== null && hasToolBegun(spool.lines) ? spool.at : null;
}

function signOf(spool: Spool | null): ReturnType<typeof lastSign> {
  const told = lastTelling(spool?.lines);
  return told === undefined ? null : lastSign(told);
}

/** What hooks told, but for two things of which they are not told: an interruption by a person, and a turn of what was typed in the one before. */
function heardOf(state: SessionState, spool: Spool | null, now: number): { state: SessionState; since: number | null } {
  if (state === "waiting" && spool !== null) return { state: afterTurn(spool, now), since: spool.at };
  const isAtIt = state === "working" || state === "blocked";
  const rested = isAtIt && spool !== null ? restsSince(spool, state, now) : null;
  return rested === null ? { state, since: spool?.at ?? null } : { state: "waiting", since: rested };
}

/** Since when a turn is over of whose end no hook told, because a person interrupted it; null where it goes on. */
function restsSince({ lines, at }: Spool, state: SessionState, now: number): number | null {
  const told = lastTelling(lines);
  if (told === undefined) return null;
  const own = readOwnStatus(told);
  // With what it was started with it takes a moment to begin.
  if (isAboutToWork(lines) && Math.abs(now - at) < TAKES_WITHIN_MS) return null;
  const interrupted = lastInterrupt(told) ?? 0;
  const isRested = isAtRest(readQueue(told), now);
  // What was queued goes on behind an interruption.
  if (own !== null && own.isBusy && own.at > interrupted) return null;
  if (interrupted > at) return isRested(interrupted) ? interrupted : null;
  // A no to a dialog is on record: what is said beside one is not relied on.
  const isIdle = state === "working" && own?.isIdle === true && (own.at > at || isNotification(told));
  return isIdle && isRested(own.at) ? own.at : null;
}

/** Whether an agent that came to rest at a moment stays there: nothing of its queue was taken since, nor is about to be. */
function isAtRest({ isWaiting, begunAt }: Queue, now: number): (at: number) => boolean {
  return (at) => at > (begunAt ?? 0) + TAKES_UP_MS && !(isWaiting && Math.abs(now - at) < TAKES_WITHIN_MS);
}

/** Between two turns Claude Code says for a moment that it is idle, while it takes the next one up (2.1.329: 0.1 s). */
const TAKES_UP_MS = 100;

/** Since when what a worktree's agent was told is in its input again, because it was interrupted before its first output; epoch ms, null where it is not.
 *  A turn that begins or ends looks the same for a moment. */
export function textBackSince(engine: Pick<Engine, "repo">, worktree: string): number | null {
  const spool = readSpool(engine, worktree);
  return spool === null ? null : putBackSince(spool.lines, spool.at);
}

/** Whether a turn that is over is followed by the next; one that ended with its program was cut off. */
function afterTurn({ lines, at }: Spool, now: number): SessionState {
  const told = lastTelling(lines);
  const { isWaiting, isBegun, begunAt } = told === undefined ? NO_QUEUE : readQueue(told);
  if (!hasStopped(lines)) return isBegun ? "cut-off" : "waiting";
  const isNext = begunAt !== null && begunAt > at;
  return isNext || (isWaiting && Math.abs(now - at) < TAKES_WITHIN_MS) ? "working" : "waiting";
}

const NO_QUEUE = { isWaiting: false, isBegun: false, begunAt: null };

/** What a Claude Code does that somebody started by hand in a worktree, as far as installed hooks tell, and since when (epoch ms). Null where
 *  none runs. */
export function readHandState(
  engine: Pick<Engine, "repo" | "now">,
  worktree: string,
): { state: SessionState; since: number | null; suspended: number | null } | null {
  const spool = readHandSpool(engine, worktree);
  if (spool === null) return null;
  const told = spool.lines.findLast((line) => OWNER.test(line));
  const pid = Number(OWNER.exec(told ?? "")?.[1] ?? 0);
  const state = stateOf(true, { isDead: pid === 0 || readIdentity(pid) === undefined, tells: true }, spool.lines);
  if (state === "ended") return null;
  const suspended = findSuspended(pid);
  const heard = heardOf(state, spool, engine.now());
  return { ...heard, state: suspended === null ? heard.state : "suspended", suspended };
}

/** The hooks' script puts it in front of every line. */
const OWNER = /^\{"owt_pid":(\d+),/;
