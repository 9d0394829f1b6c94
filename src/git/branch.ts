/** Branches: reading is one answer of a live process, moving is a durable compare-and-set, and a lost race is a value. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { readFacts } from "./facts.ts";
import { git, type Oid, type Place } from "./git.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { adminIds, findPlace, readHead, readRecord, readText, recordedRoot } from "./place.ts";
import { readFullRef } from "./read-ref.ts";
import type { Repo } from "./repo.ts";

export type Created = "created" | { exists: Oid };
export type Deleted =
  | "deleted"
  /** It stands elsewhere than expected, or is gone already (`null`). */
  | { moved: Oid | null }
  /** A worktree has it; remove that first, else its HEAD would be unborn. */
  | { checkedOut: string }
  /** No given commit contains it: its work would be lost. */
  | "not-kept";

/** How many commits are read live (0.1 ms each) before a process (2 ms) is worth its price. */
const NEAR = 16;

/** The full name of a branch. Throws `usage` for what git would not take as one. */
export function branchRef(name: string): string {
  if (!isBranchName(name))
    throw new OwtError("usage", `not a branch name: ${JSON.stringify(name)}`, {
      hint: "see which names git takes: git check-ref-format --help",
    });
  return `refs/heads/${name}`;
}

/** Whether git would take it as the name of a branch. */
export function isBranchName(name: string): boolean {
  const parts = name.split("/");
  const bad =
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\.$/.test(name) ||
    name === "@" ||
    name === "HEAD" ||
    name.startsWith("-") ||
    parts.some((part) => part === "" || part.startsWith(".") || part.endsWith(".lock"));
  return !bad;
}

/** What a full ref name or a branch name points to; null when it does not exist. Right with packed refs. */
export async function readRef(repo: Repo, name: string): Promise<Oid | null> {
  return readFullRef(repo, fullRef(name));
}

/** Full names of all refs below these prefixes, such as `refs/heads/owt/`. */
export async function listRefs(repo: Repo, prefixes: readonly string[]): Promise<string[]> {
  if (hasNone(repo, prefixes)) return [];
  const { stdout } = await git(repo, ["for-each-ref", "--format=%(refname)", ...prefixes]);
  return stdout.split("\n").filter(Boolean);
}

/** Whether the files of refs show at once that there are none. */
function hasNone(repo: Repo, prefixes: readonly string[]): boolean {
  if (!repo.plainLayout || prefixes.some((prefix) => existsSync(join(repo.commonDir, prefix)))) return false;
  const packed = join(repo.commonDir, "packed-refs");
  const text = existsSync(packed) ? readFileSync(packed, "latin1") : "";
  return !prefixes.some((prefix) => text.includes(` ${prefix}`));
}

/** Creates a branch, unless it exists. */
export async function createBranch(repo: Repo, name: string, oid: Oid): Promise<Created> {
  const ref = branchRef(name);
  for (;;) {
    if (await repo.live.updateRefs([{ ref, from: null, to: oid }])) return "created";
    const exists = await readRef(repo, ref);
    if (exists !== null) return { exists };
  }
}

/** Moves a branch or full ref from one commit to another, durably. `false`: it was not at `from`, and nothing happened. */
export function moveRef(repo: Repo, name: string, from: Oid | null, to: Oid): Promise<boolean> {
  return repo.live.updateRefs([{ ref: fullRef(name), from, to }]);
}

/** Deletes a branch that stands at `expected`, is checked out nowhere, and is contained in one of `keptBy`. */
export async function deleteBranchIf(
  repo: Repo,
  name: string,
  expected: Oid,
  keptBy: readonly Oid[],
): Promise<Deleted> {
  const ref = branchRef(name);
  const at = await readRef(repo, ref);
  if (at !== expected) return { moved: at };
  const path = await checkedOutWhere(repo, name);
  if (path !== null) return { checkedOut: path };
  if (!(await isKept(repo, expected, keptBy))) return "not-kept";
  if (await repo.live.updateRefs([{ ref, from: expected, to: null }])) return "deleted";
  return { moved: await readRef(repo, ref) };
}

/** Whether one of `tips` contains `oid`. */
export async function isKept(repo: Repo, oid: Oid, tips: readonly Oid[]): Promise<boolean> {
  for (const tip of tips) if (await isAncestor(repo, oid, tip)) return true;
  return false;
}

/** Whether `descendant` contains `ancestor`; a commit contains itself. No process when they are close. */
export async function isAncestor(repo: Repo, ancestor: Oid, descendant: Oid): Promise<boolean> {
  if (await isNear(repo, ancestor, descendant)) return true;
  const { code } = await git(repo, ["merge-base", "--is-ancestor", ancestor, descendant], { ok: [0, 1] });
  return code === 0;
}

/** Whether `ancestor` is found within a few commits below `descendant`; `false` only means "not found so near". */
export async function isNear(repo: Repo, ancestor: Oid, descendant: Oid, reads: number = NEAR): Promise<boolean> {
  return (await notNear(repo, [ancestor], descendant, reads)).length === 0;
}

