/** `owt status`: where everything stands. */
import type { Command } from "commander";
import { programOf } from "../../agents/agent.ts";
import { describeLevel } from "../../core/budget.ts";
import type { Run } from "../../core/run.ts";
import type { BareTask } from "../../core/task.ts";
import type { TaskView } from "../../core/view.ts";
import { readLevels } from "../../engine/budget.ts";
import { knownAgents, type Engine, findAgent } from "../../engine/engine.ts";
import { isCarried } from "../../engine/holder.ts";
import { answerFor } from "../../engine/answer.ts";
import { readSums } from "../../engine/report.ts";
import { showBriefly } from "../../engine/show.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { readBacklog } from "../../store/backlog.ts";
import { readRuns } from "../../store/runs.ts";
import { readBareTasks, readFailedTasks, readTask } from "../../store/tasks.ts";
import { findProgram } from "../../system/programs.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { count } from "../preview.ts";
import { costWords, markOf, painter, printable, table } from "../text.ts";

type JsonOption = { json?: boolean };

export function statusCommand(program: Command, io: Io): void {
  program
    .command("status")
    .description("what runs, what waits and why, worktrees, agents")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption) => withEngine(io, async (engine) => showStatus(io, engine, options)));
}

/** Standings that a command of the user's ends. */
const WAITS = new Set<TaskView["standing"]>(["waits-for-person", "waits-for-budget"]);

function endOf(run: Run, views: readonly TaskView<BareTask>[]): string {
  if (run.landedAt !== null) return "landed without these (owt task retry, or owt task cancel)";
  const hasWork = views.some((view) => view.standing === "done");
  return hasWork ? `ended, not landed (owt land ${run.id})` : "ended, nothing integrated";
}

async function showStatus(io: Io, engine: Engine, options: JsonOption): Promise<void> {
  const status = await readStatus(engine);
  if (options.json) answer(io, options, toJson(engine, status), "");
  else answer(io, options, {}, render(io, engine, status));
}

type Status = Awaited<ReturnType<typeof readStatus>>;

async function readStatus(engine: Engine) {
  const failed = new Set(readFailedTasks(engine.store).map((task) => task.id));
  const withTasks = (run: Run) => ({ run, tasks: readBareTasks(engine.store, run.id) });
  const open = readRuns(engine.store, "open").map(withTasks);
  const ended = readRuns(engine.store, "ended")
    .map(withTasks)
    .filter(({ run, tasks }) =>
      tasks.some((task) => failed.has(task.id) || (run.landedAt === null && task.state === "done")),
    );
  const runs = [...ended, ...open].map(({ run, tasks }) => {
    // Of a run that has landed only what did not come with it is news.
    const isLanded = run.state === "ended" && run.landedAt !== null;
    const views = showBriefly(engine, run, tasks);
    const news = views.filter((view) => !isLanded || failed.has(view.task.id));
    return { run, views: news, sums: readSums(engine, run, views) };
  });
  const agents = knownAgents(engine.config).map((name) => ({ name, path: agentPath(engine, name) }));
  const worktrees = await listCheckouts(engine.repo);
  return { runs, agents, worktrees, backlog: readBacklog(engine.store), carriedBy: isCarried(engine) };
}

function toJson(engine: Engine, status: Status): object {
  return {
    project: engine.repo.root,
    carried_by: status.carriedBy,
    runs: status.runs.map(({ run, views, sums }) => ({
      id: run.id,
      state: run.state,
      wish: run.wish,
      target: run.target,
      branch: run.branch,
      counts: sums.counts,
      cost_usd: sums.cost_usd,
      cost_at_least: sums.cost_at_least,
      cost_basis: sums.cost_basis,
      input_tokens: sums.input_tokens,
      output_tokens: sums.output_tokens,
      budget: sums.budget,
      unverified: sums.unverified,
      tasks: views.map((view) => ({
        id: view.task.key,
        state: view.task.state,
        standing: view.standing,
        why: view.why,
        verified: view.task.verified,
        ...(WAITS.has(view.standing) ? answerFor(engine, readTask(engine.store, view.task.id)!) : {}),
      })),
    })),
    written_down: status.backlog.map((task) => task.id),
    worktrees: status.worktrees.map(({ path, branch }) => ({ path, branch })),
    agents: status.agents,
  };
}

function render(io: Io, engine: Engine, status: Status): string {
  const paint = painter(io, io.stdout);
  const { runs, agents, worktrees, backlog, carriedBy } = status;
  const isOpen = runs.some(({ run }) => run.state === "open");
  const idle = isOpen ? "nobody carries the open runs; go on with: owt resume" : "nothing runs";
  const lines = [`${engine.repo.root}: ${carriedBy ? `owt (pid ${carriedBy}) carries the runs` : idle}`];
  for (const { run, views, sums } of runs) {
    const cost = sums.cost_basis === null ? "" : ` · cost ${costWords(sums)}`;
    const state = run.state === "open" ? (run.wish ?? "open") : endOf(run, views);
    const counts = Object.entries(sums.counts).map(([word, n]) => `${n} ${word}`);
    lines.push("", `${run.id} · ${state} · ${counts.join(", ")}${cost}`);
    lines.push(...readLevels(engine, run).map((level) => `  budget: ${describeLevel(level)}`));
    const rows = views.map((view) => [
      `  ${markOf(view.standing, paint)} ${view.task.key}`,
      view.task.state,
      printable(view.why),
    ]);
    lines.push(table(rows));
  }
  if (backlog.length > 0) lines.push("", `written down: ${backlog.map((task) => task.id).join(", ")} (owt run)`);
  const places = worktrees.map(({ path, branch }) => `  ${path}  ${branch ?? "detached"}`);
  lines.push("", count(worktrees.length, "worktree"), ...places);
  const installed = agents.map(({ name, path }) => (path ? name : `${name} (not installed)`));
  lines.push("", `agents: ${installed.join(", ")}`);
  return lines.join("\n");
}

function agentPath(engine: Engine, name: string): string | null {
  return findProgram(programOf(findAgent(engine, name)), engine.env);
}
