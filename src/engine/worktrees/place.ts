/** Where worktrees by hand stand, and which one a word means. */
import { basename, join, resolve } from "node:path";
import { OwtError } from "../../core/errors.ts";
import { findNamed, folderName } from "../../core/worktree.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { readPrevious } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import { followMoved } from "./moved.ts";
import { findLost, refuseDamaged } from "./damaged.ts";
import { refuseStranger } from "./stranger.ts";

export type Checkout = { path: string; branch: string | null };

/** The folder that a branch's worktree gets, as the configuration says. */
export function worktreePath(engine: Engine, branch: string): string {
  const pattern = engine.config.worktree.naming_pattern ?? "{project}-{branch}";
  return join(baseDirectory(engine), folderName(pattern, basename(engine.repo.root), branch));
}

/** The folder in which worktrees by hand stand, as the configuration names it. */
export function baseDirectory({ config, repo, env }: Engine): string {
  return resolve(repo.root, (config.worktree.base_directory ?? "../").replace(/^~(?=\/|$)/, env["HOME"] ?? "~"));
}

/** The worktree that a word means; without one, that we are in. Throws `unknown-name` with the nearest names, and
 *  `wrong-state` for one that git cannot find because it came to harm. */
export async function findWorktree(engine: Engine, word: string | undefined): Promise<Checkout> {
  await followMoved(engine);
  const checkouts = await listCheckouts(engine.repo);
  const around = { here: engine.repo.here, main: engine.repo.root, previous: readPrevious(engine.store) };
  try {
    const found = findNamed(word ?? "@", checkouts, around);
    refuseStranger(engine, found);
    return found;
  } catch (error) {
    if (word === undefined || !(error instanceof OwtError) || error.code !== "unknown-name") throw error;
    const lost = await findLost(engine, word);
    throw lost === null ? error : refuseDamaged(lost);
  }
}

/** Throws `usage` for the main checkout, which no command takes away. */
export function refuseMain(engine: Engine, { path }: Checkout, verb: string): void {
  if (path !== engine.repo.root) return;
  throw new OwtError("usage", `${path} is the main checkout, and is never ${verb}`, { hint: "see: owt list" });
}
