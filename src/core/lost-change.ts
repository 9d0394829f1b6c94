/** What a resolved conflict threw away, in words. Pure. */
import { few, firstOf, IN_A_LINE, IN_A_LIST, IN_A_SENTENCE } from "../lib/few.ts";
import { quotedName } from "../lib/printable.ts";

/** A file that holds nothing of a change any more. `of`: the tasks whose change that was; none: the work of the task itself. `lines`: what it had added; `isDeletion`: it had
 *  deleted the file; `isMode`: it had made it executable, or not; `isBinary`: the file is no text, and one of its two changes had to go. */
export type LostChange = {
  path: string;
  of: string[];
  isOwn: boolean;
  lines: string[];
  isDeletion?: true;
  isMode?: true;
  isBinary?: true;
};

/** What of it whoever brought both sides together is asked about: of a file that is no text one side goes always, which is told, and no more. */
export function askedAbout(lost: readonly LostChange[]): LostChange[] {
  return lost.filter(({ isBinary }) => isBinary !== true);
}

/** So much of a line is shown: one that a program made has no end. */
const MOST_OF_A_LINE = 200;
/** Of so many files the lines are shown. */
const WITH_LINES = 12;

/** `nothing of shop/E03's change in f.txt is left`, for each file. */
export function describeLost(lost: readonly LostChange[]): string {
  return few(lost.map(describeOne), IN_A_SENTENCE, "; ");
}

/** What became of them, before they are named. */
export function howLost(lost: readonly LostChange[], isMended: boolean): string {
  return isMended
    ? `mended a red check by undoing ${whatIsUndone(lost)}`
    : "resolved a conflict by throwing a side away";
}

/** Whose work a mended check undid. */
export function whatIsUndone(lost: readonly LostChange[]): string {
  const isOwn = lost.some((each) => each.isOwn);
  if (lost.every((each) => each.isOwn)) return "its own work";
  return isOwn ? "its own work and that of others" : "work of others";
}

function inItsPlace(line: string): string {
  return `      ${line.length > MOST_OF_A_LINE ? `${line.slice(0, MOST_OF_A_LINE)}…` : line}`;
}

function describeOne({ path: name, of, isOwn, isDeletion, isMode, isBinary }: LostChange): string {
  const path = quotedName(name);
  const whose = isOwn ? "its own" : of.length === 0 ? "the other side's" : `${few(of, IN_A_LINE, " and ")}'s`;
  if (isDeletion) return `${whose} deletion of ${path} is undone`;
  if (isBinary) return `${path} is no text, and ${whose} change to it was not taken`;
  if (isMode) return `${whose} change of the mode of ${path} is undone`;
  return `nothing of ${whose} change in ${path} is left`;
}

/** Each file with the lines that the change had added to it. */
export function showLost(lost: readonly LostChange[]): string[] {
  const { shown, left: unnamed } = firstOf(lost, IN_A_LIST);
  const named = shown.flatMap((each, at) => {
    const { shown: lines, left } = firstOf(at < WITH_LINES ? each.lines : [], IN_A_SENTENCE);
    const more = left > 0 ? [`      … and ${left} more lines`] : [];
    const head = `  ${describeOne(each)}`;
    return [lines.length === 0 ? head : `${head}; it had added:`, ...lines.map(inItsPlace), ...more];
  });
  return unnamed > 0 ? [...named, `  … and so in ${unnamed} more files`] : named;
}

/** What the agent is told that did it; `isMended`: as it mended a check that was red with the work of others. */
export function askForLost(lost: readonly LostChange[], isMended: boolean): string {
  const files = showLost(lost.map((each) => ({ ...each, isOwn: false, ...(each.isOwn ? { of: ["this task"] } : {}) })));
  if (isMended)
    return [
      `your turn ended with a repair that undoes ${lost.every((each) => each.isOwn) ? "this task's own work" : "work of others"}:`,
      ...files,
      "Bring that back, so that the check passes with their work and with yours, and commit. Where it is meant, because the same is done in another way, say why, and leave it",
    ].join("\n");
  return [
    "your turn ended with a merge that throws a side away:",
    ...files,
    "Bring back what that side means, so that the files hold both, and commit. Where it is meant, because the other side does the same in another way, say why, and leave it",
  ].join("\n");
}
