/** Every fact that can happen, as one union. The event log is the only feed: each screen is a reader of it. */
import type { Astray } from "./astray.ts";
import type { AttemptPhase } from "./attempt.ts";
import type { Settled } from "./conflict-rules.ts";
import type { Usage } from "./cost.ts";
import type { FiringState } from "./firing.ts";
import type { LostChange } from "./lost-change.ts";
import type { Outcome } from "./outcome.ts";
import type { HeldApart } from "./overlap.ts";
import type { WaitsBehind } from "./resolving.ts";
import type { Way } from "./reuse.ts";
import type { RedTip } from "./red-tip.ts";
import type { RoomKind } from "./room.ts";
import type { HangKind, Sign } from "./stall.ts";
import type { NextStart, Park, TaskState } from "./task.ts";

/** An attempt that nobody carried, and nothing of which was alive: for how long, in milliseconds. */
export type Dead = { attempt: number; task: number; ms: number };

export type Fact =
  | { kind: "run-created"; tasks: number; target: string; base: string; buildsOn: string | null }
  /** A process took the lease and carries this run now. */
  | {
      kind: "run-carried";
      pid: number;
      /** Attempts of it that had been dead by then. */
      dead?: Dead[];
    }
  /** Who carries it was suspended (Ctrl-Z) for so many milliseconds until now. */
  | { kind: "run-suspended"; ms: number; dead: Dead[] }
  | { kind: "run-wish"; wish: "pause" | "stop" | null }
  /** Tasks came into a run that was open already. */
  | { kind: "tasks-joined"; keys: string[] }
  /** A budget, or the end of its time, keeps back everything of the run (`by`: which), or these tasks of it, from now on; null and none: nothing any more.
   *  `usedUp`: the limit in words, where it is used up and not only kept for what runs; `until` (epoch ms) says when that of a day begins anew. */
  | { kind: "run-held"; by: HeldBy; tasks: number[]; usedUp?: string; until?: number }
  /** The clock on the wall was set while the run was open, or the machine slept: from here on times lie so many milliseconds later, or earlier, than they would. */
  | { kind: "clock-set"; ms: number }
  /** Usage limits, of whichever run, keep back these tasks of it, and no others, from now on: `until` then (epoch ms), null while one tries whether its limit is over. `outage`: it is no limit, but an API that
   *  cannot be reached. */
  | { kind: "run-limited"; limits: { until: number | null; tasks: number[]; outage?: string; awaySince?: number }[] }
  /** Nothing more of the run starts for want of room, from now on; null: nothing is short any more. `isFirst`: it is told for the first time. */
  | { kind: "run-short"; of: RoomKind | null; why: string; isFirst: boolean }
  /** The room does not come by itself: somebody has to make it. `since`: when it became short, epoch ms. */
  | { kind: "room-needed"; why: string; since: number }
  /** These tasks of it, and no others, let something else go first from now on: what they touch is being worked on. */
  | { kind: "run-apart"; tasks: HeldApart[] }
  /** These tasks of it, and no others, wait to be merged from now on until others have resolved a conflict in the same file. */
  | { kind: "run-behind"; tasks: WaitsBehind[] }
  /** What its target had when the run began was taken out of it: in words, with the commits; null: it is all there again. */
  | { kind: "target-rewritten"; why: string | null }
  /** Its branch came forward to where its target stood, for what was committed there meanwhile. */
  | { kind: "target-taken-in"; branch: string; target: string; tip: string }
  /** Its branch is red by itself from now on, and merges wait for it; null: not any more. */
  | { kind: "tip-red"; red: RedTip | null }
  /** Its branch was moved to where its work is not, and it waits until somebody puts that right; null: somebody did. */
  | { kind: "run-astray"; astray: Astray | null }
  | { kind: "run-ended"; done: number; failed: number; skipped: number; cancelled: number }
  /** The run that a batch started has come to its end, or was never started: for whoever is to be told of it. `slot` is in epoch milliseconds. */
  | { kind: "batch-ended"; batch: string; slot: number; notify: boolean; state: FiringState; reason: string | null }
  /** A tree that was about to land passed these checks; it need not pass them once more. */
  | { kind: "landing-checked"; tree: string; commands: string[] }
  | { kind: "run-landed"; target: string; commit: string }
  /** `notBefore` (epoch ms): there is a pause before it may start again. */
  | { kind: "task-moved"; from: TaskState; to: TaskState; reason?: string; notBefore?: number }
  | { kind: "task-parked"; park: Park; notBefore: number | null }
  | { kind: "task-answered"; text: string }
  | { kind: "task-next"; next: NextStart }
  | { kind: "attempt-opened"; number: number; agent: string; branch: string; worktree: string; base: string }
  /** Intent: what the attempt is about to do. */
  | { kind: "attempt-phase"; phase: AttemptPhase }
  /** How the dependencies of a project in the attempt's worktree came: `folder` is "" for its top, `from` the checkout they were copied from. */
  | { kind: "dependencies"; folder: string; way: Way; why: string; from: string | null; tookMs: number }
  /** The agent's process exists and has claimed the attempt. */
  | { kind: "agent-started"; adopted: boolean }
  /** The agent's process is gone with everything it started. `workedMs`: for how long it had worked, by a clock that nobody sets. */
  | { kind: "agent-ended"; workedMs?: number }
  /** Neither the agent nor anything that it started did anything for `silentMs`. `lastSign`: what was seen last; null where nothing ever was. */
  | {
      kind: "agent-hung";
      how: HangKind;
      detail: string;
      silentMs: number;
      lastSign: Sign | null;
      /** `continued`: a stopped agent was let go on. */
      did: "continued" | "ended";
    }
  /** A line worth showing that the agent said or did. */
  | { kind: "agent-said"; text: string }
  /** Leftovers of the agent were committed by us. */
  | { kind: "leftovers"; commit: string; left: string[] }
  | { kind: "verify-started"; command: string; where: CheckedWhere }
  /** `others`: so many tasks were checked together with the one that this is about. `again`: what was red was run once more on the same tree. */
  | { kind: "verify-ended"; command: string; where: CheckedWhere; code: number; others?: number; again?: true }
  /** Merged work of these tasks, by row number, is being checked: together, where they are several. */
  | { kind: "merges-checked"; tasks: number[] }
  /** A check was red, with this code, and then green on the same tree: it counts as green. `others`: row numbers of the tasks that were checked together
   *  with the one that this is about. */
  | { kind: "verify-flaky"; command: string; where: CheckedWhere; code: number; others?: number[] }
  | { kind: "attempt-ended"; outcome: Outcome; usage: Usage | null }
  /** The run's branch now contains this task; `commit` is the merge by which it came there, together with so many `others`. */
  | { kind: "task-integrated"; commit: string; verified: boolean; others?: number }
  /** Rules settled conflicts in these files of a task's merge, which is about to come in with `commit`. */
  | { kind: "conflicts-settled"; commit: string; files: Settled[] }
  /** Its agent resolved a conflict so that nothing of these changes is left, and means it. */
  | { kind: "side-lost"; lost: LostChange[] }
  /** A limit is nearly used up (`isNear`), or cannot be relied on; said once for each thing that it is about. */
  | { kind: "budget-warned"; about: string; text: string; isNear?: true }
  /** Of several rivals this one did the task best, and goes on as the task; `over` are the keys of the others. */
  | { kind: "contest-decided"; of: string; agent: string; model: string | null; why: string; over: string[] }
  | { kind: "rescued"; rescue: string; what: string }
  | { kind: "note"; text: string };

/** The work of a task in its own worktree; merged work; the run's branch alone. */
export type CheckedWhere = "task" | "run" | "tip";

/** `tokens` is what an earlier owt wrote for those of a run. */
type HeldBy = "run" | "task" | "day" | "tokens" | "time" | null;

export type FactKind = Fact["kind"];

/** A numbered fact. `at` is epoch milliseconds. */
export type Event = Fact & { seq: number; at: number; run: string | null; task: number | null; attempt: number | null };

/** What happens to a run as a whole, and is written by nobody but who creates or carries it. */
export const CARRIER_KINDS = [
  "run-created",
  "run-carried",
  "run-suspended",
  "run-held",
  "run-limited",
  "run-short",
  "run-apart",
  "run-behind",
  "merges-checked",
  "run-ended",
] as const satisfies Fact["kind"][];