/** Those of `wanted` that are not found below `descendant` by reading so many commits, nearest first. */
export async function notNear(repo: Repo, wanted: readonly Oid[], descendant: Oid, reads: number): Promise<Oid[]> {
  const missing = new Set(wanted);
  const seen = new Set([descendant]);
  missing.delete(descendant);
  let left = reads;
  for (const oid of seen) {
    if (missing.size === 0 || left-- === 0) break;
    for (const parent of (await readFacts(repo, oid))?.parents ?? []) {
      seen.add(parent);
      missing.delete(parent);
    }
  }
  return [...missing];
}

/** The parents of a commit, first parent first. */
export async function readParents(repo: Repo, commit: Oid): Promise<readonly Oid[]> {
  const facts = await readFacts(repo, commit);
  if (facts === null) throw new OwtError("tool-failed", `${commit} is not a commit of ${repo.root}`);
  return facts.parents;
}

/** The commits that a branch stood at, newest first, as far as git's own log of it tells. */
export async function pastTips(repo: Repo, branch: string): Promise<Set<Oid>> {
  const { stdout } = await git(repo, ["log", "--walk-reflogs", "--format=%H", branchRef(branch), "--"], {
    // Of a commit in it that is gone.
    ok: [0, 128],
  });
  return new Set(stdout.split("\n").filter(Boolean));
}

/** The branch that a worktree (default: the one we were opened from) is on; null when it is detached. */
export async function currentBranch(repo: Repo, path: string = repo.here): Promise<string | null> {
  const place = findPlace(repo, path);
  return place === null ? null : (await readHead(repo, place)).branch;
}

/** The branch that the project's work comes together on: the remote's default, the configured one, `main`, `master`, else the current one. */
export async function defaultBranch(repo: Repo): Promise<string | null> {
  const remote = await git(repo, ["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"], {
    ok: [0, 1, 128],
  });
  const configured = await git(repo, ["config", "--get", "init.defaultBranch"], { ok: [0, 1] });
  const wanted = [remote.stdout.trim().replace(/^origin\//, ""), configured.stdout.trim(), "main", "master"];
  for (const name of wanted) if (name !== "" && (await readRef(repo, branchRef(name))) !== null) return name;
  return currentBranch(repo, repo.root);
}

/** The worktree that has a branch checked out, or is rebasing or bisecting it; null when none has (but for the one at `except`). */
export async function checkedOutWhere(repo: Repo, branch: string, except?: Place): Promise<string | null> {
  const ref = branchRef(branch);
  if (!repo.plainLayout) return spawnedCheckedOutWhere(repo, ref, except);
  if (usesBranch(repo.gitDir, ref)) return repo.root;
  for (const id of adminIds(repo)) {
    const gitDir = join(repo.commonDir, "worktrees", id);
    // git does not see an entry that names no files: it is being taken away.
    if (gitDir === except?.gitDir || !existsSync(`${gitDir}/gitdir`) || !usesBranch(gitDir, ref)) continue;
    const root = recordedRoot(gitDir);
    if (root !== null) return root;
  }
  return null;
}

/** The same, but for worktrees whose folder is gone and which nobody locked, as `git worktree prune` takes them: nothing there can be in anybody's way. */
export async function checkedOutThere(repo: Repo, branch: string): Promise<string | null> {
  const path = await checkedOutWhere(repo, branch);
  if (path === null || existsSync(path)) return path;
  const listed = (await git(repo, ["worktree", "list", "--porcelain", "-z"])).stdout.split("\0\0");
  const isPrunable = listed.some((entry) => entry.startsWith(`worktree ${path}\0`) && entry.includes("\0prunable "));
  return isPrunable ? null : path;
}

async function spawnedCheckedOutWhere(repo: Repo, ref: string, except?: Place): Promise<string | null> {
  // A `git worktree add` under way makes the listing fail: ours wait in the same queue, for a stranger's we look again.
  const list = () => git(repo, ["worktree", "list", "--porcelain", "-z"]);
  const { stdout } = await oneAtATime(repo.commonDir, () => list().catch(list));
  const entries = stdout.split("\0\0").map((text) => text.split("\0"));
  const paths = entries
    .filter((lines) => lines.includes(`branch ${ref}`))
    .map(([first]) => first!.slice("worktree ".length));
  const there = paths.find((path) => path !== except?.root) ?? null;
  return there === null ? null : (findPlace(repo, there)?.root ?? there);
}

function usesBranch(gitDir: string, ref: string): boolean {
  const head = readRecord(`${gitDir}/HEAD`);
  // Who rebases or bisects has HEAD on a commit.
  if (head?.startsWith("ref: ")) return head.trim() === `ref: ${ref}`;
  const read = (file: string): string => readText(`${gitDir}/${file}`)?.trim() ?? "";
  return (
    read("rebase-merge/head-name") === ref ||
    read("rebase-apply/head-name") === ref ||
    `refs/heads/${read("BISECT_START")}` === ref
  );
}

function fullRef(name: string): string {
  if (!name.startsWith("refs/")) return branchRef(name);
  branchRef(name.slice("refs/".length));
  return name;
}
