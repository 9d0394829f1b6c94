/** What a Claude Code says of itself in its list of those that run, `sessions/PID.json` beside its conversations (2.1.197, 2.1.329). Of a turn that a person
 *  interrupted before its first output nothing else tells: no hook is called, no record written, and what it was told stands in the input again. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasAnsweredSince, isInterruptLast } from "./claude-interrupt.ts";
import { lastTelling, transcriptIn } from "./claude-record.ts";
import { parseJson, text } from "./json.ts";

export type OwnStatus = {
  isBusy: boolean;
  /** It waits for a word, without a dialog. */
  isIdle: boolean;
  /** Since when, epoch ms. */
  at: number;
};

/** Of the program that wrote this line of its hooks; null where it does not say. */
export function readOwnStatus(line: string): OwnStatus | null {
  const path = transcriptIn(line);
  const pid = /"owt_pid":(\d+)/.exec(line)?.[1];
  if (path === null || pid === undefined) return null;
  const row = parseJson(readOr(join(dirname(path), "..", "..", "sessions", `${pid}.json`)));
  const at = row?.["statusUpdatedAt"];
  if (row?.["pid"] !== Number(pid) || typeof at !== "number") return null;
  const status = text(row["status"]);
  return { isBusy: status === "busy", isIdle: status === "idle", at };
}

/** Since when the prompt that the last of these lines of hooks tells of is back in its program's input, epoch ms; null where it is not. `at`: when that
 *  line was written. A turn that begins, and one that ends by itself, look the same for a moment: to be looked at again. */
export function putBackSince(lines: readonly string[], at: number): number | null {
  const told = lastTelling(lines.filter((line) => !isNotification(line))) ?? "";
  if (!told.includes(PROMPT)) return null;
  const own = readOwnStatus(told);
  if (own?.isIdle !== true || isInterruptLast(told)) return null;
  // A reminder comes long behind its rest.
  if (isNotification(lines.findLast((line) => line !== "") ?? "")) return own.at;
  return own.at > at && !hasAnsweredSince(told, at) ? own.at : null;
}

/** A reminder, which changes nothing of what the program does. */
export function isNotification(line: string): boolean {
  return line.includes('"hook_event_name":"Notification"');
}

const PROMPT = '"hook_event_name":"UserPromptSubmit"';

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
