/** Files that git, or a merge tool, made in a merge, and that were committed with the work. */
import { changedEntries } from "./changed-paths.ts";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { TREE } from "./tree.ts";

/** `a.txt~HEAD`, `a.txt~<commit or branch>`: the file of one side, where the other has a folder `a.txt`. */
const BESIDE = /^(.+)~[^/~]+$/;
const KEPT = /^(.+)\.orig$/;

/** Those that `head` adds to its `base` and `trunk` does not have. `merged`: a merge was resolved in it, so that what is named like the copies of a merge tool is one. */
export async function findLeftByGit(
  repo: Repo,
  { base, trunk, head }: { base: Oid; trunk: Oid; head: Oid },
  { merged }: { merged: boolean },
): Promise<string[]> {
  const left: string[] = [];
  for (const { path, before, after } of await changedEntries(repo, base, head)) {
    if (before !== undefined || after === undefined || after.mode === TREE) continue;
    const of = BESIDE.exec(path)?.[1] ?? (merged ? KEPT.exec(path)?.[1] : undefined);
    if (of === undefined || (await has(repo, trunk, path))) continue;
    if ((await has(repo, head, of)) || (await has(repo, base, of)) || (await has(repo, trunk, of))) left.push(path);
  }
  return left.map((path) => Buffer.from(path, "latin1").toString());
}

async function has(repo: Repo, commit: Oid, path: string): Promise<boolean> {
  if (path.includes("\n")) return false;
  return (await repo.live.info(`${commit}:${Buffer.from(path, "latin1").toString()}`)) !== null;
}
