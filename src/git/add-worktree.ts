/** Puts a worktree on git's record so that neither we nor the agents' git beside us ever see a half-made entry: it is written elsewhere and
 *  renamed into `worktrees/` (0 failures in 610 creations; parallel `git worktree add` fails in up to 56 %). Where the layout does not
 *  allow that, one `git worktree add` at a time, tried twice. The few small files are written synchronously: that takes a fraction of what
 *  waiting for each on the event loop takes. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { ensureFolder } from "../system/files.ts";
import { readBootId } from "../system/identity.ts";
import { branchRef } from "./branch.ts";
import { git, type Oid, type Place } from "./git.ts";
import { STOOD_AT } from "./moved.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { initializingReason, MAKING, ownerMark } from "./owner.ts";
import { findPlace } from "./place.ts";
import type { Repo } from "./repo.ts";
import { STANDS_SINCE } from "./standing.ts";
import { deleteTree } from "./trash.ts";
import { hasCode } from "../lib/has-code.ts";

/** `lock` is the reason of the lock that it begins with. */
type Wanted = { base: Oid; branch?: string; lock?: string };

/** Makes a worktree without its files, still marked as being made. Null when somebody else was faster: writing its `.git` file is what claims the directory. */
export async function addWorktree(repo: Repo, root: string, want: Wanted): Promise<Place | null> {
  if (!repo.plainLayout) return addByGit(repo, root, want);
  const staged = stageAdmin(repo, root, want);
  const gitFile = join(root, ".git");
  try {
    ensureFolder(root);
    // Synchronous: a rival in this process never sees the claim without its content.
    writeFileSync(gitFile, `gitdir: ${staged.gitDir}\n`, { flag: "wx" });
  } catch (error) {
    await deleteTree(staged.path);
    if (hasCode(error, "EEXIST")) return null;
    // On a full disk it was made, and not written.
    rmSync(gitFile, { force: true });
    throw error;
  }
  try {
    renameInto(staged.path, staged.gitDir);
    return { gitDir: staged.gitDir, commonDir: repo.commonDir, root };
  } catch (error) {
    rmSync(gitFile, { force: true });
    await deleteTree(staged.path);
    if (!hasCode(error, "EXDEV") && !hasCode(error, "EPERM")) throw error;
    return addByGit(repo, root, want);
  }
}

/** Eight hexadecimal digits. What is taken already is refused when it is put in place. Node's own source of chance takes 6 ms to load. */
function anySuffix(): string {
  return Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
}

/** The files that git's repository layout asks of a linked worktree, written where no git looks. */
function stageAdmin(repo: Repo, root: string, want: Wanted): { path: string; gitDir: string } {
  const path = join(repo.commonDir, "owt", "staging", ownerMark());
  const slug = basename(root)
    .replaceAll(/[^A-Za-z0-9-]+/g, "-")
    .slice(0, 40);
  const gitDir = join(repo.commonDir, "worktrees", `owt-${slug}-${anySuffix()}`);
  mkdirSync(path, { recursive: true });
  const files = {
    HEAD: want.branch === undefined ? want.base : `ref: ${branchRef(want.branch)}`,
    commondir: "../..",
    gitdir: join(root, ".git"),
    [MAKING]: ownerMark(),
    [STANDS_SINCE]: readBootId(),
    [STOOD_AT]: root,
    ...(want.lock === undefined ? {} : { locked: want.lock }),
  };
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), `${text}\n`);
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
  return { path, gitDir };
}

/** git removes `worktrees/` when its last entry goes, also between our two calls. */
function renameInto(from: string, to: string): void {
  for (let tries = 1; ; tries++) {
    mkdirSync(dirname(to), { recursive: true });
    try {
      return renameSync(from, to);
    } catch (error) {
      if (!hasCode(error, "ENOENT") || tries === 5) throw error;
    }
  }
}

/** `git worktree add`, one at a time in this process and tried twice: parallel ones break each other. */
function addByGit(repo: Repo, root: string, want: Wanted): Promise<Place> {
  return oneAtATime(repo.commonDir, () => addOnce(repo, root, want).catch(() => addOnce(repo, root, want)));
}

async function addOnce(repo: Repo, root: string, want: Wanted): Promise<Place> {
  const what = want.branch === undefined ? ["--detach", "--", root, want.base] : ["--", root, want.branch];
  await git(repo, ["worktree", "add", "--quiet", "--no-checkout", "--lock", "--reason", initializingReason(), ...what]);
  const place = findPlace(repo, root);
  if (place === null) throw new OwtError("tool-failed", `git worktree add made no worktree at ${root}`);
  return place;
}
