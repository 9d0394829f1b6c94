/** A person who presses Escape, or says no to a dialog, interrupts Claude Code's turn, and no hook is told (2.1.329). Its own record of the conversation,
 *  whose path hooks are told, holds it. */
import { readTail } from "../lib/tail.ts";
import { parseJson, text } from "./json.ts";

const TAIL_BYTES = 256 * 1024;

/** When a person last interrupted the conversation that this payload of a hook is of, in epoch ms; null where nothing says so. */
export function lastInterrupt(payload: string): number | null {
  const path = transcriptIn(payload);
  return path === null ? null : interruptedAt(readTail(path, TAIL_BYTES).split("\n"));
}

/** Whether the last that a person did in that conversation was to interrupt it: then nothing that they said is back in their input. */
export function isInterruptLast(payload: string): boolean {
  const path = transcriptIn(payload);
  const records = path === null ? [] : readTail(path, TAIL_BYTES).split("\n");
  const last = records.findLast((line) => line.includes('"type":"user"') && isPersons(line));
  return last?.includes(MARK) ?? false;
}

/** Whether the model has said something in it since then, epoch ms. */
export function hasAnsweredSince(payload: string, at: number): boolean {
  const path = transcriptIn(payload);
  const records = path === null ? [] : readTail(path, TAIL_BYTES).split("\n");
  return records.some((line) => line.includes('"type":"assistant"') && isAnswerSince(parseJson(line), at));
}

function isAnswerSince(row: ReturnType<typeof parseJson>, at: number): boolean {
  return row?.["type"] === "assistant" && row["isSidechain"] !== true && Date.parse(text(row["timestamp"])) >= at;
}

function isPersons(line: string): boolean {
  const row = parseJson(line);
  return row?.["type"] === "user" && row["isSidechain"] !== true && row["isMeta"] !== true;
}

/** The file of a conversation's record, as a payload of a hook names it. */
export function transcriptIn(payload: string): string | null {
  const written = /"transcript_path"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(payload)?.[1];
  return written === undefined ? null : (JSON.parse(written) as string);
}

function interruptedAt(records: readonly string[]): number | null {
  const record = records.findLast((line) => line.includes(MARK) && parseJson(line)?.["type"] === "user");
  const at = Date.parse(text(parseJson(record ?? "")?.["timestamp"]));
  return Number.isNaN(at) ? null : at;
}

/** A whole text of the person's, not something that is quoted. */
const MARK = '"text":"[Request interrupted by user';
