/** What was waited for, in words that every report shares. */
import type { WaitReason, Waits } from "../core/waiting.ts";
import { renderDuration } from "../lib/duration.ts";

const WORDS: Record<WaitReason, string> = {
  upstream: "upstream tasks",
  place: "a free place",
  person: "a person",
  limit: "a usage limit",
  outage: "an API that could not be reached",
  budget: "a budget",
  memory: "memory",
  disk: "room on the disk",
  worktrees: "a worktree",
  overlap: "a task with the same files",
  retry: "the pause before another try",
  rivals: "its rivals",
  check: "its turn to be checked",
  integration: "its turn to be merged",
  stopped: "the run, paused or carried by nobody",
};

/** What takes no time to speak of would only hide the rest. */
const LEAST_MS = 100;

/** `2m 05s for upstream tasks`, the longest first. */
export function waitWords(waits: Waits): string[] {
  const reasons = (Object.keys(waits) as WaitReason[]).filter((reason) => waits[reason] >= LEAST_MS);
  return reasons
    .toSorted((a, b) => waits[b] - waits[a])
    .map((reason) => `${renderDuration(waits[reason])} for ${WORDS[reason]}`);
}

/** All of it, in milliseconds. */
export function waitedMs(waits: Waits): number {
  return Object.values(waits).reduce((sum, ms) => sum + ms, 0);
}

/** How many others wait for the same. */
export function moreWords(more: number): string {
  return more === 0 ? "" : ` and ${more} more`;
}
