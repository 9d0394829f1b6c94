/** The tmux session of a worktree: made with its agent, found, listed, ended. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Agent } from "../agents/agent.ts";
import { OwtError } from "../core/errors.ts";
import { chooseLayout, type Layout, type LayoutWish, wishedLayout } from "../core/layout.ts";
import { redact, secretsIn } from "../core/redact.ts";
import { mayBringBack } from "../core/session-health.ts";
import { nameOf, wordOf } from "../core/worktree.ts";
import { parseDuration } from "../lib/duration.ts";
import { readIdentity } from "../system/identity.ts";
import { stopFamily } from "../system/stop-family.ts";
import { findProgram } from "../system/programs.ts";
import { isAgentClosed, listSessions, type Session } from "../tmux/list.ts";
import { respawnPane } from "../tmux/pane.ts";
import { LEAD_VARIABLE, SESSION_VARIABLE, sessionNames } from "../core/session-name.ts";
import { addAgentPane, ensureSession, findSession, killSession } from "../tmux/session.ts";
import { recordMessage } from "../store/messages.ts";
import { noteWorktree, readWorktrees, recordSession, type WorktreeRecord } from "../store/worktrees.ts";
import { requireTmux, type Tmux } from "../tmux/tmux.ts";
import { grantsOfSession, requireApproval } from "./approvals.ts";
import { type Engine, findAgent, knownAgents } from "./engine.ts";
import { noteEnding } from "./first-words.ts";
import { renewTrust } from "./init-claude.ts";
import { chooseAgent, noteStart, talkCommand } from "./session-agent.ts";
import { sessionServer } from "./session-server.ts";
import { spoolFolder } from "./spool-folder.ts";
import { forgetSpool, noteBack, noteOwed, readSpool, recentBacks } from "./spool.ts";
import { taskAt } from "./task-at.ts";
import { leaseEnvironment } from "./worktree-lease.ts";
import { followMoved } from "./worktrees/moved.ts";
import { asOneOpener } from "./worktrees/one-at-a-time.ts";
import type { Checkout } from "./worktrees/place.ts";
import { refuseMissing, strangerAt } from "./worktrees/stranger.ts";

export type SessionWish = LayoutWish & {
  /** The agent of the first pane by its name; null for the one that it had, or the configured one where the configuration wants one; false for none. */
  agent: string | null | false;
  /** The screen until somebody attaches. */
  size: { columns: number; rows: number };
  /** What a new session's agent is told first; null where a person begins. */
  prompt: string | null;
  /** It was told the prompt before, in the conversation that it had: where that goes on, it is not told again. */
  isTold?: boolean;
  /** Ends an agent that is there, to start it again in its conversation. */
  restart?: boolean;
  /** A file that the first pane shows above its shell where no agent is in it. */
  shown?: string;
};

export type OpenedSession = {
  session: Session;
  /** False where it was there already; its layout stays as it is then. */
  isNew: boolean;
  /** Whether an agent that had ended was started again in its pane, and whether it remembers. */
  revived: "resumed" | "anew" | null;
  /** What an agent was told anew that had ended before it took that up; null where there was nothing. */
  toldAnew: string | null;
  /** What has to be said of the agent that there is none; null where nothing has. */
  note: string | null;
};

/** Makes the session of a worktree, or finishes what is missing of one: an agent that has ended is started again, in its conversation where
 *  there is one. What is not wished is as it was the last time that its session was made. Throws `not-approved` for commands of the repository's,
 *  `environment` without tmux or without the agent's program. */
