/** `owt status` and `owt report`: where everything stands, and what a run brought. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { programOf } from "../../agents/agent.ts";
import { describeLevel } from "../../core/budget.ts";
import type { Run } from "../../core/run.ts";
import type { TaskView } from "../../core/view.ts";
import { readLevels } from "../../engine/budget.ts";
import { knownAgents, type Engine, findAgent } from "../../engine/engine.ts";
import { isCarried } from "../../engine/carry.ts";
import { answerFor } from "../../engine/tasks.ts";
import { readReport } from "../../engine/report.ts";
import { showRun } from "../../engine/show.ts";
import { listWorktrees } from "../../git/worktree.ts";
import { readBacklog } from "../../store/backlog.ts";
import { readRuns } from "../../store/runs.ts";
import { readFailedTasks, readTasks } from "../../store/tasks.ts";
import { findProgram } from "../../system/programs.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { renderReport } from "../report-text.ts";
import { costWords, markOf, painter, printable, table } from "../text.ts";

type JsonOption = { json?: boolean };

export function statusCommands(program: Command, io: Io): void {
  program
    .command("status")
    .description("what runs, what waits and why, worktrees, agents")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption) => withEngine(io, async (engine) => showStatus(io, engine, options)));
  program
    .command("report [run]")
    .description("what a run took, cost and brought, as JSON or markdown")
    .option("--json", "print the answer as JSON")
    .option("--markdown", "print the answer as markdown (default)")
    .action((id: string | undefined, options: JsonOption & { markdown?: boolean }) =>
      withEngine(io, async (engine) => {
        if (options.json && options.markdown)
          throw new OwtError("usage", "--json and --markdown contradict each other");
        const run = id ?? readRuns(engine.store).at(-1)?.id;
        if (run === undefined) throw new OwtError("wrong-state", "there is no run yet", { hint: "start one: owt run" });
        const report = readReport(engine, run);
        answer(io, options, { report }, renderReport(report));
      }),
    );
}

/** Standings that a command of the user's ends. */
const WAITS = new Set<TaskView["standing"]>(["waits-for-person", "waits-for-budget"]);

function endOf(run: Run, views: readonly TaskView[]): string {
  if (run.landedAt !== null) return "landed without these (owt task retry, or owt task cancel)";
  const hasWork = views.some((view) => view.standing === "done");
  return hasWork ? `ended, not landed (owt land ${run.id})` : "ended, nothing integrated";
}

async function showStatus(io: Io, engine: Engine, options: JsonOption): Promise<void> {
  const open = readRuns(engine.store, "open");
  const failed = new Set(readFailedTasks(engine.store).map((task) => task.id));
  const ended = readRuns(engine.store, "ended").filter((run) =>
    readTasks(engine.store, run.id).some(
      (task) => failed.has(task.id) || (run.landedAt === null && task.state === "done"),
    ),
  );
  const runs = [...ended, ...open].map((run) => {
    // Of a run that has landed only what did not come with it is news.
    const isLanded = run.state === "ended" && run.landedAt !== null;
    const views = showRun(engine, run).filter((view) => !isLanded || failed.has(view.task.id));
    return { run, views, report: readReport(engine, run.id) };
  });
  const agents = knownAgents(engine.config).map((name) => ({ name, path: agentPath(engine, name) }));
  const worktrees = await listWorktrees(engine.repo);
  const backlog = readBacklog(engine.store);
  const carried = isCarried(engine);
  const data = {
    project: engine.repo.root,
    carried_by: carried,
    runs: runs.map(({ run, views, report }) => ({
      id: run.id,
      state: run.state,
      wish: run.wish,
      target: run.target,
      branch: run.branch,
      counts: report.counts,
      cost_usd: report.cost_usd,
      cost_at_least: report.cost_at_least,
      cost_basis: report.cost_basis,
      input_tokens: report.input_tokens,
      output_tokens: report.output_tokens,
      budget: report.budget,
      unverified: report.unverified,
      tasks: views.map((view) => ({
        id: view.task.key,
        state: view.task.state,
        standing: view.standing,
        why: view.why,
        verified: view.task.verified,
        ...(WAITS.has(view.standing) ? answerFor(engine, view.task) : {}),
      })),
    })),
    written_down: backlog.map((task) => task.id),
    worktrees: worktrees.map((worktree) => ({ path: worktree.path, branch: worktree.branch })),
    agents,
  };
  const paint = painter(io, io.stdout);
  const lines = [
    `${engine.repo.root}: ${carried ? `owt (pid ${carried}) carries the runs` : open.length > 0 ? "nobody carries the open runs; go on with: owt resume" : "nothing runs"}`,
  ];
  for (const { run, views, report } of runs) {
    const cost = report.cost_basis === null ? "" : ` · cost ${costWords(report)}`;
    const state = run.state === "open" ? (run.wish ?? "open") : endOf(run, views);
    lines.push(
      "",
      `${run.id} · ${state} · ${Object.entries(report.counts)
        .map(([word, n]) => `${n} ${word}`)
        .join(", ")}${cost}`,
      ...readLevels(engine, run).map((level) => `  budget: ${describeLevel(level)}`),
    );
    lines.push(
      table(
        views.map((view) => [
          `  ${markOf(view.standing, paint)} ${view.task.key}`,
          view.task.state,
          printable(view.why),
        ]),
      ),
    );
  }
  if (backlog.length > 0) lines.push("", `written down: ${backlog.map((task) => task.id).join(", ")} (owt run)`);
  lines.push(
    "",
    `${count(worktrees.length, "worktree")}${worktrees.map((worktree) => `\n  ${worktree.path}  ${worktree.branch ?? "detached"}`).join("")}`,
  );
  lines.push(
    "",
    `agents: ${agents.map((agent) => (agent.path ? agent.name : `${agent.name} (not installed)`)).join(", ")}`,
  );
  answer(io, options, data, lines.join("\n"));
}

function agentPath(engine: Engine, name: string): string | null {
  return findProgram(programOf(findAgent(engine, name)), engine.env);
}
