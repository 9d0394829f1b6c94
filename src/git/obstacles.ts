/** Files that are in nobody's history and stand where a checkout or merge would write. git protects untracked ones; ignored ones it
 *  overwrites without a word, and they are somebody's too. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { lstatInside } from "./place.ts";

/** Paths in a worktree at `from` that `to` would create and that exist already, untracked or ignored. */
export async function findObstacles(place: Place, from: Oid, to: Oid): Promise<string[]> {
  const { stdout } = await git(place, ["diff-tree", "-r", "-z", "--no-renames", "--name-status", from, to]);
  const fields = fieldsOf(stdout);
  const added: string[] = [];
  const deleted = new Set<string>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    if (fields[at] === "A") added.push(fields[at + 1]!);
    if (fields[at] === "D") deleted.add(fields[at + 1]!);
  }
  return [...new Set(added.flatMap((path) => obstacleAt(place.root, path, deleted) ?? []))];
}

/** The first file on the way down to `path`, or in a folder that stands there, that is not tracked. */
function obstacleAt(root: string, path: string, deleted: Set<string>): string | null {
  const stat = lstatInside(root, path);
  if (stat !== null) return stat.isDirectory() ? fileIn(root, path, deleted) : path;
  for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
    const above = lstatInside(root, parent);
    if (above !== null) return above.isDirectory() || deleted.has(parent) ? null : parent;
  }
  return null;
}

/** The first file in a folder that does not go with the checkout; null where git takes the folder away. */
function fileIn(root: string, folder: string, deleted: Set<string>): string | null {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    const found = entry.isDirectory() ? fileIn(root, path, deleted) : deleted.has(path) ? null : path;
    if (found !== null) return found;
  }
  return null;
}
