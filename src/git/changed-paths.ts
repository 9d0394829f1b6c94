/** What a branch changed, told from trees without a process. */
import { readTree } from "./commit.ts";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame, readEntries, TREE } from "./tree.ts";

/** The paths (as latin1: names are bytes) that differ between two commits. A folder that one of them does not have, or has as a file, is one path: whatever
 *  is in it differs. */
export async function changedPaths(repo: Repo, from: Oid, to: Oid): Promise<string[]> {
  const paths: string[] = [];
  await walk(repo, await readTree(repo, from), await readTree(repo, to), "", paths);
  return paths;
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

async function walk(repo: Repo, from: Oid, to: Oid, below: string, paths: string[]): Promise<void> {
  if (from === to) return;
  const [before, after] = [await readEntries(repo, from), await readEntries(repo, to)];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [one, other] = [before.get(name), after.get(name)];
    if (isSame(one, other)) continue;
    if (isFolder(one) && isFolder(other)) await walk(repo, one.oid, other.oid, `${below}${name}/`, paths);
    else paths.push(below + name);
  }
}

function isFolder(entry: Entry | undefined): entry is Entry {
  return entry?.mode === TREE;
}
