/** Times as cron writes them, in a time zone: five fields, or six with seconds in front, or a word such as `@daily`. */
import { Cron } from "croner";

/** The times that an expression names, in epoch milliseconds. Summer time: a fixed time that a night leaves out is the first moment behind the gap, one that a
 *  night has twice is its first; what repeats (`*`, steps) follows the clock of the wall through both. */
export type CronTimes = {
  /** The first one after a moment; null where none ever comes. */
  next(after: number): number | null;
  /** The newest one up to a moment, that moment included. */
  last(upTo: number): number | null;
};

/** Reads an expression for a zone of the IANA database, which is there. */
export function parseCron(expression: string, timezone: string): CronTimes | { problem: string } {
  const words = expression.trim().split(/\s+/);
  // A year, a date, and "now" (?) would make a schedule that says something else each time it is read, or only once.
  const isForm =
    words.length === 5 ||
    words.length === 6 ||
    /^@(yearly|annually|monthly|weekly|daily|hourly)$/i.test(expression.trim());
  if (!isForm || expression.includes("?"))
    return { problem: "expected five fields (minute hour day month weekday), six with seconds in front, or @daily" };
  try {
    const cron = new Cron(expression.trim(), { timezone });
    const times: CronTimes = {
      next: (after) => cron.nextRun(new Date(after))?.getTime() ?? null,
      last: (upTo) => cron.previousRuns(1, new Date(upTo + 1))[0]?.getTime() ?? null,
    };
    return times.next(FIRST) === null ? { problem: "names a day that never comes" } : times;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { problem: said.replace(/^CronPattern: /, "").replace(/^Invalid/, "invalid") };
  }
}

/** From then on it is looked for a time, to see that there is one: no expression of ours depends on today. */
const FIRST = Date.UTC(2026, 0, 1);

/** Whether there is a time zone of that name. */
export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "" && name !== "";
  } catch {
    return false;
  }
}
