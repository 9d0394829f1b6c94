/** Stages a handful of small files without a process, as `git add` would: what an agent leaves is one file or three, and a process for them costs more than
 *  all the rest of their commit. Whatever is not plain is left to git. */
import { type BigIntStats, existsSync, lstatSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Place } from "./git.ts";
import { type RawIndex, renderEntry } from "./index-file.ts";
import { isUnfit } from "./index-tree.ts";
import { writeLooseObject } from "./loose-object.ts";
import { lstatInside } from "./place.ts";
import type { Repo } from "./repo.ts";
import { changeIndex, isPlain } from "./write-index.ts";

/** More, or larger ones, are git's work: it reads them beside us. */
const MOST_FILES = 16;
const MOST_BYTES = 65_536;

/** Stages these paths as they are in the worktree: new, changed or gone. False where git has to do it; then the index is as it was. */
export function stageFiles(repo: Repo, place: Place, paths: readonly string[]): boolean {
  if (paths.length === 0) return true;
  if (paths.length > MOST_FILES || !isPlain(repo, place)) return false;
  return changeIndex(repo, place, (index) => stageInto(index, repo, place, paths));
}

function stageInto({ entries }: RawIndex, repo: Repo, place: Place, paths: readonly string[]): boolean {
  const files: [name: string, file: Found][] = [];
  for (const path of paths) {
    const name = Buffer.from(path).toString("latin1");
    const file = findFile(place, path);
    if (file === "not plain") return false;
    entries.delete(name);
    if (file !== null) files.push([name, file]);
  }
  const folders = new Set([...entries.keys()].flatMap(foldersOf));
  if (files.some(([name]) => !isFree(name, entries, folders))) return false;
  for (const [name, { stat, content }] of files)
    entries.set(name, renderEntry(name, writeLooseObject(repo, "blob", content), stat));
  return true;
}

type Found = { stat: BigIntStats; content: Buffer };

/** Null for a file that is gone. */
function findFile(place: Place, path: string): Found | null | "not plain" {
  if (path.includes("\uFFFD") || path.split("/").some(isUnfit) || hasAttributes(place, path)) return "not plain";
  // A folder that has a file's place has its own files here.
  if (lstatInside(place.root, path)?.isDirectory() ?? true) return null;
  const full = join(place.root, path);
  const stat = lstatSync(full, { bigint: true });
  if (!stat.isFile() || stat.size > MOST_BYTES) return "not plain";
  const content = readFileSync(full);
  return BigInt(content.length) === stat.size ? { stat, content } : "not plain";
}

/** Attributes say how a file is stored, also those that nobody has committed. */
function hasAttributes({ root }: Place, path: string): boolean {
  return ["", ...foldersOf(path)].some((folder) => existsSync(join(root, folder, ".gitattributes")));
}

/** Whether no other path is a folder of this one, or has it for a folder. */
function isFree(name: string, entries: ReadonlyMap<string, Buffer>, folders: ReadonlySet<string>): boolean {
  return !folders.has(name) && !foldersOf(name).some((folder) => entries.has(folder));
}

/** The folders that a path is in. */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === "." ? [] : [folder, ...foldersOf(folder)];
}
