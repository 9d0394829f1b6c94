/** Agents of sessions that ask for leave: what they ask, and the answer to it from elsewhere than their screen. A hook of theirs reads it from a
 *  pipe (plugin/hooks/owt.sh), so that whether anybody still waits is the kernel's to say. */
import { closeSync, constants, lstatSync, openSync, statSync, writeSync } from "node:fs";
import { lastInterrupt } from "../../agents/claude-interrupt.ts";
import { type Asked, parseAsked, renderLeave } from "../../agents/claude-leave.ts";
import { OwtError } from "../../core/errors.ts";
import { SPOOL_VARIABLE } from "../../agents/agent.ts";
import { nameOf } from "../../core/worktree.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { readTextIfThere } from "../../system/files.ts";
import { readIdentity } from "../../system/identity.ts";
import type { Engine } from "../engine.ts";
import { listAskPipes } from "../spool.ts";
import type { Checkout } from "./place.ts";

export type Ask = Asked & {
  worktree: Checkout;
  /** Tells it from others of the same worktree, as long as it is open. */
  id: string;
  /** Epoch ms. */
  since: number;
  /** The pipe. */
  file: string;
  /** Of an agent that somebody started by hand, not of the session's own. */
  isByHand: boolean;
};

/** What the agents of all worktrees ask, oldest first. */
export async function readAllAsks(engine: Engine): Promise<Ask[]> {
  const asks = (await listCheckouts(engine.repo)).flatMap((worktree) => readAsks(engine, worktree));
  return asks.toSorted((a, b) => a.since - b.since);
}

/** What the agents of one worktree ask, oldest first. */
export function readAsks(engine: Pick<Engine, "repo">, worktree: Checkout): Ask[] {
  const open = listAskPipes(engine, worktree.path).flatMap(({ file, pid, isByHand }): Ask[] => {
    const text = readTextIfThere(`${file}.text`);
    const since = statSync(`${file}.of`, { throwIfNoEntry: false })?.mtimeMs;
    // Of a hook that was killed, or that is over by now.
    if (text === null || since === undefined || readIdentity(pid) === undefined) return [];
    // Refused on the screen: the hook that waits is not told.
    if ((lastInterrupt(text) ?? 0) > since) return [];
    return [{ ...parseAsked(text), worktree, id: String(pid), since, file, isByHand }];
  });
  return open.toSorted((a, b) => a.since - b.since);
}

/** The one that is meant. Throws `usage` where there are several and none was named, `unknown-name` where that one is not open. */
export function chooseAsk(asks: readonly Ask[], id: string | undefined): Ask {
  const name = nameOf(asks[0]!.worktree);
  const line = ({ id: each }: Ask) => `owt task approve ${name} --ask ${each}`;
  if (id === undefined && asks.length > 1)
    throw new OwtError("usage", `the agent of ${name} asks ${asks.length} things:${asks.map(describe).join("")}`, {
      hint: `name one: ${line(asks[0]!)}`,
    });
  const found = id === undefined ? asks[0] : asks.find((each) => each.id === id);
  if (found !== undefined) return found;
  throw new OwtError("unknown-name", `the agent of ${name} does not ask ${id} (any more)`, { hint: "owt inbox" });
}

function describe({ id, tool, detail }: Ask): string {
  return `\n  ${id}: ${tool} ${detail}`;
}

/** Gives leave for this once, or refuses it. Throws `wrong-state` where it was answered on the screen meanwhile, or where an agent calls: leave is a
 *  person's to give. */
export function answerAsk(engine: Pick<Engine, "env">, ask: Ask, leave: { isGiven: boolean; why: string }): void {
  if (engine.env[SPOOL_VARIABLE] || engine.env["CLAUDECODE"])
    throw new OwtError("wrong-state", "an agent gives no leave to an agent", {
      hint: `in a terminal of your own: owt task approve ${nameOf(ask.worktree)}`,
    });
  if (writeToReader(ask.file, `${renderLeave(leave)}\n`)) return;
  throw new OwtError("wrong-state", `${nameOf(ask.worktree)} does not ask any more`, { hint: "owt inbox" });
}

/** Writes to a pipe that somebody reads; false where nobody does. A line of less than 4 KiB arrives whole. */
function writeToReader(file: string, line: string): boolean {
  try {
    if (!lstatSync(file).isFIFO()) return false;
    const pipe = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      return writeSync(pipe, line) > 0;
    } finally {
      closeSync(pipe);
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && ["ENOENT", "ENXIO", "EPIPE"].includes(String(error.code)))
      return false;
    throw error;
  }
}
