/** Finds a worktree's own git directory by what the repository has on record, and reads the few files in it that say what goes on there.
 *  The worktree's `.git` file is only a hint: an agent can rewrite or delete it, and git would then walk up into another repository. */
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { OwtError } from "../core/errors.ts";
import { git, type Oid, type Place } from "./git.ts";
import { readFullRef } from "./read-ref.ts";
import type { Repo } from "./repo.ts";

/** Where HEAD is: on a branch (whose commit may not exist yet), or detached. */
export type Head = { branch: string | null; oid: Oid | null };

/** What git is in the middle of. */
export type InProgress = "merge" | "rebase" | "cherry-pick" | "revert" | "bisect";

const STATE_FILES: readonly (readonly [string, InProgress])[] = [
  ["rebase-merge", "rebase"],
  ["rebase-apply", "rebase"],
  ["MERGE_HEAD", "merge"],
  ["CHERRY_PICK_HEAD", "cherry-pick"],
  ["REVERT_HEAD", "revert"],
  ["BISECT_LOG", "bisect"],
];

const PRIVATE_FILES = [
  "ORIG_HEAD",
  "MERGE_HEAD",
  "MERGE_AUTOSTASH",
  "CHERRY_PICK_HEAD",
  "REVERT_HEAD",
  "REBASE_HEAD",
  "rebase-merge/orig-head",
  "rebase-merge/autostash",
  "rebase-apply/orig-head",
  "rebase-apply/autostash",
];

/** The worktree at `path`, or null when the repository has none there. Linked worktrees are found even when their files are gone. */
export function findPlace(repo: Repo, path: string): Place | null {
  const root = resolvePath(path);
  const behindLink = root === path ? null : findBehindLink(repo, path);
  if (behindLink !== null) return behindLink;
  if (root === repo.root) return { gitDir: repo.gitDir, commonDir: repo.commonDir, root };
  const hint = hintedId(root);
  const hinted = hint === null ? null : placeOfEntry(repo, hint, root);
  if (hinted !== null) return hinted;
  for (const id of adminIds(repo)) {
    const place = placeOfEntry(repo, id, root);
    if (place !== null) return place;
  }
  return null;
}

/** The worktree that has its place where a link leads to something else: it is not that, whatever it is. */
function findBehindLink(repo: Repo, path: string): Place | null {
  const spelled = new Set([path, spelledOut(path)]);
  for (const id of adminIds(repo)) {
    const root = recordedRoot(join(repo.commonDir, "worktrees", id));
    if (root !== null && spelled.has(root) && resolvePath(root) !== root) return placeOfEntry(repo, id, root);
  }
  return null;
}

/** A path whose last part stays what it is, also where that is a symbolic link. */
function spelledOut(path: string): string {
  return join(resolvePath(dirname(path)), basename(path));
}

function placeOfEntry(repo: Repo, id: string, root: string): Place | null {
  const gitDir = join(repo.commonDir, "worktrees", id);
  if (recordedRoot(gitDir) !== root) return null;
  ensureOwnCommonDir(repo, gitDir);
  return { gitDir, commonDir: repo.commonDir, root };
}

/** The worktree at `path`. Throws `wrong-state` when the repository has none there. */
export function placeAt(repo: Repo, path: string): Place {
  const place = findPlace(repo, path);
  if (place !== null) return place;
  throw new OwtError("wrong-state", `${path} is not a worktree of ${repo.root}`, { hint: "git worktree list" });
}

export function isMainPlace(place: Place): boolean {
  return place.gitDir === place.commonDir;
}

/** Names of the directories under `worktrees/`. */
export function adminIds(repo: Repo): string[] {
  try {
    return readdirSync(join(repo.commonDir, "worktrees"));
  } catch {
    return [];
  }
}

/** The top of the worktree that an admin directory belongs to, without symbolic links where they lead to that worktree; what a link leads to
 *  that is something else is not its top, and the path stays as it is on record. Null when it does not say, or says it in no UTF-8. */
export function recordedRoot(adminDir: string): string | null {
  const written = writtenRoot(adminDir);
  if (written === null) return null;
  const root = resolvePath(written);
  if (`${root}/`.startsWith(`${dirname(adminDir)}/`)) return null;
  if (root === written || !existsSync(root) || isTopOf(root, adminDir)) return root;
  const place = spelledOut(written);
  return place === root ? written : place;
}

/** The same as it is written there. What names no `.git` file (gitrepository-layout), or one among git's own
 *  entries, says nothing: taken for a path, such a word would lead into git's folder, and that would be worked in and removed. */
export function writtenRoot(adminDir: string): string | null {
  // Of those that are being taken away it is gone, and these are many in a busy run.
  const gitFile = readText(join(adminDir, "gitdir"))?.replace(/[\r\n]+$/, "");
  // After a power cut the file can be there and empty.
  if (!gitFile || gitFile.includes("\0") || basename(gitFile) !== ".git") return null;
  // A name that is no UTF-8 was read as another, at which nothing is: what stands there would count as gone.
  return gitFile.includes("\uFFFD") ? null : dirname(resolve(adminDir, gitFile));
}

/** Whether the `.git` file of a folder says that it is the worktree of an entry. */
function isTopOf(root: string, adminDir: string): boolean {
  const named = namedGitDir(root);
  return named !== null && !named.includes("\0") && resolvePath(resolve(root, named)) === resolvePath(adminDir);
}

/** Why a worktree is locked; null when it is not. An empty reason is a lock too. */
export function lockReason(place: Pick<Place, "gitDir">): string | null {
  return readText(join(place.gitDir, "locked"))?.trim() ?? null;
}

