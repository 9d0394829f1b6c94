/** `owt status`: where everything stands. */
import type { Command } from "commander";
import { describeOutage } from "../../core/limit.ts";
import { readNearLevels } from "../../engine/budget.ts";
import type { Engine } from "../../engine/engine.ts";
import { readRefusedBatches } from "../../engine/inbox.ts";
import { readAstray } from "../../store/astray.ts";
import { readRewritten } from "../../store/run-words.ts";
import { readRun } from "../../store/runs.ts";
import { readTask } from "../../store/tasks.ts";
import { findRun } from "../../engine/find-run.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { runBare } from "../bare.ts";
import { answerOf, readStatus, type Status, WAITS } from "../read-status.ts";
import { renderStatus } from "../status-text.ts";

type JsonOption = { json?: boolean };

export function statusCommand(program: Command, io: Io): void {
  program
    .command("status [name]")
    .description(
      "what runs, what waits and why, money, limits, worktrees, agents; of one task or worktree: what it does now",
    )
    .option("--run <run>", "the task of this run; by default the one that is not done, else the newest")
    .option("--json", "print the answer as JSON")
    .action((name: string | undefined, options: JsonOption & { run?: string }) =>
      withEngine(io, async (engine) => {
        if (name === undefined && options.run === undefined) await showStatus(io, engine, options, null);
        else if (name === undefined || (options.run === undefined && readRun(engine.store, name)))
          await showStatus(io, engine, options, findRun(engine, name ?? options.run!).id);
        else {
          const { showNamed } = await import("../named-status.ts");
          await showNamed(io, engine, name, options);
        }
      }),
    );
}

/** The command as it is without any words but `--json`. Gives its exit code. */
export function runStatus(io: Io, options: { json: boolean }): Promise<number> {
  return runBare(io, options, (engine) => showStatus(io, engine, options, null));
}

async function showStatus(io: Io, engine: Engine, options: JsonOption, only: string | null): Promise<void> {
  const status = await readStatus(engine, only);
  if (options.json) answer(io, options, toJson(engine, status), "");
  else answer(io, options, {}, renderStatus(io, engine, status));
}

function toJson(engine: Engine, status: Status): object {
  return {
    project: engine.repo.root,
    carried_by: status.carriedBy,
    carrier_is_suspended: status.suspended !== null,
    asking: status.asking && { pid: status.asking.pid, run: status.asking.run, task: status.asking.task },
    room: status.room && { ...status.room, since: new Date(status.room.since).toISOString() },
    batches: readRefusedBatches(engine).map((each) => ({ ...each, since: new Date(each.since).toISOString() })),
    runs: status.runs.map(({ run, isOut, views, sums, expected, background, limits }) => ({
      id: run.id,
      state: run.state,
      wish: run.wish,
      target: run.target,
      branch: run.branch,
      astray: run.state === "open" ? readAstray(engine.store, run.id) : null,
      target_rewritten: readRewritten(engine.store, run.id),
      taken_out: isOut,
      counts: sums.counts,
      cost_usd: sums.cost_usd,
      cost_at_least: sums.cost_at_least,
      cost_basis: sums.cost_basis,
      input_tokens: sums.input_tokens,
      output_tokens: sums.output_tokens,
      budget: sums.budget,
      near_budgets: readNearLevels(engine, run).map(({ why, until, command }) => ({
        why,
        until: until === null ? null : new Date(until).toISOString(),
        command,
      })),
      limits: limits.map(({ until, tasks, outage }) => ({
        until: until && new Date(until).toISOString(),
        outage: outage && describeOutage(outage, null),
        tasks,
      })),
      expected_end: expected?.end == null ? null : new Date(expected.end).toISOString(),
      expected_is_rough: expected?.isRough ?? false,
      background_pid: background,
      unverified: sums.unverified,
      tasks: views.map((view) => ({
        id: view.task.key,
        state: view.task.state,
        standing: view.standing,
        why: view.why,
        verified: view.task.verified,
        ...(WAITS.has(view.standing) ? answerOf(engine, status, readTask(engine.store, view.task.id)!) : {}),
      })),
    })),
    written_down: status.backlog.map((task) => task.id),
    worktrees: status.worktrees.map(({ path, branch }) => ({ path, branch })),
    unwell: status.unwell.data,
    agents: status.agents,
  };
}
