/** What a worktree changed since it left its base. */
import { existsSync } from "node:fs";
import { OwtError } from "../../core/errors.ts";
import { nameOf } from "../../core/worktree.ts";
import { defaultBranch } from "../../git/branch.ts";
import { git, type Oid, type Place } from "../../git/git.ts";
import { findPlace, readHead } from "../../git/place.ts";
import { readCommit } from "../../git/start-point.ts";
import { readRunPlaces } from "../../store/attempts.ts";
import { readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import type { Checkout } from "./place.ts";

/** A worktree, and what it is compared with. */
export type Compared = { place: Place; name: string; branch: string | null; base: { name: string; commit: Oid } };

/** Everything since it left what it began from: commits, uncommitted and new files; which commit that is. Throws `wrong-state` where its files are
 *  gone. */
export async function compareWorktree(engine: Engine, worktree: Checkout): Promise<Compared> {
  const { path, branch } = worktree;
  const place = existsSync(path) ? findPlace(engine.repo, path) : null;
  if (place === null)
    throw new OwtError("wrong-state", `the files of ${nameOf(worktree)} are gone`, { hint: "see: owt list" });
  return { place, name: nameOf(worktree), branch, base: await findBase(engine, worktree, place) };
}

/** The commit at which it left its recorded base, the branch of its run, or the project's own branch. On that itself there is only what is
 *  uncommitted. */
async function findBase(engine: Engine, { path, branch }: Checkout, place: Place): Promise<Compared["base"]> {
  const { repo, store } = engine;
  const head = (await readHead(repo, place)).oid;
  if (head === null) throw new OwtError("wrong-state", `${branch} has no commit yet`, { hint: "make one: git commit" });
  const recorded = readWorktrees(store).get(path)?.base ?? readRunPlaces(store).get(path)?.branch ?? null;
  for (const name of [recorded, await defaultBranch(repo)]) {
    const commit = name === null ? null : await readCommit(repo, name);
    if (name === null || commit === null) continue;
    const fork = await git(repo, ["merge-base", head, commit], { ok: [0, 1] });
    if (fork.code === 0) return { name, commit: fork.stdout.trim() };
  }
  return { name: branch ?? "HEAD", commit: head };
}
