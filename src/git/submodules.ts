/** Commits of other repositories that a branch points at (submodules): what an agent commits in one lies in its worktree alone, and would
 *  go home as a pointer to nothing. Their commits are brought into this repository's own store, under a ref. */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { OwtError } from "../core/errors.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { isAncestor } from "./branch.ts";
import { branchIn, foldersIn, type Head, lstatInside, readText } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type Entry, isSame, LINK, readEntries, TREE } from "./tree.ts";
import { readTree } from "./commit.ts";
import { readStatus } from "./status.ts";

/** A path that points at a commit of another repository; `before` is what it pointed at, null when it is new. */
export type Link = { path: string; commit: Oid; before: Oid | null };

/** The branch of a submodule that holds what only this repository has. */
export const KEPT_BRANCH = "kept";

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
  if (after.mode === LINK) {
    const old = before?.mode === LINK ? before.oid : null;
    links.push({ path: Buffer.from(path, "latin1").toString(), commit: after.oid, before: old });
  }
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

/** Submodules checked out in a worktree (and in those) that hold uncommitted work, which no commit of the worktree can take. Each is
 *  looked at as a repository of its own. One that cannot be looked into is named too. No process without `.gitmodules`. */
export async function findDirtySubmodules(worktree: Place): Promise<string[]> {
  if (!existsSync(join(worktree.root, ".gitmodules"))) return [];
  const dirty: string[] = [];
  for (const { path } of await readModules(worktree)) {
    if (path.split("/").includes("..")) continue;
    const checkout = findCheckout(worktree.root, path);
    if (checkout === null) continue;
    if (await holdsWork(checkout)) dirty.push(path);
    dirty.push(...(await findDirtySubmodules(checkout)).map((inner) => `${path}/${inner}`));
  }
  return dirty;
}

async function holdsWork(checkout: Place): Promise<boolean> {
  try {
    const { changes, untracked, unmerged } = await readStatus(checkout);
    return changes.length + untracked.length + unmerged.length > 0;
  } catch (error) {
    if (error instanceof OwtError && error.code === "tool-failed") return true;
    throw error;
  }
}

/** The git directories in a folder of submodules, whose names may have folders in them. */
export function moduleDirs(folder: string): string[] {
  return foldersIn(folder).flatMap((name) => {
    const path = join(folder, name);
    return existsSync(join(path, "HEAD")) && existsSync(join(path, "objects")) ? [path] : moduleDirs(path);
  });
}

/** A submodule's own repository: a folder, or a file that names one. */
export function findCheckout(worktree: string, path: string): Place | null {
  const root = join(worktree, path);
  const stat = lstatInside(worktree, `${path}/.git`);
  if (stat === null) return null;
  const named = stat.isFile() ? /^gitdir: (.*?)\n?$/.exec(readText(join(root, ".git")) ?? "")?.[1] : ".git";
  if (named === undefined) return null;
  const gitDir = resolve(root, named);
  return { gitDir, commonDir: gitDir, root };
}

/** Where HEAD of a submodule is. */
export async function readModuleHead(module: Place): Promise<Head> {
  const branch = branchIn(module.gitDir);
  const { stdout } = await git(module, ["rev-parse", "--quiet", "--verify", "HEAD"], { ok: [0, 1, 128] });
  return { branch, oid: stdout.trim() || null };
}

/** Whether a branch that was fetched from a remote holds the commit. */
async function isPublished(checkout: Place, commit: Oid): Promise<boolean> {
  const out = await git(checkout, ["for-each-ref", "--count=1", `--contains=${commit}`, "refs/remotes"], {
    ok: [0, 1, 128, 129],
  });
  return out.code === 0 && out.stdout.trim() !== "";
}

