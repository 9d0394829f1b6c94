/** Writes the tree of a small index without a process, as `git write-tree` would. For what is not plain it leaves the word to git. */
import { join } from "node:path";
import type { Oid, Place } from "./git.ts";
import { type IndexEntry, oidBytes, readIndexEntries } from "./index-file.ts";
import { isObject } from "./loose-object.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame, LINK, nameOf, readEntries, type Tree, TREE, writeEntries } from "./tree.ts";

/** Some six hundred files: with more, naming all their folders on our one thread costs what git's process does on another. */
export const SMALL_INDEX = 65_536;

/** A folder on its way: what is in it by name, as latin1. */
export type Folder = Map<string, Folder | IndexEntry>;

/** The tree of a worktree's index, on disk; null where git has to be asked. `base` is the tree that it is a change of: what is in it too needs no
 *  writing. */
export async function writeIndexTree(repo: Repo, place: Place, base: Oid): Promise<Oid | null> {
  if (!repo.plainLayout) return null;
  const entries = readIndexEntries(join(place.gitDir, "index"), oidBytes(repo), SMALL_INDEX);
  const top = entries === null ? null : intoFolders(entries);
  return top === null ? null : new Writer(repo).write(top, base);
}

/** Whether these folders are those of a tree. */
export async function isTreeOf(repo: Repo, folder: Folder, oid: Oid): Promise<boolean> {
  const tree = await readEntries(repo, oid);
  if (tree.size !== folder.size) return false;
  for (const [name, child] of folder) {
    const entry = tree.get(name);
    if (!(child instanceof Map)) {
      if (!isSame(entry, child)) return false;
    } else if (entry?.mode !== TREE || !(await isTreeOf(repo, child, entry.oid))) return false;
  }
  return true;
}

/** Null for names that no tree may have, and for one that is a file and a folder. */
export function intoFolders(entries: readonly IndexEntry[]): Folder | null {
  const top: Folder = new Map();
  for (const entry of entries) {
    const parts = entry.name.toString("latin1").split("/");
    if (parts.some(isUnfit)) return null;
    let folder = top;
    for (const part of parts.slice(0, -1)) {
      const there = folder.get(part) ?? new Map<string, Folder | IndexEntry>();
      if (!(there instanceof Map)) return null;
      folder.set(part, there);
      folder = there;
    }
    if (folder.has(parts.at(-1)!)) return null;
    folder.set(parts.at(-1)!, entry);
  }
  return top;
}

/** Most names. */
const PLAIN_NAME = /^\w[\w.-]*$/;

/** What git refuses as a name: its own folder's, as some file system may spell it (verify_path in git's read-cache.c). */
export function isUnfit(part: string): boolean {
  if (PLAIN_NAME.test(part)) return false;
  // eslint-disable-next-line no-control-regex
  const plain = part.replaceAll(/[\u0080-\u00ff]/g, "");
  return (
    part === "" || part === "." || part === ".." || /^(?:\.git[\s.:]*|git~\d.*)$/i.test(plain) || part.includes("\\")
  );
}

class Writer {
  readonly #repo: Repo;
  readonly #trees = new Map<Folder, { tree: Tree; oid: Oid }>();

  constructor(repo: Repo) {
    this.#repo = repo;
  }

  /** Null where it names an object that is not there. */
  async write(folder: Folder, base: Oid | null): Promise<Oid | null> {
    const { tree, oid } = this.#nameAll(folder);
    if (oid === base) return oid;
    const before: Tree = base === null ? new Map() : await readEntries(this.#repo, base);
    for (const [name, entry] of tree) {
      const was = before.get(name);
      if (isSame(entry, was)) continue;
      if (!(await this.#isThere(folder.get(name)!, entry, was))) return null;
    }
    return writeEntries(this.#repo, tree);
  }

  async #isThere(child: Folder | IndexEntry, entry: Entry, was: Entry | undefined): Promise<boolean> {
    if (child instanceof Map) return (await this.write(child, was?.mode === TREE ? was.oid : null)) !== null;
    return entry.mode === LINK || isObject(this.#repo, entry.oid);
  }

  /** A folder's tree and name, and those of all in it. */
  #nameAll(folder: Folder): { tree: Tree; oid: Oid } {
    const known = this.#trees.get(folder);
    if (known !== undefined) return known;
    const tree: Tree = new Map();
    for (const [name, child] of folder)
      tree.set(
        name,
        child instanceof Map ? { mode: TREE, oid: this.#nameAll(child).oid } : { mode: child.mode, oid: child.oid },
      );
    const named = { tree, oid: nameOf(this.#repo, tree) };
    this.#trees.set(folder, named);
    return named;
  }
}
