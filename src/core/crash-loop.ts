/** Agents that die: how long is waited before the next one is started, when it is enough, and when it is the agent and not the task. Pure. */
import type { Attempt } from "./attempt.ts";
import type { Outcome } from "./outcome.ts";

type Started = Pick<Attempt, "outcome" | "startedAt">;
type Ended = Pick<Attempt, "task" | "outcome" | "endedAt">;

/** A task is started again after so many deaths within so long; what dies more often than that dies again. */
const MOST_RESTARTS = 3;
const WITHIN_MS = 15 * 60_000;

/** Agents of so many tasks that died at once, one after the other, died of something else than their tasks. */
const TASKS_IN_A_ROW = 3;

/** So soon after its start an agent that dies has not done anything. */
export const AT_ONCE_MS = 10_000;

/** The longest pause before a restart, in milliseconds, and how much longer chance makes it. */
export const LONGEST_RESTART_PAUSE_MS = 600_000;

/** Whether an agent died instead of ending its turn. A usage limit, a refused login, an API that is down are ends that have their own ways. */
function isCrash(outcome: Outcome | null): boolean {
  return outcome?.kind === "lost" || (outcome?.kind === "failed" && outcome.atOnce === true);
}

/** When agents were started again because the one before had died, of all attempts of a task in their order; epoch milliseconds. */
export function restartsAmong(attempts: readonly Started[]): number[] {
  return attempts.filter((_, at) => isCrash(attempts[at - 1]?.outcome ?? null)).map(({ startedAt }) => startedAt);
}

/** Whether one more at `next` is too many. What lies far ahead was written before the clock was set back. */
export function isCrashLoop(restarts: readonly number[], next: number): boolean {
  return restarts.filter((at) => Math.abs(next - at) < WITHIN_MS).length >= MOST_RESTARTS;
}

/** How long is waited behind so many tries in a row that ended badly: `firstMs`, twice that, … ten minutes; `chance` in [0, 1) spreads it by a quarter either way. */
export function restartPauseMs(tries: number, firstMs: number, chance: number): number {
  const doubled = firstMs * 2 ** Math.min(30, Math.max(0, tries - 1));
  return Math.round(Math.min(LONGEST_RESTART_PAUSE_MS, doubled) * (0.75 + chance / 2));
}

/** Whether the agent itself is at fault: it died at once in three tasks, without anything else of it ending in between. `attempts` are those of one agent
 *  that have ended, the newest first. */
export function isBroken(attempts: readonly Ended[], now: number): boolean {
  const isRecent = (at: number | null) => at !== null && Math.abs(now - at) < WITHIN_MS;
  const others = attempts.findIndex(({ outcome, endedAt }) => !diedAtOnce(outcome) || !isRecent(endedAt));
  const row = others < 0 ? attempts : attempts.slice(0, others);
  return new Set(row.map(({ task }) => task)).size >= TASKS_IN_A_ROW;
}

function diedAtOnce(outcome: Outcome | null): boolean {
  return (outcome?.kind === "lost" || outcome?.kind === "failed") && outcome.atOnce === true;
}
