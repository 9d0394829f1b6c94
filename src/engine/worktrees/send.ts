/** Text to the agents of sessions, and waiting for what they do. */
import { watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../../core/errors.ts";
import { redact, secretsIn } from "../../core/redact.ts";
import { LEAD_VARIABLE, SESSION_VARIABLE } from "../../core/session-name.ts";
import { isPrompt, isStarting, SESSION_STATES, type SessionState } from "../../core/session-state.ts";
import { nameOf, wordOf } from "../../core/worktree.ts";
import { noteNotTaken, recordMessage } from "../../store/messages.ts";
import { noteWorktree } from "../../store/worktrees.ts";
import { ensureFolder } from "../../system/files.ts";
import { isAgentClosed, type Pane, type Session } from "../../tmux/list.ts";
import { sendText } from "../../tmux/pane.ts";
import type { Engine } from "../engine.ts";
import { sessionServer } from "../session-server.ts";
import { sessionOf } from "../sessions.ts";
import { spoolFolder } from "../spool-folder.ts";
import { holdTools, readSpool } from "../spool.ts";
import { answerOf, readAsks } from "./asks.ts";
import { asOneSender } from "./one-at-a-time.ts";
import type { Checkout } from "./place.ts";
import { readHandState, standingOf, textBackSince, toolBegunAt } from "./state.ts";
import { type Taken, takenBehind } from "./taken.ts";
import { shellWord } from "../../lib/printable.ts";

export type Sent = {
  worktree: Checkout;
  pane: string;
  /** What an interrupted turn was told stood in the agent's input again, and was taken out of it. */
  cleared: boolean;
};

export type SendOptions = {
  /** The number of a pane, from 0; null is the agent's. */
  pane: number | null;
  enter: boolean;
  /** How long an agent that starts is waited for. */
  timeoutMs: number;
  signal: AbortSignal;
};

/** Pastes a text into the agent's pane of a worktree's session, exactly, as soon as the agent is ready for it. It is on record, secrets left out.
 *  Throws `needs-person` where the agent asks leave, for Enter would give it, and where it is not ready or does not take the text in time;
 *  `wrong-state` where there is no agent, or it has ended. */
export async function sendTo(engine: Engine, worktree: Checkout, text: string, options: SendOptions): Promise<Sent> {
  const session = await sessionOf(engine, worktree);
  const wanted = paneFor(session, worktree, options.pane);
  if (text.trim() === "" && options.pane === null)
    throw new OwtError("usage", "there is no text to send", {
      hint: `Enter alone, whatever stands there: owt send ${wordOf(worktree)} --pane 0 ""`,
    });
  const isAgents = wanted.agent !== null;
  const into = { worktree, session, pane: wanted.id, isAgents, signal: options.signal };
  const send = () => deliver(engine, into, text, options.enter);
  if (!isAgents) return { worktree, pane: wanted.id, cleared: await send() };
  await untilReady(engine, worktree, options);
  // What another sender types in the same moment changes what the agent does, and is told of as ours would be.
  return { worktree, pane: wanted.id, cleared: await asOneSender(engine, worktree.path, options.signal, send) };
}

/** Types it, puts it on record, and waits until it is taken. Whether something was taken out of the agent's input for it. */
async function deliver(engine: Engine, into: Into, text: string, enter: boolean): Promise<boolean> {
  const { worktree, isAgents } = into;
  const isWord = isAgents && enter && isPrompt(text);
  const clear = isAgents && enter && text !== "" && (await hasTextBack(engine, into));
  const isTaken = isWord ? await takenBehind(engine, worktree) : null;
  await typeInto(engine, into, text, { enter, clear });
  const sender = engine.env[SESSION_VARIABLE] ?? "";
  const clean = redact(text, secretsIn(engine.env));
  const message = recordMessage(engine.store, { at: engine.now(), sender, worktree: worktree.path, text: clean });
  noteWorktree(engine.store, engine.now(), worktree);
  if (isTaken !== null)
    await untilTaken(engine, into, isTaken).catch((error: unknown) => {
      noteNotTaken(engine.store, message);
      throw error;
    });
  return clear;
}

/** As long as a turn that ends by itself needs until its end is told and written down, or one that begins until it says so. */
const SETTLES_MS = 1_000;

/** Whether what an interrupted turn was told stands in the agent's input again. To take it out interrupts a turn, so nothing less than that will do. */
async function hasTextBack(engine: Engine, { worktree, signal }: Into): Promise<boolean> {
  for (;;) {
    const since = textBackSince(engine, worktree.path);
    if (since === null || signal.aborted) return false;
    const left = SETTLES_MS - Math.abs(engine.now() - since);
    if (left <= 0) return true;
    await sleep(left, undefined, { signal }).catch(() => {});
  }
}

function paneFor(session: Session, worktree: Checkout, number: number | null): Pane {
  const name = nameOf(worktree);
  const { panes } = session;
  const wanted = number === null ? panes.find(({ agent }) => agent !== null) : panes[number];
  if (wanted === undefined && number === null && isAgentClosed(session))
    throw new OwtError("wrong-state", `the pane of ${name}'s ${session.agent!.name} is closed`, {
      hint: `bring it back: owt switch ${shellWord(name)}`,
    });
  if (wanted === undefined && number === null)
    throw new OwtError("wrong-state", `no agent of owt's is in the session of ${name}`, {
      hint: `type it into a pane, whatever reads there: owt send ${shellWord(name)} --pane 0 "…"`,
    });
  if (wanted === undefined)
    throw new OwtError(
      "usage",
      `${name} has ${panes.length === 1 ? "one pane, number 0" : `${panes.length} panes, numbered from 0`}`,
      {
        hint: `owt send ${shellWord(name)} --pane ${panes.length - 1} "…"`,
      },
    );
  if (wanted.dead !== null) throw hasEnded(name, wanted.agent ?? "program");
  return wanted;
}

function hasEnded(name: string, program: string): OwtError {
  return new OwtError("wrong-state", `the ${program} of ${name} has ended`, {
    hint: `bring it back: owt switch ${shellWord(name)}`,
  });
}

const BEGUN: ReadonlySet<SessionState> = new Set(SESSION_STATES.filter((state) => state !== "starting"));

/** Before an agent says that it has begun, what is typed is lost in part, or answers a question of its first start. */
async function untilReady(
  engine: Engine,
  worktree: Checkout,
  { timeoutMs, signal }: Pick<SendOptions, "timeoutMs" | "signal">,
): Promise<void> {
  const read = async (): Promise<SessionState> => {
    const { state } = standingOf(engine, await sessionOf(engine, worktree));
    const hasNotBegun = state === "working" && isStarting(readSpool(engine, worktree.path)?.lines ?? []);
    return hasNotBegun ? "starting" : state;
  };
  const state = await waitForState(engine, read, BEGUN, { timeoutMs, signal });
  const name = nameOf(worktree);
  if (state === "ended") throw hasEnded(name, "agent");
  if (state !== null) return;
  if (signal.aborted) throw new OwtError("interrupted", "interrupted");
  throw new OwtError("needs-person", `the agent of ${name} has not begun yet: nothing was sent`, {
    hint: `it may have a question: owt switch ${shellWord(name)}`,
  });
}

type Into = { worktree: Checkout; session: Session; pane: string; isAgents: boolean; signal: AbortSignal };

/** Types where no dialog stands and none comes up meanwhile: an agent is told of a tool before it asks leave for it, and that is held up for so long. */
async function typeInto(
  engine: Engine,
  { worktree, session, pane, isAgents, signal }: Into,
  text: string,
  { enter, clear }: { enter: boolean; clear: boolean },
): Promise<void> {
  const check = () => refuseAsking(engine, worktree, session, { isAgents });
  const letGo = isAgents ? await holdBetweenTools(engine, worktree, signal) : () => {};
  try {
    await sendText(sessionServer(engine), pane, text, { enter, clear, check });
  } finally {
    letGo();
  }
}

/** A dialog is told of within 0.4 s of the tool that it is for (2.1.329), later on a busy machine. */
const ASKS_WITHIN_MS = 2_000;

async function holdBetweenTools(engine: Engine, worktree: Checkout, signal: AbortSignal): Promise<() => void> {
  for (;;) {
    const letGo = holdTools(engine, worktree.path);
    const since = toolBegunAt(engine, worktree.path);
    if (since === null || Math.abs(engine.now() - since) > ASKS_WITHIN_MS || signal.aborted) return letGo;
    letGo();
    await sleep(100, undefined, { signal }).catch(() => {});
  }
}

/** While an agent asks leave, a dialog is on its screen: it swallows text, and takes Enter for yes. Whoever runs by hand in another pane is heard
 *  of, too, but not in which. */
function refuseAsking(engine: Engine, worktree: Checkout, session: Session, { isAgents }: { isAgents: boolean }): void {
  const asks = readAsks(engine, worktree).some(({ isByHand }) => isByHand !== isAgents);
  const state = isAgents ? standingOf(engine, session).state : readHandState(engine, worktree.path)?.state;
  if (asks || state === "blocked") throw asksLeave(engine, worktree);
}

/** Why an agent is told nothing now, and what answers it. */
export function asksLeave(engine: Pick<Engine, "repo">, worktree: Checkout): OwtError {
  const name = nameOf(worktree);
  const asked = readAsks(engine, worktree).find(({ questions }) => questions !== null);
  if (asked !== undefined)
    return new OwtError("needs-person", `the agent of ${name} asks ${asked.detail}: nothing was sent`, {
      hint: answerOf(asked),
    });
  return new OwtError("needs-person", `the agent of ${name} asks leave, and Enter would give it: nothing was sent`, {
    hint: `what it asks: owt inbox; then: owt task approve ${shellWord(name)}`,
  });
}

const TAKEN_MS = 3_000;
const ENTERS = 5;

/** Until the agent has taken what was typed. Claude Code puts what comes in the moment in which it begins, or begins a turn, into its input, and at times
 *  loses the Enter behind it: that is pressed again. On an empty input it does nothing, and where it would give leave it is not pressed. */
async function untilTaken(engine: Engine, into: Into, isTaken: Taken): Promise<void> {
  const { worktree, signal } = into;
  const read = async (): Promise<SessionState> => ((await isTaken()) === "yes" ? "working" : "unknown");
  for (let enters = 0; enters < ENTERS; enters++) {
    if ((await waitForState(engine, read, new Set(["working"]), { timeoutMs: TAKEN_MS, signal })) !== null) return;
    if (signal.aborted) throw new OwtError("interrupted", "interrupted");
    if ((await isTaken()) !== "no") return;
    await typeInto(engine, into, "", { enter: true, clear: false });
  }
  throw new OwtError(
    "needs-person",
    `the agent of ${nameOf(worktree)} has not taken the text, which may stand in its input`,
    {
      hint: `look: owt switch ${wordOf(worktree)}`,
    },
  );
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
