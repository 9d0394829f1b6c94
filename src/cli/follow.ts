/** Follows a run until it is settled: carries or watches it, narrates, asks on a terminal, and prints the summary. */
import { standingRows } from "../core/rival.ts";
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { type TaskView } from "../core/view.ts";
import { renderAnswer } from "../core/task-answer.ts";
import { carryOrWatch, type Watcher } from "../engine/carry.ts";
import type { Engine } from "../engine/engine.ts";
import { readReport } from "../engine/report.ts";
import { answerFor, heldAnswers } from "../engine/answer.ts";
import { keepsConversations } from "../engine/conversations.ts";
import { findRun } from "../engine/find-run.ts";
import { isCarried } from "../engine/holder.ts";
import { viewRun } from "../engine/view.ts";
import { lastSeq } from "../store/events.ts";
import { readWishedAt } from "../store/run-words.ts";
import { Asker } from "./asker.ts";
import { answer, type Io } from "./io.ts";
import { openScreen } from "./live/screen.ts";
import { narrate } from "./narrate.ts";
import { suspendedWords } from "./text.ts";
import { renderSummary } from "./summary.ts";

export type FollowOptions = {
  json?: boolean;
  /** Lines only, also on a terminal. */
  plain?: boolean;
};

/** What `--plain` is for, in the words of each command that has it. */
export const PLAIN = "lines with a time instead of a live table, as off a terminal";

/** Follows the run and sets the exit code by how it stands then. Ctrl-C parks what this process carries; as a viewer it
 *  only closes the view. */
export async function followRun(io: Io, engine: Engine, runId: string, options: FollowOptions): Promise<void> {
  const mode = await engine.launchMode();
  io.outlivesTerminal = true;
  if (io.stderr.isTTY === true) engine.bell = () => void io.stderr.write("\u0007");
  const screen = openScreen(io, engine, runId, options.plain ?? false);
  let carries = false;
  const watcher: Watcher = {
    role(role) {
      carries = role.kind === "holder";
      if (carries && mode === "group") screen.print(GROUPS_ONLY);
      if (role.kind === "viewer") screen.print(viewerLine(role));
      // Not before: what is told behind a prompt stands in the middle of the answer.
      asker.look();
    },
  };
  const onStop = () => {
    if (carries) screen.print("stopping the agents; once more to stop them at once");
  };
  io.signal.addEventListener("abort", onStop, { once: true });
  const tell = (line: string) => screen.print(line);
  const seen = narrate(io, engine, runId, lastSeq(engine.store), tell, () => asker.look());
  const asker = new Asker(io, engine, runId, seen, screen);
  try {
    do {
      await carryOrWatch(engine, runId, watcher, io.signal);
      seen.flush();
    } while (!io.signal.aborted && (await asker.answered()));
  } finally {
    seen.stop();
    await screen.close();
    await asker.close();
    io.signal.removeEventListener("abort", onStop);
  }
  if (io.signal.aborted) throw interrupted(engine, runId, carries);
  const run = findRun(engine, runId);
  const views = viewRun(engine, run);
  const isStopped = isHeldByStop(run, views);
  const report = readReport(engine, runId);
  const held = await heldAnswers(
    engine,
    views.map(({ task }) => task),
  );
  const answerOf = (task: Task) => renderAnswer(held.get(task.id) ?? answerFor(engine, task));
  const stoppedAt = isStopped ? readWishedAt(engine.store, runId) : null;
  answer(io, options, report, renderSummary(io, report, views, answerOf, stoppedAt));
  process.exitCode = isStopped ? INTERRUPTED : exitCodeFor(views);
}

const GROUPS_ONLY =
  "agents run in mere process groups here: a process that one of them hides well can outlive a stop (see: owt doctor)";

function viewerLine({ pid, isSuspended }: { pid: number | null; isSuspended: boolean }): string {
  if (pid !== null && isSuspended)
    return `another ${suspendedWords(pid)}; it carries the runs of this repository: watching, and taking over when it ends`;
  const who = pid === null ? "another owt" : `another owt (pid ${pid})`;
  return `${who} carries the runs of this repository; watching, and taking over when it ends`;
}

function interrupted(engine: Engine, runId: string, carried: boolean): OwtError {
  const kept = keepsConversations(engine, runId)
    ? "conversations and work of its agents are"
    : "the work of its agents is";
  const goOn = { hint: `go on with: owt resume ${runId}` };
  if (carried) return new OwtError("interrupted", `${runId} is parked: ${kept} kept`, goOn);
  // Ctrl-C can come before anybody carries it.
  if (isCarried(engine) === null)
    return new OwtError("interrupted", `${runId} is open, and nobody carries it now: ${kept} kept`, goOn);
  return new OwtError("interrupted", `the view of ${runId} is closed; the run goes on`, {
    hint: `see it again: owt resume ${runId}`,
  });
}

/** The exit code of what a person ended themselves, by Ctrl-C or from another terminal. */
const INTERRUPTED = 130;

/** What goes on by nobody's word: limits reset, days begin, and others make room. */
const GO_ON = new Set<TaskView["standing"]>(["ready", "working", "waits-for-time", "waits-for-room"]);

/** Whether something is left that would go on, had nobody stopped the run. */
function isHeldByStop(run: Run, views: readonly TaskView[]): boolean {
  return run.wish === "stop" && views.some(({ standing }) => GO_ON.has(standing));
}

/** 0 done · 1 some work failed, or none was done · 4 needs a person · 5 limit or budget; where several apply: 1, 4, 5. What was cancelled is not wanted,
 *  nor then is what needs it, which is skipped. */
function exitCodeFor(rows: readonly TaskView[]): number {
  const views = standingRows(rows, ({ task }) => task);
  const standings = new Set(views.map((view) => view.standing));
  if (standings.has("failed")) return 1;
  if (views.every(({ standing }) => standing === "cancelled" || standing === "skipped")) return 1;
  if (STOPS.some((standing) => standings.has(standing))) return 4;
  if (standings.has("waits-for-time") || standings.has("waits-for-budget")) return 5;
  return 0;
}

/** What is left of a run that a person has to look at. */
const STOPS: TaskView["standing"][] = ["waits-for-person", "waits-for-room", "ready", "working"];
