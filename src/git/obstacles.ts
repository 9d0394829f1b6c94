/** Files that are in nobody's history and stand where a checkout or merge would write. git protects untracked ones; ignored ones it
 *  overwrites without a word, and they are somebody's too. */
import { dirname } from "node:path";
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

/** The first file on the way down to `path` that is not tracked. A directory in the place of a file is left to git, which looks inside. */
function obstacleAt(root: string, path: string, deleted: Set<string>): string | null {
  const stat = lstatInside(root, path);
  if (stat !== null) return stat.isDirectory() ? null : path;
  for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
    const above = lstatInside(root, parent);
    if (above !== null) return above.isDirectory() || deleted.has(parent) ? null : parent;
  }
  return null;
}
