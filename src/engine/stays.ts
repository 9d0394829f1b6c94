/** Why a branch that is checked out was not moved. */
import type { FastForward } from "../git/fast-forward.ts";
import { printableNames } from "../lib/printable.ts";

/** Why a branch was not moved, in words. */
export function describeStay(outcome: Exclude<FastForward, { moved: true }>): string {
  switch (outcome.reason) {
    case "branch-moved":
      return "it moved meanwhile";
    case "not-a-fast-forward":
      return "it holds what is not in what was checked";
    case "dirty":
      return `${outcome.path} has uncommitted changes in ${printableNames(outcome.files)}`;
    case "would-overwrite":
      return `files in ${outcome.path} would be overwritten: ${printableNames(outcome.files)}`;
    case "in-progress":
      return `a ${outcome.what} is under way in ${outcome.path}`;
    case "refused":
      return outcome.said;
    default: {
      const never: never = outcome;
      return never;
    }
  }
}
