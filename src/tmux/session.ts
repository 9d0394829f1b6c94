/** Makes and ends the session of a worktree. Whose a session is says a mark on it, never its name: a person may rename it, and another
 *  repository may have a worktree of the same name. */
import { statSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Layout, planCuts } from "../core/layout.ts";
import { OwtError } from "../core/errors.ts";
import { KEY_VARIABLE, SESSION_VARIABLE } from "../core/session-name.ts";
import { hasProc, readIdentity } from "../system/identity.ts";
import { type Family, processesOf, stopFamily } from "../system/stop-family.ts";
import { findWorkers, isShellName, type Worker } from "../system/terminal-work.ts";
import { listSessions, type Session } from "./list.ts";
import { IN_WORKTREE, program } from "./pane.ts";
import { exactly, hasNoServer, refused, runTmux, type Tmux, tryTmux } from "./tmux.ts";

export type NewSession = {
  /** Tried in this order; one that belongs to somebody else is left alone. */
  names: readonly string[];
  /** Top of the worktree: where every pane starts, and whose the session is. */
  worktree: string;
  /** Git directory of its repository. */
  repository: string;
  /** The screen until somebody attaches. */
  size: { columns: number; rows: number };
  layout: Layout;
  /** What the first pane runs where the layout names nothing; null is the user's shell. `onEnd` is a constant script of ours that the server runs when
   *  it has ended, with the pane's id in place of `#{hook_pane}`, in the session's environment; it holds no `'`. */
  agent: NewAgent | null;
  /** For every process of the session, those of later windows too. They stand in arguments for a moment: nothing secret. */
  env: Readonly<Record<string, string>>;
};

export type NewAgent = { name: string; command: readonly string[]; conversation: string | null; onEnd?: string };

export type EnsuredSession = { session: Session; isNew: boolean };

/** The session of a worktree, made where there is none. Any number of processes may do this at once: one session comes of it, whole. */
export async function ensureSession(tmux: Tmux, want: NewSession): Promise<EnsuredSession> {
  const present = await findSession(tmux, want.worktree);
  if (present !== null) return { session: refuseStale(present), isNew: false };
  for (const name of want.names) {
    const id = await createSession(tmux, name, want);
    if (id === null) {
      // Somebody has that name: it is ours if another process was faster.
      if ((await ownerOf(tmux, name)) !== want.worktree) continue;
      // A hook of the user's can make it wait between its environment and its marks.
      await tryTmux(tmux, sessionMarks(exactly(name), want));
      const theirs = await findSession(tmux, want.worktree);
      if (theirs !== null) return { session: theirs, isNew: false };
      continue;
    }
    const session = await findSession(tmux, want.worktree);
    if (session?.id === id) return { session, isNew: true };
    // Two names, two processes, one moment: the older session stays.
    await tryTmux(tmux, [["kill-session", "-t", id]]);
    if (session !== null) return { session, isNew: false };
    throw new OwtError("wrong-state", `the session ${name} was ended while it was made`, {
      hint: "tmux list-sessions",
    });
  }
  throw new OwtError(
    "wrong-state",
    `tmux has sessions named ${want.names.join(" and ")} that are not of ${want.worktree}`,
    {
      hint: `rename one: tmux rename-session -t '${exactly(want.names[0]!)}' NAME`,
    },
  );
}

/** The inode of a worktree's folder; null where it has gone. */
export function folderId(worktree: string): string | null {
  return statSync(worktree, { throwIfNoEntry: false })?.ino.toString() ?? null;
}

/** Its worktree was removed without it, and another one made at the same place: what runs in it works in a folder that is no more. */
function refuseStale(session: Session): Session {
  const now = folderId(session.worktree!);
  if (now === null || session.folder === null || session.folder === now) return session;
  throw new OwtError("wrong-state", `${session.name} is of an earlier worktree at ${session.worktree}`, {
    hint: `see what still runs there, then end it: owt tmux kill ${session.name}`,
  });
}

