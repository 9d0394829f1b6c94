/** Worktrees of ours behind a power cut. What was written in them shortly before may be empty, old or in pieces, git's own files as well: nothing of it
 *  was synced, since that would cost every task more than a cut is worth. So nothing in them is believed until it was held against what was synced,
 *  which is the commits, the refs and the store. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { OwtError } from "../core/errors.ts";
import { removeFile, writeFileAtomically } from "../system/files.ts";
import { branchRef, checkedOutWhere, readRef } from "./branch.ts";
import { namedEntry } from "./damage.ts";
import { readDeclared } from "./declared-modules.ts";
import { git, type Oid, type Place } from "./git.ts";
import { isBeingMade, isHalfMade } from "./half-made.ts";
import { oidBytes } from "./index-file.ts";
import {
  adminIds,
  branchIn,
  findPlace,
  inProgress,
  isBlank,
  isMainPlace,
  readRecord,
  readText,
  recordedRoot,
  resolvePath,
  unreadableBranch,
} from "./place.ts";
import { syncDirectory } from "./live.ts";
import { clearOldIndexLock } from "./locks.ts";
import type { Repo } from "./repo.ts";
import { isInDoubt } from "./standing.ts";
import { findStranger } from "./stranger.ts";

/** What HEAD is to be where the cut took it. */
export type Home = { branch: string } | { detached: Oid };

/** Makes git's files of the worktree at `path` whole where it may have come to harm: its entry, HEAD, what is under way, the index. None of its own files is
 *  touched; git compares each of them with what its content was, and no longer believes dates. Null where there is nothing to mend: no such worktree, none of ours, one that is
 *  beyond doubt, or one whose creation was cut off. The caller promises that nobody works there. */
export async function mendEntry(repo: Repo, path: string, home: Home): Promise<Place | null> {
  const root = resolvePath(path);
  if (!existsSync(root)) return null;
  const found = findPlace(repo, root);
  if (found !== null && (isMainPlace(found) || isBeingMade(found) || isHalfMade(found) || !isInDoubt(found)))
    return null;
  // Where the layout is another, git's own words have to do.
  if (!repo.plainLayout) return found;
  const gitDir = found?.gitDir ?? findTorn(repo, root, home);
  if (gitDir === null) return null;
  const place = { gitDir, commonDir: repo.commonDir, root };
  mendRecords(place, home);
  dropTornState(place);
  await mendIndex(repo, place);
  await mendModules(repo, place);
  return place;
}

/** Makes git's files of a worktree that came to harm whole, whoever made it; none of its own files is touched, and an index that cannot be read is kept
 *  beside the new one. `branch` is the one that it was on, as far as that is on record. Null where nobody can say what it was on, and for the main checkout,
 *  which is its user's, and where something else stands in its place. The caller has seen that something is wrong with it (`damage.ts`). */
export async function mendDamaged(repo: Repo, path: string, branch: string | null): Promise<Place | null> {
  const root = resolvePath(path);
  if (root === repo.root) return null;
  const found = findPlace(repo, path);
  if (found !== null && findStranger(repo, found) !== null) return null;
  const gitDir = found?.gitDir ?? namedEntry(repo, root) ?? freshEntry(repo);
  const home = await findHome(repo, gitDir, branch);
  if (home === null) return null;
  mkdirSync(gitDir, { recursive: true });
  const place = { gitDir, commonDir: repo.commonDir, root };
  mendRecords(place, home);
  dropTornState(place);
  if (!(await mendBranch(repo, place))) return null;
  return (await renewIndex(repo, place)) ? place : null;
}

/** Puts the branch that a worktree is on where its own log ends, or, without one, that of HEAD. False where neither says a commit that is there, and where
 *  a git that is at it holds the lock. */
async function mendBranch(repo: Repo, place: Place): Promise<boolean> {
  const file = unreadableBranch(place);
  if (file === null) return true;
  const logs = [join(place.commonDir, "logs/refs/heads", branchIn(place.gitDir)!), join(place.gitDir, "logs/HEAD")];
  for (const oid of logs.map(lastIn)) {
    if (oid === null || (await repo.live.info(oid))?.type !== "commit") continue;
    // As git moves a ref; it would itself refuse one that it cannot read (refs/files-backend.c).
    const lock = `${file}.lock`;
    try {
      writeFileSync(lock, `${oid}\n`, { flag: "wx", flush: true });
    } catch {
      return false;
    }
    if (unreadableBranch(place) === file) renameSync(lock, file);
    else rmSync(lock);
    syncDirectory(dirname(file));
    return true;
  }
  return false;
}

