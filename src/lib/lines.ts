/** Reads a file of lines without ever holding more than one bounded line: agents write gigabytes, and lines without an end. */
import { closeSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

const CHUNK_BYTES = 64 * 1024;
/** What is kept of one line; the rest of a longer line is dropped. */
const MAX_LINE_CHARS = 1024 * 1024;

/** Calls `onLine` for each line from byte `offset`, and returns the offset behind the last complete line.
 *  With `toEnd`, a last line without a newline counts as well. A missing file has no lines. */
export function readLines(path: string, offset: number, onLine: (line: string) => void, toEnd = false): number {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return offset;
    throw error;
  }
  try {
    return readFrom(file, offset, onLine, toEnd);
  } finally {
    closeSync(file);
  }
}

function readFrom(file: number, offset: number, onLine: (line: string) => void, toEnd: boolean): number {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let decoder = new StringDecoder("utf8");
  let line = "";
  let position = offset;
  let complete = offset;
  for (;;) {
    const bytes = readSync(file, buffer, 0, CHUNK_BYTES, position);
    if (bytes === 0) break;
    let from = 0;
    for (let end = buffer.indexOf(10, from); end !== -1 && end < bytes; end = buffer.indexOf(10, from)) {
      onLine(keep(line, decoder.write(buffer.subarray(from, end)) + decoder.end()));
      decoder = new StringDecoder("utf8");
      line = "";
      from = end + 1;
      complete = position + from;
    }
    line = keep(line, decoder.write(buffer.subarray(from, bytes)));
    position += bytes;
  }
  if (toEnd && position > complete) {
    onLine(keep(line, decoder.end()));
    return position;
  }
  return complete;
}

/** Reads a file that still grows, each line once. Holds a line that is not complete yet, bounded like the others. */
export class LineReader {
  readonly #path: string;
  #position = 0;
  #line = "";
  #decoder = new StringDecoder("utf8");

  constructor(path: string) {
    this.#path = path;
  }

  /** Calls `onLine` for each line that became complete since the last call, looking at no more than `maxBytes` (the rest comes with
   *  the next call). True when anything was read. A missing file has nothing yet. */
  read(onLine: (line: string) => void, maxBytes = Infinity): boolean {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
      throw error;
    }
    try {
      const from = this.#position;
      const buffer = Buffer.alloc(CHUNK_BYTES);
      while (this.#position - from < maxBytes) {
        const bytes = readSync(file, buffer, 0, CHUNK_BYTES, this.#position);
        if (bytes === 0) break;
        this.#position += bytes;
        this.#take(buffer.subarray(0, bytes), onLine);
      }
      return this.#position > from;
    } finally {
      closeSync(file);
    }
  }

  #take(chunk: Buffer, onLine: (line: string) => void): void {
    let from = 0;
    for (let end = chunk.indexOf(10, from); end !== -1; end = chunk.indexOf(10, from)) {
      onLine(keep(this.#line, this.#decoder.write(chunk.subarray(from, end)) + this.#decoder.end()));
      this.#line = "";
      from = end + 1;
    }
    this.#line = keep(this.#line, this.#decoder.write(chunk.subarray(from)));
  }
}

function keep(line: string, more: string): string {
  return line.length >= MAX_LINE_CHARS ? line : (line + more).slice(0, MAX_LINE_CHARS);
}
