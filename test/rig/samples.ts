/** Sound tasks, attempts and runs as data, of which a test changes what it is about. */
import type { Attempt } from "../../src/core/attempt.ts";
import { NO_BUDGET } from "../../src/core/budget-limits.ts";
import type { PlannedTask } from "../../src/core/plan.ts";
import type { Run, RunOptions } from "../../src/core/run.ts";
import type { Task } from "../../src/core/task.ts";
import type { NewAttempt } from "../../src/store/attempts.ts";

export function sampleSpec(id: string, change: Partial<PlannedTask> = {}): PlannedTask {
  return {
    id,
    title: `Do ${id}`,
    module: null,
    content: `Do ${id} well.`,
    context: "",
    source: { file: "docs/plans/plan.md", line: 1 },
    dependsOn: [],
    implied: [],
    priority: "normal",
    status: "not_started",
    needsReview: false,
    verify: [],
    touches: [],
    agent: null,
    model: null,
    branch: null,
    choices: {},
    tags: [],
    creates: [],
    uses: [],
    estimatedTokens: null,
    description: "",
    ...change,
  };
}

export function sampleTask(key: string, change: Partial<Task> = {}): Task {
  return {
    id: 1,
    run: "r1",
    key,
    order: 0,
    state: "pending",
    spec: sampleSpec(key),
    hash: "hash",
    needs: [],
    rival: null,
    park: null,
    notBefore: null,
    next: { kind: "fresh" },
    answers: [],
    failures: 0,
    repairs: 0,
    conflicts: 0,
    cancelWish: false,
    approved: false,
    reason: null,
    commit: null,
    verified: false,
    startedAt: null,
    endedAt: null,
    ...change,
  };
}

export function sampleAttempt(change: Partial<Attempt> = {}): Attempt {
  return {
    id: 1,
    run: "r1",
    task: 1,
    number: 1,
    continues: null,
    phase: "agent",
    agent: "demo",
    model: null,
    session: "s1",
    base: "b0",
    branch: "owt/tasks/a/1",
    worktree: "/w/a-1",
    given: null,
    head: null,
    verifiedTree: null,
    candidate: null,
    stop: null,
    outcome: null,
    usage: null,
    peakBytes: null,
    startedAt: 0,
    endedAt: null,
    deadMs: 0,
    ...change,
  };
}

/** A try at a task of run `r1`, to be opened in a store. */
export function newAttempt(task: number, change: Partial<NewAttempt> = {}): NewAttempt {
  return {
    run: "r1",
    task,
    continues: null,
    phase: "agent",
    agent: "demo",
    model: null,
    session: "s",
    base: "b0",
    place: (id) => ({ branch: `owt/tasks/x/${id}`, worktree: `/w/x-${id}` }),
    ...change,
  };
}

export const SAMPLE_OPTIONS: RunOptions = {
  agent: null,
  maxParallel: 3,
  timeoutMs: 60_000,
  verify: [],
  verifyAttempts: 3,
  retries: 2,
  checkout: "/repo",
  choices: { plan: {}, flags: {} },
  budget: NO_BUDGET,
  budgetUsd: null,
};

export function sampleRun(change: Partial<Run> = {}): Run {
  return {
    id: "r1",
    state: "open",
    wish: null,
    planKind: "markdown",
    planPath: "docs/plans",
    target: "main",
    base: "b0",
    branch: "owt/runs/r1",
    buildsOn: null,
    options: SAMPLE_OPTIONS,
    createdAt: 0,
    endedAt: null,
    landedAt: null,
    ...change,
  };
}
