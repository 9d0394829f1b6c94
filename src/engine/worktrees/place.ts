/** Where worktrees by hand stand, and which one a word means. */
import { basename, join, resolve } from "node:path";
import { OwtError } from "../../core/errors.ts";
import { findNamed, folderName } from "../../core/worktree.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { readPrevious } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";

export type Checkout = { path: string; branch: string | null };

/** The folder that a branch's worktree gets, as the configuration says. */
export function worktreePath(engine: Engine, branch: string): string {
  const { base_directory, naming_pattern } = engine.config.worktree;
  const { root } = engine.repo;
  const base = resolve(root, (base_directory ?? "../").replace(/^~(?=\/|$)/, engine.env["HOME"] ?? "~"));
  return join(base, folderName(naming_pattern ?? "{project}-{branch}", basename(root), branch));
}

/** The worktree that a word means; without one, that we are in. Throws `unknown-name` with the nearest names. */
export async function findWorktree(engine: Engine, word: string | undefined): Promise<Checkout> {
  const checkouts = await listCheckouts(engine.repo);
  const around = { here: engine.repo.here, main: engine.repo.root, previous: readPrevious(engine.store) };
  return findNamed(word ?? "@", checkouts, around);
}

/** Throws `usage` for the main checkout, which no command takes away. */
export function refuseMain(engine: Engine, { path }: Checkout, verb: string): void {
  if (path !== engine.repo.root) return;
  throw new OwtError("usage", `${path} is the main checkout, and is never ${verb}`, { hint: "see: owt list" });
}
