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

/** The session that goes with a worktree: wished for, or usual and possible; null where there is to be none. An agent that was there already is told
 *  the prompt as `owt send` does it, and with its errors: none is ever lost without a word. */
export async function openSessionFor(
  io: Io,
  engine: Engine,
  worktree: Checkout,
  wanted: SessionWanted,
): Promise<Session | null> {
  const { prompt = null, isTold = false } = wanted;
  if (wanted.tmux === false) return null;
  const isWished = wanted.tmux === true || prompt !== null || wanted.attach === true;
  if (!isWished && findProgram("tmux", engine.env) === null) return null;
  const opened = await openSession(engine, worktree, wishOf(io, wanted, prompt));
  if (opened.note !== null) tell(io, opened.note);
  if (opened.note !== null && prompt !== null && opened.isNew)
    tell(io, "what its agent was to be told first is told to nobody");
  tellIgnored(io, worktree, opened, wanted);
  if (!opened.isNew && prompt !== null && !isTold) {
    await sendTo(engine, worktree, prompt, { pane: null, enter: true, timeoutMs: START_MS, signal: io.signal });
    tell(io, `sent to ${nameOf(worktree)}, whose session was there`);
  }
  return opened.session;
}
