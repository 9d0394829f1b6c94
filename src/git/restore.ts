/** Brings a rescued worktree back: its branch, its uncommitted, untracked and ignored files byte for byte, its index, its open merge. */
import { chmod, lstat, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { checkedOutWhere, readRef } from "./branch.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { discardHalfMade, isHalfMade } from "./half-made.ts";
import { findPlace, lstatInside } from "./place.ts";
import type { Repo } from "./repo.ts";
import { listRescues, type Rescue } from "./rescue.ts";
import type { ModuleRef, RescuedModule } from "./rescue-module.ts";
import { MODES } from "./rescue-trees.ts";
import { STASH } from "./stashes.ts";
import { findAnywhere } from "./bring-submodules.ts";
import { findCheckout, readModuleHead } from "./submodules.ts";
import { createWorktree, type CreateRefused, type Worktree } from "./worktree.ts";
import { LINK } from "./tree.ts";

/** Makes a new worktree at `path` that holds what the rescue kept. It comes back on its own branch where that still stands at the same
 *  commit and is free, else on `owt/rescued/<id>`. The rescue stays. Repeatable after a kill; throws when something else is at `path`. */
export async function restoreRescue(
  repo: Repo,
  id: string,
  to: {
    path: string;
    /** Checks out the submodules of the new worktree. */
    submodules?: (place: Place) => Promise<void>;
    /** Hears of a submodule in which what was saved of it could not be brought back; it stays where it is kept. */
    missed?: (module: RescuedModule) => void;
  },
): Promise<Worktree> {
  const rescue = (await listRescues(repo)).find((one) => one.id === id);
  if (rescue === undefined)
    throw new OwtError("unknown-name", `no rescue ${id}`, { hint: "git for-each-ref refs/owt/rescue" });
  const branch = await freeBranch(repo, rescue);
  const made = await createWorktree(repo, {
    path: to.path,
    base: rescue.head ?? rescue.commit,
    ...(branch === null ? {} : { branch }),
    finish: async (place) => {
      await bringBack(repo, place, rescue);
      await to.submodules?.(place);
      for (const module of rescue.modules ?? []) if (!(await bringBackModule(repo, place, module))) to.missed?.(module);
    },
  });
  if (!("refused" in made) && made.isNew) return made;
  const why = "refused" in made ? describeRefusal(made) : `there is a worktree at ${to.path} already`;
  throw new OwtError("wrong-state", `${id} cannot be restored: ${why}`, {
    hint: `another place: owt restore ${id} --path FOLDER`,
  });
}

function describeRefusal(refused: CreateRefused): string {
  switch (refused.refused) {
    case "path-exists":
      return `something else is at ${refused.path} already`;
    case "branch-exists":
      return "its branch was made by somebody else at this moment";
    case "checked-out":
      return `its branch is checked out at ${refused.path}`;
    case "being-made":
      return `another owt is making ${refused.path} right now`;
  }
}

async function freeBranch(repo: Repo, { id, branch, head }: Rescue): Promise<string | null> {
  if (branch === null || head === null) return null;
  await clearHalfMade(repo, branch);
  const at = await readRef(repo, `refs/heads/${branch}`);
  const isFree = (at === null || at === head) && (await checkedOutWhere(repo, branch)) === null;
  return isFree ? branch : `owt/rescued/${id}`;
}

/** What a restore that was killed left has the branch still. */
async function clearHalfMade(repo: Repo, branch: string): Promise<void> {
  const path = await checkedOutWhere(repo, branch);
  const place = path === null ? null : findPlace(repo, path);
  if (place !== null && isHalfMade(place)) await discardHalfMade(repo, place);
}

async function bringBack(repo: Repo, place: Place, rescue: Rescue): Promise<void> {
  if (rescue.head !== null) {
    await bringBackFiles(repo, place, rescue.head, rescue.commit);
  }
  for (const path of rescue.folders ?? []) await ensureEmptyFolder(place.root, path);
  if (rescue.index !== null) await git(place, ["read-tree", rescue.index]);
  if (rescue.aside !== undefined) await bringBackAside(place, rescue.aside);
  await git(place, ["update-index", "-q", "--refresh"], { ok: [0, 1] });
  if (rescue.merging === null) return;
  await writeFile(join(place.gitDir, "MERGE_MSG"), `Merge ${rescue.merging}\n`);
  await writeFile(join(place.gitDir, "MERGE_HEAD"), `${rescue.merging}\n`);
}

async function bringBackFiles(repo: Repo, place: Place, head: Oid, saved: Oid): Promise<void> {
  const { stdout } = await git(place, ["diff-tree", "-r", "-z", "--no-renames", head, saved]);
  // A submodule is brought back by itself.
  const changes = parseRaw(fieldsOf(stdout)).filter(({ mode }) => mode !== LINK);
  for (const { path } of changes.filter(({ mode }) => mode === NONE)) await removeFile(place.root, path);
  for (const change of changes.filter(({ mode }) => mode !== NONE)) await writeBack(repo, place.root, change);
}

/** Open conflicts become conflicts in the index again, and modes what they were. A path that was replaced by a link meanwhile is left alone. */
async function bringBackAside(place: Place, aside: Oid): Promise<void> {
  const { stdout } = await git(place, ["ls-tree", "-r", "-z", "--full-tree", aside]);
  const entries = fieldsOf(stdout);
  const stages = entries.flatMap((line) => {
    const [, mode, oid, stage, path] = /^(\d+) \w+ ([0-9a-f]+)\t([123])\/([^]*)$/.exec(line) ?? [];
    return mode === undefined ? [] : [`${mode} ${oid} ${stage}\t${path}\0`];
  });
  if (stages.length > 0) await git(place, ["update-index", "-z", "--index-info"], { input: stages.join("") });
  if (!entries.some((line) => line.endsWith(`\t${MODES}`))) return;
  const modes = await git(place, ["cat-file", "blob", `${aside}:${MODES}`]);
  // Folders stand before their files, and may then be closed.
  for (const line of fieldsOf(modes.stdout).toReversed()) {
    const [, mode, path] = /^([0-7]+) ([^]*)$/.exec(line) ?? [];
    const isThere = path !== undefined && lstatInside(place.root, path)?.isSymbolicLink() === false;
    if (isThere) await chmod(join(place.root, path), Number.parseInt(mode!, 8));
  }
}

/** False where the submodule is not checked out, or its commit is not to be had any more. */
async function bringBackModule(repo: Repo, place: Place, saved: RescuedModule): Promise<boolean> {
  const module = findCheckout(place.root, saved.path);
  if (module === null || saved.head === null) return false;
  const wanted = [saved.head, saved.files, saved.index, saved.aside].filter((oid) => typeof oid === "string");
  for (const oid of wanted) if (!(await findAnywhere(repo, module, oid))) return false;
  if ((await readModuleHead(module)).oid !== saved.head) {
    await git(module, ["read-tree", "--reset", "-u", saved.head]);
    await git(module, ["update-ref", "--no-deref", "HEAD", saved.head]);
  }
  if (saved.branch !== null) await onBranch(module, saved.branch, saved.head);
  if (saved.files !== null) await bringBackFiles(repo, module, saved.head, saved.files);
  for (const path of saved.folders ?? []) await ensureEmptyFolder(module.root, path);
  if (saved.index !== null) await git(module, ["read-tree", saved.index]);
  if (saved.aside !== undefined) await bringBackAside(module, saved.aside);
  await git(module, ["update-index", "-q", "--refresh"], { ok: [0, 1] });
  return bringBackRefs(repo, module, saved.refs ?? []);
}

/** False where a commit of one is not to be had any more. A name that stands for something else by now stays so. */
async function bringBackRefs(repo: Repo, module: Place, refs: readonly ModuleRef[]): Promise<boolean> {
  let isWhole = true;
  // The one that is stored last stands first.
  for (const { ref, oid, says = "" } of refs.toReversed()) {
    if (!(await findAnywhere(repo, module, oid))) isWhole = false;
    else if (ref === STASH) await git(module, ["stash", "store", "--message", says, oid]);
    else await git(module, ["update-ref", ref, oid, "0".repeat(oid.length)], { ok: [0, 128] });
  }
  return isWhole;
}

/** A branch of that name that stands elsewhere stays, and HEAD with no branch. */
async function onBranch(module: Place, branch: string, head: Oid): Promise<void> {
  const ref = `refs/heads/${branch}`;
  const made = await git(module, ["update-ref", ref, head, "0".repeat(head.length)], { ok: [0, 128] });
  if (made.code === 0) await git(module, ["symbolic-ref", "HEAD", ref]);
}

type Change = { mode: string; oid: Oid; path: string };
const NONE = "000000";

/** `:oldmode newmode oldoid newoid status`, then the path. */
function parseRaw(fields: string[]): Change[] {
  const changes: Change[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [, mode, , oid] = fields[at]!.split(" ");
    changes.push({ mode: mode!, oid: oid!, path: fields[at + 1]! });
  }
  return changes;
}

/** The saved bytes as they were: no smudge filter, no line ending conversion. */
async function writeBack(repo: Repo, root: string, { mode, oid, path }: Change): Promise<void> {
  const object = await repo.live.contents(oid);
  if (object === null)
    throw new OwtError("tool-failed", `the rescue lacks ${oid} for ${path}`, {
      hint: "see what is damaged: git fsck",
    });
  const full = join(root, path);
  await ensureRealDirectory(root, dirname(path));
  await rm(full, { recursive: true, force: true });
  if (mode === "120000") await symlink(object.content, full);
  else await writeFile(full, object.content, { mode: mode === "100755" ? 0o777 : 0o666, flag: "wx" });
}

async function removeFile(root: string, path: string): Promise<void> {
  if (!(await isRealDirectory(root, dirname(path)))) return;
  await rm(join(root, path), { recursive: true, force: true });
}

/** Never writes through a symbolic link: HEAD may have one where the rescue has a directory. */
async function ensureRealDirectory(root: string, path: string): Promise<void> {
  if (path === ".") return;
  await ensureRealDirectory(root, dirname(path));
  const full = join(root, path);
  const stat = await lstat(full).catch(() => null);
  if (stat?.isDirectory() === true) return;
  if (stat !== null) await rm(full);
  await mkdir(full);
}

/** A folder without a file in it, unless something else stands there, or above it, by now. */
async function ensureEmptyFolder(root: string, path: string): Promise<void> {
  const parts = path.split("/");
  for (const [at] of parts.entries()) {
    const above = parts.slice(0, at + 1).join("/");
    const stat = lstatInside(root, above);
    if (stat === null) await mkdir(join(root, above));
    else if (!stat.isDirectory()) return;
  }
}

async function isRealDirectory(root: string, path: string): Promise<boolean> {
  if (path === ".") return true;
  if (!(await isRealDirectory(root, dirname(path)))) return false;
  return (await lstat(join(root, path)).catch(() => null))?.isDirectory() === true;
}