export async function openSession(engine: Engine, worktree: Checkout, wish: SessionWish): Promise<OpenedSession> {
  const tmux = sessionServer(engine);
  await requireTmux(tmux);
  await refuseGone(engine, tmux, worktree, wish.restart === true);
  const { default_layout, pane_count, session_prefix, layouts = {} } = engine.config.tmux;
  const before = readWorktrees(engine.store).get(worktree.path) ?? null;
  const wished = wishedLayout(wish, before ?? NO_LAYOUT, { usual: default_layout, layouts });
  const name = wished.layout ?? default_layout;
  const chosen = chooseLayout(name, layouts, { panes: wished.panes, usually: pane_count });
  const wishedAgent = wish.agent ?? (wish.prompt === null && before?.hasAgent === false ? false : null);
  const isAuto = engine.config.tmux.auto_start_claude || wish.prompt !== null;
  const { agent, note } = chooseAgent(engine, wishedAgent, itsAgent(engine, before), isAuto);
  if (agent !== null) refuseSecondAgent(engine, worktree);
  const layout = agent === null && wish.shown !== undefined ? withShown(chosen, wish.shown) : chosen;
  requireApproval(engine, grantsOfSession(engine, { agent: agent?.name ?? null, layout: name }));
  const talk = agent && beginTalk(engine, agent, worktree.path, wish);
  if (agent?.name === "claude")
    await renewTrust({ env: engine.env, commonDir: engine.repo.commonDir }, engine.repo.root);
  const project = basename(engine.repo.root);
  const { session, isNew } = await ensureSession(tmux, {
    names: sessionNames({ prefix: session_prefix, project, folder: basename(worktree.path), path: worktree.path }),
    worktree: worktree.path,
    repository: engine.repo.commonDir,
    size: wish.size,
    layout,
    agent: agent &&
      talk && { name: agent.name, command: talk.command, conversation: talk.conversation, onEnd: ON_END_SCRIPT },
    env: sessionVariables(engine, worktree.path),
  });
  if (isNew) {
    const begun = agent && talk ? { agent: agent.name, conversation: talk.conversation } : {};
    noteWorktree(engine.store, engine.now(), worktree, begun);
    recordSession(engine.store, worktree.path, { ...wished, hasAgent: wishedAgent !== false });
    if (talk !== null) await noteStart(engine, worktree.path, talk);
    if (talk !== null && wish.prompt !== null) recordPrompt(engine, worktree.path, wish.prompt);
  }
  const present = wish.restart === true && !isNew && agent !== null ? await endAgent(engine, tmux, session) : session;
  const revived = isNew || agent === null ? null : await revive(engine, tmux, present);
  const isAnew = isNew && wish.prompt === null;
  return {
    session: revived === null ? session : ((await findSession(tmux, worktree.path)) ?? session),
    isNew,
    revived: revived?.how ?? null,
    toldAnew: revived?.toldAnew ?? (isAnew ? (talk?.words?.text ?? null) : null),
    note,
  };
}

const NO_LAYOUT: LayoutWish = { layout: null, panes: null };

/** Nothing is ended or begun where a worktree's files are gone; a session in which all goes on is shown. */
async function refuseGone(engine: Engine, tmux: Tmux, worktree: Checkout, isRestart: boolean): Promise<void> {
  if (existsSync(worktree.path)) return;
  const session = await findSession(tmux, worktree.path);
  const hasEnded = session?.panes.some(({ agent, dead }) => agent !== null && dead !== null) ?? true;
  if (session === null || isRestart || hasEnded || isAgentClosed(session)) refuseMissing(engine, worktree);
}

/** Never two agents in one worktree: that of a run is stopped, and kept from it, before a person's own begins. */
function refuseSecondAgent(engine: Engine, { path }: Checkout): void {
  const task = taskAt(engine, path);
  if (task === null || task.park?.for === "hand") return;
  throw new OwtError("wrong-state", `it is the worktree of ${task.key}, to which ${task.run} sends its agents`, {
    hint: `take the task over: owt switch ${task.key}; or only look: owt logs ${task.key} -f`,
  });
}

/** The first pane shows a file and goes on as a shell, unless the layout has something else for it. */
function withShown(layout: Layout, file: string): Layout {
  const [first, ...rest] = layout.commands;
  return { ...layout, commands: [first ?? ["sh", "-c", SHOW_SCRIPT, "owt", file], ...rest] };
}

const SHOW_SCRIPT = 'cat -- "$1"; exec "${SHELL:-/bin/sh}"';

/** The agent whose conversation a worktree has: tmux may have died, and the conversation goes on. Null where it has none, or nobody knows that one now. */
function itsAgent(engine: Engine, record: WorktreeRecord | null): string | null {
  const { agent, conversation } = record ?? { agent: null, conversation: null };
  return agent !== null && conversation !== null && knownAgents(engine.config).includes(agent) ? agent : null;
}

/** The conversation of a new session: the one that this worktree's agent had, where there was one. A reboot takes tmux's memory, not ours. */
function beginTalk(engine: Engine, agent: Agent, worktree: string, { prompt, isTold }: SessionWish) {
  const record = readWorktrees(engine.store).get(worktree);
  const isIts = record?.agent === agent.name && record.conversation !== null;
  const conversation = isIts ? record.conversation! : randomUUID();
  const isOld = isTold === true && agent.hasConversation(conversation);
  return { conversation, ...talkCommand(engine, agent, { conversation, worktree, prompt: isOld ? null : prompt }) };
}

