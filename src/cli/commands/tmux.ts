/** `owt tmux`: the sessions of worktrees, made, shown, listed and ended. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import type { SessionState } from "../../core/session-state.ts";
import { nameOf } from "../../core/worktree.ts";
import type { Engine } from "../../engine/engine.ts";
import { sessionServer } from "../../engine/session-server.ts";
import {
  dropSession,
  ofRepository,
  type OpenedSession,
  openSession,
  repositorySessions,
  sessionOf,
} from "../../engine/sessions.ts";
import { followMoved } from "../../engine/worktrees/moved.ts";
import { type Checkout, findWorktree } from "../../engine/worktrees/place.ts";
import { readStates } from "../../engine/worktrees/state.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { listSessions, type Pane, type Session } from "../../tmux/list.ts";
import { folderId } from "../../tmux/session.ts";
import { requireTmux } from "../../tmux/tmux.ts";
import { answer, canAsk, confirm, type Io, tell, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { addSessionOptions, type AttachOptions, type SessionOptions, show, tellIgnored, wishOf } from "../sessions.ts";
import { printable, table } from "../text.ts";
import { STATE_WORDS } from "../worktrees/list-text.ts";

type JsonOption = { json?: boolean };
type CreateOptions = JsonOption & SessionOptions & { attach?: boolean };

export function tmuxCommands(program: Command, io: Io): void {
  const tmux = program
    .command("tmux")
    .description("sessions of worktrees: an agent and shells side by side, on your own tmux");
  createCommand(tmux, io);
  attachCommand(tmux, io);
  listCommand(tmux, io);
  killCommand(tmux, io);
}

function createCommand(tmux: Command, io: Io): void {
  addSessionOptions(tmux.command("create [worktree]"))
    .description("make the session of a worktree, its agent in the first pane; again: start an agent that has ended")
    .option("--attach", "show it here at once")
    .option("--json", "print the answer as JSON")
    .action(async (word: string | undefined, options: CreateOptions) => {
      const shown = await withEngine(io, async (engine) => {
        const worktree = await findWorktree(engine, word);
        const opened = await openSession(engine, worktree, wishOf(io, options, null));
        tellIgnored(io, worktree, opened, options);
        if (opened.note !== null) tell(io, opened.note);
        const { session, isNew, revived } = opened;
        const data = { session: describe(session, [worktree]), created: isNew, revived };
        answer(io, options, data, renderOpened(opened, worktree));
        return { tmux: sessionServer(engine), session };
      });
      if (options.attach) await show(io, shown, {});
    });
}

function renderOpened({ session, isNew, revived }: OpenedSession, worktree: Checkout): string {
  const agent = session.panes.find((pane) => pane.agent !== null)?.agent;
  const what = isNew
    ? `made, ${count(session.panes.length, "pane")}${agent ? `, ${agent} in the first` : ""}`
    : revived === null
      ? "is there already"
      : `is there; ${agent} had ended and was started again${revived === "resumed" ? " in its conversation" : ""}`;
  return `${session.name}: ${what}; show it: owt tmux attach ${printable(nameOf(worktree))}`;
}

function attachCommand(tmux: Command, io: Io): void {
  tmux
    .command("attach [worktree]")
    .description("show the session of a worktree in this terminal; inside tmux it switches over")
    .option("--read-only", "look, but do not type")
    .option("--own-view", "choose windows for yourself while others look at the same session")
    .option("--json", "print the answer as JSON")
    .action(async (word: string | undefined, options: AttachOptions) => {
      const shown = await withEngine(io, async (engine) => {
        const tmux = sessionServer(engine);
        await requireTmux(tmux);
        return { tmux, session: await sessionOf(engine, await findWorktree(engine, word)) };
      });
      await show(io, shown, options);
    });
}

function listCommand(tmux: Command, io: Io): void {
  tmux
    .command("list")
    .description("the sessions of this repository's worktrees")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption) =>
      withEngine(io, async (engine) => {
        await followMoved(engine);
        const [all, worktrees, states] = await Promise.all([
          listSessions(sessionServer(engine)),
          listCheckouts(engine.repo),
          readStates(engine),
        ]);
        const sessions = ofRepository(engine, all);
        const described = sessions.map((each) => describe(withLookers(each, all), worktrees));
        const doing = (worktree: string | null) => states.get(worktree ?? "")?.state ?? "unknown";
        const text =
          described.length === 0
            ? "no worktree has a session; make one: owt tmux create"
            : table(described.map((each) => row(each, doing(each.worktree))));
        answer(io, options, { sessions: described }, text);
      }),
    );
}

/** With those who look by a view of their own. */
function withLookers(session: Session, all: readonly Session[]): Session {
  const views = all.filter(({ viewOf }) => viewOf === session.id);
  return { ...session, clients: [session, ...views].flatMap(({ clients }) => clients) };
}

