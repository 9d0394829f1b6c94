/** Why a parked task waits, and for whom. Pure. */
import { firstOf, IN_A_SENTENCE } from "../lib/few.ts";
import { printableNames, shellWord } from "../lib/printable.ts";
import { lastLines } from "../lib/tail.ts";
import { describeFailedRule } from "./conflict-rules.ts";
import { describeOutage } from "./limit.ts";
import { describeLost, whatIsUndone } from "./lost-change.ts";
import { describeRefused } from "./outcome.ts";
import { describeCheck } from "./red-check.ts";
import { isMended, type Park } from "./task.ts";

/** Whether only a person can make this task go on. */
export function waitsForPerson(park: Park): boolean {
  return park.for !== "limit" && park.for !== "retry" && park.for !== "budget";
}

/** Why a parked task waits, in words. */
export function describePark(park: Park): string {
  switch (park.for) {
    case "answer":
      return `asks: ${park.question}`;
    case "conflict":
      if (park.lost !== undefined)
        return `${isMended(park) ? `its red check was mended by undoing ${whatIsUndone(park.lost)}` : "its conflict was resolved by throwing a side away"}: ${describeLost(park.lost)}; what is wanted of that is to be brought back in ${park.worktree}`;
      return `conflict in ${printableNames(park.files)}; to be resolved in ${park.worktree}${wholeOf(park)}${describeFailedRule(park)}${endOf(park.output)}`;
    case "red":
      return `${park.isOwn ? "its work is red" : `red with the work of ${describeOthers(park.others)}`}: ${describeCheck(park)}; to be mended in ${park.worktree}`;
    case "permission":
      return describeRefused(park.tools);
    case "hand":
      return `taken over by hand since ${new Date(park.since).toISOString()}, in ${park.worktree}`;
    case "login":
    case "agent":
    case "git":
      return park.reason;
    case "limit":
      if (park.outage !== undefined) return describeOutage(park.outage, park.until);
      if (park.isGuess && park.until !== null)
        return `waits for a usage limit; no reset known; next try at ${new Date(park.until).toISOString()}`;
      return park.until === null
        ? "waits for a usage limit"
        : `waits for a usage limit until ${new Date(park.until).toISOString()}`;
    case "retry":
      return park.reason;
    case "budget":
      return `waits for the budget: ${park.reason}`;
    default: {
      const never: never = park;
      return never;
    }
  }
}

/** What names all files of a conflict that has very many. */
function wholeOf({ files, worktree }: { files: readonly string[]; worktree: string }): string {
  return firstOf(files, IN_A_SENTENCE).left === 0 ? "" : ` (all of them: git -C ${shellWord(worktree)} status)`;
}

/** Names few of them, and counts the rest. */
function describeOthers(others: readonly string[] = []): string {
  if (others.length === 0) return "the others";
  const { left } = firstOf(others, IN_A_SENTENCE);
  // Who came in last is most likely to be concerned.
  return left > 0 ? `${others.slice(left).join(", ")} and ${left} more` : others.join(", ");
}

/** The end of what a command printed, below a line. */
function endOf(output = ""): string {
  const end = lastLines(output, SHOWN_LINES);
  return end === "" ? "" : `\n${end}`;
}

const SHOWN_LINES = 5;
