/** What became of a worktree that was taken away, in words. */
import { nameOf } from "../../core/worktree.ts";
import type { Gone } from "../../engine/worktrees/remove.ts";

export function describeGone(gone: Gone): string {
  const { branch, came, rescue } = gone;
  if (gone.already) return `${nameOf(gone)} is gone already: another process took it away`;
  const what = `${nameOf(gone)} is gone`;
  const of = branch === null ? "" : came === null ? `; the branch stays` : `, the branch too: ${HOW[came]}`;
  return `${what}${of}${rescue === null ? "" : `; what it held is saved, bring it back: owt restore ${rescue}`}`;
}

const HOW = {
  merged: "its work is merged",
  same: "it has no commit of its own",
  squashed: "its work came home squashed",
  rebased: "its work came home rebased",
};
