/** The session that goes with a worktree that is made, and the first words to its agent. */
import type { Engine } from "../../engine/engine.ts";
import { openSession } from "../../engine/sessions.ts";
import type { Checkout } from "../../engine/worktrees/place.ts";
import { sendTo } from "../../engine/worktrees/send.ts";
import { nameOf } from "../../core/worktree.ts";
import { findProgram } from "../../system/programs.ts";
import type { Session } from "../../tmux/list.ts";
import { type Io, tell } from "../io.ts";
import { type SessionOptions, tellIgnored, wishOf } from "../sessions.ts";
import { shellWord } from "../../lib/printable.ts";

export type SessionWanted = SessionOptions & {
  /** False for none; true also where tmux is not there: then it is refused. */
  tmux?: boolean;
  attach?: boolean;
  prompt?: string;
  /** An agent that is there has been told it. */
  isTold?: boolean;
};

/** How long an agent that starts is waited for before it is told something. */
const START_MS = 30_000;

export type SessionFor = {
  /** Null where there is to be none. */
  session: Session | null;
  /** Whether its agent has the prompt; null where there is none. */
  told: boolean | null;
};

/** The session that goes with a worktree: wished for, or usual and possible. An agent that was there already is told the prompt as `owt send` does it,
 *  and with its errors: none is ever lost without a word. */
export async function openSessionFor(
  io: Io,
  engine: Engine,
  worktree: Checkout,
  wanted: SessionWanted,
): Promise<SessionFor> {
  const { prompt = null, isTold = false } = wanted;
  if (wanted.tmux === false) return { session: null, told: null };
  const isWished = wanted.tmux === true || prompt !== null || wanted.attach === true;
  if (!isWished && findProgram("tmux", engine.env) === null) return { session: null, told: null };
  const opened = await openSession(engine, worktree, { ...wishOf(io, wanted, prompt), isTold });
  const { session, isNew, note, toldAnew } = opened;
  if (note !== null) tell(io, note);
  tellIgnored(io, worktree, opened, wanted);
  if (prompt === null) return { session, told: null };
  if (isNew) return { session, told: tellUntold(io, worktree, session) };
  if (!isTold && toldAnew !== prompt) {
    await sendTo(engine, worktree, prompt, { pane: null, enter: true, timeoutMs: START_MS, signal: io.signal });
    tell(io, `sent to ${nameOf(worktree)}, whose session was there`);
  }
  return { session, told: true };
}

/** Without an agent in it, a new session has nobody who was told anything: false, and it is said. */
function tellUntold(io: Io, worktree: Checkout, session: Session): boolean {
  if (session.panes.some(({ agent }) => agent !== null)) return true;
  const name = nameOf(worktree);
  tell(io, `what its agent was to be told first is told to nobody`);
  tell(
    io,
    `  ↳ once there is one: owt tmux kill --yes ${shellWord(name)}, then: owt create ${shellWord(name)} --prompt "…"`,
  );
  return false;
}
