/** Takes away what was begun to be made and whose maker died: its folder, its branch, the commands that still run for it. */
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { slug } from "../../core/names.ts";
import { nameOf } from "../../core/worktree.ts";
import { deleteBranchIf } from "../../git/branch.ts";
import { discardHalfMade, isHalfMade } from "../../git/half-made.ts";
import { isOwnerAlive } from "../../git/owner.ts";
import { findPlace, foldersIn } from "../../git/place.ts";
import type { Inside } from "../../git/processes.ts";
import { type Removed, removeWorktree } from "../../git/remove.ts";
import { forgetWorktree, readWorktrees, recordMade, type WorktreeRecord } from "../../store/worktrees.ts";
import { stopTree } from "../../system/launch.ts";
import type { Engine } from "../engine.ts";
import { keepChangedEnvironment } from "../environment-files.ts";
import { standAt } from "../integration-worktree.ts";
import { endSessionOf } from "../sessions.ts";
import { leaveHome } from "../tidy.ts";
import { forgetSetup, knownFiles } from "../workspace.ts";
import { followMoved } from "./moved.ts";
import { finishMoves } from "./moves.ts";
import { setupDir } from "./ready.ts";

/** Clears what dead makers left; only at `path` where one is named; else also gives back what a killed `owt sync` carried. Whatever holds somebody's work stays,
 *  and counts as made; what could only be saved, and what stays since a program runs in it, is told in the lines that come back. */
export async function clearUnmade(engine: Engine, path?: string): Promise<string[]> {
  const told: string[] = [];
  await followMoved(engine);
  for (const record of readWorktrees(engine.store).values()) {
    if (record.maker === null || isOwnerAlive(record.maker)) continue;
    if (path === undefined || path === record.path) told.push(...(await clearOne(engine, record)));
  }
  if (path === undefined) await finishMoves(engine);
  return told;
}

async function clearOne(engine: Engine, record: WorktreeRecord): Promise<string[]> {
  const { repo, store } = engine;
  await stopSetup(engine, record.path);
  await endSessionOf(engine, record.path);
  const place = findPlace(repo, record.path);
  // Nobody but a check of ours was ever there: what it left is nobody's.
  if (place !== null && record.branch === null && record.ownsBranchAt !== null && !isHalfMade(place))
    await standAt(engine, basename(record.path), record.ownsBranchAt);
  const name = nameOf(record);
  let rescue: string | null = null;
  if (place !== null && isHalfMade(place)) {
    const id = basename(place.gitDir);
    const kept = await keepChangedEnvironment(engine, record.path, id);
    const discarded = await discardHalfMade(repo, place, knownFiles(engine, record.path));
    if (!discarded.taken) return [describeStays(name, record.path, discarded.inside)];
    rescue = kept.length > 0 ? id : discarded.rescue;
  } else if (place !== null) {
    const removed = await removeIfEmpty(engine, record);
    if (!removed.removed) {
      recordMade(store, record.path);
      return [];
    }
    ({ rescue } = removed);
  }
  leaveHome(engine);
  if (record.branch !== null && record.ownsBranchAt !== null)
    await deleteBranchIf(repo, record.branch, record.ownsBranchAt, [record.ownsBranchAt]);
  forgetSetup(engine, record.path);
  forgetWorktree(store, record.path);
  return rescue === null ? [] : [describeSaved(name, rescue)];
}

function describeStays(name: string, path: string, inside: readonly Inside[]): string {
  const who = inside.map(({ pid, command }) => `${pid} ${command}`).join(", ");
  return `${name} was being made when its maker died, and stays while this runs in ${path}: ${who}`;
}

function describeSaved(name: string, rescue: string): string {
  return `${name} was being made when its maker died; what was in it is kept: owt restore ${basename(rescue)}`;
}

/** Its maker died between the last file and the last word. */
async function removeIfEmpty(engine: Engine, { path, branch, ownsBranchAt }: WorktreeRecord): Promise<Removed> {
  const id = `${slug(nameOf({ path, branch }))}-${engine.now().toString(36)}`;
  await keepChangedEnvironment(engine, path, id);
  const removed = await removeWorktree(engine.repo, path, {
    keep: ownsBranchAt === null && branch !== null ? [`refs/heads/${branch}`] : [ownsBranchAt!],
    known: knownFiles(engine, path),
    rescue: { id, note: "its creation was interrupted", at: engine.now() },
  });
  if (removed.removed) await removed.emptied;
  return removed;
}

/** An install outlives who asked for it. */
async function stopSetup(engine: Engine, path: string): Promise<void> {
  const dir = setupDir(engine, path);
  for (const name of foldersIn(dir)) await stopTree(join(dir, name), { graceMs: 0 });
  rmSync(dir, { recursive: true, force: true });
}
