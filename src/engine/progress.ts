/** What each task of a run is doing right now, for screens that are looked at while it goes on. Whoever looks works it out from the store, the
 *  agents' own output and git, so that a second terminal sees the same as the one that carries the run. */
import { statSync } from "node:fs";
import { type Attempt, type AttemptPhase, workedMs as workedMsOf } from "../core/attempt.ts";
import { addUsages, type Cost } from "../core/cost.ts";
import type { Run } from "../core/run.ts";
import { taskTimeLeft, type TimeLeft } from "../core/time-left.ts";
import type { TaskView } from "../core/view.ts";
import { countBetween, countInWorktree, type LineCount } from "../git/line-count.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { readRun } from "../store/runs.ts";
import { readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { Estimates } from "./estimates.ts";
import { timeLeftOf } from "./expected-end.ts";
import { reviewTimes } from "./review-times.ts";
import { outputFile, readLastWord } from "./last-word.ts";
import { type EndingView, withEndings } from "./show.ts";
import { viewRun } from "./view.ts";

export type TaskProgress = {
  view: TaskView;
  /** Time in which an agent or a check of it worked, in milliseconds; null before the first. */
  workedMs: number | null;
  cost: Cost;
  /** Null before there is anything to count. */
  lines: LineCount | null;
  /** What it does, in words; empty where it does nothing. */
  doing: string;
  /** How long it will probably still take; null where nobody can tell. */
  left: TimeLeft | null;
};

export type RunProgress = { run: Run; tasks: TaskProgress[]; cost: Cost; left: TimeLeft | null };

/** How often the lines of a running task are counted: it costs two processes of git. */
const COUNT_MS = 3_000;
/** How often the estimates are told anew, and how often at most where a task was done meanwhile. */
const ESTIMATE_MS = 30_000;
const LEARN_MS = 2_000;

export class Progress {
  readonly #engine: Engine;
  readonly #run: string;
  readonly #counts = new Map<number, { lines: LineCount | null; at: number; isFinal: boolean }>();
  readonly #words = new Map<number, { size: number; text: string }>();
  #counting: Promise<void> | null = null;
  #estimates: { of: Estimates; at: number; done: number } | null = null;

  constructor(engine: Engine, run: string) {
    this.#engine = engine;
    this.#run = run;
  }

  /** How the run stands. Takes a millisecond or two; what takes longer (lines) is a look behind. */
  read(): RunProgress {
    const run = readRun(this.#engine.store, this.#run)!;
    const all = readTasks(this.#engine.store, run.id);
    const views = withEndings(this.#engine, run, viewRun(this.#engine, run, all));
    const byTask = Map.groupBy(readAttemptsOfRun(this.#engine.store, run.id), (attempt) => attempt.task);
    this.#countSoon([...byTask.values()].map((attempts) => attempts.at(-1)!));
    const estimates = this.#estimatesFor(run, views.filter((view) => view.standing === "done").length);
    const now = this.#engine.now();
    const waits = reviewTimes(this.#engine, run.id, all, now);
    const tasks = views.map((view) => this.#readTask(view, byTask.get(view.task.id) ?? [], estimates, { waits, now }));
    // A run that somebody paused, or whose agents are being ended, goes on when they say so.
    const isEnding =
      views.some((view) => view.isEnding) && !views.some((view) => view.standing === "working" && !view.isEnding);
    const goesOn = run.state === "open" && run.wish === null && !isEnding;
    const left = goesOn ? timeLeftOf(this.#engine, run, views, byTask, estimates, waits) : null;
    const cost = addUsages([...byTask.values()].flat().map((attempt) => attempt.usage));
    return { run, tasks, cost, left };
  }

  /** Waits for what is under way; nothing begins any more. */
  async close(): Promise<void> {
    const counting = this.#counting;
    this.#counting = Promise.resolve();
    await counting;
  }

  /** What is done meanwhile tells for what is still to come. */
  #estimatesFor(run: Run, done: number): Estimates {
    const now = this.#engine.now();
    const age = this.#estimates ? now - this.#estimates.at : Infinity;
    if (this.#estimates && age < (done === this.#estimates.done ? ESTIMATE_MS : LEARN_MS)) return this.#estimates.of;
    this.#estimates = { of: new Estimates(this.#engine, run.options), at: now, done };
    return this.#estimates.of;
  }

  #readTask(
    view: EndingView,
    attempts: Attempt[],
    estimates: Estimates,
    { waits, now }: { waits: ReadonlyMap<number, number>; now: number },
  ): TaskProgress {
    const last = attempts.at(-1);
    const workedMs = attempts.length === 0 ? null : workedMsOf(attempts, now, waits);
    // One that is being ended does nothing any more that is worth a look.
    const isAtWork = view.standing === "working" && !view.isEnding;
    return {
      view,
      workedMs,
      cost: addUsages(attempts.map((attempt) => attempt.usage)),
      lines: (last && this.#counts.get(last.id)?.lines) ?? null,
      doing: last && isAtWork ? this.#doing(view, last) : "",
      left: isAtWork ? taskTimeLeft({ estimate: estimates.of(view.task.spec), workedMs: workedMs ?? 0 }) : null,
    };
  }

  #doing({ task, why }: TaskView, attempt: Attempt): string {
    if ((attempt.phase === "merge" || attempt.phase === "verify") && why !== task.state) return why;
    if (attempt.phase === "agent") return this.#lastWord(attempt) || PHASES.agent;
    // Between its agent's end and the next phase a task is nowhere for a moment.
    return PHASES[attempt.phase] || task.state;
  }

  /** The last tool call of an agent, or what it said last. Read anew only where there is more. */
  #lastWord(attempt: Attempt): string {
    const out = outputFile(this.#engine, attempt.id);
    const size = sizeOf(out);
    const known = this.#words.get(attempt.id);
    if (known?.size === size) return known.text;
    const text = readLastWord(this.#engine, attempt);
    this.#words.set(attempt.id, { size, text: text || (known?.text ?? "") });
    return text || (known?.text ?? "");
  }

  /** One count after the other, so that a screen never takes more than one core from the agents. */
  #countSoon(attempts: Attempt[]): void {
    if (this.#counting) return;
    const now = this.#engine.now();
    const due = attempts.filter((attempt) => {
      if (NOTHING_YET.has(attempt.phase)) return false;
      const known = this.#counts.get(attempt.id);
      return known === undefined || (!known.isFinal && now - known.at >= COUNT_MS);
    });
    if (due.length === 0) return;
    this.#counting = this.#countAll(due).finally(() => (this.#counting = null));
  }

  async #countAll(attempts: Attempt[]): Promise<void> {
    for (const attempt of attempts) {
      const { base, head, worktree, outcome } = attempt;
      const lines = head
        ? await countBetween(this.#engine.repo, base, head).catch(() => null)
        : await countInWorktree(this.#engine.repo, worktree, base);
      const isFinal = head !== null || outcome !== null;
      const before = this.#counts.get(attempt.id)?.lines ?? null;
      this.#counts.set(attempt.id, { lines: lines ?? before, at: this.#engine.now(), isFinal });
    }
  }
}

/** Before its agent works a worktree has no lines of the task's, or not even all its files. */
const NOTHING_YET = new Set<AttemptPhase>(["workspace", "setup", "launch"]);

const PHASES: Record<AttemptPhase, string> = {
  workspace: "makes its worktree",
  setup: "sets up its worktree",
  launch: "starts its agent",
  agent: "its agent works",
  collect: "takes in what its agent left",
  verify: "checks its work",
  contest: "waits for its rivals",
  review: "",
  merge: "merges and checks",
  advance: "integrates",
  tidy: "tidies up",
  closed: "",
};

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
