/** A check that was red, in words. Pure. */
import { roughDuration } from "../lib/duration.ts";

/** `timedOutMs`: it did not end, and was stopped after so long. */
export type RedCheck = { command: string; timedOutMs?: number };

/** What work is refused for before any command checks it: it stands where the command does, and is none. */
export const REFUSALS = {
  markers: "conflict markers are left",
  leftByGit: "left-overs of a merge are there",
  outside: "something outside what the task touches was changed",
} as const;

/** Whether it is words, and no command that anybody could run. */
export function isRefusal({ command }: RedCheck): boolean {
  return Object.values<string>(REFUSALS).includes(command);
}

/** The command; of one that did not end also that, for what it printed says nothing then. */
export function describeCheck({ command, timedOutMs }: RedCheck): string {
  return timedOutMs === undefined
    ? command
    : `${command} (it did not end: its time was up after ${roughDuration(timedOutMs)})`;
}

/** What is on record of it beside the command. */
export function timeOf({ timedOutMs }: { timedOutMs?: number | undefined }): { timedOutMs?: number } {
  return timedOutMs === undefined ? {} : { timedOutMs };
}
