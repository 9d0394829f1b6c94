/** The end of a text or file: what a person or an agent needs of a long output. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The last `maxBytes` of a file as text, cut at a line, or in the middle of a line that alone is longer; empty when the file is missing. */
export function readTail(path: string, maxBytes: number): string {
  const { bytes: tail, from } = readEnd(path, (size) => Math.max(0, size - maxBytes));
  if (from === 0) return tail.toString("utf8");
  const end = tail.indexOf(10);
  const start = end === -1 || end === tail.length - 1 ? tail.findIndex(beginsCharacter) : end + 1;
  return tail.subarray(Math.max(0, start)).toString("utf8");
}

/** What was written into a file behind its first `from` bytes, as text; empty when the file is missing or shorter. */
export function readBehind(path: string, from: number): string {
  return readEnd(path, (size) => Math.min(from, size)).bytes.toString("utf8");
}

function readEnd(path: string, choose: (size: number) => number): { bytes: Buffer; from: number } {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return { bytes: Buffer.alloc(0), from: 0 };
  }
  try {
    const { size } = fstatSync(file);
    const from = choose(size);
    const buffer = Buffer.alloc(size - from);
    const read = readSync(file, buffer, 0, buffer.length, from);
    return { bytes: buffer.subarray(0, read), from };
  } finally {
    closeSync(file);
  }
}

/** Whether a byte of UTF-8 is not the inside of a character. */
function beginsCharacter(byte: number): boolean {
  return (byte & 0xc0) !== 0x80;
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
