/** Reads from an index file what `git status` is silent about, without a process. The format is documented in gitformat-index(5). */
import { readFileSync } from "node:fs";

/** Entries marked skip-worktree or assume-unchanged, and submodules (mode 160000). */
export type SpecialEntries = { overlooked: string[]; links: string[] };

const ASSUME_UNCHANGED = 0x8000;
const EXTENDED = 0x4000;
const SKIP_WORKTREE = 0x4000;
const GITLINK = 0o160000;
/** Times, device, inode, mode, owner and size before an entry's object id. */
const STAT_BYTES = 40;
const MODE_AT = 24;

/** Null for what it does not know (version 4 with its compressed names, a split or sparse index): ask git then. */
export function readSpecialEntries(path: string, oidBytes: number): SpecialEntries | null {
  const bytes = readFileSync(path);
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== "DIRC") return null;
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) return null;
  const found: SpecialEntries = { overlooked: [], links: [] };
  let at = 12;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const flagsAt = at + STAT_BYTES + oidBytes;
    if (flagsAt + 2 > bytes.length) return null;
    const flags = bytes.readUInt16BE(flagsAt);
    const isExtended = (flags & EXTENDED) !== 0;
    const nameAt = flagsAt + (isExtended ? 4 : 2);
    const nameEnd = bytes.indexOf(0, nameAt);
    if (nameEnd === -1) return null;
    const skips = isExtended && (bytes.readUInt16BE(flagsAt + 2) & SKIP_WORKTREE) !== 0;
    const mode = bytes.readUInt32BE(at + MODE_AT);
    if (mode === GITLINK) found.links.push(bytes.toString("utf8", nameAt, nameEnd));
    else if (skips || (flags & ASSUME_UNCHANGED) !== 0) found.overlooked.push(bytes.toString("utf8", nameAt, nameEnd));
    // One to eight NULs, so that the entry's length is a multiple of eight.
    at += (nameEnd - at + 8) & ~7;
  }
  return hasForeignParts(bytes, at, oidBytes) ? null : found;
}

/** Extensions in lower case change how the entries are to be read: a shared index (`link`), sparse directories (`sdir`). */
function hasForeignParts(bytes: Buffer, from: number, oidBytes: number): boolean {
  for (let at = from; at + 8 <= bytes.length - oidBytes; at += 8 + bytes.readUInt32BE(at + 4)) {
    const first = bytes[at]!;
    if (first < 65 || first > 90) return true;
  }
  return false;
}
