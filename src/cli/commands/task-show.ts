/** `owt task show`: all about one task. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { Attempt } from "../../core/attempt.ts";
import { addUsages } from "../../core/cost.ts";
import { reportCost } from "../../core/report-cost.ts";
import { describeEnd } from "../../core/rival.ts";
import { renderAnswer } from "../../core/task-answer.ts";
import type { Task } from "../../core/task.ts";
import { answerNow } from "../../engine/answer.ts";
import { attemptDir, type Engine } from "../../engine/engine.ts";
import { findRun } from "../../engine/find-run.ts";
import { showRun } from "../../engine/show.ts";
import { findTask } from "../../engine/find-task.ts";
import { renderMemory } from "../../lib/size.ts";
import { lastLines } from "../../lib/tail.ts";
import { readAttempts } from "../../store/attempts.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { costWords, localTimes, printable, whyWords } from "../text.ts";
import { type PickOption, RUN_OPTION } from "./task-pick.ts";

const SHOWN_LINES = 20;

export function showCommand(task: Command, io: Io): void {
  task
    .command("show <task>")
    .description("all about one task: what it asks, where it stands, its attempts")
    .option(...RUN_OPTION)
    .option("--json", "print the answer as JSON")
    .action((key: string, options: PickOption) => withEngine(io, async (engine) => showTask(io, engine, key, options)));
}

async function showTask(io: Io, engine: Engine, key: string, options: PickOption): Promise<void> {
  const task = findTask(engine, key, { run: options.run });
  const view = showRun(engine, findRun(engine, task.run)).find((each) => each.task.id === task.id)!;
  const recorded = readAttempts(engine.store, task.id);
  const attempts = recorded.map((attempt) => shownAttempt(engine, task, attempt));
  const cost = reportCost(addUsages(recorded.map((attempt) => attempt.usage)));
  const { spec } = task;
  const given = view.standing === "waits-for-person" ? await answerNow(engine, task) : null;
  const data = {
    task: {
      id: task.key,
      run: task.run,
      title: spec.title,
      state: task.state,
      standing: view.standing,
      why: view.why,
      ...given,
      needs: task.needs,
      priority: spec.priority,
      verify: spec.verify,
      commit: task.commit,
      verified: task.verified,
      source: spec.source,
      content: spec.content,
      ...cost,
      attempts,
    },
  };
  const lines = [
    `${task.key}  ${printable(spec.title)}`,
    `${[task.run, task.state, whyWords(view, engine.now())].filter(Boolean).join(" · ")} · ${spec.source.file}:${spec.source.line}`,
    ...(given === null ? [] : [`↳ ${renderAnswer(given)}`]),
    ...(task.needs.length > 0 ? [`after ${task.needs.join(", ")}`] : []),
    ...(task.commit ? [`integrated as ${task.commit}`] : []),
    ...(cost.cost_basis === null ? [] : [`cost ${costWords(cost)}`]),
    ...attempts.map(describeAttempt),
    "",
    printable(spec.content),
  ];
  answer(io, options, data, lines.join("\n"));
}

/** An attempt as `owt task show --json` has it. */
function shownAttempt(engine: Engine, task: Task, attempt: Attempt) {
  return {
    number: attempt.number,
    agent: attempt.agent,
    model: attempt.model,
    phase: attempt.phase,
    outcome: attempt.outcome ? describeEnd(task, attempt.outcome) : null,
    ...(attempt.outcome && "output" in attempt.outcome ? { output: attempt.outcome.output } : {}),
    branch: attempt.branch,
    worktree: attempt.worktree,
    session: attempt.session,
    folder: attemptDir(engine, attempt.id),
    peak_memory_bytes: attempt.peakBytes,
    ...reportCost(addUsages([attempt.usage])),
  };
}

function describeAttempt(attempt: ReturnType<typeof shownAttempt>): string {
  const memory = attempt.peak_memory_bytes ?? 0;
  const parts = [
    `attempt ${attempt.number} (${attempt.agent}): ${printable(localTimes(attempt.outcome ?? attempt.phase, Date.now()))}`,
    ...(attempt.cost_basis === null ? [] : [`cost ${costWords(attempt)}`]),
    // Of one that was over at once nothing was measured.
    ...(memory < 2 ** 20 ? [] : [`memory up to ${renderMemory(memory)}`]),
  ];
  const output = attempt.output?.trim() ? [indent(lastLines(attempt.output, SHOWN_LINES))] : [];
  const place = `${attempt.worktree}${existsSync(attempt.worktree) ? "" : " (removed)"}`;
  return [parts.join(" · "), `  ${attempt.branch}`, `  ${place}`, ...output].join("\n");
}

function indent(text: string): string {
  return printable(text)
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