/** Run by the tmux server, which may have another PATH than we: it says to us that an agent has ended. Whatever comes of it, tmux shows nothing. */
const ON_END_SCRIPT =
  'cd "$OWT_SESSION_ROOT"; PATH="$OWT_SESSION_PATH" "$OWT_SESSION_NODE" "$OWT_SESSION_MAIN" hook agent-ended "#{hook_pane}" >/dev/null 2>&1 </dev/null || :';

/** What every program of a session can ask its environment for: the worktree's ports and names, and who made it. */
function sessionVariables(engine: Engine, worktree: string): Record<string, string> {
  // Called inside of another session, that one is the lead.
  const lead = engine.env[SESSION_VARIABLE];
  const [node = "", main = ""] = engine.owtCommand;
  return {
    ...leaseEnvironment(engine, worktree),
    // Where the worktree stood may be nothing any more.
    OWT_SESSION_ROOT: engine.repo.root,
    OWT_SESSION_NODE: node,
    OWT_SESSION_MAIN: main,
    OWT_SESSION_PATH: engine.env["PATH"] ?? "",
    ...(lead && lead !== worktree ? { [LEAD_VARIABLE]: lead } : {}),
  };
}

function recordPrompt(engine: Engine, worktree: string, prompt: string): void {
  const sender = engine.env[SESSION_VARIABLE] ?? "";
  recordMessage(engine.store, { at: engine.now(), sender, worktree, text: redact(prompt, secretsIn(engine.env)) });
}

type Revived = { how: "resumed" | "anew"; toldAnew: string | null };

async function revive(engine: Engine, tmux: Tmux, session: Session): Promise<Revived | null> {
  if (isAgentClosed(session)) return reopen(engine, tmux, session);
  const pane = session.panes.find((each) => each.agent !== null && each.dead !== null);
  if (!pane?.agent || pane.conversation === null) return null;
  const agent = findAgent(engine, pane.agent);
  const begun = { conversation: pane.conversation, worktree: session.worktree!, prompt: null };
  const isKnown = agent.hasConversation(pane.conversation);
  const talk = talkCommand(engine, agent, begun);
  if (!(await respawnPane(tmux, pane.id, talk.command))) return null;
  await noteStart(engine, session.worktree!, talk);
  return { how: isKnown ? "resumed" : "anew", toldAnew: talk.words?.text ?? null };
}

/** Gives the agent whose pane a person has closed another one. */
async function reopen(engine: Engine, tmux: Tmux, { worktree }: Session): Promise<Revived | null> {
  return asOneOpener(engine, worktree!, async () => {
    const session = await findSession(tmux, worktree!);
    // Somebody else was faster.
    if (session === null || session.agent === null || !isAgentClosed(session)) return null;
    const { name, conversation } = session.agent;
    const agent = findAgent(engine, name);
    const isKnown = agent.hasConversation(conversation);
    const talk = talkCommand(engine, agent, { conversation, worktree: worktree!, prompt: null });
    await addAgentPane(tmux, session, { name, command: talk.command, conversation, onEnd: ON_END_SCRIPT });
    await noteStart(engine, worktree!, talk);
    return { how: isKnown ? "resumed" : "anew", toldAnew: talk.words?.text ?? null };
  });
}

/** Starts the agent of a pane again that ended by no word of a person's, where the configuration wants that, and not more often than makes sense.
 *  Called by the tmux server. */
export async function bringBack(engine: Engine, paneId: string): Promise<void> {
  if (engine.config.tmux.bring_back !== "always") return;
  await followMoved(engine);
  const tmux = sessionServer(engine);
  const session = (await repositorySessions(engine)).find(({ panes }) => panes.some(({ id }) => id === paneId));
  const pane = session?.panes.find(({ id }) => id === paneId);
  if (!session?.worktree || !pane?.dead || pane.agent === null) return;
  const task = taskAt(engine, session.worktree);
  if (task !== null && task.park?.for !== "hand") return;
  if (!existsSync(session.worktree) || strangerAt(engine, { path: session.worktree, branch: null }) !== null) return;
  const now = engine.now();
  const lines = readSpool(engine, session.worktree)?.lines ?? [];
  const before = recentBacks(engine, session.worktree, now);
  if (mayBringBack({ status: pane.dead.status, lines, before }, now) !== "yes") return;
  // Before the deed: one that ends at once must not be started without end.
  noteBack(engine, session.worktree, now);
  await revive(engine, tmux, session);
}

