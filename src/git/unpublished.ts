/** Which commits of a submodule's git directory exist nowhere else: neither on a remote, nor in the main checkout's own copy of it, nor among
 *  those that this repository keeps. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { git, type Oid, type Place } from "./git.ts";
import type { Repo } from "./repo.ts";

export type Unpublished = {
  /** In a branch, a tag, a stash or HEAD. */
  commits: Oid[];
  /** Named by a reflog only: amended away, reset. */
  dropped: Oid[];
};

/** What a remote gave; what came from another worktree is not safe there. */
const PUBLISHED = ["--remotes", "--glob=refs/owt/brought"];

/** `counterpart` is the main checkout's own copy. One process where all is on a remote. */
export async function findUnpublished(repo: Repo, module: Place, counterpart: string): Promise<Unpublished> {
  const args = ["rev-list", "--all", "--reflog"];
  const { stdout } = await git(module, [...args, "--not", ...PUBLISHED]);
  let lost = linesOf(stdout);
  if (lost.length > 0 && existsSync(join(counterpart, "HEAD"))) {
    const main: Place = { gitDir: counterpart, commonDir: counterpart, root: counterpart };
    lost = await withoutReached(main, lost, ["--all"]);
  }
  if (lost.length > 0) lost = await withoutReached(repo, lost, ["--glob=refs/owt/submodules"]);
  if (lost.length === 0) return { commits: [], dropped: [] };
  const reached = new Set(linesOf((await git(module, ["rev-list", "--all", "--not", ...PUBLISHED])).stdout));
  return { commits: lost.filter((oid) => reached.has(oid)), dropped: lost.filter((oid) => !reached.has(oid)) };
}

/** Those that these refs of another repository do not lead to. */
async function withoutReached(place: Place, commits: readonly Oid[], refs: readonly string[]): Promise<Oid[]> {
  const input = `${commits.join("\n")}\n`;
  const checked = await git(place, ["cat-file", "--batch-check=%(objectname) %(objecttype)"], { input });
  const there = linesOf(checked.stdout).flatMap((line) => (line.endsWith(" commit") ? [line.split(" ", 1)[0]!] : []));
  if (there.length === 0) return [...commits];
  const { stdout } = await git(place, ["rev-list", "--stdin", "--not", ...refs], { input: `${there.join("\n")}\n` });
  const loose = new Set(linesOf(stdout));
  const reached = new Set(there.filter((oid) => !loose.has(oid)));
  return commits.filter((oid) => !reached.has(oid));
}

function linesOf(stdout: string): string[] {
  return stdout.split("\n").filter((line) => line !== "");
}