export function inProgress(place: Place): InProgress | null {
  return STATE_FILES.find(([file]) => existsSync(join(place.gitDir, file)))?.[1] ?? null;
}

/** The file that whoever changes a worktree's index holds. */
export function indexLock(place: Pick<Place, "gitDir">): string {
  return join(place.gitDir, "index.lock");
}

/** Where HEAD is. Without a process in the ordinary layout. */
export async function readHead(repo: Repo, place: Place): Promise<Head> {
  const branch = await headBranch(repo, place);
  if (branch !== null) return { branch, oid: await readFullRef(repo, `refs/heads/${branch}`) };
  const text = readRecord(join(place.gitDir, "HEAD"))?.trim() ?? "";
  if (/^[0-9a-f]{40,64}$/.test(text)) return { branch: null, oid: text };
  // A power cut can leave an entry without its HEAD, and its files gone: no git can be asked there.
  if (!existsSync(place.root)) return { branch: null, oid: null };
  const spawned = await git(place, ["rev-parse", "--quiet", "--verify", "HEAD"], { ok: [0, 1] });
  return { branch: null, oid: spawned.stdout.trim() || null };
}

/** The branch that HEAD is on; null when detached, or on a symbolic name outside `refs/heads/`. */
async function headBranch(repo: Repo, place: Place): Promise<string | null> {
  if (repo.plainLayout) return branchIn(place.gitDir);
  return branchOf((await git(place, ["symbolic-ref", "--quiet", "HEAD"], { ok: [0, 1] })).stdout.trim());
}

/** The branch that a worktree's own git directory has checked out; for the ordinary layout. */
export function branchIn(gitDir: string): string | null {
  return branchOf(readRecord(join(gitDir, "HEAD"))?.match(/^ref: (.*)\n?$/)?.[1]);
}

function branchOf(ref: string | undefined): string | null {
  return ref?.startsWith("refs/heads/") ? ref.slice("refs/heads/".length) : null;
}

/** The file of the branch that HEAD is on, where it names no commit: after a power cut it can be there and empty. Null for a sound one, for a branch without a
 *  commit yet, and where refs are no files. */
export function unreadableBranch({ gitDir, commonDir }: Pick<Place, "gitDir" | "commonDir">): string | null {
  const branch = branchIn(gitDir);
  if (branch === null) return null;
  const file = join(commonDir, "refs", "heads", branch);
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return null;
  return /^(?:ref: .+|[0-9a-f]{40}(?:[0-9a-f]{24})?)\n?$/.test(readRecord(file) ?? "") ? null : file;
}

/** Commits that only this worktree's own files name: its reflog, a stopped rebase, a stashed state, private refs. */
export function privateTips(place: Place): Oid[] {
  const texts = PRIVATE_FILES.map((file) => readText(join(place.gitDir, file)) ?? "");
  const refs = filesBelow(join(place.gitDir, "refs")).map((file) => readText(file) ?? "");
  const oids = [...texts, ...refs].flatMap((text) => text.match(/\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b/g) ?? []);
  const reflog = (readRecord(join(place.gitDir, "logs", "HEAD")) ?? "")
    .split("\n")
    .flatMap((line) => line.split(" ", 2));
  return [...new Set([...oids, ...reflog])].filter((oid) => /^[0-9a-f]{40,64}$/.test(oid) && !/^0+$/.test(oid));
}

/** An absolute path without symbolic links, as far as it exists. */
export function resolvePath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(resolvePath(parent), basename(path));
  }
}

/** What stands at a path of a worktree; null when nothing does. A path through a symbolic link is not in the worktree, whatever is there. */
export function lstatInside(root: string, path: string): Stats | null {
  let full = root;
  const parts = path.split("/").filter((part) => part !== "");
  for (const [at, part] of parts.entries()) {
    full = join(full, part);
    const stat = lstatSync(full, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    if (at === parts.length - 1) return stat;
    if (!stat.isDirectory()) return null;
  }
  return null;
}

/** A small file's text; null when it cannot be read. For a file that is often missing: an error is dear. */
export function readText(path: string): string | null {
  return existsSync(path) ? readRecord(path) : null;
}

/** A small file's text; null when it cannot be read. For a file that is there as a rule. */
export function readRecord(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** What a cut leaves of a short file: nothing, or zeros. */
export function isBlank(text: string): boolean {
  return text.replaceAll("\0", "").trim() === "";
}

/** git finds refs by this file whatever its environment says: a rewritten one would send our commits into another repository. */
function ensureOwnCommonDir(repo: Repo, gitDir: string): void {
  const text = readRecord(join(gitDir, "commondir"))?.trim() ?? "";
  if (text !== "" && resolvePath(resolve(gitDir, text)) === repo.commonDir) return;
  writeFileSync(join(gitDir, "commondir.owt"), "../..\n");
  renameSync(join(gitDir, "commondir.owt"), join(gitDir, "commondir"));
}

/** All files below a directory; none where it cannot be read. */
export function filesBelow(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

/** The names of the folders in a directory; none where it cannot be read. */
export function foldersIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** What the `.git` file of a folder names, there or not; null where it is none, or names nothing. */
export function namedGitDir(root: string): string | null {
  return readText(join(root, ".git"))?.match(/^gitdir: (.*?)[\r\n]*$/s)?.[1] ?? null;
}

function hintedId(root: string): string | null {
  const named = namedGitDir(root);
  return named === null ? null : basename(named);
}
