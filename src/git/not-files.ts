/** What git sees neither as a file nor as a change, and nothing can keep: named pipes, sockets, devices. */
import { type Dirent, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Known, kindOfItself } from "./known.ts";

/** `path` goes from the worktree's top. */
export type NotFile = { path: string; kind: "named pipe" | "socket" | "device" };

/** So many folders are looked into. */
const MOST_LOOKED = 50_000;

/** All in a worktree, by their path, but those that belong to what tools make again. */
export function findNotFiles(root: string, known: readonly Known[]): NotFile[] {
  const found: NotFile[] = [];
  const open = [""];
  for (let looked = 0; open.length > 0 && looked < MOST_LOOKED; looked++) {
    const folder = open.pop()!;
    for (const entry of entriesOf(join(root, folder))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      const kind = kindOf(entry);
      if (kind !== null) found.push({ path, kind });
      if (entry.isDirectory() && entry.name !== ".git" && kindOfItself(root, path, known) === null) open.push(path);
    }
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function kindOf(entry: Dirent): NotFile["kind"] | null {
  if (entry.isFIFO()) return "named pipe";
  if (entry.isSocket()) return "socket";
  return entry.isBlockDevice() || entry.isCharacterDevice() ? "device" : null;
}

/** None of one that cannot be read, or is gone. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
