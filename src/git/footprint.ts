/** What a command left in a worktree beside its commit, by content, so that it can be told later from what others did there. */
import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, openSync, readlinkSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { git } from "./git.ts";
import { findPlace, lstatInside } from "./place.ts";
import type { Repo } from "./repo.ts";
import { readStatus, type Status } from "./status.ts";

/** Path → mode and blob id of what is there, as git names content that no filter touched; null for a tracked file that is not there. */
export type Footprint = ReadonlyMap<string, string | null>;

/** What `git status` shows in a worktree now: tracked files that differ from the index (and where the index is HEAD's), and untracked
 *  files that are not ignored. Without `except`: files or directories, from the worktree's top. One process. */
export async function takeFootprint(repo: Repo, worktree: string, except: readonly string[]): Promise<Footprint> {
  const place = findPlace(repo, worktree);
  if (place === null || !existsSync(place.root)) return new Map();
  const { tracked, untracked } = loose(await readStatus(place));
  const bare = except.map((path) => path.replace(/\/+$/, ""));
  const paths = [...tracked, ...untracked].filter(
    (path) => !bare.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
  );
  const marks = paths.map((path) => [path, markOf(repo, place.root, path)] as const);
  return new Map(marks.filter((entry): entry is [string, string | null] => entry[1] !== undefined));
}

/** Whether a path of a worktree is exactly as the footprint has it. */
export function isStill(repo: Repo, root: string, path: string, footprint: Footprint): boolean {
  const mark = footprint.get(path);
  return mark !== undefined && markOf(repo, root, path) === mark;
}

/** Takes back what is still exactly as the footprint has it: tracked files are put back as the index has them, and untracked ones are
 *  deleted where `untracked` says so. Everything else stays. Repeatable. */
export async function undoFootprint(
  repo: Repo,
  worktree: string,
  footprint: Footprint,
  options: { untracked: boolean },
): Promise<void> {
  const place = findPlace(repo, worktree);
  if (footprint.size === 0 || place === null || !existsSync(place.root)) return;
  const { tracked, untracked } = loose(await readStatus(place));
  const back = tracked.filter((path) => isStill(repo, place.root, path, footprint));
  if (back.length > 0) {
    const restore = ["restore", "--worktree", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul"];
    // Where it cannot be put back, it stays what it was: a change that whoever comes next looks at.
    await git(place, restore, { input: back.join("\0"), ok: [0, 1, 128] });
  }
  if (!options.untracked) return;
  for (const path of untracked) {
    if (isStill(repo, place.root, path, footprint)) tryTo(() => rmSync(join(place.root, path)));
  }
}

/** What somebody staged or is merging is no command's by-product; neither is a repository of its own. */
function loose(status: Status): { tracked: string[]; untracked: string[] } {
  // A name that does not read back as it is written cannot be looked up again.
  const canBeNamed = (path: string): boolean => !path.endsWith("/") && !path.includes("\uFFFD");
  const tracked = status.changes.filter(({ x, y }) => x === "." && y !== ".").map(({ path }) => path);
  return { tracked: tracked.filter(canBeNamed), untracked: status.untracked.filter(canBeNamed) };
}

/** Undefined for what is neither a file nor a symbolic link, or cannot be read. */
function markOf(repo: Repo, root: string, path: string): string | null | undefined {
  return tryTo(() => readMark(repo, root, path));
}

function tryTo<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

function readMark(repo: Repo, root: string, path: string): string | null | undefined {
  const stat = lstatInside(root, path);
  if (stat === null) return null;
  const hash = createHash(repo.objectFormat);
  if (stat.isSymbolicLink()) {
    const to = readlinkSync(join(root, path), { encoding: "buffer" });
    return `120000 ${hash.update(`blob ${to.length}\0`).update(to).digest("hex")}`;
  }
  if (!stat.isFile()) return undefined;
  hash.update(`blob ${stat.size}\0`);
  for (const piece of piecesOf(join(root, path))) hash.update(piece);
  return `${(stat.mode & 0o100) === 0 ? "100644" : "100755"} ${hash.digest("hex")}`;
}

function* piecesOf(path: string): Generator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(1 << 18);
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) yield buffer.subarray(0, read);
  } finally {
    closeSync(file);
  }
}
