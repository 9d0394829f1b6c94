/** Why a worktree stays, in words. */
import type { Reason } from "../../git/remove.ts";
import { IN_A_LINE } from "../../lib/few.ts";
import { printableNames } from "../../lib/printable.ts";
import { count } from "../preview.ts";

export function describeReason({ reason, what }: Reason): string {
  const names = printableNames(what, IN_A_LINE);
  switch (reason) {
    case "dirty":
      return `uncommitted changes in ${names}`;
    case "untracked":
      return `new files: ${names}`;
    case "ignored-new":
      return `ignored files that nobody brought: ${names}`;
    case "unmerged":
      return `conflicts in ${names}`;
    case "staged":
      return "staged changes";
    case "commits":
      return `${count(what.length, "commit")} that no branch has`;
    case "in-progress":
      return `a ${names} is under way`;
    case "submodule-work":
      return `uncommitted work inside a submodule, ${names}`;
    case "submodule-commits":
      return `commits that no remote of the submodule has: ${names.replaceAll(/: (\d+)(?=,|$| and )/g, " ($1)")}`;
    case "main":
      return "it is the main checkout";
    case "locked":
      return `locked${names === "" ? "" : `: ${names}`} (git worktree unlock)`;
    case "in-use":
      return `somebody works in it: ${names}`;
    case "being-made":
      return "it is being made";
    case "not-a-worktree":
      return `${names} is no worktree`;
    case "stranger":
      return `something else stands there: ${names} (move it away; if the worktree was moved: git worktree repair NEW-FOLDER)`;
    case "nested-repository":
      return `a repository inside it: ${names}`;
    case "too-large":
      return `more than can be kept: ${names}`;
    case "unreadable-name":
      return `a name that is no UTF-8, and cannot be saved: ${names}`;
  }
}