/** The commit that the last line of a log leads to; null where there is no such line, or it is torn. */
function lastIn(log: string): Oid | null {
  const last = readText(log)?.trimEnd().split("\n").at(-1);
  return /^[0-9a-f]+ ([0-9a-f]{40,64}) /.exec(last ?? "")?.[1] ?? null;
}

/** False where a git that is at it holds the lock. */
async function renewIndex(repo: Repo, place: Place): Promise<boolean> {
  const index = join(place.gitDir, "index");
  if (isWholeIndex(repo, index)) return true;
  await clearOldIndexLock(place.gitDir);
  if (existsSync(`${index}.lock`)) return false;
  const aside = `${index}.damaged`;
  if (existsSync(index)) renameSync(index, aside);
  try {
    await git(place, ["read-tree", "HEAD"]);
  } catch (error) {
    // Without any, git would take every file for one that was removed.
    if (existsSync(aside)) renameSync(aside, index);
    throw error;
  }
  await git(place, ["update-index", "-q", "--refresh"], { ok: [0, 1] });
  return true;
}

/** What a worktree was on: its HEAD, where that can be read; else the branch on record, or the one other that stands where its own log ends and is nowhere
 *  checked out; else that commit. */
async function findHome(repo: Repo, gitDir: string, branch: string | null): Promise<Home | null> {
  const head = readText(join(gitDir, "HEAD"));
  if (head !== null && HEAD.test(head)) {
    const on = branchIn(gitDir);
    return on === null ? { detached: head.trim() } : { branch: on };
  }
  const last = lastIn(join(gitDir, "logs", "HEAD"));
  const fits = async (name: string) => {
    const at = await readRef(repo, branchRef(name));
    return at !== null && (last === null || at === last) && (await checkedOutWhere(repo, name)) === null;
  };
  if (branch !== null && (await fits(branch))) return { branch };
  if (last === null) return null;
  const args = ["for-each-ref", "--format=%(refname:short)", `--points-at=${last}`, "refs/heads/"];
  const { code, stdout } = await git(repo, args, { ok: [0, 129] });
  const free: string[] = [];
  for (const name of stdout.split("\n").filter(Boolean)) if (await fits(name)) free.push(name);
  if (code === 0 && free.length === 1) return { branch: free[0]! };
  return code === 0 ? { detached: last } : null;
}

/** The same for the submodules that are checked out in it, and those in them. One that cannot be mended stays as it is, and whoever looks into it is told by git. */
async function mendModules(repo: Repo, place: Place): Promise<void> {
  if (!existsSync(join(place.gitDir, "modules"))) return;
  const head = (await git(place, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], { ok: [0, 1, 128] })).stdout;
  if (head.trim() === "") return;
  for (const { name, path, commit } of await readDeclared(place, head.trim())) {
    const gitDir = join(place.gitDir, "modules", name);
    const root = join(place.root, path);
    if (!existsSync(gitDir) || readText(join(root, ".git")) === null) continue;
    const module: Place = { gitDir, commonDir: gitDir, root };
    try {
      await mendModuleRecords(module, join(place.commonDir, "modules", name), commit);
      dropTornState(module);
      await mendIndex(repo, module);
      await mendModules(repo, module);
    } catch (error) {
      if (!(error instanceof OwtError)) throw error;
    }
  }
}

/** `source`: the same submodule of the main checkout, where that has it. */
async function mendModuleRecords(module: Place, source: string, link: Oid): Promise<void> {
  const { gitDir, root } = module;
  const inside = (name: string) => join(gitDir, name);
  if (isBlank(readText(join(root, ".git")) ?? ""))
    writeFileAtomically(join(root, ".git"), `gitdir: ${relative(root, gitDir)}\n`, { mode: 0o644 });
  for (const name of ["HEAD.lock", "config.lock"]) removeFile(inside(name));
  if (isBlank(readText(inside("config")) ?? "")) {
    const usual = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogallrefupdates = true\n";
    writeFileAtomically(inside("config"), readText(join(source, "config")) ?? usual, { mode: 0o644 });
    await git(module, ["config", "--file", inside("config"), "core.worktree", relative(gitDir, root)]);
  }
  if (HEAD.test(readText(inside("HEAD")) ?? "")) return;
  // Git takes no folder for a repository whose HEAD says nothing.
  writeFileAtomically(inside("HEAD"), `${link}\n`, { mode: 0o644 });
  const last = lastIn(inside("logs/HEAD"));
  if (last === null) return;
  const isThere = (await git(module, ["cat-file", "-e", `${last}^{commit}`], { ok: [0, 1, 128] })).code === 0;
  if (isThere) writeFileAtomically(inside("HEAD"), `${last}\n`, { mode: 0o644 });
}

