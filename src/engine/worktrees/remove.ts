/** Takes a worktree by hand away, and its branch where its work has come home. The one guard in front of every removal stands in git/remove. */
import { rmSync } from "node:fs";
import { slug } from "../../core/names.ts";
import { nameOf } from "../../core/worktree.ts";
import { defaultBranch, deleteBranchIf, readRef } from "../../git/branch.ts";
import { git, type Oid } from "../../git/git.ts";
import { type Reason, removeWorktree, whyItStays } from "../../git/remove.ts";
import { readCommit } from "../../git/start-point.ts";
import { type Came, howItCame } from "../../git/work-in.ts";
import { forgetWorktree, readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import { keepChangedEnvironment } from "../environment-files.ts";
import { leaveWorktree } from "../hooks.ts";
import { forgetSetup, knownFiles } from "../workspace.ts";
import type { Checkout } from "./place.ts";
import { setupDir } from "./ready.ts";

export type Gone = {
  path: string;
  branch: string | null;
  /** How the branch's work came home, so that the branch went too; null where it stays. */
  came: Came | null;
  /** What `owt restore` brings back. */
  rescue: string | null;
  /** Environment files that were changed, kept under that name. */
  environment: string[];
};

export type Stays = { path: string; branch: string | null; reasons: Reason[] };

/** Removes a worktree with nothing lost: what is not safe is refused, or with `save` kept for `owt restore` first. `tell` hears of a hook that
 *  failed. */
export async function removeByHand(
  engine: Engine,
  { path, branch }: Checkout,
  options: { save: boolean; tell: (text: string) => void },
): Promise<Gone | Stays> {
  const { repo, store } = engine;
  const tips = await homes(engine, path, branch);
  const tip = branch === null ? null : await readRef(repo, branch);
  const came = tip === null ? null : await howItCame(repo, tip, tips);
  const held = {
    // The branch stays, or goes only where its work is elsewhere too.
    keep: branch === null ? tips : [`refs/heads/${branch}`],
    known: knownFiles(engine),
    save: options.save,
  };
  const reasons = await whyItStays(repo, path, held);
  if (reasons.length > 0) return { path, branch, reasons };
  const left = await leaveWorktree(engine, { attempt: 0, dir: setupDir(engine, path), worktree: path });
  if (left?.trouble) options.tell(left.trouble);
  const id = `${slug(nameOf({ path, branch }))}-${engine.now().toString(36)}`;
  const kept = await keepChangedEnvironment(engine, path, id);
  const removed = await removeWorktree(repo, path, {
    ...held,
    saveAnyway: came === "squashed" || came === "rebased",
    rescue: { id, note: `the worktree ${nameOf({ path, branch })}, taken away`, at: engine.now() },
  });
  if (!removed.removed) return { path, branch, reasons: removed.reasons };
  await removed.emptied;
  forgetSetup(engine, path);
  rmSync(setupDir(engine, path), { recursive: true, force: true });
  forgetWorktree(store, path);
  const isHome = came !== null && (await deleteBranchIf(repo, branch!, tip!, [tip!])) === "deleted";
  const isSaved = removed.rescue !== null || kept.length > 0;
  return { path, branch, came: isHome ? came : null, rescue: isSaved ? id : null, environment: kept };
}

/** Commits in which the work of a branch counts as home: its base, the project's own branch, and what those follow. */
async function homes(engine: Engine, path: string, branch: string | null): Promise<Oid[]> {
  const { repo, store } = engine;
  const base = readWorktrees(store).get(path)?.base ?? null;
  const names = [base, await defaultBranch(repo)].filter((name) => name !== null && name !== branch) as string[];
  const followed = await Promise.all(names.map((name) => upstreamOf(engine, name)));
  const tips = await Promise.all([...names, ...followed.flat()].map((name) => readCommit(repo, name)));
  return [...new Set(tips.filter((oid) => oid !== null))];
}

/** The remote branch that a branch follows. */
async function upstreamOf({ repo }: Engine, branch: string): Promise<string[]> {
  const args = ["for-each-ref", "--format=%(upstream)", `refs/heads/${branch}`];
  return (await git(repo, args)).stdout.split("\n").filter(Boolean);
}
