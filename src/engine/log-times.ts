/** When an agent wrote what: agents put no time to most of their lines, so whoever reads the output as it comes notes how far it was. */
import { appendFileSync } from "node:fs";
import { LineReader } from "../lib/lines.ts";
import { readTail } from "../lib/tail.ts";
import { unlessRefused } from "../system/capped-file.ts";

/** A note costs two dozen bytes; a day of them two megabytes. */
const EVERY_MS = 1_000;

/** Notes, beside an output, up to which of its bytes it had come at which time. */
export class LogTimes {
  readonly #path: string;
  #last: { at: number; offset: number };

  constructor(out: string) {
    this.#path = timesPath(out);
    this.#last = parse(readTail(this.#path, 256).trimEnd().split("\n").at(-1) ?? "") ?? { at: 0, offset: 0 };
  }

  /** `at` is epoch milliseconds, `offset` the bytes of whole lines that were there. A full disk only means that less is known. */
  async note(at: number, offset: number): Promise<void> {
    // A clock that was set back must not keep the notes away until it is where it was.
    if (offset <= this.#last.offset || Math.abs(at - this.#last.at) < EVERY_MS) return;
    this.#last = { at, offset };
    await unlessRefused(async () => appendFileSync(this.#path, `${at} ${offset}\n`, { mode: 0o600 }));
  }
}

/** The place in an output behind which everything was written after a time (epoch ms), up to a second less; 0 where nobody knows better. */
export function offsetAt(out: string, time: number): number {
  let offset = 0;
  new LineReader(timesPath(out)).read((line) => {
    const note = parse(line);
    if (note && note.at <= time) offset = note.offset;
  });
  return offset;
}

function timesPath(out: string): string {
  return `${out}.times`;
}

function parse(line: string): { at: number; offset: number } | null {
  const found = /^(\d+) (\d+)$/.exec(line);
  return found && { at: Number(found[1]), offset: Number(found[2]) };
}
