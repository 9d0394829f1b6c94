/** A check that was red, in words. Pure. */
import { roughDuration } from "../lib/duration.ts";

/** `timedOutMs`: it did not end, and was stopped after so long. */
export type RedCheck = { command: string; timedOutMs?: number };

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
