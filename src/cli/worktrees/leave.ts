/** `owt task approve W` and `owt task answer W`: an agent of a worktree's session gets the leave that it asks for, or does not; or what it asked a
 *  person. */
import { OwtError } from "../../core/errors.ts";
import type { Task } from "../../core/task.ts";
import { nameOf } from "../../core/worktree.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Ask, answerAsk, chooseAsk, readAsks, replyTo } from "../../engine/worktrees/asks.ts";
import { findWorktree } from "../../engine/worktrees/place.ts";
import { findTasks } from "../../store/tasks.ts";
import { answer, type Io } from "../io.ts";
import { printable } from "../text.ts";

export type LeaveOptions = { json?: boolean; refuse?: string | true; ask?: string };

/** What the agents of the worktree of that name ask. A task of that name that waits is meant before it, unless only an agent `isMeant`. */
export async function asksOf(engine: Engine, name: string, isMeant: boolean): Promise<Ask[]> {
  const waits =
    !isMeant && findTasks(engine.store, name).some(({ state, park }) => state === "review" || park !== null);
  const worktree = waits ? null : await findWorktree(engine, name).catch(() => null);
  return worktree === null ? [] : readAsks(engine, worktree);
}

/** The task that is meant; where there is none of that name but a worktree, nothing waits there. */
export async function orIdleWorktree(engine: Engine, name: string, find: () => Task): Promise<Task> {
  try {
    return find();
  } catch (error) {
    const isUnknown = error instanceof OwtError && error.code === "unknown-name";
    const worktree = isUnknown ? await findWorktree(engine, name).catch(() => null) : null;
    if (worktree === null) throw error;
    const words = `nothing waits for your word in ${nameOf(worktree)}: no agent asks for anything there`;
    throw new OwtError("wrong-state", words, { hint: "what waits: owt inbox" });
  }
}

export function giveLeave(io: Io, engine: Engine, asks: readonly Ask[], options: LeaveOptions): void {
  const { refuse } = options;
  const ask = chooseAsk(asks, options.ask);
  const isGiven = refuse === undefined;
  const isQuestion = ask.questions !== null;
  const why = typeof refuse === "string" ? refuse : isQuestion ? NO_ANSWER : NO_LEAVE;
  answerAsk(engine, ask, { isGiven, why });
  const { tool, detail, worktree } = ask;
  const name = nameOf(worktree);
  const text = isQuestion
    ? `not answered: ${printable(detail)}; its agent is told to go on without`
    : `${isGiven ? "allowed, this once" : "refused"}: ${printable(`${tool} ${detail}`)}`;
  answer(io, options, { task: name, approved: isGiven, asked: { tool, detail } }, `${name}: ${text}`);
}

/** What an agent is told where a person gives no reason. */
const NO_LEAVE = "It was refused. Do without it, or ask.";
const NO_ANSWER = "It was not answered. Go on without an answer.";

/** Answers the question of an agent in a session. */
export function replyAsked(io: Io, engine: Engine, asks: readonly Ask[], words: string, options: LeaveOptions): void {
  const ask = chooseAsk(asks, options.ask);
  replyTo(engine, ask, words);
  const name = nameOf(ask.worktree);
  answer(io, options, { task: name, answer: words }, `${name}: answered; its agent goes on with it`);
}
