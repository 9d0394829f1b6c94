/** A task inside a run: its states, the legal moves between them, and why it may stand still. */
import type { FailedRule } from "./conflict-rules.ts";
import type { Answered } from "./conversation.ts";
import type { Outage } from "./limit.ts";
import type { LostChange } from "./lost-change.ts";
import type { PlannedTask } from "./plan.ts";
import type { RedCheck } from "./red-check.ts";
import type { Resolved } from "./resolved.ts";
import type { Rival } from "./rival.ts";

export type TaskState =
  | "pending"
  | "running"
  | "verifying"
  /** Green, and waits for what becomes of its rivals. */
  | "contest"
  | "review"
  | "integrating"
  | "done"
  | "failed"
  /** Something it depends on failed or was cancelled. */
  | "skipped"
  | "cancelled";

const MOVES: Record<TaskState, readonly TaskState[]> = {
  pending: ["running", "skipped", "cancelled", "failed"],
  running: ["verifying", "contest", "integrating", "review", "pending", "failed", "cancelled"],
  verifying: ["contest", "review", "integrating", "pending", "failed", "cancelled"],
  contest: ["verifying", "review", "integrating", "pending", "cancelled", "failed"],
  review: ["verifying", "contest", "integrating", "pending", "cancelled", "failed"],
  integrating: ["done", "pending", "failed", "cancelled"],
  done: [],
  failed: ["pending", "cancelled"],
  skipped: ["pending", "cancelled"],
  cancelled: ["pending"],
};

/** All of them, in the order in which a task goes through them. */
export const TASK_STATES = Object.keys(MOVES) as readonly TaskState[];

/** Throws on a move that the state model does not know: such a move is a mistake of ours. */
export function assertLegalMove(from: TaskState, to: TaskState): void {
  if (!MOVES[from].includes(to)) throw new Error(`a task cannot move from ${from} to ${to}`);
}

/** Where a task stands, in a sentence of its own. */
export function stateWords(state: TaskState): string {
  return STATE_WORDS[state];
}

const STATE_WORDS: Record<TaskState, string> = {
  pending: "it has not begun yet, or goes on by itself",
  running: "its agent is at work",
  verifying: "its work is being checked",
  contest: "its work waits for that of its rivals",
  review: "its work waits for your approval",
  integrating: "its work is being merged",
  done: "it is done: its work is in the run's branch",
  failed: "it has failed",
  skipped: "it was skipped: what it needs was not done",
  cancelled: "it was cancelled",
};

export const FINAL_STATES: ReadonlySet<TaskState> = new Set(["done", "failed", "skipped", "cancelled"]);

/** Why a pending task waits although nothing in the plan holds it, and what a person can do about it. */
export type Park =
  | { for: "answer"; question: string }
  /** The merge with `theirs` stands started in `worktree`, for a person to resolve. `lost`: they have, and this is gone by that. */
  | ({
      for: "conflict";
      files: string[];
      ours: string;
      theirs: string;
      worktree: string;
      lost?: LostChange[];
    } & Partial<FailedRule>)
  /** Green alone, and red with the work of the others, however often an agent tried: merged with it in `worktree`, for a person to mend.
   *  `others`: the tasks whose work that is, in the order in which they came in; `isOwn`: it is red in its own worktree,
   *  and nobody else's fault. */
  | ({ for: "red"; worktree: string; others?: string[]; isOwn?: true } & RedCheck)
  /** The agent was refused these: permission rules that would allow what it wanted, where it has such rules. */
  | { for: "permission"; agent: string; tools: string[] }
  /** A person has taken it over and works in its worktree, since then (epoch ms). Nothing of ours goes there until they give it back. `asked` is
   *  what its agent had asked. */
  | { for: "hand"; since: number; worktree: string; asked?: string }
  /** The agent's credential was refused or has no money left: every task of an agent that works with it is held, in all open runs. */
  | { for: "login"; agent: string; credential?: string; reason: string }
  /** It died at once in several tasks, one after the other: every task that would be given to it is held, in all open runs. */
  | { for: "agent"; agent: string; reason: string }
  /** Git cannot be used where it is to work, for want of a filter, say: a person mends that, and no try before brings anything. */
  /** `checkout`: where a person has the run's branch, and holds it; `regenerate`, `verify`: what is wrong is this command of the configuration; without them, git itself fails. */
  | { for: "git"; reason: string; checkout?: string; regenerate?: string; verify?: string }
  /** `until` is when the next day's budget begins; null: it has to be raised. `scope`: whose budget. */
  | { for: "budget"; reason: string; until: number | null; scope?: "run" | "task" | "day" }
  /** `isGuess`: nobody said when it ends; `until` is when we look again. `outage`: no limit, but an API that cannot be reached. */
  | { for: "limit"; until: number | null; isGuess?: true; credential?: string; outage?: Outage }
  | { for: "retry"; reason: string };

