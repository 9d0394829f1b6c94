/** Where the tasks of a run stand, as somebody sees it who is not the process that carries them: also what is about to end. */
import type { Attempt, StopCause } from "../core/attempt.ts";
import { describeMerges } from "../core/merge-wait.ts";
import { isHeldByTip } from "../core/red-tip.ts";
import type { Run } from "../core/run.ts";
import { placesTaken } from "../core/schedule.ts";
import type { BareTask, Task } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { isBeingChecked } from "../store/events.ts";
import { readChecked } from "../store/run-words.ts";
import { readRedTip } from "../store/red-tip.ts";
import { findAtPrompt } from "./at-prompt.ts";
import { isCarried } from "./holder.ts";
import type { Engine } from "./engine.ts";
import { viewBriefly, viewRun } from "./view.ts";

/** The view of each task of a run; of one that is at work, whether it is being stopped, and whether anybody carries it. */
export function showRun(engine: Engine, run: Run): TaskView[] {
  return show(engine, run, viewRun(engine, run), isCarried(engine) === null);
}

/** The same of bare tasks, for who knows already whether anybody carries the runs: to find it out takes milliseconds. */
export function showBriefly(
  engine: Engine,
  run: Run,
  tasks: readonly BareTask[],
  isAlone: boolean,
): TaskView<BareTask>[] {
  return show(engine, run, viewBriefly(engine, run, tasks), isAlone);
}

function show<T extends BareTask>(engine: Engine, run: Run, views: TaskView<T>[], isAlone: boolean): TaskView<T>[] {
  if (!views.some(({ standing }) => standing === "working" || standing === "ready")) return views;
  const asking = isAlone ? findAtPrompt(engine) : null;
  const alone = asking === null ? ALONE : `goes on behind the answer to ${asking.task}; now: owt resume`;
  return withEndings(engine, run, views).map((view) => {
    if (!isAlone) return view;
    if (view.standing === "ready" && run.wish === null) return { ...view, why: also(view.why, alone) };
    if (view.standing !== "working") return view;
    const isStopped = run.wish === "stop" && !view.task.cancelWish;
    if (isStopped) return { ...view, why: `stopped; goes on with: owt resume ${run.id}` };
    return { ...view, why: also(view.isEnding ? view.why : "", alone) };
  });
}

const ALONE = "nobody carries it: owt resume";

function also(...words: string[]): string {
  return words.filter((each) => each !== "").join("; ");
}

/** `isEnding`: what works on it is being ended, and `why` says so. */
export type EndingView<T extends BareTask = Task> = TaskView<T> & { isEnding?: true };

/** The same views with what is about to end, and with the reason why a task that could start does not. */
export function withEndings<T extends BareTask>(engine: Engine, run: Run, views: TaskView<T>[]): EndingView<T>[] {
  const open = readOpenAttempts(engine.store).filter((attempt) => attempt.run === run.id && attempt.outcome === null);
  const stops = new Map(open.map((attempt) => [attempt.task, attempt.stop]));
  const red = readRedTip(engine.store, run.id);
  const taken = placesTaken(
    views
      .filter(({ task, standing }) => !isHeldByTip(red, task) && standing !== "blocked")
      .map(({ task }) => task.state),
    run.options.maxParallel,
  );
  const merges = new Map([...mergesOf(engine, run, open), ...checksOf(engine, run, open)]);
  return views.map((view) => {
    if (view.standing === "ready") return { ...view, why: also(view.why, whyNotYet(run, taken)) };
    const ending = view.standing === "working" ? describeEnding(run, view.task, stops.get(view.task.id) ?? null) : null;
    if (ending !== null) return { ...view, why: ending, isEnding: true };
    const why = view.standing === "working" ? merges.get(view.task.id) : undefined;
    // Most are as they were, and there can be thousands.
    return why === undefined ? view : { ...view, why };
  });
}

/** How those stand that wait to be integrated, by row number of their tasks. */
function mergesOf(engine: Engine, run: Run, open: readonly Attempt[]): ReadonlyMap<number, string> {
  const merging = open.filter(({ phase }) => phase === "merge").map(({ task }) => task);
  return merging.length === 0 ? new Map() : describeMerges(merging, readChecked(engine.store, run.id));
}

/** How those stand whose work is checked in their own worktrees, by row number of their tasks. */
function checksOf(engine: Engine, run: Run, open: readonly Attempt[]): ReadonlyMap<number, string> {
  const checked = open.filter(({ phase }) => phase === "verify");
  const most = run.options.maxParallel;
  const isWaiting = ({ id }: Attempt) => checked.length > most && !isBeingChecked(engine.store, id);
  const waits = `waits to be checked: ${most} are`;
  return new Map(checked.map((attempt) => [attempt.task, isWaiting(attempt) ? waits : "checking"]));
}

function whyNotYet({ id, wish, options }: Run, taken: number): string {
  if (wish !== null) return `the run is ${wish === "pause" ? "paused" : "stopped"}: owt resume ${id}`;
  return taken >= options.maxParallel ? "waits for a free place" : "";
}

function describeEnding(run: Run, task: BareTask, stop: StopCause | null): string | null {
  if (task.cancelWish || stop === "aborted") return "is being cancelled";
  if (stop === "taken") return "is being taken over by hand";
  if (run.wish === "stop" || stop === "stopped") return "stopping";
  return stop === null ? null : "its agent is being ended";
}
