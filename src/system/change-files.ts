/** Changes several files as one: all of them, or none. What was there stands in a journal until all are changed, so that whoever comes after a kill puts back
 *  what was changed by then. */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Identity, isAlive, thisProcess } from "./identity.ts";
import { readTextIfThere, removeFile, writeFileAtomically } from "./files.ts";

export type FileChange = { path: string; was: string; text: string };

type Journal = { owner: Identity; changes: (FileChange & { mode: number })[] };

/** Replaces the content of files that are there; each keeps its mode. `journals` is a folder of ours. Throws what the system says, with every file as it
 *  was. */
export function changeFiles(changes: readonly FileChange[], journals: string): void {
  const all = changes.map((change) => ({ ...change, mode: statSync(change.path).mode & 0o7777 }));
  const owner = thisProcess();
  const journal = join(journals, `${owner.pid}.json`);
  writeFileAtomically(journal, JSON.stringify({ owner, changes: all } satisfies Journal), { durable: true });
  try {
    for (const { path, text, mode } of all) writeBeside(path, text, { pid: owner.pid, mode });
    for (const { path } of all) renameSync(besideOf(path, owner.pid), path);
  } catch (error) {
    putBack(all, owner.pid);
    throw error;
  } finally {
    rmSync(journal);
    dropIfEmpty(journals);
  }
}

/** Puts back what processes that were killed in the middle of {@link changeFiles} had changed; a file that somebody has changed since stays as it is. */
export function settleChanges(journals: string): void {
  if (!existsSync(journals)) return;
  for (const name of readdirSync(journals).filter((each) => each.endsWith(".json"))) {
    const { owner, changes } = JSON.parse(readFileSync(join(journals, name), "utf8")) as Journal;
    if (isAlive(owner)) continue;
    const isWhole = changes.every(({ path, text }) => readTextIfThere(path) === text);
    if (!isWhole) putBack(changes, owner.pid);
    removeFile(join(journals, name));
  }
  dropIfEmpty(journals);
}

/** Whether there is anything to settle is asked by every command. */
function dropIfEmpty(journals: string): void {
  try {
    rmdirSync(journals);
  } catch {
    // Another process is at it.
  }
}

function putBack(changes: Journal["changes"], pid: number): void {
  for (const { path, was, text, mode } of changes) {
    removeFile(besideOf(path, pid));
    if (was !== text && statSync(path, { throwIfNoEntry: false })?.isFile() && readTextIfThere(path) === text)
      writeFileAtomically(path, was, { mode, durable: true });
  }
}

function besideOf(path: string, pid: number): string {
  return `${path}.${pid}.new`;
}

function writeBeside(path: string, text: string, { pid, mode }: { pid: number; mode: number }): void {
  const file = openSync(besideOf(path, pid), "w", mode);
  try {
    writeFileSync(file, text);
    fchmodSync(file, mode);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