/** An entry of this worktree that does not say so any more: its `.git` file names it, or it has its HEAD. Without any, a new one where the files of a
 *  worktree of ours stand. */
function findTorn(repo: Repo, root: string, home: Home): string | null {
  const gitFile = readText(join(root, ".git"));
  if (gitFile === null) return null;
  const entries = join(repo.commonDir, "worktrees");
  const named = /^gitdir: (.*)\n?$/.exec(gitFile)?.[1];
  const isTorn = (id: string) => isSilent(join(entries, id));
  if (named !== undefined) {
    const id = basename(named);
    return join(entries, id) === named && isTorn(id) ? named : null;
  }
  if (!isBlank(gitFile)) return null;
  const own = adminIds(repo).filter(isTorn);
  const id = own.find((each) => readRecord(join(entries, each, "HEAD")) === headOf(home));
  if (id !== undefined) return join(entries, id);
  const fresh = freshEntry(repo);
  mkdirSync(fresh, { recursive: true });
  return fresh;
}

function freshEntry(repo: Repo): string {
  return join(repo.commonDir, "worktrees", `owt-mended-${randomBytes(4).toString("hex")}`);
}

/** An entry of ours that names no worktree, or none that is there. */
function isSilent(gitDir: string): boolean {
  if (!basename(gitDir).startsWith("owt-") || !existsSync(gitDir)) return false;
  const text = readText(join(gitDir, "gitdir"));
  if (text === null || isBlank(text)) return true;
  const root = recordedRoot(gitDir);
  return root === null || !existsSync(root);
}

function headOf(home: Home): string {
  return "branch" in home ? `ref: ${branchRef(home.branch)}\n` : `${home.detached}\n`;
}

const HEAD = /^(?:ref: refs\/[^\0\n]+|[0-9a-f]{40}(?:[0-9a-f]{24})?)\n?$/;

function mendRecords({ gitDir, root }: Place, home: Home): void {
  const mend = (path: string, text: string, isSound: (is: string) => boolean) => {
    if (!isSound(readText(path) ?? "")) writeFileAtomically(path, text, { mode: 0o644 });
  };
  const same = (text: string) => (is: string) => is === text;
  mend(join(gitDir, "HEAD"), headOf(home), (is) => HEAD.test(is));
  mend(join(gitDir, "commondir"), "../..\n", same("../..\n"));
  mend(join(gitDir, "gitdir"), `${join(root, ".git")}\n`, (is) => !isBlank(is) && recordedRoot(gitDir) === root);
  mend(join(root, ".git"), `gitdir: ${gitDir}\n`, same(`gitdir: ${gitDir}\n`));
}

/** A merge or pick that does not say any more of what is none. */
function dropTornState({ gitDir }: Place): void {
  for (const name of ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"]) {
    const text = readText(join(gitDir, name));
    if (text !== null && !/^(?:[0-9a-f]{40}(?:[0-9a-f]{24})?\n)+$/.test(text)) rmSync(join(gitDir, name));
  }
}

/** A second after the epoch, and so older than any file of the worktree: an entry that is no older than its index git compares by content (racy-git.txt). */
const OLDER_THAN_ALL = 1;

async function mendIndex(repo: Repo, place: Place): Promise<void> {
  const path = join(place.gitDir, "index");
  removeFile(`${path}.lock`);
  if (isWholeIndex(repo, path)) utimesSync(path, OLDER_THAN_ALL, OLDER_THAN_ALL);
  else {
    removeFile(path);
    await git(place, ["read-tree", "HEAD"]);
  }
  // With the dates of what is as it should be; 1 says that something is not.
  await git(place, ["update-index", "-q", "--refresh"], { ok: [0, 1] });
}

/** Whether an index is as git wrote it, by the checksum at its end (gitformat-index). One without a checksum cannot show it. */
function isWholeIndex(repo: Repo, path: string): boolean {
  if (!existsSync(path)) return false;
  const bytes = readFileSync(path);
  const length = oidBytes(repo);
  if (bytes.length < 12 + length) return false;
  const end = bytes.length - length;
  return createHash(repo.objectFormat).update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end));
}

/** Ends whatever git is in the middle of in a worktree whose files were put aside, and stands it on its branch again. */
export async function leaveProgress(place: Place, branch: string): Promise<void> {
  if (inProgress(place) !== "rebase") return;
  for (const name of ["rebase-merge", "rebase-apply"])
    rmSync(join(place.gitDir, name), { recursive: true, force: true });
  await git(place, ["symbolic-ref", "HEAD", branchRef(branch)]);
}