type Described = ReturnType<typeof describe>;

/** A session as programs are told of it. */
function describe(session: Session, worktrees: readonly Checkout[]) {
  const { name, worktree, createdAt, usedAt, clients, panes } = session;
  const found = worktrees.find(({ path }) => path === worktree);
  return {
    name,
    worktree,
    exists: found !== undefined && folderId(found.path) === session.folder,
    branch: found?.branch ?? null,
    created_at: new Date(createdAt).toISOString(),
    used_at: new Date(usedAt).toISOString(),
    clients: clients.map(({ terminal, readOnly }) => ({ terminal, read_only: readOnly })),
    panes: panes.map((pane) => ({
      id: pane.id,
      agent: pane.agent,
      conversation: pane.conversation,
      pid: pane.pid,
      command: pane.command,
      cwd: pane.cwd,
      state: pane.dead === null ? ("running" as const) : ("ended" as const),
      exit_status: pane.dead?.status ?? null,
      active_at: new Date(pane.activeAt).toISOString(),
      columns: pane.at.columns,
      rows: pane.at.rows,
    })),
  };
}

function row({ name, worktree, exists, branch, clients, panes }: Described, doing: SessionState): string[] {
  const place = exists ? (branch ?? "no branch") : `${worktree} is gone`;
  const agents = panes.filter(({ agent }) => agent !== null).map((each) => agentWords(each, doing));
  return [
    name,
    printable(place),
    agents.join(", ") || "no agent",
    count(panes.length, "pane"),
    clients.length === 0 ? "nobody looks" : `${clients.length} attached`,
  ];
}

function agentWords({ agent, state, exit_status }: Described["panes"][number], doing: SessionState): string {
  return state === "running"
    ? `${agent} ${STATE_WORDS[doing]}`
    : `${agent} ended${exit_status === null ? "" : ` with ${exit_status}`}`;
}

function killCommand(tmux: Command, io: Io): void {
  tmux
    .command("kill <worktree>")
    .description("end the session of a worktree, with everything that runs in it; the worktree stays")
    .option("-y, --yes", "end it without being asked")
    .option("--json", "print the answer as JSON")
    .action((word: string, options: JsonOption & { yes?: boolean }) =>
      withEngine(io, async (engine) => {
        const session = await findAnySession(engine, word);
        const isWanted = options.yes === true || (await mayEnd(io, session, word));
        if (isWanted) await dropSession(engine, session);
        const data = { session: session.name, worktree: session.worktree, ended: isWanted };
        answer(io, options, data, isWanted ? `${session.name}: ended` : "nothing was ended");
      }),
    );
}

function mayEnd(io: Io, session: Session, word: string): Promise<boolean> {
  if (canAsk(io)) return confirm(io, `end ${session.name}, with ${running(session.panes)}?`);
  throw new OwtError("usage", `ending ${session.name} needs --yes: nobody can be asked here`, {
    hint: `look at it, then: owt tmux kill --yes ${word}`,
  });
}

function running(panes: readonly Pane[]): string {
  const programs = panes.filter(({ dead }) => dead === null).map(({ command }) => printable(command));
  return programs.length === 0 ? "nothing running in it" : `all that runs in it (${programs.join(", ")})`;
}

/** By the session's own name, too: its worktree may have gone. */
async function findAnySession(engine: Engine, word: string): Promise<Session> {
  await requireTmux(sessionServer(engine));
  const named = (await repositorySessions(engine)).find(({ name }) => name === word);
  return named ?? sessionOf(engine, await findWorktree(engine, word));
}
