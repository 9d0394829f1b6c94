/** Batches and their slots, in words and as JSON. */
import { describeStuck, type FiringState } from "../core/firing.ts";
import type { BatchView } from "../engine/batches.ts";
import type { Fired } from "../engine/fire.ts";
import type { Seen } from "../engine/watch-batches.ts";
import type { Io } from "./io.ts";
import { clock, localTime, localTimes, painter, printable, table } from "./text.ts";

/** A batch as `--json` tells it. */
export function batchToJson({ batch, repository, standing, problem, next, last }: BatchView) {
  return {
    name: batch.name,
    standing,
    cron: batch.cron,
    timezone: batch.timezone,
    repository,
    plan: batch.plan,
    max_tasks: batch.maxTasks,
    max_duration_ms: batch.maxDurationMs,
    budget_usd: batch.budget.run_usd ?? null,
    budget: batch.budget,
    notify_on_complete: batch.notify,
    missed: batch.missed,
    file: batch.file,
    next: next[0] === undefined ? null : moment(next[0]),
    last: last && {
      slot: moment(last.slot),
      by_hand: last.byHand,
      state: last.state,
      run: last.run,
      reason: last.reason,
      hint: last.hint,
    },
    problem: problem && { message: problem.message, hint: problem.hint ?? null },
  };
}

const STATES: Record<FiringState, string> = {
  claimed: "is being started",
  running: "running",
  over: "over",
  nothing: "nothing to do",
  refused: "could not start",
  overlap: "passed over",
  missed: "missed",
};

/** All batches, two lines each. */
export function renderBatches(io: Io, views: readonly BatchView[]): string {
  const paint = painter(io, io.stdout);
  const marks = { waits: "○", running: "◎", paused: "■", unusable: "✗" } as const;
  const rows = views.map(({ batch, standing, next }) => {
    const when =
      standing === "paused" ? "paused" : next[0] === undefined ? "" : `next ${zoned(next[0], batch.timezone)}`;
    return [`${marks[standing]} ${batch.name}`, batch.cron, batch.timezone, when];
  });
  const heads = table(rows).split("\n");
  return views
    .flatMap((view, at) => {
      const { batch, repository, last, problem } = view;
      const place = [repository, batch.plan].filter((each) => each !== null).join(" · ");
      return [
        printable(heads[at]!),
        ...(place === "" ? [] : [`  ${paint("dim", printable(place))}`]),
        ...(last === null ? [] : [`  last: ${printable(localTimes(lastWords(last, view), Date.now()))}`]),
        ...(last?.hint == null ? [] : [`  ↳ ${printable(last.hint)}`]),
        ...(problem === null
          ? []
          : [`  ${paint("red", printable(problem.message))}`, `  ↳ ${printable(problem.hint ?? "")}`]),
      ];
    })
    .join("\n");
}

function lastWords(
  { slot, byHand, state, run, reason }: NonNullable<BatchView["last"]>,
  { batch, isLeft }: BatchView,
): string {
  const when = `${zoned(slot, batch.timezone)}${byHand ? " by hand" : ""}`;
  if (isLeft)
    return `${when} · did not begin: who was about to start it has ended, and the next owt batch watch decides`;
  // What is said of one that is not started yet is what it waits for.
  const word = state === "claimed" && reason !== null ? null : STATES[state];
  return [when, run, word, reason].filter(Boolean).join(" · ");
}

/** `2026-11-22 22:00`, and the seconds where there are some, in a time zone. */
export function zoned(at: number, timeZone: string): string {
  // Swedes write times as the rest of the world sorts them.
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  const text = format.format(at);
  // A night in which the clock is set back has an hour twice.
  const isTwice = SET_BACK_BY.some((ms) => format.format(at - ms) === text || format.format(at + ms) === text);
  return text.replace(/:00$/, "") + (isTwice ? ` ${offsetAt(at, timeZone)}` : "");
}

/** Lord Howe Island sets its clocks back by half an hour. */
const SET_BACK_BY = [1_800_000, 3_600_000];

/** `+02:00`. */
function offsetAt(at: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" }).formatToParts(at);
  const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  return name.replace("GMT", "") || "+00:00";
}

export function moment(at: number): string {
  return new Date(at).toISOString();
}

/** What a firing came to, in words. */
export function firedWords(fired: Fired): string {
  if (fired.kind === "running") return `${fired.run} goes on in the background`;
  if (fired.kind === "refused") return `could not start: ${fired.reason}`;
  return fired.stuck.length === 0 ? "nothing to do" : `${describeStuck(fired.stuck)}; see: owt inbox`;
}

/** A line of `owt batch watch`. */
export function renderSeen(io: Io, seen: Seen, now: number): string {
  const paint = painter(io, io.stderr);
  const line = (mark: string, text: string) => `${clock(now)} ${mark} ${printable(localTimes(text, now))}`;
  const slotTime = (slot: number) => localTime(slot, now, { isExact: true });
  const slotWords = (slot: number) => (now - slot > 60_000 ? ` (slot of ${slotTime(slot)})` : "");
  switch (seen.kind) {
    case "watches":
      return line(paint("dim", "○"), `watching ${seen.batches.join(", ") || "nothing: the schedule is empty"}`);
    case "fired": {
      const hint =
        seen.fired.kind === "refused" && seen.fired.hint !== null ? `\n  ↳ ${printable(seen.fired.hint)}` : "";
      const mark = seen.fired.kind === "refused" ? paint("red", "✗") : paint("cyan", "◎");
      return line(mark, `${seen.batch}${slotWords(seen.slot)}: ${firedWords(seen.fired)}`) + hint;
    }
    case "waits":
      return line(paint("yellow", "…"), `${seen.batch}${slotWords(seen.slot)} ${seen.why}`);
    case "passed":
      return line(
        paint("yellow", "–"),
        `${seen.batch}: the slot of ${slotTime(seen.slot)} is passed over: ${seen.why}`,
      );
    case "over":
      return line(paint("green", "✓"), `${seen.batch}: ${seen.run} is over; owt report ${seen.run}`);
    case "goes-on":
      return line(paint("yellow", "▲"), `${seen.batch}: nobody carried ${seen.run}; it goes on`);
    case "problem":
      return line(paint("red", "✗"), seen.message) + (seen.hint === null ? "" : `\n  ↳ ${printable(seen.hint)}`);
    default: {
      const never: never = seen;
      return never;
    }
  }
}
