/** Whether a branch's work has come into another one, whatever way it took: merged, rebased, or squashed into one commit. */
import { isAncestor } from "./branch.ts";
import { readTree } from "./commit.ts";
import { git, type Oid } from "./git.ts";
import { gitPatiently } from "./patience.ts";
import type { Repo } from "./repo.ts";

export type Came =
  | "merged"
  | "squashed"
  | "rebased"
  /** One commit as another one: a squash, a rebase and a cherry-pick look the same. */
  | "copied"
  | "same";

/** How the work up to `tip` came into one of `targets`; null where none has it. Told from content: a merge of the two would change nothing, or
 *  the same patches are there already. */
export async function howItCame(repo: Repo, tip: Oid, targets: readonly Oid[]): Promise<Came | null> {
  for (const target of targets) {
    if (await isAncestor(repo, tip, target)) return tip === target ? "same" : "merged";
  }
  for (const target of targets) {
    const patches = await countPatchesIn(repo, tip, target);
    if (patches > 0) return patches === 1 ? "copied" : "rebased";
    if ((await changesNothing(repo, tip, target)) || (await isSquashIn(repo, tip, target))) return "squashed";
  }
  return null;
}

/** Whether all that was done up to `tip` is in the target, its merges done anew or left out: also where each commit was rebased onto it. */
export async function isAllIn(repo: Repo, tip: Oid, target: Oid): Promise<boolean> {
  if ((await howItCame(repo, tip, [target])) !== null) return true;
  const missing = ["log", "--cherry-pick", "--right-only", "--no-merges", "--max-count=1", "--format=%H"];
  return (await git(repo, [...missing, `${target}...${tip}`, "--"])).stdout === "";
}

/** How many commits there are that the target lacks, where each one's patch has an equal one there; else none. Merges say nothing, and count as missing. */
async function countPatchesIn(repo: Repo, tip: Oid, target: Oid): Promise<number> {
  const merges = await git(repo, ["rev-list", "--max-count=1", "--merges", `${target}..${tip}`]);
  if (merges.stdout !== "") return 0;
  const { stdout } = await git(repo, ["cherry", target, tip]);
  return /^\+/m.test(stdout) ? 0 : stdout.split("\n").filter(Boolean).length;
}

async function changesNothing(repo: Repo, tip: Oid, target: Oid): Promise<boolean> {
  const args = ["merge-tree", "--write-tree", "--no-messages", target, tip];
  const merged = await gitPatiently(repo.patience, repo, args, { ok: [0, 1, 128] });
  return merged.code === 0 && merged.stdout.trim() === (await readTree(repo, target));
}

/** All of it as one commit, as a squash makes it: found also where the target went on from there in the same lines. */
async function isSquashIn(repo: Repo, tip: Oid, target: Oid): Promise<boolean> {
  const base = await git(repo, ["merge-base", target, tip], { ok: [0, 1] });
  const from = base.stdout.trim();
  if (from === "") return false;
  const identity = { name: "Open Orchestrator", email: "owt@localhost" };
  const args = ["commit-tree", await readTree(repo, tip), "-p", from, "-m", "squashed"];
  const squashed = (await git(repo, args, { identity })).stdout.trim();
  const { stdout } = await git(repo, ["cherry", target, squashed]);
  return stdout.startsWith("-");
}
