/** The end of a text or file: what a person or an agent needs of a long output. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The last `maxBytes` of a file as text, cut at a line; empty when the file is missing. */
export function readTail(path: string, maxBytes: number): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - maxBytes);
    const buffer = Buffer.alloc(size - from);
    const bytes = readSync(file, buffer, 0, buffer.length, from);
    const text = buffer.subarray(0, bytes).toString("utf8");
    return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    closeSync(file);
  }
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
