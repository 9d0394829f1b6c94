/** What is typed into a Claude Code that is at work waits in its queue, and begins a turn of its own when this one is over. Hooks are told of it when it is
 *  typed, and of that beginning nothing (2.1.329). Its own record of the conversation, whose path hooks are told, holds both. */
import { isPrompt } from "../core/session-state.ts";
import { lastRecords } from "./claude-record.ts";
import { parseJson, text } from "./json.ts";

export type Queue = {
  /** Something waits to be taken. */
  isWaiting: boolean;
  /** When a turn of what was taken last began, which nobody interrupted, epoch ms; null where none did. The hook of its end comes later. */
  begunAt: number | null;
  /** What was taken last has begun, and no word of the model's came yet. */
  isBegun: boolean;
};

/** Of the conversation that this payload of a hook is of. */
export function readQueue(payload: string): Queue {
  return queueIn(lastRecords(payload));
}

/** Whether these records of a conversation, oldest first, tell that something was put into the queue. */
export function isQueuedIn(records: readonly string[]): boolean {
  const isOne = (row: Record<string, unknown> | null) =>
    row?.["type"] === "queue-operation" && row["operation"] === "enqueue";
  return records.some((line) => line.includes('"enqueue"') && isOne(parseJson(line)));
}

function queueIn(records: readonly string[]): Queue {
  let waiting: string[] = [];
  let isBegun = false;
  let begunAt: number | null = null;
  for (const line of records) {
    if (!MARKS.some((mark) => line.includes(mark))) continue;
    const row = parseJson(line);
    // What is taken behind an interruption may stand before it on record.
    if (row?.["type"] === "user" && begunAt !== null && Date.parse(text(row["timestamp"])) < begunAt) continue;
    if (row?.["type"] === "user") begunAt = null;
    if (row?.["type"] !== "queue-operation")
      isBegun &&= row?.["isSidechain"] === true || !ENDS.has(text(row?.["type"]));
    else if (row["operation"] === "enqueue") {
      waiting.push(text(row["content"]));
    } else if (row["operation"] === "dequeue") {
      // A command of its program's own is taken without the model.
      isBegun = isPrompt(waiting.shift() ?? "");
      begunAt = isBegun ? Date.parse(text(row["timestamp"])) || null : null;
    } else if (row["operation"] === "remove") waiting.shift();
    else waiting = [];
  }
  return { begunAt, isWaiting: waiting.length > 0, isBegun };
}

/** A word of the model's; or one of the person's, who interrupted it. */
const MARKS = ['"type":"queue-operation"', '"type":"assistant"', '"text":"[Request interrupted by user'];
const ENDS = new Set(["assistant", "user"]);
