/** When somebody last did something in a worktree, as git's own files tell. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Oid, Place } from "./git.ts";
import { readText } from "./place.ts";
import type { Repo } from "./repo.ts";

/** How what owt itself does is marked in a reflog: it is nobody's use. */
export const OWN_STEP = "owt";

/** When HEAD last moved there by somebody's hand, in epoch milliseconds; null where no reflog tells. git dates an entry by itself: the file's own
 *  time is that of the last `git gc`. */
export function lastMoved(place: Place): number | null {
  const lines = (readText(join(place.gitDir, "logs", "HEAD")) ?? "").trimEnd().split("\n");
  for (const line of lines.toReversed()) {
    const [facts = "", message = ""] = line.split("\t", 2);
    const seconds = / (\d+) [+-]\d{4}$/.exec(facts)?.[1];
    if (seconds !== undefined && !isOwnStep(message)) return Number(seconds) * 1_000;
  }
  return null;
}

function isOwnStep(message: string): boolean {
  return message === OWN_STEP || message.startsWith(`${OWN_STEP} `) || message.startsWith(`${OWN_STEP}:`);
}

/** When its index was last written: by `git add`, and also by a `git status` that only refreshed it. */
export function lastStaged(place: Place): number | null {
  const index = join(place.gitDir, "index");
  return existsSync(index) ? Math.round(statSync(index).mtimeMs) : null;
}

/** The commit that a branch began at, by its reflog; null where that does not tell. */
export function firstCommitOf(repo: Repo, branch: string): Oid | null {
  const line = (readText(join(repo.commonDir, "logs", "refs", "heads", branch)) ?? "").split("\n", 1)[0]!;
  const [from = "", to = ""] = line.split(" ", 2);
  return /^0+$/.test(from) && to !== "" ? to : null;
}
