/** Commits what an agent left uncommitted in its worktree, on the task's branch and nowhere else. The user's hooks do not run here. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { branchRef, checkedOutWhere, isAncestor, moveRef, readRef } from "./branch.ts";
import { DEFAULT_IDENTITY, readIdentity, readTree, writeCommit } from "./commit.ts";
import { findOpenPaths, type Open, readMerging } from "./conflicts.ts";
import { type Footprint, isStill } from "./footprint.ts";
import { holdsUnknown, type Known } from "./known.ts";
import { git, type Identity, type Oid, type Place } from "./git.ts";
import { writeIndexTree } from "./index-tree.ts";
import { inProgress, isMainPlace, lstatInside, placeAt, readHead, type Head } from "./place.ts";
import type { Repo } from "./repo.ts";
import { readSmallStatus } from "./small-status.ts";
import { stageFiles } from "./stage-files.ts";
import { readStatus, type Status } from "./status.ts";
import { findDirtySubmodules } from "./submodules.ts";

export type LeftoversOptions = {
  /** The task's branch. */
  branch: string;
  /** Files or directories, from the worktree's top, that are never committed: env files we brought, local settings. */
  exclude: readonly string[];
  /** What was there before anybody worked here: where it is still the same, it is neither committed nor reported. */
  footprint?: Footprint;
  /** Larger files are not committed. Default: 10 MB. */
  maxFileBytes?: number;
  /** Ignored files that need no saving, as in `inspectWorktree`. With it, `isClean` is answered. */
  known?: readonly Known[];
  message: string;
  /** Who the commit is by. Default: the user as git knows them, else the named default. */
  identity?: Identity;
};

export type LeftReason =
  | "excluded"
  | "too-large"
  | "nested-repository"
  | "unreadable-name"
  /** Uncommitted work inside a submodule: no commit of this repository can hold it. */
  | "dirty-submodule"
  | Open["reason"];

/** A path that is not committed; one that is only as the footprint has it is nobody's work and not worth a word. */
type Refused = { path: string; reason: LeftReason | "untouched" };

/** Why nothing was committed though there may be something to commit. */
export type Blocked =
  /** A merge has paths that nobody resolved; `left` names them. */
  | "unmerged"
  /** A rebase stopped half-way. */
  | "rebase-in-progress"
  /** HEAD is where the task's branch cannot be fast-forwarded to; `head` says where. */
  | "head-elsewhere";

export type Leftovers = {
  /** The commit that was made; null when there was nothing to commit. */
  commit: Oid | null;
  /** What was found and not committed. It is still in the worktree. */
  left: { path: string; reason: LeftReason }[];
  blocked: Blocked | null;
  /** Nothing is in the worktree now but what `tip` holds and what is `known`. */
  isClean: boolean;
  /** Where the task's branch stands now; null when it does not exist. */
  tip: Oid | null;
  /** Where the agent had left HEAD. */
  head: Head;
  /** Who the new commit is by; null without one. */
  identity: Identity | null;
};

const MAX_FILE_BYTES = 10_000_000;
const LOCAL_SETTINGS = ".claude/settings.local.json";
const MERGE_STATE = ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE", "CHERRY_PICK_HEAD", "REVERT_HEAD"];

/** Commits the leftovers of a task worktree, concludes a resolved merge, and brings commits that the agent made on a detached HEAD or
 *  another branch home by fast-forward. What it cannot do safely it reports and leaves alone. Repeatable. */
export async function commitLeftovers(repo: Repo, worktree: string, options: LeftoversOptions): Promise<Leftovers> {
  const place = placeAt(repo, worktree);
  if (isMainPlace(place))
    throw new OwtError("internal", `${worktree} is the user's own checkout: nothing is committed there`);
  const head = await readHead(repo, place);
  const own = head.oid === null ? null : await readSmallStatus(repo, place, await readTree(repo, head.oid));
  const status = own ?? (await readStatus(place, { ignored: options.known !== undefined, links: true }));
  const branchTip = await readRef(repo, options.branch);
  const merging = await readMerging(repo, place, head);
  const open = await findOpenPaths(repo, place, status, merging);
  const refused = sortOut(repo, place, status, options);
  const left = refused.filter((each): each is Leftovers["left"][number] => each.reason !== "untouched");
  const report: Leftovers = {
    commit: null,
    left: [...open, ...left],
    isClean: false,
    blocked: null,
    tip: branchTip,
    head,
    identity: null,
  };

  if (open.length > 0) return { ...report, blocked: "unmerged" };
  for (const path of await findDirtySubmodules(place)) report.left.push({ path, reason: "dirty-submodule" });
  if (inProgress(place) === "rebase") return { ...report, blocked: "rebase-in-progress" };
  const isDirty = merging.length > 0 || hasWork(status, refused);
  const from = await landingBase(repo, place, head, branchTip, options.branch);
  if (from === "behind" && !isDirty) return report;
  if (from === "behind" || from === "elsewhere") return { ...report, blocked: "head-elsewhere" };

  const identity = isDirty ? (options.identity ?? (await ownIdentity(repo))) : null;
  const parts = { from, merging, identity: identity ?? DEFAULT_IDENTITY, message: options.message };
  const commit = isDirty ? await commitTree(repo, place, status, refused, parts) : null;
  const tip = commit ?? from;
  if (tip !== branchTip && !(await moveRef(repo, options.branch, branchTip, tip)))
    return { ...report, blocked: "head-elsewhere" };
  if (head.branch !== options.branch) await git(place, ["symbolic-ref", "HEAD", branchRef(options.branch)]);
  await dropMergeState(place, commit);
  const isClean =
    options.known !== undefined &&
    refused.length + report.left.length === 0 &&
    holdsNothingIgnored(place, status, options.known);
  return { ...report, commit, tip, isClean, identity: commit === null ? null : identity };
}

