/** One try at a task: one agent process in one worktree, and what came of it. */
import type { Usage } from "./cost.ts";
import type { Outcome } from "./outcome.ts";

/** What the attempt is about to do. Written before it is done, so that whoever comes next can repeat it. */
export type AttemptPhase =
  /** Branch and worktree are being made. */
  | "workspace"
  /** Environment files and setup commands are being brought. */
  | "setup"
  /** The prompt is written and the agent is being launched. */
  | "launch"
  /** The agent has claimed the attempt and works. */
  | "agent"
  /** It ended; its leftovers are being committed and judged. */
  | "collect"
  | "verify"
  /** Green; waits until it is decided which of several rivals did the task best. */
  | "contest"
  /** Waits for a person to approve. */
  | "review"
  /** Its commit is being merged with the run's tip and checked there. */
  | "merge"
  /** `candidate` is to become the run's tip. */
  | "advance"
  /** Ended; branch and worktree are still to be tidied. */
  | "tidy"
  | "closed";

export type StopCause =
  | "timed_out"
  | "stopped"
  | "aborted"
  /** A person takes its task over by hand: whatever comes of it, the task is theirs. */
  | "taken"
  | "budget"
  /** It had said its last word and did not leave. */
  | "finished"
  /** Neither it nor anything that it started did anything for long. */
  | "hung"
  /** It asked its API again and again for a login or for money. */
  | "refused";

export type Attempt = {
  id: number;
  run: string;
  task: number;
  /** 1, 2, … within the task. */
  number: number;
  /** The attempt whose worktree, branch and conversation this one goes on with. */
  continues: number | null;
  phase: AttemptPhase;
  agent: string;
  model: string | null;
  /** The conversation's id, chosen by us. */
  session: string;
  /** Commit its branch started from. */
  base: string;
  branch: string;
  worktree: string;
  /** Hash of the task's text that its agent was given; null where none was started. */
  given: string | null;
  /** What the agent left, after its leftovers were committed. */
  head: string | null;
  /** Tree that the task's own verify found green. */
  verifiedTree: string | null;
  /** The merge that is about to become, or became, the run's tip. */
  candidate: string | null;
  /** Why we are ending, or ended, the agent ourselves. Written before the first signal. */
  stop: StopCause | null;
  outcome: Outcome | null;
  /** What was used up to now; null where no agent has said anything yet. */
  usage: Usage | null;
  /** The most memory that its agent or a check of it took; null where nothing was measured. */
  peakBytes: number | null;
  startedAt: number;
  endedAt: number | null;
  /** For how long of that, in milliseconds, nobody carried it and nothing of it was alive. */
  deadMs: number;
};

/** The milliseconds between two moments of the clock on the wall; none where it was set back in between. */
export function msBetween(from: number, to: number): number {
  return Math.max(0, to - from);
}

/** How long attempts were at work together, in milliseconds; `now` ends what still is. `waits`: for how long each of them, by its id, waited for its rivals
 *  or for an approval. */
export function workedMs(
  attempts: readonly Pick<Attempt, "id" | "startedAt" | "endedAt" | "deadMs">[],
  now: number,
  waits: ReadonlyMap<number, number>,
): number {
  const workOf = ({ id, startedAt, endedAt, deadMs }: (typeof attempts)[number]) =>
    msBetween(startedAt, (endedAt ?? now) - deadMs - (waits.get(id) ?? 0));
  return attempts.reduce((sum, attempt) => sum + workOf(attempt), 0);
}
