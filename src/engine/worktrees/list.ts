/** What worktrees there are, also those that plain git made: first what is on record, then, one by one, how each stands. */
import { existsSync } from "node:fs";
import type { LimitHold } from "../../core/limit.ts";
import type { SessionState } from "../../core/session-state.ts";
import type { Park } from "../../core/task.ts";
import { nameOf } from "../../core/worktree.ts";
import { type BranchStatus, readBranchStatus } from "../../git/branch-status.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { findPlace, unreadableBranch } from "../../git/place.ts";
import { findStranger } from "../../git/stranger.ts";
import { readLimitedPlaces, readOpenPlaces } from "../../store/attempts.ts";
import { readWorktrees } from "../../store/worktrees.ts";
import type { ProcessUsage } from "../../system/usage.ts";
import { type Engine, knownAgents } from "../engine.ts";
import { followMoved } from "./moved.ts";
import { readHolding } from "../governor.ts";
import { recentBacks } from "../spool.ts";
import { findAllLost, findUnlinked } from "./damaged.ts";
import { answerOf, readAsks } from "./asks.ts";
import { readHandState, readStates } from "./state.ts";

export type Listed = {
  path: string;
  name: string;
  branch: string | null;
  isMain: boolean;
  /** The command was called in it. */
  isHere: boolean;
  /** Its files are there. */
  isThere: boolean;
  /** git has no entry of it any more, or one that does not say where it stands. */
  isLost: boolean;
  /** Somebody is making it right now. */
  isBeingMade: boolean;
  /** The lock's reason, also an empty one; null when not locked. */
  locked: string | null;
  /** The task of a run that works there. */
  task: { key: string; run: string } | null;
  note: string;
  agent: string | null;
  /** What its session does; "none" without one. */
  state: SessionState;
  /** A person has closed its agent's pane. */
  isClosed: boolean;
  /** When it came to that, as far as it told; epoch ms. */
  stateSince: number | null;
  /** What its agent asks a person, with the command that answers it; null where it asks none. */
  question: { words: string; command: string } | null;
  session: string | null;
  /** The process of its agent that is stopped; null where none is. */
  suspended: number | null;
  /** The usage limit, or outage, that holds the login of its agent, as far as a run knows; without a session, the one that the task waits for which goes on there. */
  limit: Pick<LimitHold, "until" | "isGuess" | "outage"> | null;
  /** How often its agent was brought back of late. */
  backs: number;
  /** What everything in its session uses; null without one. */
  usage: ProcessUsage | null;
  /** What it is compared with where its branch follows nothing. */
  base: string | null;
  /** In epoch milliseconds; null where nothing is on record. */
  usedAt: number | null;
};

/** All worktrees that git has, the main one first. */
export async function listWorktrees(engine: Engine): Promise<Listed[]> {
  const listed = (await listOnRecord(engine)).filter(({ isLost }) => !isLost);
  return addSessions(engine, listed);
}

/** All worktrees with what is on record of them, also those that git has lost, the main one first, without a process in the ordinary layout. Nothing is said of sessions yet. */
export async function listOnRecord(engine: Engine): Promise<Listed[]> {
  const { repo, store } = engine;
  await followMoved(engine);
  const records = readWorktrees(store);
  const tasks = readOpenPlaces(store);
  const checkouts = await listCheckouts(repo);
  const lost = findAllLost(engine, checkouts).map((each) => ({ ...each, locked: null }));
  return [...checkouts, ...lost].map(({ path, branch, locked }) => {
    const record = records.get(path);
    return {
      path,
      name: nameOf({ path, branch }),
      branch,
      isMain: path === repo.root,
      isHere: path === repo.here,
      isThere: existsSync(path),
      isLost: lost.some((each) => each.path === path),
      isBeingMade: record !== undefined && record.maker !== null,
      locked,
      task: tasks.get(path) ?? null,
      note: record?.note ?? "",
      agent: record?.agent ?? null,
      state: "none",
      isClosed: false,
      stateSince: null,
      question: null,
      session: null,
      suspended: null,
      limit: null,
      backs: 0,
      usage: null,
      base: record?.base ?? null,
      usedAt: record?.usedAt ?? null,
    };
  });
}

