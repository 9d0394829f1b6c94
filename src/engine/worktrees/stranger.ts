/** Worktrees at whose place something else stands: what is said of that, and the ways out. */
import { type Named, nameOf } from "../../core/worktree.ts";
import { OwtError } from "../../core/errors.ts";
import { findPlace } from "../../git/place.ts";
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