/** A worktree stands elsewhere now, in the same folder: its session is told apart by its new place. What runs in it is known by the session's key. */
export async function followSession(tmux: Tmux, from: string, to: string): Promise<boolean> {
  const session = (await listSessions(tmux)).find(
    ({ worktree, folder }) => worktree === from && folder === folderId(to),
  );
  if (session === undefined) return false;
  await runTmux(tmux, [
    ["set-option", "-t", session.id, "@owt_worktree", to],
    ["set-environment", "-t", session.id, SESSION_VARIABLE, to],
  ]);
  return true;
}

/** The session of a worktree; null where there is none. Of several, which a person can make, the oldest. */
export async function findSession(tmux: Tmux, worktree: string): Promise<Session | null> {
  return (await listSessions(tmux)).find((each) => each.worktree === worktree) ?? null;
}

/** A server that is just ending, or just starting for another process, is asked again. */
const TRIES = 20;
const AGAIN_MS = 50;

/** Makes the session with everything in it in one call, so that nobody sees half of it; its id, or null where the name is taken. */
async function createSession(tmux: Tmux, name: string, want: NewSession): Promise<string | null> {
  for (let tries = 1; ; tries++) {
    const result = await tryTmux(tmux, commandsFor(name, want), { cwd: want.worktree });
    const id = /^\$\d+$/m.exec(result.stdout)?.[0];
    if (result.code === 0 && id !== undefined) return id;
    if (id !== undefined) await tryTmux(tmux, [["kill-session", "-t", id]]);
    else if (await hasSession(tmux, name)) return null;
    else if ((hasNoServer(result) || /lost server/.test(result.stderr)) && tries < TRIES) {
      await sleep(AGAIN_MS);
      continue;
    }
    throw refused(result.stderr);
  }
}

function commandsFor(name: string, want: NewSession): string[][] {
  const { worktree, size, layout, agent } = want;
  const target = exactly(name);
  const { cuts, home } = planCuts(layout, size);
  const key = randomUUID();
  const env = Object.entries({ ...want.env, [SESSION_VARIABLE]: worktree, [KEY_VARIABLE]: key });
  const first = layout.commands[0] ?? agent?.command ?? null;
  const isAgent = agent !== null && first === agent.command;
  const screen = `-d -P -F #{session_id} -s ${name} -x ${size.columns} -y ${size.rows}`.split(" ");
  return [
    ["new-session", ...screen, ...env.flatMap(([key, value]) => ["-e", `${key}=${value}`]), ...program(first)],
    ...sessionMarks(target, want),
    ["set-option", "-t", target, "@owt_key", key],
    ...(isAgent ? [...agentMarks(target, agent), ...withMarks(target, agent)] : []),
    ...cuts.map(({ direction, cells, offset }, at) => {
      const where = `${direction === "right" ? "-h" : "-v"} -l ${cells} -t ${neighbour(target, offset)}`;
      return ["split-window", ...where.split(" "), ...program(layout.commands[at + 1] ?? null)];
    }),
    ["select-pane", "-t", neighbour(target, home)],
  ];
}

function sessionMarks(target: string, { worktree, repository }: NewSession): string[][] {
  const mark = (option: string, value: string) => ["set-option", "-t", target, option, value];
  return [
    mark("@owt_worktree", worktree),
    mark("@owt_repository", repository),
    mark("@owt_folder", folderId(worktree) ?? ""),
    // The user's own configuration may say otherwise for all sessions: nobody is attached yet.
    mark("destroy-unattached", "off"),
  ];
}

/** The agent's pane stays when the agent ends, so that its last words can be read and it can be started again in its place. */
function agentMarks(target: string, { name, conversation, onEnd }: NewAgent): string[][] {
  const mark = (option: string, value: string) => ["set-option", "-p", "-t", target, option, value];
  return [
    mark("@owt_agent", name),
    mark("remain-on-exit", "on"),
    ...(conversation === null ? [] : [mark("@owt_conversation", conversation)]),
    ...(onEnd === undefined ? [] : [["set-hook", "-p", "-t", target, "pane-died", `run-shell -b '${onEnd}'`]]),
  ];
}

/** What the session remembers of it when its pane is closed. */
function withMarks(target: string, { name, conversation }: NewAgent): string[][] {
  const mark = (option: string, value: string) => ["set-option", "-t", target, option, value];
  return [
    mark("@owt_with_agent", name),
    ...(conversation === null ? [] : [mark("@owt_with_conversation", conversation)]),
  ];
}

