/** What an agent is told with its start. One that ended before it took that up is told it anew the next time, once. */
import { randomUUID } from "node:crypto";
import { type Agent, MOST_TOLD } from "../agents/agent.ts";
import { lastTelling } from "../agents/claude-record.ts";
import { readOwnStatus } from "../agents/claude-status.ts";
import { OwtError } from "../core/errors.ts";
import { type FirstWords, howFarTold } from "../core/session-state.ts";
import type { Engine } from "./engine.ts";
import { noteOwed, readOwed, readSpool, type Spool } from "./spool.ts";

/** What the next start tells it: what it did not take up, and `prompt` behind that. Throws `usage` where that is too long. */
export function firstWords(
  engine: Pick<Engine, "repo">,
  worktree: string,
  { agent, conversation, prompt }: { agent: Agent; conversation: string; prompt: string | null },
): FirstWords | null {
  const owed = readStillOwed(engine, worktree, () => agent.hasConversation(conversation));
  if (prompt === null || prompt === owed?.text) return owed;
  const text = owed === null ? prompt : `${owed.text}\n\n${prompt}`;
  if (text.length > MOST_TOLD)
    throw new OwtError("usage", `the prompt has ${text.length} characters, more than a program can be started with`, {
      hint: "write it to a file in the worktree, and name that: owt create <branch> --prompt 'read TASK.md'",
    });
  return { id: randomUUID(), text };
}

/** Null as soon as it is known, or may be, that its agent has it: nothing is told twice. */
function readStillOwed(
  engine: Pick<Engine, "repo">,
  worktree: string,
  hasConversation: () => boolean,
): FirstWords | null {
  const owed = readOwed(engine, worktree);
  if (owed === null) return null;
  const { isHeard, wasBusy, ...words } = owed;
  const spool = readSpool(engine, worktree);
  const lines = spool?.lines ?? [];
  // So much was heard since that the start is out of sight.
  if (isHeard && !lines.some((line) => line.includes(words.id))) return null;
  const far = howFarTold(lines, words);
  if (far === "untold") return words;
  const isUnrecorded = far === "begun" && (wasBusy || isBusyByItself(spool)) && !hasConversation();
  return isUnrecorded ? words : null;
}

/** Before we end an agent ourselves: told to end, it leaves its turn first, and is idle as if a person had interrupted it. */
export function noteEnding(engine: Pick<Engine, "repo">, worktree: string): void {
  const owed = readOwed(engine, worktree);
  const wasBusy = isBusyByItself(readSpool(engine, worktree));
  if (owed !== null && wasBusy) noteOwed(engine, worktree, { ...owed, wasBusy });
}

/** It ended while it was busy with them, as it said itself: where a person has interrupted it, it has become idle since it told that it has them. */
function isBusyByItself(spool: Spool | null): boolean {
  const told = lastTelling(spool?.lines);
  if (spool === null || told === undefined) return false;
  const own = readOwnStatus(told);
  return told.includes('"owt_busy":true') || (own !== null && (own.isBusy || own.at <= spool.at));
}

/** Remembers what a program was started with until it is known that it has it; `hear` waits until that start is heard of. */
export async function rememberFirst(
  engine: Pick<Engine, "repo">,
  worktree: string,
  words: FirstWords | null,
  hear: () => Promise<boolean>,
): Promise<void> {
  noteOwed(engine, worktree, words && { ...words, isHeard: false, wasBusy: false });
  const isHeard = await hear();
  if (words !== null && isHeard) noteOwed(engine, worktree, { ...words, isHeard, wasBusy: false });
}
