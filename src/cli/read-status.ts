/** What `owt status` tells: the runs that are open or worth a look, with all that holds them up. */
import { existsSync } from "node:fs";
import { programOf } from "../agents/agent.ts";
import type { Run } from "../core/run.ts";
import type { Outage } from "../core/limit.ts";
import type { BareTask, Task } from "../core/task.ts";
import { type TaskView, waitsForRoomAlone } from "../core/view.ts";
import type { Answer } from "../core/task-answer.ts";
import { knownAgents, type Engine, findAgent } from "../engine/engine.ts";
import { readRoomWait } from "../engine/disk-users.ts";
import { findAtPrompt } from "../engine/at-prompt.ts";
import { findOutAgain } from "../engine/landed-before.ts";
import { isCarried, suspendedCarrier } from "../engine/holder.ts";
import { spoolFolder } from "../engine/spool-folder.ts";
import { answerFor, heldAnswers } from "../engine/answer.ts";
import { readSums } from "../engine/report.ts";
import { showBriefly } from "../engine/show.ts";
import { listCheckouts } from "../git/list-worktrees.ts";
import { readBacklog } from "../store/backlog.ts";
import { readBackground } from "../store/background.ts";
import { readExpected } from "../store/expected.ts";
import { readRuns } from "../store/runs.ts";
import { readBareTasks } from "../store/bare-tasks.ts";
import { readFailedTasks, readTask } from "../store/tasks.ts";
import { isAlive } from "../system/identity.ts";
import { findProgram } from "../system/programs.ts";
import type { Unwell } from "./worktrees/unwell.ts";

export type Status = Awaited<ReturnType<typeof readStatus>>;

/** `only`: of this run alone. */
export async function readStatus(engine: Engine, only: string | null) {
  const failed = new Set(readFailedTasks(engine.store).map((task) => task.id));
  const withTasks = (run: Run) => ({ run, tasks: readBareTasks(engine.store, run.id) });
  const isMeant = (run: Run) => only === null || run.id === only;
  const open = readRuns(engine.store, "open").filter(isMeant).map(withTasks);
  const out = new Set((await findOutAgain(engine)).map(({ id }) => id));
  const ended = readRuns(engine.store, "ended")
    .filter(isMeant)
    .map(withTasks)
    .filter(
      ({ run, tasks }) =>
        only !== null ||
        out.has(run.id) ||
        tasks.some((task) => failed.has(task.id) || (run.landedAt === null && task.state === "done")),
    );
  const carriedBy = isCarried(engine);
  const suspended = carriedBy === null ? null : suspendedCarrier(engine);
  const asking = carriedBy === null ? findAtPrompt(engine) : null;
  const runs = [...ended, ...open].map(({ run, tasks }) => {
    // Of a run that has landed only what did not come with it is news.
    const isLanded = run.state === "ended" && run.landedAt !== null && only === null && !out.has(run.id);
    const views = showBriefly(engine, run, tasks, carriedBy === null);
    const news = views.filter((view) => !isLanded || failed.has(view.task.id));
    const isCarriedOn = carriedBy !== null && suspended === null;
    const goesOn = run.state === "open" && run.wish === null && isCarriedOn && !waitsForRoomAlone(views);
    const expected = goesOn ? readExpected(engine.store, run.id) : null;
    const process = run.state === "open" ? readBackground(engine.store, run.id) : null;
    const background = process && isAlive(process) ? process.pid : null;
    return {
      run,
      isOut: out.has(run.id),
      views: news,
      sums: readSums(engine, run, views),
      expected,
      background,
      limits: limitsIn(views, engine.now()),
    };
  });
  const agents = knownAgents(engine.config).map((name) => ({ name, path: agentPath(engine, name) }));
  const worktrees = await listCheckouts(engine.repo);
  const unwell = await unwellAgents(engine);
  const held = runs.flatMap(({ views }) => views.filter(({ task }) => task.park?.for === "hand"));
  const heldTasks = held.map(({ task }) => readTask(engine.store, task.id)!);
  const answers = await heldAnswers(engine, heldTasks);
  const room = readRoomWait(engine);
  return {
    runs,
    agents,
    worktrees,
    backlog: readBacklog(engine.store),
    carriedBy,
    suspended,
    asking,
    unwell,
    answers,
    room,
  };
}

async function unwellAgents(engine: Engine): Promise<Unwell> {
  if (!existsSync(spoolFolder(engine))) return { data: [], lines: [] };
  const { readUnwell } = await import("./worktrees/unwell.ts");
  return readUnwell(engine);
}

/** What provider's limits hold, or outages, by the time when it may go on; null where nobody knows it. */
function limitsIn(views: readonly TaskView<BareTask>[], now: number): HeldByLimit[] {
  const held = views.flatMap(({ task: { state, park, notBefore, key } }) => {
    const isHeld = state === "pending" && park?.for === "limit" && (notBefore === null || notBefore > now);
    return isHeld ? [{ park, until: notBefore, task: key }] : [];
  });
  const byLogin = Map.groupBy(held, ({ park }) => park.credential);
  return [...byLogin.values()].flatMap((group) =>
    closeTogether(
      group.map(({ park, until, task }) => ({
        until,
        isGuess: park.isGuess === true,
        outage: park.outage ?? null,
        task,
      })),
    ),
  );
}

/** `isGuess`: nobody said when it is over; it is tried then. */
export type HeldByLimit = { until: number | null; isGuess: boolean; outage: Outage | null; tasks: string[] };

/** Each that met one limit has a reset of its own, spread over a minute: they are one, which is over at its first. */
function closeTogether(held: (Omit<HeldByLimit, "tasks"> & { task: string })[]): HeldByLimit[] {
  const limits: HeldByLimit[] = [];
  for (const { task, ...each } of held.toSorted((a, b) => (a.until ?? Infinity) - (b.until ?? Infinity))) {
    const { until } = each;
    const last = limits.at(-1);
    const isSame = last !== undefined && (last.until === until || (until ?? Infinity) - (last.until ?? 0) <= SPREAD_MS);
    if (isSame) last.tasks.push(task);
    else limits.push({ ...each, tasks: [task] });
  }
  return limits;
}

const SPREAD_MS = 120_000;

function agentPath(engine: Engine, name: string): string | null {
  return findProgram(programOf(findAgent(engine, name)), engine.env);
}

/** What answers a task that waits. */
export function answerOf(engine: Engine, { answers }: Status, task: Task): Answer {
  return answers.get(task.id) ?? answerFor(engine, task);
}

/** Standings that a command of the user's ends. */
export const WAITS = new Set<TaskView["standing"]>(["waits-for-person", "waits-for-budget"]);
