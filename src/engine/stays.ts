/** Why a branch that is checked out was not moved, and what ends that. */
import type { Stay } from "../git/fast-forward.ts";
import type { InProgress } from "../git/place.ts";
import { printableNames, shellWord } from "../lib/printable.ts";

/** Why a branch was not moved, in words. */
export function describeStay(outcome: Stay): string {
  switch (outcome.reason) {
    case "branch-moved":
      if (outcome.tip === null) return "it was deleted meanwhile";
      return "it moved meanwhile";
    case "not-a-fast-forward":
      return "it holds what is not in what was checked";
    case "dirty":
      return `${outcome.path} has uncommitted changes in ${printableNames(outcome.files)}`;
    case "would-overwrite":
      return `files in ${outcome.path} would be overwritten: ${printableNames(outcome.files)}`;
    case "overlooked":
      return `files in ${outcome.path} that git was told not to look at are changed, and would be overwritten: ${printableNames(outcome.files.map(({ path }) => path))}`;
    case "in-progress":
      return `a ${outcome.what} is under way in ${outcome.path}`;
    case "locked":
      return `another git is at work in ${outcome.path}`;
    case "gone":
      return `it is checked out at ${outcome.path}, which is not there, and locked`;
    case "refused":
      return outcome.said;
    default: {
      const never: never = outcome;
      return never;
    }
  }
}

/** What lets it move, with the commands. */
export function endOfStay(outcome: Stay): string {
  switch (outcome.reason) {
    case "branch-moved":
    case "not-a-fast-forward":
      return "look: git log --oneline -5";
    case "dirty":
    case "would-overwrite":
      return "commit or stash what is there";
    case "overlooked":
      return `let git look again: ${lookAgain(outcome)}; and commit or stash what is there`;
    case "in-progress":
      return endOf(outcome.what, `git -C ${shellWord(outcome.path)}`);
    case "locked":
      return `wait until it has ended (where none runs: rm ${shellWord(outcome.lock)})`;
    case "gone":
      return `bring that back, or: git worktree unlock ${shellWord(outcome.path)} && git worktree prune`;
    case "refused":
      return `look: git -C ${shellWord(outcome.path)} status`;
    default: {
      const never: never = outcome;
      return never;
    }
  }
}

/** The commands that put a branch back to a commit, with whoever has it checked out, and keep what it holds now under another name. */
export function moveBack(
  checkout: string | null,
  branch: string,
  { to, keeps }: { to: string; keeps: string },
): string {
  const git = checkout === null ? "git" : `git -C ${shellWord(checkout)}`;
  const move = checkout === null ? `branch -f ${branch} ${to}` : `reset --keep ${to}`;
  return `${git} branch ${keeps} ${branch} && ${git} ${move}`;
}

/** The command by which git sees the files again that it was told not to look at. */
export function lookAgain({ path, files }: Extract<Stay, { reason: "overlooked" }>): string {
  const commands = (["assume-unchanged", "skip-worktree"] as const).flatMap((mark) => {
    const marked = files.filter(({ marks }) => marks.includes(mark)).map((file) => shellWord(file.path));
    return marked.length === 0 ? [] : [`git -C ${shellWord(path)} update-index --no-${mark} ${marked.join(" ")}`];
  });
  return commands.join(" && ");
}

/** How a person ends what git is in the middle of, in a checkout of theirs. */
export function endOf(what: InProgress, git: string): string {
  if (what === "bisect") return `end it: ${git} bisect reset`;
  return `end it: ${git} ${what} --continue, or give it up: ${git} ${what} --abort`;
}
