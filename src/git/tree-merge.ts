/** Merges trees whose sides changed different paths, without a process. Where a path was changed on both sides it gives up, and git's own
 *  merge decides: contents, renames, attributes and drivers are its business. For paths that only one side changed the answers are equal
 *  (a directory that one side renamed away and the other changed is such a path). */
import { readTree } from "./commit.ts";
import { type CommitFacts, readFacts } from "./facts.ts";
import type { Oid } from "./git.ts";
import { writeLooseObject } from "./loose-object.ts";
import type { Repo } from "./repo.ts";

type Entry = { mode: string; oid: Oid };
/** By name, as latin1: names are bytes. */
type Tree = Map<string, Entry>;

const TREE = "40000";
/** Commits looked at before git is asked instead. */
const NEAR = 400;

/** The merged tree, or null where git has to be asked. */
export async function mergeDisjoint(repo: Repo, ours: Oid, theirs: Oid): Promise<Oid | null> {
  if (!repo.plainLayout) return null;
  const base = await findBase(repo, ours, theirs);
  if (base === null) return null;
  const [b, o, t] = await Promise.all([base, ours, theirs].map((commit) => readTree(repo, commit)));
  const merged = await mergeEntries(repo, b!, o!, t!);
  return merged === null ? null : writeEntries(repo, merged);
}

/** The one merge base of a branch that was cut from `ours` and went straight on; null when the history is less simple than that. */
async function findBase(repo: Repo, ours: Oid, theirs: Oid): Promise<Oid | null> {
  const trunk = await firstParents(repo, ours);
  const own: Oid[] = [];
  let base = theirs;
  while (!trunk.has(base)) {
    const facts = await readFacts(repo, base);
    if (facts?.parents.length !== 1 || own.push(base) > NEAR) return null;
    base = facts.parents[0]!;
  }
  return (await isPartOf(repo, own, ours, trunk, base)) ? null : base;
}

/** A commit and its first parents, oldest last. In a shallow clone the last one names parents that are not there. */
async function firstParents(repo: Repo, from: Oid): Promise<Map<Oid, number>> {
  const chain = new Map<Oid, number>();
  let at: Oid | undefined = from;
  while (at !== undefined && chain.size < NEAR) {
    const facts: CommitFacts | null = await readFacts(repo, at);
    if (facts === null) break;
    chain.set(at, chain.size);
    at = facts.parents[0];
  }
  return chain;
}

/** Whether some of the branch's own commits came into `ours` already, by a side way; true also where it cannot be told. */
async function isPartOf(repo: Repo, own: Oid[], ours: Oid, trunk: Map<Oid, number>, base: Oid): Promise<boolean> {
  const wanted = new Set(own);
  const seen = new Set([ours]);
  for (const oid of seen) {
    if (wanted.has(oid) || seen.size > NEAR) return true;
    // At the base and below it there can be nothing of a branch that was cut there.
    const depth = trunk.get(oid);
    if (depth !== undefined && depth >= trunk.get(base)!) continue;
    for (const parent of (await readFacts(repo, oid))?.parents ?? []) seen.add(parent);
  }
  return false;
}

/** The entries that three trees lead to; null is "ask git". */
async function mergeEntries(repo: Repo, base: Oid, ours: Oid, theirs: Oid): Promise<Tree | null> {
  const [b, o, t] = await Promise.all([base, ours, theirs].map((oid) => readEntries(repo, oid)));
  const merged: Tree = new Map();
  for (const name of new Set([...o!.keys(), ...t!.keys()])) {
    const entry = await mergeEntry(repo, b!.get(name), o!.get(name), t!.get(name));
    if (entry === null) return null;
    if (entry !== undefined) merged.set(name, entry);
  }
  return merged;
}

/** The entry that both sides lead to; undefined is "not there", null is "ask git". */
async function mergeEntry(repo: Repo, base?: Entry, ours?: Entry, theirs?: Entry): Promise<Entry | undefined | null> {
  if (isSame(ours, theirs) || isSame(base, theirs)) return ours;
  if (isSame(base, ours)) return theirs;
  if (base?.mode !== TREE || ours?.mode !== TREE || theirs?.mode !== TREE) return null;
  const merged = await mergeEntries(repo, base.oid, ours.oid, theirs.oid);
  // git knows no empty folder: where each side removed the other's half, nothing is left.
  if (merged === null || merged.size === 0) return merged === null ? null : undefined;
  return { mode: TREE, oid: writeEntries(repo, merged) };
}

function writeEntries(repo: Repo, tree: Tree): Oid {
  const oid = writeLooseObject(repo, "tree", renderTree(tree));
  rememberEntries(repo, oid, tree);
  return oid;
}

function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.oid === b?.oid && a?.mode === b?.mode;
}

async function readEntries(repo: Repo, oid: Oid): Promise<Tree> {
  const recalled = recent.get(repo)?.get(oid);
  if (recalled !== undefined) return recalled;
  const object = await repo.live.contents(oid);
  if (object?.type !== "tree") throw new Error(`${oid} is not a tree`);
  const bytes = object.content;
  const size = oid.length / 2;
  const tree: Tree = new Map();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const nul = bytes.indexOf(0, space);
    const entry = { mode: bytes.toString("latin1", at, space), oid: bytes.toString("hex", nul + 1, nul + 1 + size) };
    tree.set(bytes.toString("latin1", space + 1, nul), entry);
    at = nul + 1 + size;
  }
  rememberEntries(repo, oid, tree);
  return tree;
}

/** Each merge begins with the trees that the one before ended with. */
const recent = new WeakMap<Repo, Map<Oid, Tree>>();
const MAX_RECENT = 256;

function rememberEntries(repo: Repo, oid: Oid, tree: Tree): void {
  const mine = recent.get(repo) ?? new Map<Oid, Tree>();
  if (mine.size >= MAX_RECENT) mine.clear();
  mine.set(oid, tree);
  recent.set(repo, mine);
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
