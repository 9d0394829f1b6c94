/** Which files, and which folders without any, a rescue of a worktree or of a submodule holds. */
import { type Dirent, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Holdings } from "./inspect.ts";
import { type Known, kindOf, kindOfItself } from "./known.ts";
import { lstatInside } from "./place.ts";
import type { FileHoldings } from "./rescue-trees.ts";

/** More than this (new and changed files together) is not put into the object store; the worktree stays where it is. */
const RESCUE_MAX_BYTES = 512 * 1024 * 1024;
const RESCUE_MAX_FILES = 100_000;

/** A folder of a build that is larger is left out: it is most likely what it seems to be. */
export const BUILD_MAX_BYTES = 64 * 1024 * 1024;
const BUILD_MAX_FILES = 10_000;

/** Why a worktree cannot be saved. */
export type Unsavable = { refused: "too-large" | "nested-repository" | "unreadable-name"; paths: string[] };

/** The files to save; `leftOut`: ignored folders that are not, with `/` at their end. */
export type Found = { paths: string[]; leftOut: string[] };

function apartFromBuilds(known: readonly Known[]): Known[] {
  return known.filter((each) => typeof each === "string" || each.isBuild !== true);
}

/** So many folders are looked into, and so many are kept. */
const MOST_LOOKED = 50_000;
const MOST_EMPTY = 10_000;

/** Folders of a worktree without anything in them, but for those of builds that are left out. */
export function emptyFoldersOf(
  { gone, place }: Pick<Holdings, "gone" | "place">,
  known: readonly Known[],
  { leftOut, builds }: Pick<Found, "leftOut"> & { builds: boolean },
): string[] {
  return gone ? [] : findEmptyFolders(place.root, builds ? [...apartFromBuilds(known), ...leftOut] : known);
}

/** Folders without anything in them, which no tree of git's can hold; those of what is made again by itself left out. */
function findEmptyFolders(root: string, known: readonly Known[]): string[] {
  const empty: string[] = [];
  const open = [""];
  for (let looked = 0; open.length > 0 && looked < MOST_LOOKED && empty.length < MOST_EMPTY; looked++) {
    const folder = open.pop()!;
    const entries = entriesOf(join(root, folder));
    if (entries === null || (folder !== "" && entries.some(({ name }) => name.toLowerCase() === ".git"))) continue;
    if (entries.length === 0 && folder !== "" && !folder.includes("\uFFFD")) empty.push(folder);
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && path !== ".git" && kindOfItself(root, path, known) === null) open.push(path);
    }
  }
  return empty.toSorted((a, b) => (a < b ? -1 : 1));
}

/** Null for one that cannot be read. */
function entriesOf(folder: string): Dirent[] | null {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return null;
  }
}

/** Every path whose bytes are not in HEAD, with ignored directories opened; of builds, those that are small enough. */
export function collectFiles(held: FileHoldings, known: readonly Known[], builds: boolean): Found | Unsavable {
  const { root } = held.place;
  const nested = [...held.nested];
  const leftOut: string[] = [];
  const ignored = held.ignoredNew.flatMap((path) => [...walk(root, path, known, { nested, leftOut })]);
  const paths = new Set([...held.dirty, ...held.unmerged, ...held.untracked, ...ignored]);
  if (nested.length > 0) return { refused: "nested-repository", paths: nested };
  let bytes = 0;
  for (const path of paths) {
    const size = sizeOf(root, path);
    // A name that is not UTF-8 comes to us damaged: it is there, but we cannot open it.
    if (size === null) return { refused: "unreadable-name", paths: [path] };
    bytes += size;
  }
  if (bytes > RESCUE_MAX_BYTES || paths.size > RESCUE_MAX_FILES) return { refused: "too-large", paths: ["."] };
  for (const folder of builds ? held.builds : []) {
    const build = collectBuild(root, folder, apartFromBuilds(known));
    const isRoom =
      build !== null && bytes + build.bytes <= RESCUE_MAX_BYTES && paths.size + build.paths.length <= RESCUE_MAX_FILES;
    if (!isRoom) {
      leftOut.push(folder);
      continue;
    }
    bytes += build.bytes;
    for (const path of build.paths) paths.add(path);
    leftOut.push(...build.leftOut);
  }
  return { paths: [...paths], leftOut };
}

/** Null for one that is too large, or cannot be kept. */
function collectBuild(root: string, folder: string, known: readonly Known[]): (Found & { bytes: number }) | null {
  const build = { paths: [] as string[], leftOut: [] as string[], bytes: 0 };
  const nested: string[] = [];
  for (const path of walk(root, folder, known, { nested, leftOut: build.leftOut })) {
    const size = sizeOf(root, path);
    build.bytes += size ?? 0;
    build.paths.push(path);
    if (size === null || build.bytes > BUILD_MAX_BYTES || build.paths.length > BUILD_MAX_FILES) return null;
  }
  return nested.length > 0 ? null : build;
}

/** In bytes; null for what is there and cannot be opened. */
function sizeOf(root: string, path: string): number | null {
  const stat = lstatInside(root, path);
  if (stat === null && path.includes("\uFFFD")) return null;
  return stat?.isFile() === true ? stat.size : 0;
}

type Passed = { nested: string[]; leftOut: string[] };

function* walk(
  root: string,
  path: string,
  known: readonly Known[],
  passed: Passed,
  kind = kindOf(root, path, known),
): Generator<string> {
  if (kind !== null) {
    if (kind.kind !== "ours") passed.leftOut.push(kind.folder);
    return;
  }
  if (!path.endsWith("/")) {
    yield path;
    return;
  }
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  if (entries.some(({ name }) => name.toLowerCase() === ".git")) {
    passed.nested.push(path);
    return;
  }
  for (const entry of entries) {
    const below = `${path}${entry.name}${entry.isDirectory() ? "/" : ""}`;
    yield* walk(root, below, known, passed, kindOfItself(root, below, known));
  }
}