/** How the next attempt begins: from nothing, or in the conversation and worktree of an earlier one. */
export type NextStart =
  /** `met`: what the work of the attempt before (`ours`) could not be brought together with: files in conflict, else a check that is red with both. */
  | { kind: "fresh"; met?: { files: readonly string[]; output: string; ours: string } & RedCheck & Others }
  /** `because` tells the agent what ended its turn before, where it can do something about that. */
  /** `resolved`: the conflict whose resolution, or the work of others whose repair, it is to look at again. */
  | Resume
  | ({ kind: "answer"; from: number; text: string } & Within)
  | Repair
  /** A person did the work in the worktree: no agent, only the checks and the integration. `resolved`: the conflict that they were to resolve; `isAsked`: whether
   *  they mean what is lost by that. */
  | ({ kind: "by-hand"; from: number; resolved?: Resolved; isAsked?: true } & Others)
  | Conflict;

type Resume = { kind: "resume"; from: number; because?: string; resolved?: Resolved } & Others & Within;

/** `onto`: commit to merge first, when the checks failed only after merging with other work. */
type Repair = { kind: "repair"; from: number; output: string; onto: string | null } & RedCheck & Others;

type Conflict = { kind: "conflict"; from: number; files: string[]; ours: string; theirs: string } & Partial<FailedRule>;

/** The turn that ended with a question, or was refused something, where it was to bring its work together with that of others: what goes on is that turn still. */
type Within = { within?: Repair | Conflict | Resume };

/** What the turn is about that begins so. */
export function turnOf(next: NextStart): NextStart {
  return next.kind === "answer" || next.kind === "resume" ? (next.within ?? next) : next;
}

/** What a turn that goes on behind this one is about still, if it was to bring work together. */
export function withinOf(next: NextStart): Within {
  const turn = turnOf(next);
  const isOne = turn.kind === "repair" || turn.kind === "conflict";
  return isOne || (turn.kind === "resume" && turn.resolved !== undefined) ? { within: turn } : {};
}

/** How each task begins. */
export const FRESH = { kind: "fresh" } as const satisfies NextStart;

/** Whether it was a check of the merge that had to be mended, and no conflict. */
export function isMended({ files }: Pick<Resolved, "files">): boolean {
  return files.length === 0;
}

/** The commit that was merged into the worktree in an earlier round. */
export function ontoOf(start: NextStart): string | null {
  const next = turnOf(start);
  if (next.kind === "repair") return next.onto;
  return next.kind === "resume" && next.resolved !== undefined && isMended(next.resolved) ? next.resolved.theirs : null;
}

/** The tasks with whose work that of this one was red, by key. */
type Others = { others?: string[] };

export type Task = {
  /** Row number, unique in the repository. */
  id: number;
  run: string;
  /** The plan's id, unique in its run: `technical/E05`; that of a rival which has not won names its agent, too. */
  key: string;
  /** Position in the plan. */
  order: number;
  state: TaskState;
  spec: PlannedTask;
  /** Content hash of what the task asks for; equal hash and done means: not again. */
  hash: string;
  /** Keys in the same run that must be done first, as the plan has them. */
  needs: string[];
  /** Set where several agents do the task, each in a row of its own. */
  rival: Rival | null;
  park: Park | null;
  /** Epoch milliseconds before which it is not started. */
  notBefore: number | null;
  next: NextStart;
  /** What a person answered, the oldest first: whoever begins afresh is told all of it. */
  answers: Answered[];
  /** Attempts that ended badly since the last success or retry by hand. */
  failures: number;
  /** Rounds in which verify sent it back. */
  repairs: number;
  /** Times a conflict sent it back. */
  conflicts: number;
  /** A person wishes it cancelled; the process that carries the run obeys. */
  cancelWish: boolean;
  /** True once a person approved the reviewed work. */
  approved: boolean;
  /** Why it failed or was skipped, in words. */
  reason: string | null;
  /** The merge commit in the run's branch. */
  commit: string | null;
  /** Whether any verify command stood behind it. */
  verified: boolean;
  startedAt: number | null;
  endedAt: number | null;
};

/** A task without what it asks for, which can be a long text: enough to say where it stands. */
export type BareTask = Pick<
  Task,
  | "id"
  | "run"
  | "key"
  | "state"
  | "approved"
  | "needs"
  | "rival"
  | "park"
  | "notBefore"
  | "next"
  | "cancelWish"
  | "reason"
  | "verified"
  | "startedAt"
>;
