/** Leads what a killed `owt sync` left in the middle to an end: what was uncommitted is given back. */
import { join } from "node:path";
import { type Finished, finishMove, isMoveNoted } from "../../git/carry-over.ts";
import { outlastDeadGit } from "../../git/dead-git.ts";
import type { Place } from "../../git/git.ts";
import { adminIds, recordedRoot } from "../../git/place.ts";
import { findStranger } from "../../git/stranger.ts";
import type { Engine } from "../engine.ts";

/** In all linked worktrees. */
export async function finishMoves({ repo }: Pick<Engine, "repo">): Promise<void> {
  for (const id of adminIds(repo)) {
    const gitDir = join(repo.commonDir, "worktrees", id);
    // Every command that looks comes by here: what is seldom there is looked for first.
    const root = isMoveNoted({ gitDir }) ? recordedRoot(gitDir) : null;
    const place = root === null ? null : { gitDir, commonDir: repo.commonDir, root };
    if (place !== null && findStranger(repo, place) === null) await finishOne({ repo }, place);
  }
}

/** A git that outlived its owt takes its step first. */
export async function finishOne({ repo }: Pick<Engine, "repo">, place: Place): Promise<Finished> {
  if (isMoveNoted(place)) await outlastDeadGit(repo);
  return finishMove(repo, place);
}
