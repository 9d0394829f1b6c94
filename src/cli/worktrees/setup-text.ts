/** How dependencies came into a worktree, in words. */
import type { SetupSaid } from "../../core/reuse.ts";
import { renderDuration } from "../../lib/duration.ts";

export function describeSetup(said: SetupSaid): string {
  if (said.level === "warning") return said.text;
  const { lockfile, way, why, from, tookMs } = said;
  return `${lockfile}: ${WAYS[way]}${from === null ? "" : ` from ${from}`} in ${renderDuration(tookMs)} (${why})`;
}

const WAYS = { install: "installed", clone: "cloned", copy: "copied", hardlink: "hard-linked" } as const;
