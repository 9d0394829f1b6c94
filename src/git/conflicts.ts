/** Tells a resolved path from one that a merge left open. git only knows "added again or not"; an agent often resolves and does not add.
 *  Where the files leave a doubt the answer is "open": a wrong merge is worse than one more question. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { git, type Oid, type Place } from "./git.ts";
import { isAncestor } from "./branch.ts";
import { findPlace, type Head, lstatInside, readHead, readText } from "./place.ts";
import { isLossy, quoteLossy, UNMERGED } from "./quoted-names.ts";
import type { Repo } from "./repo.ts";
import { readStatus, type Status, type Unmerged } from "./status.ts";

export type Open = { path: string; reason: "unmerged" | "conflict-markers" };

/** Above this a file is not searched for markers. */
const MARKER_SEARCH_BYTES = 10_000_000;

/** The paths of a merge that nobody resolved yet. `merging` are the commits being merged; none means that only unmerged paths count. */
export async function findOpenPaths(
  repo: Repo,
  place: Place,
  status: Status,
  merging: readonly Oid[],
): Promise<Open[]> {
  const open: Open[] = [];
  const unseen = status.unmerged.map(({ path }) => path).filter(isLossy);
  for (const path of await quoteLossy(place, unseen, UNMERGED)) open.push({ path, reason: "unmerged" });
  for (const path of status.unmerged) {
    const reason = isLossy(path.path) ? null : await judgeUnmerged(place, path);
    if (reason !== null) open.push({ path: path.path, reason });
  }
  if (merging.length === 0) return open;
  for (const { path, y, indexOid } of status.changes) {
    if (!(await hasMarkers(place, path))) continue;
    // Text that looks like markers but came whole from the other side is that side's own text.
    if (y === "." && (await isTheirs(repo, merging, path, indexOid))) continue;
    open.push({ path, reason: "conflict-markers" });
  }
  return open;
}

/** The commits being merged. A merge that HEAD already contains was concluded before we were killed. */
export async function readMerging(repo: Repo, place: Place, head: Head): Promise<Oid[]> {
  const oids = readText(join(place.gitDir, "MERGE_HEAD"))?.split("\n").filter(Boolean) ?? [];
  const open: Oid[] = [];
  for (const oid of oids) if (head.oid === null || !(await isAncestor(repo, oid, head.oid))) open.push(oid);
  return open;
}

/** The paths of a worktree's merge that nobody resolved yet; none where there is no such worktree. */
export async function findUnresolved(repo: Repo, worktree: string): Promise<Open[]> {
  const place = findPlace(repo, worktree);
  if (place === null || !existsSync(place.root)) return [];
  const merging = await readMerging(repo, place, await readHead(repo, place));
  return findOpenPaths(repo, place, await readStatus(place), merging);
}

/** Null when the file shows a decision: deleted, or text without markers that is neither side as it was. */
async function judgeUnmerged(place: Place, { path, ours, theirs }: Unmerged): Promise<Open["reason"] | null> {
  const stat = lstatInside(place.root, path);
  if (stat === null) return null;
  if (!stat.isFile()) return "unmerged";
  if (await hasMarkers(place, path)) return "conflict-markers";
  const { stdout, code } = await git(place, ["hash-object", "--", path], { ok: [0, 128] });
  const oid = stdout.trim();
  return code !== 0 || oid === ours || oid === theirs ? "unmerged" : null;
}

async function hasMarkers(place: Place, path: string): Promise<boolean> {
  const stat = lstatInside(place.root, path);
  if (stat === null || !stat.isFile() || stat.size > MARKER_SEARCH_BYTES) return false;
  const text = await readFile(join(place.root, path), "latin1");
  return /^<<<<<<< /m.test(text) && /^>>>>>>> /m.test(text);
}

async function isTheirs(repo: Repo, merging: readonly Oid[], path: string, oid: Oid): Promise<boolean> {
  if (/[\r\n]/.test(path)) return false;
  for (const commit of merging) if ((await repo.live.info(`${commit}:${path}`))?.oid === oid) return true;
  return false;
}
