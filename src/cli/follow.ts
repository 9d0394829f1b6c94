/** Follows a run until it is settled: carries or watches it, narrates, asks on a terminal, and prints the summary. */
import { OwtError } from "../core/errors.ts";
import { type TaskView, viewTasks } from "../core/view.ts";
import { carryOrWatch } from "../engine/carry.ts";
import type { Engine } from "../engine/engine.ts";
import { readReport } from "../engine/report.ts";
import { answerTask } from "../engine/tasks.ts";
import { lastSeq } from "../store/events.ts";
import { readRun } from "../store/runs.ts";
import { readTasks } from "../store/tasks.ts";
import { answer, ask, canAsk, type Io, tell } from "./io.ts";
import { narrate } from "./narrate.ts";
import { renderSummary } from "./summary.ts";

export type FollowOptions = { json?: boolean };

/** Follows the run and sets the exit code by how it stands then. */
export async function followRun(io: Io, engine: Engine, runId: string, options: FollowOptions): Promise<void> {
  io.signal.addEventListener("abort", () => tell(io, "stopping the agents; once more to stop them at once"), {
    once: true,
  });
  const seen = narrate(io, engine, runId, lastSeq(engine.store));
  try {
    do {
      await carryOrWatch(engine, runId, roleTeller(io), io.signal);
      seen.flush();
    } while (!io.signal.aborted && (await askPerson(io, engine, runId)));
  } finally {
    seen.stop();
  }
  const report = readReport(engine, runId);
  if (io.signal.aborted) {
    tell(io, `${runId} is parked, its agents with their conversations; go on with: owt resume`);
    throw new OwtError("interrupted", "interrupted");
  }
  const views = viewTasks(readTasks(engine.store, runId), engine.now());
  answer(io, options, report, renderSummary(io, report, views));
  process.exitCode = exitCodeFor(views);
}

function roleTeller(io: Io) {
  return {
    role: (role: { kind: "holder" } | { kind: "viewer"; pid: number | null }) => {
      if (role.kind === "viewer") {
        tell(
          io,
          `another owt (pid ${role.pid ?? "unknown"}) carries the runs of this repository; watching, and taking over when it ends`,
        );
      }
    },
  };
}

/** Asks the questions that wait, where somebody sits at the terminal. True when an answer was given. */
async function askPerson(io: Io, engine: Engine, runId: string): Promise<boolean> {
  if (!canAsk(io) || readRun(engine.store, runId)?.state !== "open") return false;
  let answered = false;
  for (const task of readTasks(engine.store, runId)) {
    if (task.state !== "pending" || task.park?.for !== "answer") continue;
    const text = await ask(io, `${task.key} asks: ${task.park.question}\n❯ `);
    if (!text.trim()) continue;
    answerTask(engine, task.key, text);
    answered = true;
  }
  return answered;
}

/** 0 done · 1 some work failed · 4 needs a person · 5 limit; where several apply: 1, 4, 5. */
function exitCodeFor(views: readonly TaskView[]): number {
  const standings = new Set(views.map((view) => view.standing));
  if (standings.has("failed") || standings.has("skipped")) return 1;
  if (standings.has("waits-for-person")) return 4;
  if (standings.has("waits-for-time")) return 5;
  return 0;
}
