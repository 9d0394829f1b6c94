/** Worktrees at whose place something else stands, or nothing: what is said of that, and the ways out. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { type Named, nameOf } from "../../core/worktree.ts";
import { OwtError } from "../../core/errors.ts";
import type { Place } from "../../git/git.ts";
import { findNearby } from "../../git/moved.ts";
import { branchIn, findPlace } from "../../git/place.ts";
import { findStranger } from "../../git/stranger.ts";
import { shellWord } from "../../lib/printable.ts";
import type { Engine } from "../engine.ts";

/** Throws where something else stands in the place of a worktree, which no command is to take for it. */
export function refuseStranger(engine: Pick<Engine, "repo">, worktree: Named): void {
  const refusal = strangerAt(engine, worktree);
  if (refusal !== null) throw refusal;
}

/** What stands in the place of a worktree, as the error (`wrong-state`) that says it; null where it is the worktree, or nothing. */
export function strangerAt({ repo }: Pick<Engine, "repo">, worktree: Named): OwtError | null {
  const { path } = worktree;
  const place = findPlace(repo, path);
  const stranger = place === null ? null : findStranger(repo, place);
  if (stranger === null) return null;
  const moved = "if you moved the worktree: git worktree repair NEW-FOLDER";
  const isIt = stranger.command === null ? "" : `if it is the worktree: ${stranger.command}; `;
  return new OwtError("wrong-state", `at ${path} stands ${stranger.said}, and not the worktree ${nameOf(worktree)}`, {
    hint: `${isIt}${moved}; else move away what stands there: mv ${shellWord(path)} ELSEWHERE`,
  });
}

/** Throws where nothing is at the place of a worktree, in which no program is to begin. */
export function refuseMissing({ repo }: Pick<Engine, "repo">, { path }: Named): void {
  const place = existsSync(path) ? null : findPlace(repo, path);
  if (place !== null) throw describeMissing(place);
}

/** One that git has on record, and nothing is there: it may have been moved. */
export function describeMissing(place: Place): OwtError {
  const { gitDir, root } = place;
  const now = findNearby(place);
  if (now !== null)
    return new OwtError("wrong-state", `the worktree of ${root} stands at ${now} now, and git does not know`, {
      hint: `git worktree repair ${shellWord(now)}`,
    });
  const name = shellWord(branchIn(gitDir) ?? basename(root));
  return new OwtError("wrong-state", `git has a worktree at ${root} on record, and nothing is there`, {
    hint: `if you moved it: git worktree repair NEW-FOLDER; if it is gone for good: owt delete ${name} --yes`,
  });
}
