/** Reads and writes index files without a process: what `git status` is silent about, what a commit of it would hold, and a few files more in it. The format is documented in gitformat-index(5). */
import { type BigIntStats, copyFileSync, readFileSync, type Stats, statSync, utimesSync } from "node:fs";

/** How long a name of an object is in the binary files of a repository. */
export function oidBytes({ objectFormat }: { objectFormat: "sha1" | "sha256" }): number {
  return objectFormat === "sha256" ? 32 : 20;
}

/** Entries marked skip-worktree or assume-unchanged, and submodules (mode 160000). */
export type SpecialEntries = { overlooked: string[]; links: string[] };

const ASSUME_UNCHANGED = 0x8000;
const EXTENDED = 0x4000;
const SKIP_WORKTREE = 0x4000;
const INTENT_TO_ADD = 0x2000;
/** The two bits that tell the sides of a merge. */
const STAGES = 0x3000;
const GITLINK = 0o160000;
/** Times, device, inode, mode, owner and size before an entry's object id. */
const STAT_BYTES = 40;
const MODE_AT = 24;
const HEADER_BYTES = 12;
/** The longest length of a name that the flags can tell. */
const NAME_LENGTH = 0xfff;

/** Null for what it does not know (version 4 with its compressed names, a split or sparse index): ask git then. */
export function readSpecialEntries(path: string, nameBytes: number): SpecialEntries | null {
  const found: SpecialEntries = { overlooked: [], links: [] };
  const isWhole = eachEntry(readFileSync(path), nameBytes, ({ mode, flags, more, name }) => {
    if (mode === GITLINK) found.links.push(name.toString("utf8"));
    else if (isMarked(flags, more)) found.overlooked.push(name.toString("utf8"));
  });
  return isWhole ? found : null;
}

/** One path as an index has it: `name` is its path in bytes. */
export type IndexEntry = {
  mode: string;
  oid: string;
  name: Buffer;
  /** What git knew of the file when it last looked, as `renderStat` writes it. */
  stat: Buffer;
  /** Marked skip-worktree or assume-unchanged: git does not look at the file. */
  isOverlooked: boolean;
};

function isMarked(flags: number, more: number): boolean {
  return (more & SKIP_WORKTREE) !== 0 || (flags & ASSUME_UNCHANGED) !== 0;
}

/** All that a commit of this index would hold; null for what it does not know, as above, for an index in the middle of a merge, and for one
 *  of more than `most` bytes. */
export function readIndexEntries(path: string, nameBytes: number, most: number): IndexEntry[] | null {
  const bytes = readFileSync(path);
  if (bytes.length > most) return null;
  const entries: IndexEntry[] = [];
  let isPlain = true;
  const isWhole = eachEntry(bytes, nameBytes, ({ mode, flags, more, oid, name, from }) => {
    if ((flags & STAGES) !== 0 || (more & INTENT_TO_ADD) !== 0) isPlain = false;
    const stat = bytes.subarray(from, from + STAT_BYTES);
    const isOverlooked = isMarked(flags, more);
    entries.push({ mode: mode.toString(8), oid: oid.toString("hex"), name, stat, isOverlooked });
  });
  return isWhole && isPlain ? entries : null;
}

/** Of the files that an index knows: how many are there, and how many of these are still the very files that git saw, whatever was written into them
 *  since. `look` gives what stands at a path. None for an index that it does not know, as above. */
export function countSeen(
  bytes: Buffer,
  nameBytes: number,
  look: (path: string) => Stats | null,
): { there: number; same: number } {
  const count = { there: 0, same: 0 };
  const isWhole = eachEntry(bytes, nameBytes, ({ from, mode, name }) => {
    const now = mode === GITLINK ? null : look(name.toString("utf8"));
    if (now === null || now.isDirectory()) return;
    count.there++;
    if (isSameFile(now, bytes.subarray(from, from + STAT_BYTES))) count.same++;
  });
  return isWhole ? count : { there: 0, same: 0 };
}

/** Numbers of files that are gone are given again: one that was there when git looked is no younger than that. */
function isSameFile(now: Stats, stat: Buffer): boolean {
  const ctimeMs = stat.readUInt32BE(0) * 1000 + stat.readUInt32BE(4) / 1_000_000;
  // Some file systems do not tell when a file was made.
  const bornMs = now.birthtimeMs > 0 ? now.birthtimeMs : now.ctimeMs;
  return stat.readUInt32BE(20) === now.ino % 2 ** 32 && bornMs <= ctimeMs;
}

/** An index as it is to be written: the bytes of each entry by its path, which is bytes, as latin1. */
export type RawIndex = { version: number; entries: Map<string, Buffer> };

/** All entries as they stand; null as above, in the middle of a merge too, and for an index of more than `most` bytes. */
export function readRawIndex(path: string, nameBytes: number, most: number): RawIndex | null {
  const bytes = readFileSync(path);
  if (bytes.length > most) return null;
  const entries: RawIndex["entries"] = new Map();
  let isPlain = true;
  const isWhole = eachEntry(bytes, nameBytes, ({ flags, name, from, to }) => {
    if ((flags & STAGES) !== 0) isPlain = false;
    entries.set(name.toString("latin1"), bytes.subarray(from, to));
  });
  return isWhole && isPlain ? { version: bytes.readUInt32BE(4), entries } : null;
}

