/** Which command answers a task that waits for a person. Pure. */
import { shellWord } from "../lib/printable.ts";
import type { Task } from "./task.ts";

/** What lets an agent have the tools it was refused: the line, and the file it stands in. */
export type Permit = { line: string; file: string; warning: string | null };

/** What answers a waiting task: the command itself, and what there is to know or do beside it. */
export type Answer = { command: string; note: string | null };

/** Both in one line, for people. */
export function renderAnswer({ command, note }: Answer): string {
  return note === null ? command : `${command}  (${note})`;
}

/** The command that answers a task which waits for a person. `isNewest`: no later run has a task of this key, so the key is enough.
 *  `permit` is told for a task that was refused a tool; `hasWords`: a failed one ended with words instead of work; `isAlone`: its rivals have
 *  not failed, and what they do or ask is theirs. */
export function answerCommand(
  task: Task,
  isNewest: boolean,
  {
    permit,
    hasWords = false,
    isAlone = false,
  }: { permit?: Permit | undefined; hasWords?: boolean; isAlone?: boolean } = {},
): Answer {
  const name = isNewest ? task.key : `${task.key} --run ${task.run}`;
  const { rival } = task;
  const retry = `owt task retry ${name}`;
  if (rival?.end === null && task.state === "failed" && !hasWords && !isAlone) {
    const all = isNewest ? rival.of : `${rival.of} --run ${task.run}`;
    return { command: `owt task retry ${all}`, note: `its rivals with it; it alone: ${retry}` };
  }
  const answer = `owt task answer ${name} "…"`;
  if (task.state === "integrating")
    return { command: `owt resume ${task.run}`, note: "once its branch is mended; while the run goes on, by itself" };
  if (task.state === "review") return { command: `owt task approve ${name}`, note: null };
  if (task.state === "failed" && hasWords)
    return { command: answer, note: `tells it what it lacked; or start over: ${retry}` };
  switch (task.park?.for) {
    case "answer":
      return { command: answer, note: null };
    case "conflict":
      return {
        command: `owt task approve ${name}`,
        note: `${task.park.lost ? "it is meant so, or mended" : "resolved"}; or start over: ${retry}`,
      };
    case "red":
      return { command: `owt task approve ${name}`, note: `mended; or start over: ${retry}` };
    case "hand":
      return {
        command: `owt task approve ${name}`,
        note: `once it is done: checks and integrates it; or let its agent go on: ${retry}`,
      };
    case "git":
      if (task.park.regenerate !== undefined)
        return { command: retry, note: "once the command is mended, in [conflicts.regenerate] of the configuration" };
      if (task.park.verify !== undefined)
        return {
          command: retry,
          note: "once the command is mended, where it is configured ([run] verify, or the plan)",
        };
      return task.park.checkout === undefined
        ? {
            command: retry,
            note: "once it is mended; look: git config --show-origin --get-regexp '^(merge|filter)\\.'",
          }
        : {
            command: `owt resume ${task.run}`,
            note: `once that is done; while the run goes on, by itself; look: git -C ${shellWord(task.park.checkout)} status`,
          };
    case "permission":
      return { command: retry, note: permit ? describePermit(permit) : null };
    default:
      return { command: retry, note: null };
  }
}

function describePermit({ line, file, warning }: Permit): string {
  return `first, in ${file}: ${line}${warning === null ? "" : `; ${warning}`}`;
}
