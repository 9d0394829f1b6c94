/** Whether the files of a worktree are what they were when they were last written: a power cut takes of them what was not on the disk yet. */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readBootId } from "../system/identity.ts";
import type { Place } from "./git.ts";
import { isFromBeforeBoot } from "./locks.ts";
import { readText } from "./place.ts";

/** File of an entry that says since which start of the machine its worktree stands as it was put there. It is not synced: a cut that takes it has
 *  said what it is there to say. */
export const STANDS_SINCE = "owt-stands-since";

/** Whether the machine was started anew since a worktree was made, or last mended. */
export function isInDoubt(place: Place): boolean {
  const since = readText(join(place.gitDir, STANDS_SINCE));
  if (since !== null) return since.trim() !== readBootId();
  // Made by an owt that did not say so yet.
  const made = statSync(join(place.gitDir, "commondir"), { throwIfNoEntry: false });
  return made === undefined || isFromBeforeBoot(made.mtimeMs);
}

/** Says that a worktree stands as it should. */
export function noteStanding(place: Place): void {
  writeFileSync(join(place.gitDir, STANDS_SINCE), `${readBootId()}\n`);
}
