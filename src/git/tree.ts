/** Trees, read and written without a process: what the merge of disjoint changes and the look for submodules walk through. */
import { MapPer } from "../lib/map-per.ts";
import type { Oid } from "./git.ts";
import { nameOfObject, readObject, writeLooseObject } from "./loose-object.ts";
import type { Repo } from "./repo.ts";

export type Entry = { mode: string; oid: Oid };
/** By name, as latin1: names are bytes. */
export type Tree = Map<string, Entry>;

/** The mode of a folder. */
export const TREE = "40000";

/** The mode of a submodule. */
export const LINK = "160000";

/** Whether two entries are one: the same content under the same mode, or both not there. */
export function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.oid === b?.oid && a?.mode === b?.mode;
}

/** The entries of a tree. Throws where the object is none. */
export async function readEntries(repo: Repo, oid: Oid): Promise<Tree> {
  const recalled = recent.of(repo).get(oid);
  if (recalled !== undefined) return recalled;
  const object = await readObject(repo, oid);
  if (object?.type !== "tree") throw new Error(`${oid} is not a tree`);
  const tree = parseTree(object.content, oid.length / 2);
  rememberEntries(repo, oid, tree);
  return tree;
}

/** What lies below an entry: nothing where that is no folder. */
export async function entriesOf(repo: Repo, entry: Entry | undefined): Promise<ReadonlyMap<string, Entry>> {
  return entry?.mode === TREE ? readEntries(repo, entry.oid) : new Map();
}

/** The entries of a tree object; `size` is that of an object's name in bytes. */
function parseTree(bytes: Buffer, size: number): Tree {
  const tree: Tree = new Map();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const nul = bytes.indexOf(0, space);
    const entry = { mode: bytes.toString("latin1", at, space), oid: bytes.toString("hex", nul + 1, nul + 1 + size) };
    tree.set(bytes.toString("latin1", space + 1, nul), entry);
    at = nul + 1 + size;
  }
  return tree;
}

/** Writes a tree and gives its name. */
export function writeEntries(repo: Repo, tree: Tree): Oid {
  const oid = writeLooseObject(repo, "tree", renderTree(tree));
  rememberEntries(repo, oid, tree);
  return oid;
}

/** The name that a tree has, written or not. */
export function nameOf(repo: Repo, tree: Tree): Oid {
  return nameOfObject(repo, "tree", renderTree(tree));
}

/** Each merge begins with the trees that the one before ended with. */
const recent = new MapPer<Repo, Oid, Tree>();
const MAX_RECENT = 256;

function rememberEntries(repo: Repo, oid: Oid, tree: Tree): void {
  const mine = recent.of(repo);
  if (mine.size >= MAX_RECENT) mine.clear();
  mine.set(oid, tree);
}

/** git orders by bytes, with a directory's name as if it ended in a slash. */
function renderTree(tree: Tree): Buffer {
  const key = ([name, entry]: [string, Entry]) => (entry.mode === TREE ? `${name}/` : name);
  const sorted = [...tree].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const parts = sorted.flatMap(([name, entry]) => [
    Buffer.from(`${entry.mode} ${name}\0`, "latin1"),
    Buffer.from(entry.oid, "hex"),
  ]);
  return Buffer.concat(parts);
}
