/** When a worktree was last used. */
import { lastMoved, lastStaged } from "../../git/last-use.ts";
import { findPlace } from "../../git/place.ts";
import type { WorktreeRecord } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";

/** By what is on record and by where HEAD went; for one that nobody recorded, also by its index, which anything may have refreshed. */
export function lastUsed(engine: Engine, path: string, record: WorktreeRecord | null): number | null {
  const place = findPlace(engine.repo, path);
  if (place === null) return record?.usedAt ?? null;
  const times = [record?.usedAt ?? lastStaged(place), lastMoved(place)].filter((at) => at !== null);
  return times.length === 0 ? null : Math.max(...times);
}
