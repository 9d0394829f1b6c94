/** Stale git locks. 63 of 150 commits that were killed left one, so clearing them is a normal path. Only where they can only be an agent's
 *  own, and only once its whole process tree is dead: a live lock that is removed breaks whoever holds it. */
import { existsSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../core/errors.ts";
import { bootedAt } from "../system/monotonic.ts";
import { branchRef } from "./branch.ts";
import { PACKED_LOCK } from "./live.ts";
import { filesBelow } from "./place.ts";
import type { Repo } from "./repo.ts";

/** Removes the lock files in one linked worktree's admin directory and of the given branches, and names them. The caller promises that every
 *  process of the agent that worked there is dead. Never the main worktree's, `packed-refs.lock` or `config.lock`. */
export async function clearStaleLocks(
  repo: Repo,
  adminDir: string,
  own: { branches: readonly string[] },
): Promise<string[]> {
  if (dirname(adminDir) !== join(repo.commonDir, "worktrees")) {
    throw new OwtError("internal", `${adminDir} is not a linked worktree's: its locks may be the user's`);
  }
  const locks = filesBelow(adminDir).filter((path) => path.endsWith(".lock"));
  for (const branch of own.branches) locks.push(join(repo.commonDir, `${branchRef(branch)}.lock`));
  const removed: string[] = [];
  for (const lock of locks) if (await removeFile(lock)) removed.push(lock);
  return removed;
}

/** A ref is locked for milliseconds: one that is older was left by a git that was killed. */
const OLD_LOCK_MS = 60_000;
/** A lock from before the machine was started is nobody's, however soon it is looked at. The two clocks are read one after the other. */
const BOOT_SLACK_MS = 2_000;
/** A clock that was just set makes every lock look old: one that is still the same after so long, by the clock that nobody sets, is. */
const STILL_MS = 500;

/** Removes old locks on branches that only owt moves (those of runs), and names them. */
export async function clearOldLocks(repo: Repo, branches: readonly string[]): Promise<string[]> {
  const locks = branches.map((branch) => join(repo.commonDir, `${branchRef(branch)}.lock`));
  const isLeft = (mtimeMs: number) => isFromBeforeBoot(mtimeMs) || Math.abs(Date.now() - mtimeMs) >= OLD_LOCK_MS;
  return removeOld(locks, isLeft);
}

/** Removes the lock on the index of one linked worktree where a git that was killed left it: it is older than a git holds one over an index that it cannot
 *  even read. */
export async function clearOldIndexLock(adminDir: string): Promise<void> {
  const isLeft = (mtimeMs: number) => isFromBeforeBoot(mtimeMs) || Math.abs(Date.now() - mtimeMs) >= OLD_LOCK_MS;
  await removeOld([join(adminDir, "index.lock")], isLeft);
}

/** Removes the locks on refs of ours, and on the packed ones, that a power cut or a reboot left, and names them. Those that agents' git may hold are among them: only what
 *  is from before the machine was started goes. */
export async function clearLocksFromBeforeBoot(repo: Repo): Promise<string[]> {
  const folders = ["refs/heads/owt", "refs/owt"].map((folder) => join(repo.commonDir, folder));
  const locks = folders.flatMap(filesBelow).filter((path) => path.endsWith(".lock"));
  return removeOld([...locks, join(repo.commonDir, PACKED_LOCK)], isFromBeforeBoot);
}

/** Whether a file of that date was written before this machine was started. */
export function isFromBeforeBoot(mtimeMs: number, booted: number = bootedAt()): boolean {
  return mtimeMs < booted - BOOT_SLACK_MS;
}

async function removeOld(locks: readonly string[], isLeft: (mtimeMs: number) => boolean): Promise<string[]> {
  const removed: string[] = [];
  for (const lock of locks) if ((await isOld(lock, isLeft)) && (await removeFile(lock))) removed.push(lock);
  return removed;
}

async function isOld(lock: string, isLeft: (mtimeMs: number) => boolean): Promise<boolean> {
  const look = () => stat(lock).catch(() => null);
  const found = await look();
  if (found === null || !isLeft(found.mtimeMs)) return false;
  await sleep(STILL_MS);
  const now = await look();
  return now !== null && now.ino === found.ino && now.mtimeMs === found.mtimeMs;
}

async function removeFile(path: string): Promise<boolean> {
  // Hardly ever is there one, and an error is dear.
  if (!existsSync(path)) return false;
  return rm(path).then(
    () => true,
    () => false,
  );
}
