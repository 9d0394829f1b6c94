/** Worktrees whose creation is under way, or whose maker died in it. Nobody has been given such a worktree to work in. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import type { Place } from "./git.ts";
import { inspectWorktree } from "./inspect.ts";
import { isOwnerAlive, ownerMark } from "./owner.ts";
import { adminIds, lockReason, readText, recordedRoot } from "./place.ts";
import type { Repo } from "./repo.ts";
import { saveRescue } from "./rescue.ts";
import { deleteTree, emptyTrash, moveToTrash, openTrash } from "./trash.ts";

const INITIALIZING = "owt: initializing ";

/** Lock reason of a worktree that this process is making. */
export function initializingReason(): string {
  return INITIALIZING + ownerMark();
}

/** A living process is making it. */
export function isBeingMade(place: Place): boolean {
  const reason = lockReason(place);
  return reason?.startsWith(INITIALIZING) === true && isOwnerAlive(reason.slice(INITIALIZING.length));
}

/** Its maker died, or a power cut took the content of an entry of ours: git's fetch would fail on that for ever. */
export function isHalfMade(place: Place): boolean {
  const reason = lockReason(place);
  if (reason?.startsWith(INITIALIZING) === true) return !isOwnerAlive(reason.slice(INITIALIZING.length));
  return basename(place.gitDir).startsWith("owt-") && readText(join(place.gitDir, "HEAD"))?.trim() === "";
}

/** Clears a half-made worktree away; should somebody have put files in it all the same, they are saved first. */
export async function discardHalfMade(repo: Repo, place: Place): Promise<void> {
  if (place.root !== "" && readText(join(place.gitDir, "HEAD"))?.trim() !== "") {
    const held = await inspectWorktree(repo, place.root, { keep: [] });
    if (held.dirty.length + held.untracked.length + held.ignoredNew.length + held.nested.length > 0) {
      const saved = await saveRescue(repo, held, {
        id: basename(place.gitDir),
        note: "its creation was interrupted",
        at: Date.now(),
      });
      if ("refused" in saved) {
        throw new OwtError(
          "would-lose-work",
          `${place.root} is half-made and holds files that cannot be saved: ${saved.refused}`,
          {
            hint: `look into it, then delete it: ${place.root}`,
          },
        );
      }
    }
  }
  const bin = await openTrash(repo.commonDir);
  if (place.root !== "") await moveToTrash(bin, place.root, "tree");
  await moveToTrash(bin, place.gitDir, "admin");
  await emptyTrash(bin);
}

/** Clears what dead processes left: entries they were staging, and worktrees they were making. Says how many. */
export async function sweepHalfMade(repo: Repo): Promise<number> {
  let swept = 0;
  const staging = join(repo.commonDir, "owt", "staging");
  for (const name of await readdir(staging).catch(() => [])) {
    if (isOwnerAlive(name)) continue;
    await deleteTree(join(staging, name));
    swept++;
  }
  for (const id of adminIds(repo)) {
    const gitDir = join(repo.commonDir, "worktrees", id);
    // After a power cut an entry may not say where its files are: then there is only the entry to clear.
    const place = { gitDir, commonDir: repo.commonDir, root: recordedRoot(gitDir) ?? "" };
    if (!isHalfMade(place)) continue;
    await discardHalfMade(repo, place);
    swept++;
  }
  return swept;
}
