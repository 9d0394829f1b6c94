/** Merges trees whose sides changed different paths, without a process. Where a path was changed on both sides it gives up, and git's own
 *  merge decides: contents, renames, attributes and drivers are its business. For paths that only one side changed the answers are equal
 *  (a directory that one side renamed away and the other changed is such a path). */
import { readTree } from "./commit.ts";
import { type CommitFacts, readFacts } from "./facts.ts";
import type { Oid } from "./git.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame, readEntries, type Tree, TREE, writeEntries } from "./tree.ts";

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
  // What both sides took away one of them may have renamed: then git sees a conflict that paths alone do not show.
  if ([...b!.keys()].some((name) => !o!.has(name) && !t!.has(name))) return null;
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
  // In a folder that both sides changed in the same way both may have taken a file away, as above.
  if (isSame(ours, theirs)) return base?.mode === TREE && !isSame(base, ours) ? null : ours;
  if (isSame(base, theirs)) return ours;
  if (isSame(base, ours)) return theirs;
  if (base?.mode !== TREE || ours?.mode !== TREE || theirs?.mode !== TREE) return null;
  const merged = await mergeEntries(repo, base.oid, ours.oid, theirs.oid);
  // git knows no empty folder: where each side removed the other's half, nothing is left.
  if (merged === null || merged.size === 0) return merged === null ? null : undefined;
  return { mode: TREE, oid: writeEntries(repo, merged) };
}
