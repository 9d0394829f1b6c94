/** What became of worktrees that were to be brought up to date, in words. */
import type { Synced } from "../../engine/worktrees/sync.ts";
import { IN_A_LINE } from "../../lib/few.ts";
import { printableName, printableNames } from "../../lib/printable.ts";
import { count } from "../preview.ts";
import { type Paint, printable } from "../text.ts";

/** Whether somebody has to do something before it is up to date. */
export function needsPerson({ state }: Synced): boolean {
  return ["conflicts", "dirty", "in-the-way", "diverged", "in-progress"].includes(state);
}

/** A line for each, with what there is to say and to do below it. */
export function renderSynced(synced: readonly Synced[], paint: Paint): string {
  return synced.flatMap((each) => linesOf(each, paint)).join("\n");
}

function linesOf(each: Synced, paint: Paint): string[] {
  const isBad = each.state === "unreachable" || each.state === "refused";
  const mark =
    each.state === "updated"
      ? paint("green", "✓")
      : isBad
        ? paint("red", "✗")
        : needsPerson(each)
          ? paint("yellow", "▲")
          : paint("dim", "○");
  return [
    `${mark} ${printableName(`${each.name}: ${describe(each)}`)}`,
    ...each.notes.map((note) => `  ${paint("dim", "·")} ${printable(note)}`),
    ...(each.byHand === null ? [] : [`  ${paint("dim", "↳")} ${printableName(each.byHand)}`]),
  ];
}

function describe({ state, with: other, commits, files }: Synced): string {
  const names = printableNames(files, IN_A_LINE);
  switch (state) {
    case "up-to-date":
      return `up to date with ${other}`;
    case "updated":
      return `${count(commits, "commit")} from ${other}`;
    case "ahead":
      return `nothing new in ${other}; it has commits of its own`;
    case "conflicts":
      return `conflicts with ${other} in ${names}; left as it was`;
    case "dirty":
      return files.length === 0
        ? "uncommitted work; left as it was"
        : `uncommitted work in ${names} is in the way of ${other}; left as it was`;
    case "in-the-way":
      return `files that git does not know stand where others would come: ${names}; left as it was`;
    case "diverged":
      return `${other} was rewritten, or shares no history with it; left as it was`;
    case "in-progress":
      return "left as it is until that is done";
    case "detached":
      return "on no branch; left as it is";
    case "no-base":
      return other === null ? "follows nothing, and no branch is on record that it began from" : `${other} is gone`;
    case "in-use":
      return "left alone while its run goes on";
    case "unreachable":
      return `${other} could not be asked for`;
    case "gone":
      return "its files are gone";
    case "refused":
      return "left as it was";
  }
}