/** Whether the pointer left behind a commit that only this repository has: work of another task that would be dropped with it. */
export async function dropsKept(repo: Repo, { before, commit }: Link): Promise<boolean> {
  if (before === null || (await repo.live.info(linkRef(before))) === null) return false;
  if ((await repo.live.info(linkRef(commit))) === null) return true;
  return !(await isAncestor(repo, before, commit));
}

/** Makes the submodules' commits that only this repository has ready for a worktree, so that `git submodule update --init` finds them
 *  there. Nothing is checked out. Repeatable. */
export async function offerKept(repo: Repo, worktree: Place, commit: Oid): Promise<void> {
  if (!existsSync(join(worktree.root, ".gitmodules"))) return;
  for (const { name, path, url } of await readModules(worktree)) {
    const link = await repo.live.info(`${commit}:${path}`);
    const gitDir = join(worktree.gitDir, "modules", name);
    if (link === null || (await repo.live.info(linkRef(link.oid))) === null) continue;
    if (readText(join(gitDir, "refs", "heads", KEPT_BRANCH))?.trim() === link.oid) continue;
    const module: Place = { gitDir, commonDir: gitDir, root: worktree.gitDir };
    mkdirSync(gitDir, { recursive: true });
    // A second time it would take the working files from a submodule that was checked out since.
    if (!existsSync(join(gitDir, "HEAD"))) await git(module, ["init", "--quiet", "--template="]);
    await git(module, ["config", "remote.origin.url", url]);
    await git(module, ["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    const kept = `+${linkRef(link.oid)}:refs/heads/${KEPT_BRANCH}`;
    await git(module, ["fetch", "--quiet", "--no-tags", "--", repo.commonDir, kept]);
  }
}

/** Brings the commits between which a merge cannot decide into each submodule that is checked out, as far as this repository keeps them: git has fetched only those
 *  that the worktree's own commits name. Repeatable. */
export async function bringBothSides(repo: Repo, worktree: Place): Promise<void> {
  if (!existsSync(join(worktree.root, ".gitmodules"))) return;
  const { stdout } = await git(worktree, ["ls-files", "--unmerged", "-z"]);
  for (const line of fieldsOf(stdout)) {
    const [, commit, path] = /^160000 ([0-9a-f]+) [123]\t([^]*)$/.exec(line) ?? [];
    const module = path === undefined ? null : findCheckout(worktree.root, path);
    if (commit === undefined || module === null || (await repo.live.info(linkRef(commit))) === null) continue;
    const kept = `+${linkRef(commit)}:${linkRef(commit)}`;
    await git(module, ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--", repo.commonDir, kept]);
  }
}

type Module = { name: string; path: string; url: string };

/** What `.gitmodules` says, without what could lead out of the worktree's own folders. */
async function readModules(worktree: Place): Promise<Module[]> {
  const file = join(worktree.root, ".gitmodules");
  const args = ["config", "--no-includes", "--file", file, "-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"];
  const { stdout } = await git(worktree, args, { ok: [0, 1, 128] });
  const found = new Map<string, Partial<Module>>();
  for (const field of fieldsOf(stdout)) {
    const [, name, key, value] = /^submodule\.(.+)\.(path|url)\n([^]*)$/.exec(field) ?? [];
    if (name === undefined || name.split("/").includes("..") || name.startsWith(sep)) continue;
    found.set(name, { ...found.get(name), name, [key!]: value });
  }
  return [...found.values()].filter((each): each is Module => each.path !== undefined && each.url !== undefined);
}

/** A link to a commit that only this repository has, and where that is kept. */
export type Unpublished = { path: string; commit: Oid; ref: string };

/** Of what `to` points at and `from` does not, what is kept in this repository only. */
export async function unpublishedLinks(repo: Repo, from: Oid, to: Oid): Promise<Unpublished[]> {
  const found: Unpublished[] = [];
  for (const { path, commit } of await changedLinks(repo, from, to)) {
    const ref = linkRef(commit);
    if ((await repo.live.info(ref)) !== null) found.push({ path, commit, ref });
  }
  return found;
}
