/** A person who presses Escape, or says no to a dialog, interrupts Claude Code's turn, and no hook is told (2.1.329). Its own record of the conversation,
 *  whose path hooks are told, holds it. */
import { lastRecords } from "./claude-record.ts";
import { parseJson, text } from "./json.ts";

/** When a person last interrupted the conversation that this payload of a hook is of, in epoch ms; null where nothing says so. */
export function lastInterrupt(payload: string): number | null {
  const record = lastRecords(payload).findLast((line) => line.includes(MARK) && parseJson(line)?.["type"] === "user");
  const at = Date.parse(text(parseJson(record ?? "")?.["timestamp"]));
  return Number.isNaN(at) ? null : at;
}

/** Whether the last that a person did in that conversation was to interrupt it: then nothing that they said is back in their input. */
export function isInterruptLast(payload: string): boolean {
  const last = lastRecords(payload).findLast((line) => line.includes('"type":"user"') && isPersons(line));
  return last?.includes(MARK) ?? false;
}

/** Whether the model has said something in it since then, epoch ms. */
export function hasAnsweredSince(payload: string, at: number): boolean {
  return lastRecords(payload).some((line) => line.includes('"type":"assistant"') && isAnswerSince(parseJson(line), at));
}

function isAnswerSince(row: ReturnType<typeof parseJson>, at: number): boolean {
  return row?.["type"] === "assistant" && row["isSidechain"] !== true && Date.parse(text(row["timestamp"])) >= at;
}

function isPersons(line: string): boolean {
  const row = parseJson(line);
  return row?.["type"] === "user" && row["isSidechain"] !== true && row["isMeta"] !== true;
}

/** A whole text of the person's, not something that is quoted. */
const MARK = '"text":"[Request interrupted by user';
