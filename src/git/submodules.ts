/** Commits of other repositories that a branch points at (submodules): what an agent commits in one lies in its worktree alone, and would
 *  go home as a pointer to nothing. Their commits are brought into this repository's own store, under a ref. */
import { join, resolve } from "node:path";
import { git, type Oid, type Place } from "./git.ts";
import { lstatInside, readText } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame, readEntries, TREE } from "./tree.ts";
import { readTree } from "./commit.ts";

/** A path that points at a commit of another repository. */
export type Link = { path: string; commit: Oid };

const LINK = "160000";

/** What `to` points at and `from` does not: new and moved submodules. */
export async function changedLinks(repo: Repo, from: Oid, to: Oid): Promise<Link[]> {
  const [before, after] = await Promise.all([from, to].map((commit) => readTree(repo, commit)));
  const links: Link[] = [];
  await compare(repo, { mode: TREE, oid: before! }, { mode: TREE, oid: after! }, "", links);
  return links;
}

/** Walks only where the two differ. */
async function compare(
  repo: Repo,
  before: Entry | undefined,
  after: Entry,
  path: string,
  links: Link[],
): Promise<void> {
  if (isSame(before, after)) return;
  if (after.mode === LINK) links.push({ path: Buffer.from(path, "latin1").toString(), commit: after.oid });
  if (after.mode !== TREE) return;
  const [old, entries] = await Promise.all([
    before?.mode === TREE ? readEntries(repo, before.oid) : null,
    readEntries(repo, after.oid),
  ]);
  for (const [name, entry] of entries) {
    await compare(repo, old?.get(name), entry, path === "" ? name : `${path}/${name}`, links);
  }
}

/** Where a commit of a submodule is kept in this repository. */
export function linkRef(commit: Oid): string {
  return `refs/owt/submodules/${commit}`;
}

/** Brings commits that no remote of the submodule has into this repository, from where the worktree has it checked out. Says of each
 *  whether it is kept here now, known to a remote, or was not to be found. Repeatable. */
export async function keepLinks(
  repo: Repo,
  worktree: string,
  links: readonly Link[],
): Promise<(Link & { is: "kept" | "published" | "missing" })[]> {
  const answers: (Link & { is: "kept" | "published" | "missing" })[] = [];
  for (const link of links) answers.push({ ...link, is: await keepLink(repo, worktree, link) });
  return answers;
}

async function keepLink(
  repo: Repo,
  worktree: string,
  { path, commit }: Link,
): Promise<"kept" | "published" | "missing"> {
  const ref = linkRef(commit);
  if ((await repo.live.info(ref)) !== null) return "kept";
  // Where nothing is checked out, the pointer was moved by hand to something that was never here.
  const checkout = findCheckout(worktree, path);
  if (checkout === null) return "missing";
  if (await isPublished(checkout, commit)) return "published";
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"];
  // The source's own configuration could name another program for this.
  const source = ["--upload-pack=git-upload-pack", "--", checkout.root, `${commit}:${ref}`];
  const out = await git(repo, ["-c", "protocol.version=2", ...fetch, ...source], {
    ok: [0, 1, 128],
    durable: true,
  });
  return out.code === 0 ? "kept" : "missing";
}

/** A submodule's own repository: a folder, or a file that names one. */
function findCheckout(worktree: string, path: string): Place | null {
  const root = join(worktree, path);
  const stat = lstatInside(worktree, `${path}/.git`);
  if (stat === null) return null;
  const named = stat.isFile() ? /^gitdir: (.*?)\n?$/.exec(readText(join(root, ".git")) ?? "")?.[1] : ".git";
  if (named === undefined) return null;
  const gitDir = resolve(root, named);
  return { gitDir, commonDir: gitDir, root };
}

/** Whether a branch that was fetched from a remote holds the commit. */
async function isPublished(checkout: Place, commit: Oid): Promise<boolean> {
  const out = await git(checkout, ["for-each-ref", "--count=1", `--contains=${commit}`, "refs/remotes"], {
    ok: [0, 1, 128, 129],
  });
  return out.code === 0 && out.stdout.trim() !== "";
}

/** Of what `to` points at and `from` does not, what is kept in this repository only. */
export async function unpublishedLinks(repo: Repo, from: Oid, to: Oid): Promise<(Link & { ref: string })[]> {
  const found: (Link & { ref: string })[] = [];
  for (const link of await changedLinks(repo, from, to)) {
    const ref = linkRef(link.commit);
    if ((await repo.live.info(ref)) !== null) found.push({ ...link, ref });
  }
  return found;
}