/** Gives a session whose agent's pane was closed another one with that agent, at the left of its first window; where that has no room, a window of its own. */
export async function addAgentPane(tmux: Tmux, session: Session, agent: NewAgent): Promise<void> {
  const first = session.panes[0]!.id;
  const window = (await runTmux(tmux, [["display-message", "-p", "-t", first, "#{window_id}"]])).trim();
  const at = [...IN_WORKTREE, ...program(agent.command)];
  // The new pane is its window's active one: its marks reach it in the same call, so that nobody sees it without.
  const split = ["split-window", "-h", "-b", "-f", "-t", window, ...at];
  const { code, stderr } = await tryTmux(tmux, [split, ...agentMarks(window, agent)]);
  if (code === 0) return;
  if (!/no space for/.test(stderr)) throw refused(stderr);
  const target = `${session.id}:`;
  await runTmux(tmux, [["new-window", "-t", target, ...at], ...agentMarks(target, agent)]);
}

function neighbour(target: string, offset: number): string {
  return offset === 0 ? target : `${target}.${offset > 0 ? "+" : "-"}${Math.abs(offset)}`;
}

async function hasSession(tmux: Tmux, name: string): Promise<boolean> {
  return (await tryTmux(tmux, [["has-session", "-t", exactly(name)]])).code === 0;
}

/** The worktree of a session by its environment, which it has from its first moment on; null where it is not ours. */
async function ownerOf(tmux: Tmux, name: string): Promise<string | null> {
  const { code, stdout } = await tryTmux(tmux, [["show-environment", "-t", exactly(name), SESSION_VARIABLE]]);
  return code === 0 && stdout.startsWith(`${SESSION_VARIABLE}=`) ? stdout.slice(SESSION_VARIABLE.length + 1, -1) : null;
}

/** Ends exactly this session, the views of it, and every process that was started in it: first as a closed terminal would, then with TERM, then,
 *  after the grace, with KILL. Resolves with the number of those that are left, which is zero unless somebody else's power is needed. */
export async function killSession(tmux: Tmux, session: Session, { graceMs }: { graceMs: number }): Promise<number> {
  const all = await listSessions(tmux);
  // A person may have thought it over for long; a server that was started meanwhile gives the same ids anew.
  const now = all.find((each) => sameAs(session, each));
  const ended = now === undefined ? [] : [...all.filter(({ viewOf }) => viewOf === now.id), now];
  const close = async () => {
    for (const { id } of ended) await tryTmux(tmux, [["kill-session", "-t", id]]);
  };
  return stopFamily(familyOf(session, now?.panes ?? []), close, { graceMs });
}

/** Every process that was started in a session, as far as it can be told. */
export function processesIn(session: Session): number[] {
  return processesOf(familyOf(session, session.panes));
}

/** What works in a session beside idle shells and its agent, with what that has started. */
export function workersIn(session: Session): Worker[] {
  const live = session.panes.filter(({ dead }) => dead === null);
  if (!hasProc)
    return live
      .filter(({ agent, command }) => agent === null && !isShellName(command))
      .map(({ pid, command }) => ({ pid, command }));
  const agents = live.filter(({ agent }) => agent !== null).map(({ pid }) => pid);
  return findWorkers(processesIn(session), { folder: session.worktree ?? "", agents });
}

function familyOf({ key, worktree }: Session, panes: Session["panes"]): Family {
  return {
    leaders: panes.flatMap(({ pid }) => readIdentity(pid) ?? []),
    mark: markOf(key, worktree),
  };
}

/** What every process of a session has in its environment; for one that somebody is making just now, the path alone. */
function markOf(key: string | null, worktree: string | null): Family["mark"] {
  if (key !== null) return { name: KEY_VARIABLE, value: key };
  return worktree === null ? null : { name: SESSION_VARIABLE, value: worktree };
}

function sameAs({ id, worktree, createdAt }: Session, other: Session): boolean {
  return other.id === id && other.worktree === worktree && other.createdAt === createdAt;
}
