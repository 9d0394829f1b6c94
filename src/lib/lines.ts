/** Reads lines without ever holding more than one bounded line: agents write gigabytes, lines without an end, and what is no text. */
import { closeSync, openSync, readSync } from "node:fs";

const CHUNK_BYTES = 64 * 1024;
/** What is kept of one line, in UTF-16 units; the rest of a longer line is dropped. */
export const MAX_LINE_CHARS = 1024 * 1024;
/** No character takes more than three bytes for each of its UTF-16 units. */
const MAX_LINE_BYTES = 3 * MAX_LINE_CHARS;
const NOTHING = Buffer.alloc(0);
const MAX_HOLE_BYTES = 256 * 1024;
/** Made for the first hole: most commands never see one. */
let zeros: Buffer | null = null;

/** Cuts bytes into lines, as they come. A line ends with a newline; a carriage return before it belongs to the end as well. Bytes that are
 *  no UTF-8 are replaced, NULs left out (a hole in a file reads as NULs), and of a line above {@link MAX_LINE_CHARS} the beginning is kept. */
export class LineSplitter {
  /** The beginning of the line that is not complete yet, where it began in an earlier chunk. Bytes, since pieces of text would have to be
   *  joined, and be left to the garbage, for every chunk of a long line. */
  #bytes: Buffer = NOTHING;
  #length = 0;
  #held = 0;
  #dropsLine = false;

  /** Bytes taken of the line that is not complete yet. */
  get held(): number {
    return this.#held;
  }

  /** Calls `onLine` for each line that became complete, with the bytes of `chunk` up to and with its end. */
  take(chunk: Buffer, onLine: (line: string, end: number) => void): void {
    if (isHole(chunk)) {
      this.#held += chunk.length;
      return;
    }
    let from = 0;
    for (let end = chunk.indexOf(10, from); end !== -1; end = chunk.indexOf(10, from)) {
      const line = this.#complete(chunk.subarray(from, end));
      from = end + 1;
      if (line !== null) onLine(line, from);
    }
    this.#held += chunk.length - from;
    this.#keep(chunk.subarray(from));
  }

  /** Gives the last line, which has no newline, if there is one. */
  finish(onLine: (line: string) => void): void {
    const line = this.#held === 0 ? null : this.#complete(NOTHING);
    if (line !== null) onLine(line);
  }

  /** Forgets the line that is not complete; with `andTheRest` also what will come of it, up to its newline. */
  drop(andTheRest: boolean): void {
    this.#length = 0;
    this.#held = 0;
    this.#dropsLine = andTheRest;
  }

  /** The line that ends with `rest`; null for one that is dropped. */
  #complete(rest: Buffer): string | null {
    const isDropped = this.#dropsLine;
    if (this.#length > 0) this.#keep(rest);
    const line = this.#length > 0 ? this.#bytes.subarray(0, this.#length) : rest.subarray(0, MAX_LINE_BYTES);
    this.drop(false);
    return isDropped ? null : clean(line.toString("utf8").slice(0, MAX_LINE_CHARS));
  }

  #keep(bytes: Buffer): void {
    const length = Math.min(this.#length + bytes.length, MAX_LINE_BYTES);
    if (this.#dropsLine || length === this.#length) return;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(MAX_LINE_BYTES, Math.max(2 * length, CHUNK_BYTES)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length, 0, length - this.#length);
    this.#length = length;
  }
}

function isHole(chunk: Buffer): boolean {
  if (chunk.length === 0 || chunk[0] !== 0 || chunk.length > MAX_HOLE_BYTES) return false;
  zeros ??= Buffer.alloc(MAX_HOLE_BYTES);
  return chunk.equals(zeros.subarray(0, chunk.length));
}

function clean(line: string): string {
  const text = line.includes("\0") ? line.replaceAll(/\0+/g, "") : line;
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

/** Reads a file that still grows, each line once. Holds a line that is not complete yet, bounded like the others. */
export class LineReader {
  readonly #path: string;
  readonly #lines = new LineSplitter();
  #position = 0;

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
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      while (this.#position - from < maxBytes) {
        const bytes = readSync(file, buffer, 0, CHUNK_BYTES, this.#position);
        if (bytes === 0) break;
        this.#position += bytes;
        this.#lines.take(buffer.subarray(0, bytes), onLine);
      }
      return this.#position > from;
    } finally {
      closeSync(file);
    }
  }

  /** Gives the last line of a file that grows no more, where it has no newline. */
  finish(onLine: (line: string) => void): void {
    this.#lines.finish(onLine);
  }
}
