/** What a resolved conflict threw away, in words. Pure. */

/** A file that holds nothing of a change any more. `of`: the tasks whose change that was; none: the work of the task itself. `lines`: what it had added; `isDeletion`: it had
 *  deleted the file; `isMode`: it had made it executable, or not. */
export type LostChange = {
  path: string;
  of: string[];
  isOwn: boolean;
  lines: string[];
  isDeletion?: true;
  isMode?: true;
};

/** So many lines of a file are shown, and so many files. */
const MOST_LINES = 12;
const MOST_FILES = 20;

/** `nothing of shop/E03's change in f.txt is left`, for each file. */
export function describeLost(lost: readonly LostChange[]): string {
  const more = lost.length > MOST_FILES ? `; and so in ${lost.length - MOST_FILES} more files` : "";
  return `${lost.slice(0, MOST_FILES).map(describeOne).join("; ")}${more}`;
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

function describeOne({ path, of, isOwn, isDeletion, isMode }: LostChange): string {
  const whose = isOwn ? "its own" : of.length === 0 ? "the other side's" : `${of.join(" and ")}'s`;
  if (isDeletion) return `${whose} deletion of ${path} is undone`;
  if (isMode) return `${whose} change of the mode of ${path} is undone`;
  return `nothing of ${whose} change in ${path} is left`;
}

/** Each file with the lines that the change had added to it. */
export function showLost(lost: readonly LostChange[]): string[] {
  const files = lost.slice(0, MOST_FILES).flatMap((each) => {
    const lines = each.lines.slice(0, MOST_LINES).map((line) => `      ${line}`);
    const left = each.lines.length - MOST_LINES;
    const more = left > 0 ? [`      … and ${left} more lines`] : [];
    const head = `  ${describeOne(each)}`;
    return [each.lines.length === 0 ? head : `${head}; it had added:`, ...lines, ...more];
  });
  const more = lost.length - MOST_FILES;
  return more > 0 ? [...files, `  and so in ${more} more files`] : files;
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
