/** A run: one bounded execution of tasks, and the choices it was started with. */
import type { AgentChoices } from "./choices.ts";

import type { Budget } from "./budget-limits.ts";
import type { RivalChoice } from "./rival.ts";
import type { RunTime } from "./run-time.ts";

export type RunState =
  /** Has work left, or waits for a person. */
  | "open"
  /** Nothing is left to do. */
  | "ended";

/** What a person wishes of a run; the process that carries it obeys. */
export type RunWish = "pause" | "stop" | null;

export type RunOptions = {
  agent: string | null;
  maxParallel: number;
  timeoutMs: number;
  verify: string[];
  verifyAttempts: number;
  retries: number;
  /** Top of the checkout that the plan and the configuration were read in: a linked worktree may have its own. */
  checkout: string;
  /** How its agents are to be run: what the plan says of all its tasks, and what the command line says. */
  choices: { plan: AgentChoices; flags: AgentChoices };
  /** The limits in force. */
  budget: Budget;
  /** The limit that the command line set for the run, in dollars. */
  budgetUsd: number | null;
  /** The limits that were set by a variable when it was gone on with. */
  budgetSaid?: Partial<Budget>;
  /** How long it may start work; absent or null is no end. */
  time?: RunTime | null;
  /** The profile of the configuration that it was begun with, or last gone on with; absent or null is none. */
  profile?: string | null;
  /** What is done is repeated: a task that finds its work there has nothing left to change. */
  again?: boolean;
  /** Who does each task beside the others; absent: one agent does it. */
  rivals?: RivalChoice[];
};

export type Run = {
  id: string;
  state: RunState;
  wish: RunWish;
  planKind: "markdown" | "feature-list" | "ad-hoc";
  planPath: string;
  /** Branch that the run lands on. */
  target: string;
  /** Commit that the run started from. */
  base: string;
  /** `owt/runs/<id>` */
  branch: string;
  /** Unlanded run whose work this one builds on. */
  buildsOn: string | null;
  options: RunOptions;
  createdAt: number;
  endedAt: number | null;
  landedAt: number | null;
};
