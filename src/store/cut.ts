/** Whether a store or its journal was made shorter below who uses it. SQLite writes at the place that it remembers: what was cut off and written to since is as long as
 *  before, with nothing in between. So the journal is read, too. Never the file of the store: whoever closes that drops the locks that SQLite has on it. */
import { closeSync, openSync, readSync, statSync } from "node:fs";

/** The format of a write-ahead log (sqlite.org/fileformat2.html, "The Write-Ahead Log"), in bytes. */
const HEADER = 32;
const FRAME_HEADER = 24;
/** The last bit tells the order of bytes in its checksums. */
const MAGIC = 0x377f0682;

export class CutWatch {
  readonly #store: string;
  readonly #journal: string;
  #lengths: readonly number[];
  /** Of the journal at the last look: its length, and when it was changed. */
  #seen: { size: number; mtimeMs: number };
  #isInDoubt = false;

  constructor(store: string) {
    this.#store = store;
    this.#journal = `${store}-wal`;
    this.#seen = standingOf(this.#journal);
    this.#lengths = [standingOf(store).size, this.#seen.size];
  }

  /** Notes how long both are, before and after they are written to: what is cut off and then written over would be as long as before at the next look. */
  note(): void {
    const lengths = [this.#store, this.#journal].map((path) => standingOf(path).size);
    this.#isInDoubt ||= lengths.some((length, part) => length < this.#lengths[part]!);
    this.#lengths = lengths;
  }

  /** What was done to them since the last look. `shorter`: something may be missing, or a person's tool moved it from the journal into the store. */
  look(): "nothing" | "shorter" | "cut" {
    this.note();
    const now = standingOf(this.#journal);
    const before = this.#seen;
    const isTouched = now.size !== before.size || now.mtimeMs !== before.mtimeMs;
    this.#seen = now;
    if (isTouched && now.size > 0 && isHollow(this.#journal, before.size, now.size)) return "cut";
    const isInDoubt = this.#isInDoubt || (isTouched && now.size === 0);
    this.#isInDoubt = false;
    return isInDoubt ? "shorter" : "nothing";
  }
}

function standingOf(path: string): { size: number; mtimeMs: number } {
  const { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0, mtimeMs: 0 };
  return { size, mtimeMs };
}

/** Whether nothing was ever written to a place in a journal that lies before others: its head, or one of the frames from the last one of `from` on. */
function isHollow(path: string, from: number, size: number): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    // It is taken away in this moment.
    return false;
  }
  try {
    const head = Buffer.alloc(HEADER);
    // Its writer may be about to write it.
    if (readSync(file, head, 0, HEADER, 0) < HEADER) return false;
    if ((head.readUInt32BE(0) & ~1) >>> 0 !== MAGIC) return true;
    const frame = FRAME_HEADER + head.readUInt32BE(8);
    const known = Math.max(0, Math.floor((from - HEADER) / frame) - 1);
    const page = Buffer.alloc(4);
    for (let at = HEADER + known * frame; at + frame <= size; at += frame) {
      readSync(file, page, 0, page.length, at);
      // Pages count from 1.
      if (page.readUInt32BE(0) === 0) return true;
    }
    return false;
  } finally {
    closeSync(file);
  }
}
