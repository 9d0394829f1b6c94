/** Reads lines without ever holding more than one bounded line: agents write gigabytes, lines without an end, and what is no text. */
import { closeSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

const CHUNK_BYTES = 64 * 1024;
/** What is kept of one line, in UTF-16 units; the rest of a longer line is dropped. */
export const MAX_LINE_CHARS = 1024 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

/** Cuts bytes into lines, as they come. A line ends with a newline; a carriage return before it belongs to the end as well. Bytes that are
 *  no UTF-8 are replaced, NULs left out (a hole in a file reads as NULs), and of a line above {@link MAX_LINE_CHARS} the beginning is kept. */
export class LineSplitter {
  #line = "";
  #held = 0;
  /** Set while a character may be incomplete. */
  #decoder: StringDecoder | null = null;
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
      this.#add(chunk, from, end, true);
      this.#emit((line) => onLine(line, end + 1));
      from = end + 1;
    }
    this.#held += chunk.length - from;
    if (from < chunk.length) this.#add(chunk, from, chunk.length, false);
  }

  /** Gives the last line, which has no newline, if there is one. */
  finish(onLine: (line: string) => void): void {
    if (this.#held === 0) return;
    if (this.#decoder) this.#line = keep(this.#line, this.#decoder.end());
    this.#emit(onLine);
  }

  /** Forgets the line that is not complete; with `andTheRest` also what will come of it, up to its newline. */
  drop(andTheRest: boolean): void {
    this.#reset();
    this.#dropsLine = andTheRest;
  }

  #add(chunk: Buffer, from: number, to: number, isEnd: boolean): void {
    if (this.#dropsLine || this.#line.length >= MAX_LINE_CHARS) return;
    if (isEnd && this.#decoder === null) {
      this.#line = keep(this.#line, chunk.toString("utf8", from, to));
      return;
    }
    this.#decoder ??= new StringDecoder("utf8");
    const text = this.#decoder.write(chunk.subarray(from, to));
    this.#line = keep(this.#line, isEnd ? text + this.#decoder.end() : text);
  }

  #emit(onLine: (line: string) => void): void {
    const [line, isDropped] = [this.#line, this.#dropsLine];
    this.#reset();
    if (!isDropped) onLine(clean(line));
  }

  #reset(): void {
    this.#line = "";
    this.#held = 0;
    this.#decoder = null;
    this.#dropsLine = false;
  }
}

function isHole(chunk: Buffer): boolean {
  return (
    chunk.length > 0 && chunk[0] === 0 && chunk.length <= ZEROS.length && chunk.equals(ZEROS.subarray(0, chunk.length))
  );
}

function clean(line: string): string {
  const text = line.includes("\0") ? line.replaceAll(/\0+/g, "") : line;
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

function keep(line: string, more: string): string {
  if (line.length + more.length <= MAX_LINE_CHARS) return line + more;
  return line.length >= MAX_LINE_CHARS ? line : (line + more).slice(0, MAX_LINE_CHARS);
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
