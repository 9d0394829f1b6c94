/** Which tasks of a run are begun now: the first of those that are ready, as many as there are places and room for. */
import type { Attempt } from "../core/attempt.ts";
import { isUndecided } from "../core/rival.ts";
import { type Shortage, startOf } from "../core/room.ts";
import { isHeldMerge } from "../core/held-merges.ts";
import type { Run } from "../core/run.ts";
import { placesTaken } from "../core/schedule.ts";
import type { Task } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { appendEvent } from "../store/events.ts";
import { readHeldMerges } from "../store/resolving.ts";
import { startAttempt } from "./attempt.ts";
import { noteHolds } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { estimatesOf } from "./estimates.ts";
import { decideRunStarts } from "./footprints.ts";
import { readHolding } from "./governor.ts";
import { noteLimited } from "./limited.ts";
import { mayStart } from "./probe.ts";
import { rankFor } from "./rank.ts";
import { Room } from "./room.ts";
import { runTip } from "./run-tip.ts";
import { hearLimits } from "./shared-limits.ts";
import { worktreeBytes } from "./worktree-room.ts";
import { choicesFor, nextAgent, viewRun } from "./view.ts";

/** What one turn of the loop found: what there was no room for. */
export type Turn = { short: Shortage | null };

/** Opens attempts of the tasks that are next, as many as there is room for. */
export async function startReady(
  engine: Engine,
  run: Run,
  tasks: Task[],
  attempts: Attempt[],
  { shortage, turn }: { shortage: Shortage | null; turn: Turn },
): Promise<Attempt[]> {
  const home = nearlyHome(run, tasks, attempts);
  noteHolds(engine, run);
  noteLimited(engine, run, tasks);
  // Side by side, a task that needs no agent and no check any more needs no place.
  const merges = readHeldMerges(engine.store, run.id);
  const isPlaced = (task: Task) => !isHeldMerge(merges, task) && (run.options.maxParallel === 1 || !home.has(task.key));
  const running = placesTaken(
    tasks.filter(isPlaced).map(({ state }) => state),
    run.options.maxParallel,
  );
  if (running >= run.options.maxParallel || home.size >= run.options.maxParallel) return [];
  const seen = engine.store.state();
  const ready = viewRun(engine, run, tasks)
    .filter(({ standing }) => COULD_START.has(standing))
    .map((view) => view.task);
  if (ready.length === 0) return [];
  const rank = rankFor(tasks, estimatesOf(engine, run));
  const view = { ready: ready.map(rank), soon: readySoon(tasks, home).map(rank), running };
  const { maxParallel } = run.options;
  const chosen = await decideRunStarts(engine, run.id, tasks, ready, { view, maxParallel, merges });
  const started: Attempt[] = [];
  if (chosen.length === 0) return [];
  const room = new Room(engine, shortage, await worktreeBytes(engine, await runTip(engine, run)));
  for (const key of chosen) {
    const task = ready.find((each) => each.key === key)!;
    const base = await runTip(engine, run);
    hearLimits(engine);
    // What the others did meanwhile is booked, and each start takes up some of what is left.
    const found = engine.store.transaction(() => {
      const now = engine.store.state() === seen ? task : readIfReady(engine, run, task);
      return now === null ? {} : startTask(engine, run, now, { base, room });
    });
    turn.short ??= found.short ?? null;
    // What comes behind it does not pass it by: a large one would never have its turn.
    if (found.short) break;
    if (found.attempt) started.push(found.attempt);
  }
  return started;
}

/** Opens an attempt of a task; or says what there is no room for. */
function startTask(
  engine: Engine,
  run: Run,
  task: Task,
  { base, room }: { base: string; room: Room },
): { attempt?: Attempt | null; short?: Shortage } {
  const { agent, insteadOf } = nextAgent(engine, run, task);
  const short = room.take(agent, startOf(task));
  if (short !== null) return { short };
  const model = choicesFor(engine, run, task, agent).model ?? null;
  if (!mayStart(engine, { agent, model })) return {};
  const attempt = startAttempt(engine, run, task, { agent, model, base });
  if (attempt !== null && insteadOf !== null) noteFallOver(engine, attempt, insteadOf);
  return { attempt };
}

function noteFallOver(engine: Engine, { run, task, id, agent }: Attempt, insteadOf: string): void {
  const isAway = readHolding(engine)?.(insteadOf, () => null)?.outage !== undefined;
  const text = `${insteadOf} ${isAway ? "cannot reach its API" : "waits for a usage limit"}: ${agent} takes its place`;
  appendEvent(engine.store, engine.now(), { run, task, attempt: id }, { kind: "note", text });
}
/** Want of room is looked at anew each time. */
const COULD_START = new Set<TaskView["standing"]>(["ready", "waits-for-room"]);

/** A task as it is now that something has happened; null where it may not start any more. */
function readIfReady(engine: Engine, run: Run, { id }: Task): Task | null {
  return viewRun(engine, run).find(({ task, standing }) => task.id === id && COULD_START.has(standing))?.task ?? null;
}

/** Tasks of which only milliseconds are left: their agents have ended, and nothing is checked or approved. */
function nearlyHome(run: Run, tasks: Task[], attempts: Attempt[]): Set<string> {
  if (run.options.verify.length > 0) return new Set();
  const collected = new Set(attempts.filter((attempt) => attempt.phase === "collect").map((attempt) => attempt.task));
  const isHome = ({ id, state, spec, rival }: Task) =>
    spec.verify.length === 0 &&
    (state === "integrating" || (collected.has(id) && !spec.needsReview && !isUndecided({ rival })));
  return new Set(tasks.filter(isHome).map((task) => task.key));
}

/** Tasks that wait for nothing but what is nearly home. */
function readySoon(tasks: Task[], home: ReadonlySet<string>): Task[] {
  if (home.size === 0) return [];
  const done = new Set(tasks.filter((task) => task.state === "done").map((task) => task.key));
  const met = done.union(home);
  return tasks.filter(
    ({ state, park, notBefore, needs }) =>
      state === "pending" &&
      park === null &&
      notBefore === null &&
      needs.some((key) => !done.has(key)) &&
      needs.every((key) => met.has(key)),
  );
}
