/** What is done behind an agent's session when it has ended. */
import { IN_THE_MIDDLE } from "../../core/session-state.ts";
import { findPlace, inProgress, isMainPlace } from "../../git/place.ts";
import { readStatus } from "../../git/status.ts";
import type { Engine } from "../engine.ts";
import { findWorktree } from "./place.ts";
import { readHandState, readStates } from "./state.ts";
import { type SyncState, syncWorktrees } from "./sync.ts";

/** Brings the worktree that we are in up to date, where that is in nobody's way: it is a linked one, holds nothing uncommitted, git is in the middle of
 *  nothing, and no other agent works there. Null where it was left alone. */
export async function syncBehind(engine: Engine, signal: AbortSignal): Promise<SyncState | null> {
  const worktree = await findWorktree(engine, "@");
  const place = findPlace(engine.repo, worktree.path);
  if (place === null || isMainPlace(place) || inProgress(place) !== null) return null;
  const { changes, unmerged, untracked } = await readStatus(place, { links: true });
  if (changes.length + unmerged.length + untracked.length > 0) return null;
  const state = (await readStates(engine)).get(worktree.path)?.state ?? readHandState(engine, worktree.path)?.state;
  if (state !== undefined && IN_THE_MIDDLE.has(state)) return null;
  const { default_strategy, prune_remote } = engine.config.sync;
  const options = { strategy: default_strategy, stash: false, prune: prune_remote, signal };
  const [synced] = await syncWorktrees(engine, [worktree], options);
  return synced?.state ?? null;
}
