/** Merges branches one upon the other in the object store: each of them in a merge of its own, so that it can be looked at and reverted by itself, and one
 *  merge around them all, so that a branch can move over the whole of them in one step. */
import { isAncestor } from "./branch.ts";
import { readTree, writeCommit } from "./commit.ts";
import { readFacts } from "./facts.ts";
import type { Identity, Oid } from "./git.ts";
import { type Conflicts, mergeTrees, type Unrelated } from "./merge.ts";
import type { Repo } from "./repo.ts";

/** A branch to be merged; `worktree` is where git runs. */
export type Branch = { head: Oid; worktree: string; message: string };

/** `commit` is the merge, or what it was to be merged with, where that holds the branch already. */
export type Link = { commit: Oid; tree: Oid };

/** Merges a branch with a commit. */
export async function mergeOnto(
  repo: Repo,
  at: Oid,
  { head, worktree, message }: Branch,
  identity: Identity,
): Promise<Link | Conflicts | Unrelated> {
  const merged = await mergeTrees(repo, at, head, worktree);
  if (!("tree" in merged)) return merged;
  const { tree } = merged;
  // What repeated work that is there already left is in it: there is nothing to merge.
  if (tree === (await readTree(repo, at)) && (await isAncestor(repo, head, at))) return { commit: at, tree };
  return { commit: await writeCommit(repo, { tree, parents: [at, head], message, identity }), tree };
}

/** The one commit by which a branch at `tip` takes in a chain of merges that begins there and ends with `last`: a merge of the two, with the tree of
 *  `last`. Its first parent is `tip`, so that who follows first parents meets no commit between them. One merge is its own. */
export async function closeChain(
  repo: Repo,
  tip: Oid,
  last: Oid,
  { message, identity }: { message: string; identity: Identity },
): Promise<Oid> {
  if (last === tip || (await readFacts(repo, last))?.parents[0] === tip) return last;
  return writeCommit(repo, { tree: await readTree(repo, last), parents: [tip, last], message, identity });
}