/** The same for every session of the repository, by whoever looks at them: tmux 3.3a does not always notice an end by itself before its next child
 *  ends (of 40 ends it missed 7), and calls nobody then. */
export async function bringBackDead(engine: Engine): Promise<void> {
  if (engine.config.tmux.bring_back !== "always" || !existsSync(spoolFolder(engine))) return;
  if (findProgram("tmux", engine.env) === null) return;
  const panes = (await repositorySessions(engine)).flatMap((session) => session.panes);
  for (const { id, agent, dead } of panes) if (agent !== null && dead !== null) await bringBack(engine, id);
}

/** Ends the agent of a session, with what it has started, so that it can be started again; what runs in other panes goes on. */
async function endAgent(engine: Engine, tmux: Tmux, session: Session): Promise<Session> {
  const pane = session.panes.find(({ agent, dead }) => agent !== null && dead === null);
  const leader = pane && readIdentity(pane.pid);
  if (!pane || !leader) return session;
  noteEnding(engine, session.worktree!);
  const graceMs = parseDuration(engine.config.run.grace) ?? 10_000;
  const left = await stopFamily({ leaders: [leader], mark: null }, async () => {}, { graceMs });
  for (let looks = 0; left === 0 && looks < LOOKS; looks++) {
    const now = await findSession(tmux, session.worktree!);
    const then = now?.panes.find(({ id }) => id === pane.id);
    // Ended, or brought back by another process meanwhile.
    if (now && then && (then.dead !== null || then.pid !== pane.pid)) return now;
    await sleep(LOOK_MS);
  }
  throw new OwtError("tool-failed", `${pane.agent} in ${session.name} could not be ended`, {
    hint: `end its session: owt tmux kill ${session.name}`,
  });
}

/** How often, and how long between, tmux is asked whether it has noticed an end. */
const LOOKS = 100;
const LOOK_MS = 50;

/** The sessions of this repository's worktrees, by age, views of them left out. Also those whose worktree has gone. */
export async function repositorySessions(engine: Pick<Engine, "repo" | "env">): Promise<Session[]> {
  return ofRepository(engine, await listSessions(sessionServer(engine)));
}

/** Those of them that are of this repository's worktrees, views left out. */
export function ofRepository({ repo }: Pick<Engine, "repo">, all: readonly Session[]): Session[] {
  return all.filter(({ repository, viewOf }) => repository === repo.commonDir && viewOf === null);
}

/** The session of a worktree. Throws `unknown-name` where it has none. */
export async function sessionOf(engine: Pick<Engine, "env">, worktree: Checkout): Promise<Session> {
  const session = await findSession(sessionServer(engine), worktree.path);
  if (session !== null) return session;
  throw new OwtError("unknown-name", `${nameOf(worktree)} has no session`, {
    hint: `make it: owt tmux create ${wordOf(worktree)}`,
  });
}

/** Ends the session of a worktree that goes, where it has one; with `since` (epoch ms) none that was there before. */
export async function endSessionOf(
  engine: Pick<Engine, "repo" | "env" | "config">,
  worktree: string,
  since = 0,
): Promise<void> {
  if (findProgram("tmux", engine.env) === null) return;
  const session = await findSession(sessionServer(engine), worktree);
  // tmux tells whole seconds.
  if (session !== null && session.createdAt < Math.floor(since / 1_000) * 1_000) return;
  if (session !== null) await endSession(engine, session);
  forgetSpool(engine, worktree);
}

/** Ends a session for good, as a person wishes: what was wished of it is over, too, and the next one is as the configuration says. */
export async function dropSession(engine: Engine, session: Session): Promise<void> {
  await endSession(engine, session);
  if (session.worktree === null) return;
  noteOwed(engine, session.worktree, null);
  recordSession(engine.store, session.worktree, { ...NO_LAYOUT, hasAgent: true });
}

/** Ends a session and everything that runs in it. Throws `tool-failed` where something could not be ended. */
export async function endSession(engine: Pick<Engine, "env" | "config">, session: Session): Promise<void> {
  const graceMs = parseDuration(engine.config.run.grace) ?? 10_000;
  const left = await killSession(sessionServer(engine), session, { graceMs });
  if (left > 0)
    throw new OwtError("tool-failed", `${session.name} was ended, but ${left} of its processes go on`, {
      hint: "they belong to somebody else, or cannot be ended now: ps -ef",
    });
}
