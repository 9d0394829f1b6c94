/** Merging: in the object store without touching a worktree, or in a task's worktree for an agent to resolve. */
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { withAttributesOf } from "./attributes.ts";
import { isNear } from "./branch.ts";
import { DEFAULT_IDENTITY, readTree } from "./commit.ts";
import { fieldsOf, git, type GitOptions, type Oid, type Place } from "./git.ts";
import { clearStaleLocks } from "./locks.ts";
import { findObstacles } from "./obstacles.ts";
import { usualMerge } from "./own-flags.ts";
import { gitPatiently, isOutOfTime } from "./patience.ts";
import { inProgress, isMainPlace, placeAt, readHead, readText } from "./place.ts";
import { quoteLossy, UNMERGED } from "./quoted-names.ts";
import type { Repo } from "./repo.ts";
import { readStatus } from "./status.ts";
import { mergeDisjoint } from "./tree-merge.ts";
import { shellWord } from "../lib/printable.ts";
import type { ExecResult } from "../system/exec.ts";

/** A merge without conflicts. `fastForward`: one side contains the other, so the tree is that side's own. */
export type Merged = { tree: Oid; fastForward: boolean };
/** Paths that a person or an agent has to decide. */
export type Conflicts = { files: string[] };
/** The two share no history. */
export type Unrelated = { unrelated: true };

/** Merges two commits without touching a worktree, durably. Conflicts are an answer, not an error. Attributes are those of `ours`, which
 *  the others are merged into; `worktree` is where git runs. */
export async function mergeTrees(
  repo: Repo,
  ours: Oid,
  theirs: Oid,
  worktree: string,
): Promise<Merged | Conflicts | Unrelated> {
  // Cheaper than the process that it saves only where the answer is near: a task has few commits.
  if (await isNear(repo, theirs, ours, 2)) return { tree: await readTree(repo, ours), fastForward: true };
  if (await isNear(repo, ours, theirs, 8)) return { tree: await readTree(repo, theirs), fastForward: true };
  const simple = await mergeDisjoint(repo, ours, theirs);
  if (simple !== null) return { tree: simple, fastForward: false };
  const merged = await mergePartly(repo, ours, theirs, worktree);
  if ("unrelated" in merged) return merged;
  return merged.files.length === 0 ? { tree: merged.tree, fastForward: false } : { files: merged.files };
}

/** Merges them as far as that goes: the files that somebody has to decide hold both sides there. */
export async function mergePartly(
  repo: Repo,
  ours: Oid,
  theirs: Oid,
  worktree: string,
): Promise<({ tree: Oid } & Conflicts) | Unrelated> {
  const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs];
  const out = await withAttributesOf(repo, ours, worktree, (place) =>
    gitPatiently(repo.patience, place, args, { ok: [0, 1, 128], durable: true }),
  );
  if (out.code === 128) {
    if ((await git(repo, ["merge-base", ours, theirs], { ok: [0, 1, 128] })).code === 1) return { unrelated: true };
    throw new OwtError("tool-failed", `git merge-tree ${ours} ${theirs}: ${out.stderr.trim()}`);
  }
  const [tree, ...files] = fieldsOf(out.stdout);
  if (tree === undefined) throw new OwtError("tool-failed", `git merge-tree ${ours} ${theirs}: ${out.stderr.trim()}`);
  if (out.code === 0) return { tree, files: [] };
  const listed = args.filter((arg) => arg !== "-z");
  const names = await withAttributesOf(repo, ours, worktree, (place) => quoteLossy(place, files, listed));
  return { tree, files: namesOf(names, [ours, theirs]) };
}

/** Where one side has a file and the other a folder of its name, git puts the file beside it and calls it after its commit: what is in conflict is the name. */
function namesOf(files: readonly string[], commits: readonly Oid[]): string[] {
  const beside = new RegExp(`~(?:${commits.join("|")})(?:_\\d+)?$`);
  return [...new Set(files.filter((file) => file !== "").map((file) => file.replace(beside, "")))];
}

export type StartedMerge =
  /** The branch contains it already. */
  | "nothing"
  /** Merged in index and files, not committed: `commitLeftovers` concludes it. */
  | "clean"
  | Conflicts
  /** Not started: these untracked or ignored files would be overwritten. */
  | { inTheWay: string[] };

/** Where a git was killed in the middle its lock goes with it. */
async function mergeThere(repo: Repo, place: Place, args: readonly string[], options: GitOptions): Promise<ExecResult> {
  try {
    return await gitPatiently(repo.patience, place, args, options);
  } catch (error) {
    if (isOutOfTime(error) || (error instanceof OwtError && error.code === "interrupted"))
      await clearStaleLocks(repo, place.gitDir, { branches: [] });
    throw error;
  }
}

/** Starts a merge in a task's worktree and leaves it uncommitted, with its conflicts, for an agent to resolve. Repeatable: the same merge
 *  already under way is described. Throws `wrong-state` when the worktree has changes of its own or another merge. */
export async function startMerge(repo: Repo, worktree: string, theirs: Oid): Promise<StartedMerge> {
  const place = placeAt(repo, worktree);
  if (isMainPlace(place))
    throw new OwtError("internal", `${worktree} is the user's own checkout: no merge is started there`);
  const merging = (): string | undefined => readText(join(place.gitDir, "MERGE_HEAD"))?.trim();
  if (merging() === undefined) {
    if ((await readStatus(place)).changes.length > 0 || inProgress(place) !== null) {
      throw new OwtError("wrong-state", `${worktree} has uncommitted changes`, { hint: "commit them first" });
    }
    const inTheWay = await findObstacles(place, (await readHead(repo, place)).oid ?? theirs, theirs);
    if (inTheWay.length > 0) return { inTheWay };
    const flags = ["--no-ff", "--no-commit", "--no-edit", "--quiet", "--no-stat"];
    const { branch } = await readHead(repo, place);
    const args = [...(branch === null ? [] : usualMerge(branch)), "merge", ...flags, theirs];
    const options = { ok: [0, 1, 2, 128], durable: true, identity: DEFAULT_IDENTITY };
    const out = await mergeThere(repo, place, args, options);
    if (merging() === undefined) {
      if (out.code === 0) return "nothing";
      throw new OwtError("wrong-state", `cannot merge ${theirs} in ${worktree}: ${(out.stderr || out.stdout).trim()}`, {
        hint: `look: git -C ${shellWord(worktree)} status`,
      });
    }
  }
  if (merging() !== theirs)
    throw new OwtError("wrong-state", `another merge is under way in ${worktree}`, { hint: "git merge --abort" });
  const files = (await readStatus(place)).unmerged.map(({ path }) => path);
  return files.length === 0 ? "clean" : { files: await quoteLossy(place, files, UNMERGED) };
}
