/** How long a run may start work. What runs when its time is over still comes home: only the start of more is held back. Pure. */

/** `endsAt` is in epoch milliseconds, by the clock of the wall: a night ends when it ends, also for a machine that slept. */
export type RunTime = { limitMs: number; endsAt: number };

/** The time that begins now. */
export function timeFrom(limitMs: number, now: number): RunTime {
  return { limitMs, endsAt: now + limitMs };
}

/** Whether a run has no time left to start anything. */
export function isTimeOver(time: RunTime | null | undefined, now: number): boolean {
  return time != null && now >= time.endsAt;
}

/** Why a task waits that may not start any more. */
export function describeTimeOver({ limitMs }: RunTime): string {
  return `waits: the run's time is over (${renderLimit(limitMs)})`;
}

/** The command that gives a run as much time again, and goes on with it. */
export function moreTimeCommand(run: string, { limitMs }: RunTime): string {
  return `owt resume ${run} --max-duration ${renderLimit(limitMs)}`;
}

/** `8h`, `90m`, `1h30m`, `45s`, `1500ms`: as it may be written on a command line. */
export function renderLimit(ms: number): string {
  if (ms % 1_000 !== 0) return `${Math.ceil(ms)}ms`;
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms / 1_000) % 60];
  const parts = [hours > 0 ? `${hours}h` : "", minutes > 0 ? `${minutes}m` : "", seconds > 0 ? `${seconds}s` : ""];
  return parts.join("") || "0s";
}
