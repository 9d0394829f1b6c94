/** Where the tasks of a run stand, as somebody sees it who is not the process that carries them: also what is about to end. */
import type { StopCause } from "../core/attempt.ts";
import type { Run } from "../core/run.ts";
import type { BareTask } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { isCarried } from "./holder.ts";
import type { Engine } from "./engine.ts";
import { viewBriefly, viewRun } from "./view.ts";

/** The view of each task of a run; of one that is at work, whether it is being stopped, and whether anybody carries it. */
export function showRun(engine: Engine, run: Run): TaskView[] {
  return show(engine, run, viewRun(engine, run));
}

/** The same of bare tasks. */
export function showBriefly(engine: Engine, run: Run, tasks: readonly BareTask[]): TaskView<BareTask>[] {
  return show(engine, run, viewBriefly(engine, run, tasks));
}

function show<T extends BareTask>(engine: Engine, run: Run, views: TaskView<T>[]): TaskView<T>[] {
  if (!views.some((view) => view.standing === "working")) return views;
  const isAlone = isCarried(engine) === null;
  const open = readOpenAttempts(engine.store).filter((attempt) => attempt.run === run.id && attempt.outcome === null);
  const stops = new Map(open.map((attempt) => [attempt.task, attempt.stop]));
  return views.map((view) => {
    if (view.standing !== "working") return view;
    const isStopped = isAlone && run.wish === "stop" && !view.task.cancelWish;
    if (isStopped) return { ...view, why: "stopped; goes on with: owt resume" };
    const ending = describeEnding(run, view.task, stops.get(view.task.id) ?? null);
    const alone = isAlone ? "nobody carries it: owt resume" : null;
    return { ...view, why: [ending, alone].filter((words) => words !== null).join("; ") || view.why };
  });
}

function describeEnding(run: Run, task: BareTask, stop: StopCause | null): string | null {
  if (task.cancelWish || stop === "aborted") return "is being cancelled";
  if (run.wish === "stop" || stop === "stopped") return "stopping";
  return stop === null ? null : "its agent is being ended";
}
