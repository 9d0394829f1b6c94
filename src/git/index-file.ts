/** Reads index files without a process: what `git status` is silent about, and what a commit of it would hold. The format is documented in gitformat-index(5). */
import { readFileSync } from "node:fs";

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

/** Null for what it does not know (version 4 with its compressed names, a split or sparse index): ask git then. */
export function readSpecialEntries(path: string, oidBytes: number): SpecialEntries | null {
  const found: SpecialEntries = { overlooked: [], links: [] };
  const isWhole = eachEntry(readFileSync(path), oidBytes, ({ mode, flags, more, name }) => {
    if (mode === GITLINK) found.links.push(name.toString("utf8"));
    else if ((more & SKIP_WORKTREE) !== 0 || (flags & ASSUME_UNCHANGED) !== 0)
      found.overlooked.push(name.toString("utf8"));
  });
  return isWhole ? found : null;
}

/** One path as an index has it: `name` is its path in bytes. */
export type IndexEntry = { mode: string; oid: string; name: Buffer };

/** All that a commit of this index would hold; null for what it does not know, as above, for an index in the middle of a merge, and for one
 *  of more than `most` bytes. */
export function readIndexEntries(path: string, oidBytes: number, most: number): IndexEntry[] | null {
  const bytes = readFileSync(path);
  if (bytes.length > most) return null;
  const entries: IndexEntry[] = [];
  let isPlain = true;
  const isWhole = eachEntry(bytes, oidBytes, ({ mode, flags, more, oid, name }) => {
    if ((flags & STAGES) !== 0 || (more & INTENT_TO_ADD) !== 0) isPlain = false;
    entries.push({ mode: mode.toString(8), oid: oid.toString("hex"), name });
  });
  return isWhole && isPlain ? entries : null;
}

type RawEntry = { mode: number; flags: number; more: number; oid: Buffer; name: Buffer };

/** False where the index is none that is known here. */
function eachEntry(bytes: Buffer, oidBytes: number, visit: (entry: RawEntry) => void): boolean {
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== "DIRC") return false;
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) return false;
  let at = 12;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const flagsAt = at + STAT_BYTES + oidBytes;
    if (flagsAt + 2 > bytes.length) return false;
    const flags = bytes.readUInt16BE(flagsAt);
    const isExtended = (flags & EXTENDED) !== 0;
    const nameAt = flagsAt + (isExtended ? 4 : 2);
    const nameEnd = bytes.indexOf(0, nameAt);
    if (nameEnd === -1) return false;
    visit({
      mode: bytes.readUInt32BE(at + MODE_AT),
      flags,
      more: isExtended ? bytes.readUInt16BE(flagsAt + 2) : 0,
      oid: bytes.subarray(at + STAT_BYTES, flagsAt),
      name: bytes.subarray(nameAt, nameEnd),
    });
    // One to eight NULs, so that the entry's length is a multiple of eight.
    at += (nameEnd - at + 8) & ~7;
  }
  return !hasForeignParts(bytes, at, oidBytes);
}

/** Extensions in lower case change how the entries are to be read: a shared index (`link`), sparse directories (`sdir`). */
function hasForeignParts(bytes: Buffer, from: number, oidBytes: number): boolean {
  for (let at = from; at + 8 <= bytes.length - oidBytes; at += 8 + bytes.readUInt32BE(at + 4)) {
    const first = bytes[at]!;
    if (first < 65 || first > 90) return true;
  }
  return false;
}