function holdsNothingIgnored(place: Place, status: Status, known: readonly Known[]): boolean {
  return !status.ignored.some((path) => holdsUnknown(place.root, path, known));
}

/** The commit to build on: HEAD, when the task's branch is there or can be fast-forwarded to it. */
async function landingBase(
  repo: Repo,
  place: Place,
  head: Head,
  tip: Oid | null,
  branch: string,
): Promise<Oid | "behind" | "elsewhere"> {
  if (head.oid === null || tip === null) return "elsewhere";
  if (head.branch === branch) return head.oid;
  if ((await checkedOutWhere(repo, branch, place)) !== null) return "elsewhere";
  if (await isAncestor(repo, tip, head.oid)) return head.oid;
  return (await isAncestor(repo, head.oid, tip)) ? "behind" : "elsewhere";
}

/** What must not be committed, and why. */
function sortOut(repo: Repo, place: Place, status: Status, options: LeftoversOptions): Refused[] {
  const excluded = [LOCAL_SETTINGS, ...options.exclude].map((path) => path.replace(/\/+$/, ""));
  const limit = options.maxFileBytes ?? MAX_FILE_BYTES;
  const refused: Refused[] = [];
  for (const path of [...status.changes.map((change) => change.path), ...status.untracked]) {
    const isUntouched = options.footprint !== undefined && isStill(repo, place.root, path, options.footprint);
    const reason = isUntouched ? "untouched" : judge(place, path, excluded, limit);
    if (reason !== null) refused.push({ path, reason });
  }
  return refused;
}

function judge(place: Place, path: string, excluded: string[], limit: number): LeftReason | null {
  if (excluded.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return "excluded";
  if (path.endsWith("/")) return "nested-repository";
  const stat = lstatInside(place.root, path);
  if (stat === null) return path.includes("\uFFFD") ? "unreadable-name" : null;
  return stat.isFile() && stat.size > limit ? "too-large" : null;
}

function hasWork(status: Status, refused: Refused[]): boolean {
  return status.changes.length + status.untracked.length + status.unmerged.length > refused.length;
}

type CommitParts = { from: Oid; merging: readonly Oid[]; identity: Identity; message: string };

/** Stages, writes the tree, writes the commit. Null when the tree is HEAD's own and no merge is concluded. */
async function commitTree(
  repo: Repo,
  place: Place,
  status: Status,
  refused: Refused[],
  parts: CommitParts,
): Promise<Oid | null> {
  await stage(repo, place, status, new Set(refused.map(({ path }) => path)));
  const before = await readTree(repo, parts.from);
  const tree = (await writeIndexTree(repo, place, before)) ?? (await writeTreeByGit(place));
  if (parts.merging.length === 0 && tree === before) return null;
  const { identity, message } = parts;
  return writeCommit(repo, { tree, parents: [parts.from, ...parts.merging], message, identity });
}

async function writeTreeByGit(place: Place): Promise<Oid> {
  return (await git(place, ["write-tree"], { durable: true })).stdout.trim();
}

/** Brings the index to what is to be committed. A refused path that the agent had staged goes back to HEAD's entry; its file stays. */
async function stage(repo: Repo, place: Place, status: Status, refused: Set<string>): Promise<void> {
  const fromStdin = ["--pathspec-from-file=-", "--pathspec-file-nul"];
  const list = (paths: string[]): { input: string; durable: true } => ({ input: paths.join("\0"), durable: true });
  const staged = status.changes.filter(({ path, x }) => x !== "." && refused.has(path)).map(({ path }) => path);
  if (staged.length > 0) await git(place, ["reset", "--quiet", ...fromStdin], list(staged));
  const changed = status.changes.filter(({ y }) => y !== ".");
  const wanted = [...changed, ...status.unmerged].map(({ path }) => path);
  const paths = [...wanted, ...status.untracked].filter((path) => !refused.has(path));
  const isPlain = status.unmerged.length === 0 && !changed.some(({ isLink }) => isLink);
  if (isPlain && stageFiles(repo, place, paths)) return;
  if (refused.size === 0) {
    await git(place, ["add", "--all"], { durable: true });
    return;
  }
  if (paths.length > 0) await git(place, ["add", "--all", ...fromStdin], list(paths));
}

/** Ends the merge or pick that was committed; a merge also when an earlier call committed it and was killed. */
async function dropMergeState(place: Place, commit: Oid | null): Promise<void> {
  const state = inProgress(place);
  if (state === null || (state !== "merge" && commit === null)) return;
  await Promise.all(MERGE_STATE.map((file) => rm(join(place.gitDir, file), { force: true })));
}

async function ownIdentity(repo: Repo): Promise<Identity> {
  const { name, email } = await readIdentity(repo);
  return { name, email };
}