/** The same with their sessions, and with agents that somebody started by hand. */
export async function addSessions(engine: Engine, listed: readonly Listed[]): Promise<Listed[]> {
  const states = await readStates(engine);
  const limitOf = limitsOf(engine);
  const waiting = readLimitedPlaces(engine.store);
  return listed.map((each) => {
    const standing = states.get(each.path);
    // A session with an agent of its own says what is done there; without, somebody may have started one by hand.
    const byHand = standing?.pane ? null : readHandState(engine, each.path);
    // In a session of shells alone, such as that of a task in a person's hands, none is.
    const isClosed = byHand === null && standing?.isClosed === true;
    const own = standing?.pane?.agent ?? (isClosed ? (standing?.session.agent?.name ?? null) : null);
    const agent = own ?? (byHand !== null ? "claude" : standing === undefined ? each.agent : null);
    const isThere = standing?.pane != null || byHand !== null;
    const task = standing === undefined && byHand === null ? waiting.get(each.path) : undefined;
    return {
      ...each,
      agent: task?.agent ?? agent,
      limit: task !== undefined ? waitOf(task.park) : agent !== null && isThere ? limitOf(agent) : null,
      isClosed,
      state: byHand?.state ?? standing?.state ?? "none",
      stateSince: byHand?.since ?? standing?.since ?? null,
      question: (byHand?.state ?? standing?.state) === "blocked" ? questionIn(engine, each) : null,
      session: standing?.session.name ?? null,
      suspended: byHand?.suspended ?? standing?.suspended ?? null,
      backs: standing === undefined ? 0 : recentBacks(engine, each.path).length,
      usage: standing?.usage ?? null,
    };
  });
}

function questionIn(engine: Engine, worktree: Listed): Listed["question"] {
  const ask = readAsks(engine, worktree).find(({ questions }) => questions !== null);
  return ask === undefined ? null : { words: ask.detail, command: answerOf(ask) };
}

/** What a task waits for, where anybody knows until when. */
function waitOf({ until, isGuess, outage }: Extract<Park, { for: "limit" }>): Listed["limit"] {
  return until === null
    ? null
    : { until, isGuess: isGuess === true, ...(outage === undefined ? {} : { outage: outage.reason }) };
}

/** What holds the login of an agent, whichever its model. */
function limitsOf(engine: Engine): (agent: string) => Listed["limit"] {
  const holding = readHolding(engine);
  const known = new Set(knownAgents(engine.config));
  return (agent) => (known.has(agent) ? (holding?.(agent, () => null) ?? null) : null);
}

/** How each of these stands, told as it becomes known. As many at a time as git's helpers are there for. One that cannot be read stands as
 *  null: it is being made or taken away at this moment, came to harm, or is something else. */
export async function readStandings(
  engine: Engine,
  listed: readonly Listed[],
  tell: (path: string, standing: BranchStatus | null) => void,
): Promise<void> {
  // A branch that nobody recorded a base of is compared with the one that the main checkout is on.
  const main = listed.find(({ isMain }) => isMain) ?? (await listCheckouts(engine.repo))[0];
  const base = main?.branch ?? null;
  await Promise.all(
    listed.map(async ({ path, isThere, isMain, base: own }) => {
      const place = isThere ? findPlace(engine.repo, path) : null;
      const compared = own ?? (isMain ? null : base);
      const isRead =
        place !== null &&
        findStranger(engine.repo, place) === null &&
        unreadableBranch(place) === null &&
        findUnlinked(engine, { path, branch: null }) === null;
      const standing = !isRead ? null : await readBranchStatus(place, compared).catch(() => null);
      tell(path, standing);
    }),
  );
}
