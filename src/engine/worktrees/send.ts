/** Text to the agents of sessions, and waiting for what they do. */
import { watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../../core/errors.ts";
import { redact, secretsIn } from "../../core/redact.ts";
import { LEAD_VARIABLE, SESSION_VARIABLE } from "../../core/session-name.ts";
import type { SessionState } from "../../core/session-state.ts";
import { nameOf } from "../../core/worktree.ts";
import { recordMessage } from "../../store/messages.ts";
import { noteWorktree } from "../../store/worktrees.ts";
import { ensureFolder } from "../../system/files.ts";
import { sendText } from "../../tmux/pane.ts";
import type { Engine } from "../engine.ts";
import { sessionOf, sessionServer } from "../sessions.ts";
import { spoolFolder } from "../spool-folder.ts";
import type { Checkout } from "./place.ts";
import { standingOf } from "./state.ts";

export type Sent = { worktree: Checkout; pane: string };

export type SendOptions = {
  /** The number of a pane, from 0; null is the agent's, or the first. */
  pane: number | null;
  enter: boolean;
};

/** Pastes a text into the agent's pane of a worktree's session, exactly. It is on record, secrets left out. */
export async function sendTo(engine: Engine, worktree: Checkout, text: string, options: SendOptions): Promise<Sent> {
  const session = await sessionOf(engine, worktree);
  const { pane } = standingOf(engine, session);
  const wanted = options.pane === null ? (pane ?? session.panes[0]) : session.panes[options.pane];
  if (wanted === undefined)
    throw new OwtError("usage", `${nameOf(worktree)} has ${session.panes.length} panes, numbered from 0`, {
      hint: `owt send ${nameOf(worktree)} --pane ${session.panes.length - 1} "…"`,
    });
  if (wanted.dead !== null)
    throw new OwtError("wrong-state", `the ${wanted.agent ?? "program"} of ${nameOf(worktree)} has ended`, {
      hint: `bring it back: owt switch ${nameOf(worktree)}`,
    });
  await sendText(sessionServer(engine), wanted.id, text, { enter: options.enter });
  const sender = engine.env[SESSION_VARIABLE] ?? "";
  const clean = redact(text, secretsIn(engine.env));
  recordMessage(engine.store, { at: engine.now(), sender, worktree: worktree.path, text: clean });
  noteWorktree(engine.store, engine.now(), worktree);
  return { worktree, pane: wanted.id };
}

/** The path of the worktree whose session made the one we are in. Throws `usage` where we are in none, or nobody made it from another. */
export function leadOf(engine: Pick<Engine, "env">): string {
  const lead = engine.env[LEAD_VARIABLE];
  if (lead) return lead;
  const inside = engine.env[SESSION_VARIABLE] !== undefined;
  throw new OwtError("usage", inside ? "this session was not made from another one" : "this is no session of owt's", {
    hint: "name one: owt send <name> <text>",
  });
}

/** A change of a spool is told at once; a process that ends, or one without hooks, is looked at this often. */
const LOOK_MS = 1_000;

/** Waits until a worktree's session does one of these, and gives what it does; null when `timeoutMs` is over or the signal aborts. */
export async function waitForState(
  engine: Engine,
  read: () => Promise<SessionState>,
  wanted: ReadonlySet<SessionState>,
  { timeoutMs, signal }: { timeoutMs: number | null; signal: AbortSignal },
): Promise<SessionState | null> {
  ensureFolder(spoolFolder(engine));
  const ends = timeoutMs === null ? Infinity : performance.now() + timeoutMs;
  let wake = () => {};
  const watcher = watch(spoolFolder(engine), () => wake());
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => (wake = resolve));
      const state = await read();
      if (wanted.has(state)) return state;
      if (signal.aborted || performance.now() >= ends) return null;
      const pause = Math.min(LOOK_MS, ends - performance.now());
      await Promise.race([changed, sleep(pause, undefined, { signal }).catch(() => {})]);
    }
  } finally {
    watcher.close();
  }
}
