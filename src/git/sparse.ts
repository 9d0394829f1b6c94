/** Sparse checkouts: worktrees that hold a part of their commit's files. */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { git, type Place } from "./git.ts";

/** Gives a worktree that has no files yet the sparse settings of another checkout, as `git worktree add` does there. False where that one has all its files. */
export async function takeSparse(from: Place, to: Place): Promise<boolean> {
  if (!existsSync(join(from.gitDir, PATTERNS))) return false;
  const asked = await git(from, ["config", "--type=bool", "core.sparseCheckout"], { ok: [0, 1] });
  if (asked.stdout.trim() !== "true") return false;
  mkdirSync(join(to.gitDir, "info"), { recursive: true });
  copyFileSync(join(from.gitDir, PATTERNS), join(to.gitDir, PATTERNS));
  const [own, its] = [from, to].map(({ gitDir }) => join(gitDir, "config.worktree")) as [string, string];
  if (!existsSync(own)) return true;
  copyFileSync(own, its);
  for (const key of ["core.bare", "core.worktree"])
    await git(to, ["config", "--file", its, "--unset-all", key], { ok: [0, 5] });
  return true;
}

const PATTERNS = "info/sparse-checkout";
