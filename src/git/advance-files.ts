/** Brings the files of a worktree from one commit to another without a process, where a handful of small ones differ: as `git read-tree -m -u` does it,
 *  which takes ten times as long to start. What is not plain is left to git. */
import { lstatSync, rmSync, writeFileSync } from "node:fs";
import { type ChangedEntry, changedEntries } from "./changed-paths.ts";
import type { Oid, Place } from "./git.ts";
import { describeEntry, oidBytes, type RawIndex, renderEntry } from "./index-file.ts";
import { isUnfit } from "./index-tree.ts";
import { readObject } from "./loose-object.ts";
import { readHead } from "./place.ts";
import type { Repo } from "./repo.ts";
import { changeIndex, isPlain } from "./write-index.ts";

const MOST_FILES = 32;
const MOST_BYTES = 65_536;

/** `path` as latin1; null content: the file goes. */
type Step = ChangedEntry & { content: Buffer | null };

/** From `commit`, whose files the worktree holds and nothing else, to its HEAD. False where git has to do it, which refuses what
 *  we have begun. */
export async function advanceFiles(repo: Repo, place: Place, commit: Oid): Promise<boolean> {
  if (!isPlain(repo, place)) return false;
  const head = (await readHead(repo, place)).oid;
  if (head === null) return false;
  const changed = await changedEntries(repo, commit, head);
  if (changed.length > MOST_FILES || !changed.every(isFile)) return false;
  const steps: Step[] = [];
  for (const each of changed) {
    const content = each.after === undefined ? null : await contentOf(repo, each.after.oid);
    if (content === undefined) return false;
    steps.push({ ...each, content });
  }
  return changeIndex(repo, place, (index) => {
    if (!isFrom(repo, index, steps)) return false;
    for (const step of steps) take(place, index, step);
    return true;
  });
}

const FILE = /^100/;

/** Whether a path is a regular file on both sides, or is there on one only, under a name that git lets through. */
function isFile({ path, before, after }: ChangedEntry): boolean {
  const parts = path.split("/");
  return (
    !parts.some(isUnfit) &&
    parts.at(-1) !== ".gitattributes" &&
    [before, after].every((side) => side === undefined || FILE.test(side.mode))
  );
}

async function contentOf(repo: Repo, oid: Oid): Promise<Buffer | undefined> {
  const object = await readObject(repo, oid);
  return object?.type === "blob" && object.content.length <= MOST_BYTES ? object.content : undefined;
}

/** Whether the index has of these paths what they are to be changed from. */
function isFrom(repo: Repo, { entries }: RawIndex, steps: readonly Step[]): boolean {
  return steps.every(({ path, before }) => {
    const there = entries.get(path);
    if (there === undefined || before === undefined) return there === before;
    const { mode, oid } = describeEntry(there, oidBytes(repo));
    return mode === before.mode && oid === before.oid;
  });
}

/** Folders neither come nor go here: one that does is a path of its own. */
function take({ root }: Place, { entries }: RawIndex, { path, before, after, content }: Step): void {
  const file = Buffer.from(`${Buffer.from(root).toString("latin1")}/${path}`, "latin1");
  if (before !== undefined) rmSync(file);
  if (content === null) {
    entries.delete(path);
    return;
  }
  writeFileSync(file, content, { flag: "wx", mode: after!.mode === "100755" ? 0o777 : 0o666 });
  entries.set(path, renderEntry(path, after!.oid, lstatSync(file, { bigint: true })));
}
