/** Agents of sessions that ask for leave: what they ask, and the answer to it from elsewhere than their screen. A hook of theirs reads it from a
 *  pipe (plugin/hooks/owt.sh), so that whether anybody still waits is the kernel's to say. */
import { closeSync, constants, lstatSync, openSync, statSync, writeSync } from "node:fs";
import { lastInterrupt } from "../../agents/claude-interrupt.ts";
import { type Asked, parseAsked, renderLeave, renderReply } from "../../agents/claude-leave.ts";
import { OwtError } from "../../core/errors.ts";
import { SPOOL_VARIABLE } from "../../agents/agent.ts";
import { nameOf } from "../../core/worktree.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { readTextIfThere } from "../../system/files.ts";
import { readIdentity } from "../../system/identity.ts";
import type { Engine } from "../engine.ts";
import { listAskPipes } from "../spool.ts";
import type { Checkout } from "./place.ts";
import { shellWord } from "../../lib/printable.ts";

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
    // Of a hook that was killed, or that is over by now; or of one whose agent has died, which notices that within a second.
    if (text === null || since === undefined || readIdentity(pid) === undefined || hasDied(askerOf(file))) return [];
    // Refused on the screen: the hook that waits is not told.
    if ((lastInterrupt(text) ?? 0) > since) return [];
    return [{ ...parseAsked(text), worktree, id: String(pid), since, file, isByHand }];
  });
  return open.toSorted((a, b) => a.since - b.since);
}

/** Who waits for the answer, as its hook wrote it down; null where that is not known. */
function askerOf(pipe: string): number | null {
  return Number(readTextIfThere(`${pipe}.of`)?.split("\n")[2]) || null;
}

function hasDied(pid: number | null): boolean {
  return pid !== null && readIdentity(pid) === undefined;
}

/** The command that answers it. A question whose words are not known whole is answered where it stands. */
export function answerOf({ worktree, id, questions }: Pick<Ask, "worktree" | "id" | "questions">): string {
  const name = nameOf(worktree);
  if (questions === null) return `owt task approve ${shellWord(name)} --ask ${id}`;
  return questions.length === 0
    ? `owt switch ${shellWord(name)}`
    : `owt task answer ${shellWord(name)} "…" --ask ${id}`;
}

/** The one that is meant. Throws `usage` where there are several and none was named, `unknown-name` where that one is not open. */
export function chooseAsk(asks: readonly Ask[], id: string | undefined): Ask {
  const name = nameOf(asks[0]!.worktree);
  const line = answerOf;
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

/** Answers what it asks a person: one question by the whole text, several by a line each. Throws like {@link answerAsk}, and `usage` where lines and
 *  questions do not match. */
export function replyTo(engine: Pick<Engine, "env">, ask: Ask, words: string): void {
  const name = nameOf(ask.worktree);
  if (ask.questions === null)
    throw new OwtError(
      "wrong-state",
      `the agent of ${name} asks leave, which words do not give: ${ask.tool} ${ask.detail}`,
      {
        hint: answerOf(ask),
      },
    );
  const { questions } = ask;
  if (questions.length === 0)
    throw new OwtError("needs-person", `what ${name} asks is too long to be answered from here`, {
      hint: `answer on the screen: owt switch ${shellWord(name)}`,
    });
  const answers = questions.length === 1 ? [words.trim()] : words.trim().split("\n");
  if (answers.length !== questions.length)
    throw new OwtError("usage", `${name} asks ${questions.length} things, and takes a line for each`, {
      hint: `answer on the screen: owt switch ${shellWord(name)}`,
    });
  tellAsker(engine, ask, renderReply(questions, answers));
}

/** Gives leave for this once, or refuses it. Throws `wrong-state` where it was answered on the screen meanwhile, or where an agent calls: leave is a
 *  person's to give. */
export function answerAsk(engine: Pick<Engine, "env">, ask: Ask, leave: { isGiven: boolean; why: string }): void {
  const name = nameOf(ask.worktree);
  if (ask.questions !== null && leave.isGiven)
    throw new OwtError("wrong-state", `the agent of ${name} asks a question, which leave does not answer`, {
      hint: answerOf(ask),
    });
  tellAsker(engine, ask, renderLeave(leave));
}

function tellAsker(engine: Pick<Engine, "env">, ask: Ask, line: string): void {
  if (engine.env[SPOOL_VARIABLE] || engine.env["CLAUDECODE"])
    throw new OwtError("wrong-state", "an agent gives no leave to an agent", {
      hint: `in a terminal of your own: ${answerOf(ask)}`,
    });
  if (writeToReader(ask.file, `${line}\n`)) return;
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
