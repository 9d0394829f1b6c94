/** How dependencies and submodules came into a worktree, in words. */
import type { SetupSaid } from "../../core/reuse.ts";
import { renderDuration } from "../../lib/duration.ts";

export function describeSetup(said: SetupSaid): string {
  if (said.level === "warning") return said.text;
  if (said.level === "submodules") {
    const each = said.done.map(({ path, from }) => `${path} (${ORIGINS[from]})`);
    return `submodules in ${renderDuration(said.tookMs)}: ${each.join(", ")}`;
  }
  const { lockfile, way, why, from, tookMs } = said;
  return `${lockfile}: ${WAYS[way]}${from === null ? "" : ` from ${from}`} in ${renderDuration(tookMs)} (${why})`;
}

const WAYS = { install: "installed", clone: "cloned", copy: "copied", hardlink: "hard-linked" } as const;

const ORIGINS = {
  here: "there already",
  checkout: "from the main checkout",
  kept: "kept in this repository",
  worktree: "from another worktree",
  remote: "fetched",
} as const;
