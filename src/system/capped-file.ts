/** A file that somebody writes to and of which we keep the head and the tail. While it is written the middle becomes a hole, so that
 *  nothing has to stand between the writer and its file, and no byte moves. Once it is complete it is made small, with one line in the
 *  place of what was left out. What is left out stands in a note beside the file (`<file>.gap`), written before it is done: whoever comes
 *  after us reads on as if nothing had happened.
 *
 *  Places are those of the bytes as they were written, whatever has become of the file since. */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { saysFull } from "./disk.ts";
import { exec } from "./exec.ts";
import { readTextIfThere, removeFile, writeFileAtomically } from "./files.ts";

/** How many bytes are kept of the beginning and of the end. */
export type Caps = { head: number; tail: number };

/** What was left out, or is about to be. */
export type Gap = {
  /** The bytes from here… */
  from: number;
  /** …up to here, without this one. */
  to: number;
  /** For the caller: up to here it has written down what it needs… */
  known: number;
  /** …in so many bytes of a file of its own; and whether `known` lies inside of a line of which it needs no more. */
  kept: number;
  isInside: boolean;
  /** How large the file is once it is small, and how many of its bytes are the line of ours. */
  small: { size: number; line: number } | null;
};

/** The gap of a file; null where it has none. */
export function readGap(path: string): Gap | null {
  // Most files have none, and an error that is caught costs many times the look.
  const text = existsSync(gapPath(path)) ? readTextIfThere(gapPath(path)) : null;
  try {
    return text === null ? null : (JSON.parse(text) as Gap);
  } catch {
    // Emptied by a power cut. The hole is there all the same, and reads as nothing.
    return null;
  }
}

/** The file with the note about a file. */
function gapPath(path: string): string {
  return `${path}.gap`;
}

/** The bytes that there are, in one piece or another, or the place of those that are not. `bytes` are valid until the next piece. */
export type Piece = { kind: "bytes"; at: number; bytes: Buffer } | { kind: "gap"; from: number; to: number };

const CHUNK_BYTES = 128 * 1024;
/** Room for what a file may have grown by since we asked for its size, and to see its end. */
const SPARE_BYTES = 512;
/** Room for the line of ours, so that a file that was made small is smaller. */
const LINE_BYTES = 128;

/** What a file holds from a place on. A file that is missing holds nothing. */
export function* readCapped(path: string, from: number): Generator<Piece, void, undefined> {
  const file = openIfThere(path);
  if (file === null) return;
  try {
    const { size } = fstatSync(file);
    const gap = readGap(path);
    // The file that we opened tells which of the two it is: a small one never grows, and one with a hole is always larger.
    const shift = gap?.small && size === gap.small.size ? gap.to - gap.from - gap.small.line : 0;
    // No larger than what there is: of each small file a whole chunk would soon be enough garbage for a full collection.
    let buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, size - from) + SPARE_BYTES));
    let at = from;
    for (;;) {
      if (gap && at >= gap.from && at < gap.to) {
        yield { kind: "gap", from: at, to: gap.to };
        at = gap.to;
      }
      const most = gap && at < gap.from ? Math.min(buffer.length, gap.from - at) : buffer.length;
      const bytes = readSync(file, buffer, 0, most, gap && at >= gap.to ? at - shift : at);
      if (bytes === 0) return;
      yield { kind: "bytes", at, bytes: buffer.subarray(0, bytes) };
      at += bytes;
      // It grew meanwhile, or what we were asked for lies in front of a gap.
      if (bytes === buffer.length && bytes < CHUNK_BYTES) buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    }
  } finally {
    closeSync(file);
  }
}

/** How many bytes were written to a file up to now; 0 where it is missing. */
export function writtenBytes(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const gap = readGap(path);
  return gap?.small && size === gap.small.size ? size - gap.small.line + (gap.to - gap.from) : size;
}

/** Whether it is worth the while to go on from one place to another. */
export function isDue(from: number, to: number, caps: Caps): boolean {
  return to - from >= Math.max(CHUNK_BYTES, caps.tail / 4);
}

/** Where the gap of a complete file of so many bytes ends; null where it needs none. */
export function lastGapEnd(gap: Gap | null, written: number, caps: Caps): number | null {
  if (gap === null && written <= caps.head + caps.tail) return null;
  return Math.max(gap?.to ?? 0, written - caps.tail + LINE_BYTES);
}

/** Leaves a gap in a file that may still be written to, where there was one that ended at `before`, or none. False where this system or its
 *  file system makes no holes: then no more is left out, and only {@link makeSmall} can help; the rest of the note is written all the same. */
export async function makeGap(path: string, before: number, gap: Gap): Promise<boolean> {
  writeGap(path, gap);
  if (gap.to === before || (await punch(path, gap))) return true;
  writeGap(path, { ...gap, to: before });
  return false;
}

function writeGap(path: string, gap: Gap): void {
  const text = `${JSON.stringify(gap)}\n`;
  try {
    writeFileAtomically(gapPath(path), text);
  } catch (error) {
    if (!saysFull(error) || !writeOverSpare(path, text)) throw error;
  }
}

/** Enough for any note. */
const SPARE_NOTE_BYTES = 1_024;

/** Makes room beside a file for the note about it, where there is none yet. For it may be the file itself that fills the disk, and then nothing is let go of
 *  before the note says so. Throws where there is no room. */
