/** What a branch changed, told from trees without a process. */
import { readTree } from "./commit.ts";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { entriesOf, type Entry, isSame, readEntries, TREE } from "./tree.ts";

/** A path (as latin1: names are bytes) that differs between two commits. A folder that one of them does not have, or has as a file, is one path: whatever
 *  is in it differs. */
export type ChangedEntry = { path: string; before: Entry | undefined; after: Entry | undefined };

/** The paths alone. */
export async function changedPaths(repo: Repo, from: Oid, to: Oid): Promise<string[]> {
  return (await changedEntries(repo, from, to)).map(({ path }) => path);
}

/** The same file by file; a folder of which one has nothing stands for its files where it holds more than `most`. */
export async function changedFiles(repo: Repo, from: Oid, to: Oid, most: number): Promise<string[]> {
  const all: string[] = [];
  for (const { path, before, after } of await changedEntries(repo, from, to)) {
    const sides = [before, after].filter((entry) => entry !== undefined);
    const files = new Set<string>();
    for (const entry of sides) await listFiles(repo, entry, path, files, most);
    all.push(...(files.size > most ? [path] : files));
  }
  return all;
}

/** Adds the files at a path; no more than a few beyond `most` are looked for. */
async function listFiles(repo: Repo, entry: Entry, path: string, files: Set<string>, most: number): Promise<void> {
  if (!isFolder(entry)) files.add(path);
  else
    for (const [name, each] of await readEntries(repo, entry.oid)) {
      if (files.size > most) return;
      await listFiles(repo, each, `${path}/${name}`, files, most);
    }
}

export async function changedEntries(repo: Repo, from: Oid, to: Oid): Promise<ChangedEntry[]> {
  const changed: ChangedEntry[] = [];
  await walk(repo, await readTree(repo, from), await readTree(repo, to), "", changed);
  return changed;
}

/** What a commit has at a path (as latin1). */
export async function entryAt(repo: Repo, commit: Oid, path: string): Promise<Entry | undefined> {
  let entry: Entry | undefined = { mode: TREE, oid: await readTree(repo, commit) };
  for (const name of path.split("/")) entry = (await entriesOf(repo, entry)).get(name);
  return entry;
}

/** Whether no path of one is, or lies in, a path of the other. */
export function areDisjoint(one: readonly string[], other: readonly string[]): boolean {
  const [few, many] = one.length < other.length ? [one, other] : [other, one];
  const there = new Set(many);
  if (few.some((path) => foldersOf(path).some((folder) => there.has(folder)))) return false;
  const here = new Set(few);
  return !many.some((path) => foldersOf(path).some((folder) => here.has(folder)));
}

/** A path and all the folders that it lies in. */
function foldersOf(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

async function walk(repo: Repo, from: Oid, to: Oid, below: string, changed: ChangedEntry[]): Promise<void> {
  if (from === to) return;
  const [old, fresh] = [await readEntries(repo, from), await readEntries(repo, to)];
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [before, after] = [old.get(name), fresh.get(name)];
    if (isSame(before, after)) continue;
    if (isFolder(before) && isFolder(after)) await walk(repo, before.oid, after.oid, `${below}${name}/`, changed);
    else changed.push({ path: below + name, before, after });
  }
}

function isFolder(entry: Entry | undefined): entry is Entry {
  return entry?.mode === TREE;
}
