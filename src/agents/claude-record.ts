/** Claude Code's own record of a conversation, whose path its hooks are told (2.1.329): it holds what no hook is told. */
import { readTail } from "../lib/tail.ts";

/** Of a turn at work no more than this is looked at. */
const TAIL_BYTES = 256 * 1024;

/** The file of a conversation's record, as a payload of a hook names it. */
export function transcriptIn(payload: string): string | null {
  const written = /"transcript_path"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(payload)?.[1];
  return written === undefined ? null : (JSON.parse(written) as string);
}

/** The last of these lines of hooks that names one; undefined where none does. */
export function lastTelling(lines: readonly string[] = []): string | undefined {
  return lines.findLast((line) => line.includes('"transcript_path"'));
}

/** The last records of the conversation that this payload of a hook is of, oldest first, a line each; none where it has no file. */
export function lastRecords(payload: string): string[] {
  const path = transcriptIn(payload);
  return path === null ? [] : readTail(path, TAIL_BYTES).split("\n");
}