/** The bytes of an index, without the parts that git can do without, and without its checksum at the end. */
export function renderIndex({ version, entries }: RawIndex): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write("DIRC", "latin1");
  header.writeUInt32BE(version, 4);
  header.writeUInt32BE(entries.size, 8);
  // Order by bytes is what comparing them as latin1 gives.
  const names = [...entries.keys()].sort((a, b) => (a < b ? -1 : 1));
  return Buffer.concat([header, ...names.map((name) => entries.get(name)!)]);
}

/** The entry of a file with this content, as it stands there: what git compares to see whether it was changed since. */
export function renderEntry(name: string, oid: string, stat: BigIntStats): Buffer {
  const path = Buffer.from(name, "latin1");
  const flags = Buffer.alloc(2);
  flags.writeUInt16BE(Math.min(path.length, NAME_LENGTH));
  const entry = Buffer.concat([renderStat(stat), Buffer.from(oid, "hex"), flags, path]);
  return Buffer.concat([entry, Buffer.alloc(8 - (entry.length % 8))]);
}

/** What such bytes say of their object. */
export function describeEntry(raw: Buffer, nameBytes: number): { mode: string; oid: string } {
  return { mode: raw.readUInt32BE(MODE_AT).toString(8), oid: raw.toString("hex", STAT_BYTES, STAT_BYTES + nameBytes) };
}

/** What an entry says of a regular file. */
function renderStat(stat: BigIntStats): Buffer {
  const bytes = Buffer.alloc(STAT_BYTES);
  const mode = (stat.mode & 0o100n) === 0n ? 0o100644n : 0o100755n;
  const times = [stat.ctimeNs / SECOND, stat.ctimeNs % SECOND, stat.mtimeNs / SECOND, stat.mtimeNs % SECOND];
  const fields = [...times, stat.dev, stat.ino, mode, stat.uid, stat.gid, stat.size];
  for (const [at, field] of fields.entries()) bytes.writeUInt32BE(Number(BigInt.asUintN(32, field)), 4 * at);
  return bytes;
}

const SECOND = 1_000_000_000n;

/** Whether a regular file is, as far as can be told without reading it, the one that an entry says it was; of the device git knows that it may change. */
export function isAsRecorded(now: Stats, stat: Buffer): boolean {
  const field = (at: number) => stat.readUInt32BE(4 * at);
  // As Node makes milliseconds of them.
  const time = (at: number) => field(at) * 1000 + field(at + 1) / 1_000_000;
  return (
    time(0) === now.ctimeMs &&
    time(2) === now.mtimeMs &&
    field(5) === now.ino % 2 ** 32 &&
    field(6) === Number.parseInt(modeOf(now), 8) &&
    field(7) === now.uid &&
    field(8) === now.gid &&
    field(9) === now.size
  );
}

/** The mode that git has for a regular file. */
export function modeOf({ mode }: Stats): string {
  return (mode & 0o100) === 0 ? "100644" : "100755";
}

type RawEntry = { from: number; to: number; mode: number; flags: number; more: number; oid: Buffer; name: Buffer };

/** False where the index is none that is known here. */
function eachEntry(bytes: Buffer, nameBytes: number, visit: (entry: RawEntry) => void): boolean {
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== "DIRC") return false;
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) return false;
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const flagsAt = at + STAT_BYTES + nameBytes;
    if (flagsAt + 2 > bytes.length) return false;
    const flags = bytes.readUInt16BE(flagsAt);
    const isExtended = (flags & EXTENDED) !== 0;
    const nameAt = flagsAt + (isExtended ? 4 : 2);
    const nameEnd = bytes.indexOf(0, nameAt);
    if (nameEnd === -1) return false;
    // One to eight NULs, so that the entry's length is a multiple of eight.
    const to = at + ((nameEnd - at + 8) & ~7);
    visit({
      from: at,
      to,
      mode: bytes.readUInt32BE(at + MODE_AT),
      flags,
      more: isExtended ? bytes.readUInt16BE(flagsAt + 2) : 0,
      oid: bytes.subarray(at + STAT_BYTES, flagsAt),
      name: bytes.subarray(nameAt, nameEnd),
    });
    at = to;
  }
  return !hasForeignParts(bytes, at, nameBytes);
}

/** Extensions in lower case change how the entries are to be read: a shared index (`link`), sparse directories (`sdir`). */
function hasForeignParts(bytes: Buffer, from: number, nameBytes: number): boolean {
  for (let at = from; at + 8 <= bytes.length - nameBytes; at += 8 + bytes.readUInt32BE(at + 4)) {
    const first = bytes[at]!;
    if (first < 65 || first > 90) return true;
  }
  return false;
}

/** Copies an index with its time: git looks into files that were changed since an index was written, and only at the times of others. In a newer copy a file that was changed in
 *  the moment in which the index was written would pass for unchanged. */
export function copyIndex(from: string, to: string): void {
  copyFileSync(from, to);
  const { atime, mtime } = statSync(from);
  utimesSync(to, atime, mtime);
}