export function makeSpareNote(path: string): void {
  const spare = sparePath(path);
  if (existsSync(spare)) return;
  try {
    writeFileSync(spare, " ".repeat(SPARE_NOTE_BYTES), { mode: 0o600 });
  } catch (error) {
    // Half of it is no room.
    removeFile(spare);
    throw error;
  }
}

/** Takes away the room that {@link makeSpareNote} made, and was not needed. */
export function dropSpareNote(path: string): void {
  removeFile(sparePath(path));
}

function sparePath(path: string): string {
  return `${gapPath(path)}.spare`;
}

/** Writes the note where there is room already. False where there is none. */
function writeOverSpare(path: string, text: string): boolean {
  if (!existsSync(sparePath(path))) return false;
  try {
    const file = openSync(sparePath(path), "r+");
    try {
      writeSync(file, text.padEnd(SPARE_NOTE_BYTES));
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(sparePath(path), gapPath(path));
    return true;
  } catch (error) {
    if (saysFull(error)) return false;
    throw error;
  }
}

/** Lets go of a part of a file of which nobody needs anything, on a disk so full that no note of it can be written. What it held reads as nothing. */
export async function punchUnnoted(path: string, place: { from: number; to: number }): Promise<boolean> {
  return place.to > place.from && (await punch(path, place));
}

/** util-linux; the size stays as it is, so those who write at the end notice nothing. */
async function punch(path: string, { from, to }: { from: number; to: number }): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const place = ["--offset", String(from), "--length", String(to - from)];
  try {
    return (await exec("fallocate", ["--punch-hole", ...place, "--", path], { ok: [0, 1] })).code === 0;
  } catch {
    return false;
  }
}

/** Makes a file small that nobody writes to any more: head, a line about the gap, tail. Done already is done. */
export async function makeSmall(path: string, gap: Gap): Promise<void> {
  const size = statSync(path).size;
  if (size === readGap(path)?.small?.size) return;
  const line = Buffer.from(gapLine(gap.to - gap.from));
  const temporary = `${path}.small`;
  try {
    await copyAround(path, temporary, gap, line);
    // From now on the size tells which of the two a reader has opened.
    writeGap(path, { ...gap, small: { size: gap.from + line.length + size - gap.to, line: line.length } });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** What stands in the place of what was left out. */
export function gapLine(bytes: number): string {
  return `\nowt: ${bytes} bytes were left out here\n`;
}

async function copyAround(path: string, temporary: string, gap: Gap, line: Buffer): Promise<void> {
  const whole = await open(path, "r");
  const small = await open(temporary, "w", 0o600).catch(async (error: unknown) => {
    await whole.close();
    throw error;
  });
  try {
    const { size } = await whole.stat();
    const buffer = Buffer.allocUnsafe(8 * CHUNK_BYTES);
    const copy = async (from: number, to: number) => {
      for (let at = from; at < to;) {
        const { bytesRead } = await whole.read(buffer, 0, Math.min(buffer.length, to - at), at);
        if (bytesRead === 0) throw new Error(`${path} became shorter`);
        await small.writeFile(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    };
    await copy(0, gap.from);
    await small.writeFile(line);
    await copy(gap.to, size);
    await small.datasync();
  } finally {
    await Promise.all([whole.close(), small.close()]);
  }
}

/** Keeps a file within its caps of which nobody needs the middle. Where that cannot be done, on a full disk, say, it is only large. */
export class CappedFile {
  readonly #path: string;
  readonly #caps: Caps;
  #canPunch = true;

  constructor(path: string, caps: Caps) {
    this.#path = path;
    this.#caps = caps;
  }

  /** While it is written. */
  async cut(): Promise<void> {
    if (!this.#canPunch) return;
    const gap = readGap(this.#path);
    const before = gap?.to ?? this.#caps.head;
    const to = writtenBytes(this.#path) - this.#caps.tail;
    if (gap?.small || !isDue(before, to, this.#caps)) return;
    this.#canPunch = false;
    try {
      await unlessRefused(async () => {
        this.#canPunch = await makeGap(this.#path, before, this.#gapTo(gap, to));
      }, saysFull);
    } catch (error) {
      if (!saysFull(error)) throw error;
      // It may be this very file that fills the disk. With the next look there may be room for the note.
      this.#canPunch = await punchUnnoted(this.#path, { from: before, to });
    }
  }

  /** Once it is complete. */
  async shrink(): Promise<void> {
    // What is let go first makes room for what is kept.
    await this.cut();
    const gap = readGap(this.#path);
    const to = gap?.small ? gap.to : lastGapEnd(gap, writtenBytes(this.#path), this.#caps);
    if (to !== null) await unlessRefused(() => makeSmall(this.#path, this.#gapTo(gap, to)));
  }

  #gapTo(gap: Gap | null, to: number): Gap {
    return { from: gap?.from ?? this.#caps.head, to, known: to, kept: 0, isInside: true, small: null };
  }
}

/** Does what the system may refuse: no room, no right, no such device. True when it was done. What `isOther` says of a refusal is thrown all the same. */
export async function unlessRefused(
  act: () => Promise<void>,
  isOther: (error: unknown) => boolean = () => false,
): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && !isOther(error)) return false;
    throw error;
  }
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
