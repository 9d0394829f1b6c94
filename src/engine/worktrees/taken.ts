/** Whether an agent took what is typed into its session: told by its hooks and by its own record of the conversation. */
import { statSync } from "node:fs";
import { lastTelling, transcriptIn } from "../../agents/claude-record.ts";
import { isQueuedIn } from "../../agents/claude-queue.ts";
import type { SessionState } from "../../core/session-state.ts";
import { readBehind } from "../../lib/tail.ts";
import type { Engine } from "../engine.ts";
import { sessionOf } from "../sessions.ts";
import { linesBehind, readSpool, spoolEnd } from "../spool.ts";
import type { Checkout } from "./place.ts";
import { standingOf } from "./state.ts";

/** Tells what is typed from now on to have been taken: "yes", "soon" where its agent was told and has still to put it where whoever asks behind us
 *  looks, "no". */
export type Taken = () => Promise<"yes" | "soon" | "no">;

/** States in which an agent begins a turn with what it is told. */
const AT_REST: ReadonlySet<SessionState> = new Set(["idle", "waiting", "cut-off"]);

/** To be asked before something is typed. Null for an agent that does not say. */
export async function takenBehind(engine: Engine, worktree: Checkout): Promise<Taken | null> {
  const state = async () => standingOf(engine, await sessionOf(engine, worktree)).state;
  const [before, heard, record] = [await state(), spoolEnd(engine, worktree.path), recordEnd(engine, worktree)];
  const isTold = () => linesBehind(engine, worktree.path, heard).some((line) => line.includes('"UserPromptSubmit"'));
  if (AT_REST.has(before)) return async () => (isTold() || !AT_REST.has(await state()) ? "yes" : "no");
  if (before !== "working" || record === null) return null;
  const isQueued = () => isQueuedIn(readBehind(record.path, record.size).split("\n"));
  // One whose turn ended in this moment takes it without its queue.
  return async () => (isQueued() ? "yes" : isTold() ? "soon" : "no");
}

/** How far the agent's record of the conversation is written; null where there is none. */
function recordEnd(engine: Engine, worktree: Checkout): { path: string; size: number } | null {
  const told = lastTelling(readSpool(engine, worktree.path)?.lines);
  const path = told === undefined ? null : transcriptIn(told);
  return path === null ? null : { path, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
}
