/** What became of a worktree that was taken away, in words. */
import { nameOf } from "../../core/worktree.ts";
import { BUILD_MAX_BYTES } from "../../git/rescue-files.ts";
import { renderMemory } from "../../lib/size.ts";
import type { Gone } from "../../engine/worktrees/remove.ts";
import type { NotFile } from "../../git/not-files.ts";
import { IN_A_LINE } from "../../lib/few.ts";
import { printableNames } from "../../lib/printable.ts";
import { count } from "../preview.ts";

export function describeGone(gone: Gone): string {
  const { branch, came, rescue } = gone;
  if (gone.already) return `${nameOf(gone)} is gone already: another process took it away`;
  const what = `${nameOf(gone)} is gone`;
  const of = branch === null ? "" : came === null ? `; the branch stays` : `, the branch too: ${HOW[came]}`;
  return `${what}${of}${rescue === null ? "" : `; what it held is saved, bring it back: owt restore ${rescue}`}`;
}

/** What went with it and is kept nowhere, a line for each kind. */
export function describeLost(gone: Gone): string[] {
  const notFiles = gone.notFiles.length === 0 ? "" : `${describeNotFiles(gone.notFiles)} went with it: cannot be kept`;
  return [describeDiscarded(gone), notFiles].filter(Boolean);
}

/** Behind why it stays or would go: what of it nothing can keep; empty where there is nothing of that kind. */
export function describeUnkeepable(notFiles: readonly NotFile[]): string {
  return notFiles.length === 0 ? "" : `; ${describeNotFiles(notFiles)} in it cannot be kept`;
}

/** `2 named pipes (a, b) and 1 socket (c)` */
function describeNotFiles(notFiles: readonly NotFile[]): string {
  const kinds = [...new Set(notFiles.map(({ kind }) => kind))];
  const each = kinds.map((kind) => {
    const paths = notFiles.filter((one) => one.kind === kind).map(({ path }) => path);
    return `${count(paths.length, kind)} (${printableNames(paths, IN_A_LINE)})`;
  });
  return each.join(" and ");
}

function describeDiscarded({ discarded, leftOut }: Gone): string {
  if (discarded.length === 0) return "";
  const kept =
    leftOut.length === 0
      ? ""
      : `; not kept, with more than ${renderMemory(BUILD_MAX_BYTES)} or a repository in it: ${printableNames(leftOut, IN_A_LINE)}`;
  return `with it went what tools make again: ${printableNames(discarded, IN_A_LINE)}${kept}`;
}

export const HOW = {
  merged: "its work is merged",
  same: "it has no commit of its own",
  squashed: "its work came home squashed",
  rebased: "its work came home rebased",
  copied: "its work came home as another commit",
};
