/** What the hooks of an agent ask owt for: the context of the worktree that it is in, and to bring that up to date when its session ends. */
import { basename } from "node:path";
import type { HookContext } from "../../core/hook-context.ts";
import { findPlace, inProgress, isMainPlace } from "../../git/place.ts";
import { readStatus } from "../../git/status.ts";
import { readWorktrees } from "../../store/worktrees.ts";
import { exec } from "../../system/exec.ts";
import type { Engine } from "../engine.ts";
import { readLease } from "../worktree-lease.ts";
import { findWorktree } from "./place.ts";
import { readHandState, readStates } from "./state.ts";

/** Throws `unknown-name` outside of a worktree. */
export async function readContext(engine: Engine): Promise<HookContext> {
  const { path, branch } = await findWorktree(engine, "@");
  return {
    worktree: basename(path),
    isMain: path === engine.repo.root,
    branch,
    lease: readLease(engine, path),
    note: readWorktrees(engine.store).get(path)?.note ?? "",
  };
}

/** Brings the worktree that we are in up to date, where that is in nobody's way: it is a linked one, holds nothing uncommitted, git is in the middle of
 *  nothing, and no other agent works there. False where it was left alone. What comes of the sync is the sync's. */
export async function syncBehind(engine: Engine): Promise<boolean> {
  const { path } = await findWorktree(engine, "@");
  const place = findPlace(engine.repo, path);
  if (place === null || isMainPlace(place) || inProgress(place) !== null) return false;
  const { changes, unmerged, untracked } = await readStatus(place, { links: true });
  if (changes.length + unmerged.length + untracked.length > 0) return false;
  const state = (await readStates(engine)).get(path)?.state ?? readHandState(engine, path)?.state;
  if (state === "working" || state === "blocked") return false;
  const [file, ...args] = engine.owtCommand;
  await exec(file!, [...args, "sync", path], { cwd: path, env: engine.env, ok: [0, 1, 2, 3, 4, 5] });
  return true;
}
