/** `owt status T`: what one task does now, why it stands where it stands, and the command that helps. */
import { existsSync } from "node:fs";
import { addUsages } from "../core/cost.ts";
import { describeEnd } from "../core/rival.ts";
import { reportCost } from "../core/report-cost.ts";
import { FINAL_STATES } from "../core/task.ts";
import { lateBy, taskTimeLeft } from "../core/time-left.ts";
import { type TaskView } from "../core/view.ts";
import { renderAnswer } from "../core/task-answer.ts";
import { answerNow } from "../engine/answer.ts";
import type { Engine } from "../engine/engine.ts";
import { Estimates } from "../engine/estimates.ts";
import { findRun } from "../engine/find-run.ts";
import { renderEnd } from "../engine/logs.ts";
import { showRun } from "../engine/show.ts";
import { findTask } from "../engine/find-task.ts";
import { renderDuration, roughDuration } from "../lib/duration.ts";
import { workedMs as workedMsOf } from "../core/attempt.ts";
import { readAttempts } from "../store/attempts.ts";
import { readBacklog } from "../store/backlog.ts";
import { readLastEvents } from "../store/events.ts";
import { findTasks } from "../store/tasks.ts";
import { answer, type Io, screenWidth } from "./io.ts";
import { lineFor } from "./narrate.ts";
import { reviewTimes } from "../engine/review-times.ts";
import { clock, costWords, leftWords, localTimes, logWords, markOf, painter, printable, wrap } from "./text.ts";

/** Of each: the last ones. */
const EVENTS = 40;
const SHOWN_EVENTS = 8;
const WORDS = 8;

/** Standings in which a person can do something. */
const ANSWERED = new Set<TaskView["standing"]>(["waits-for-person", "waits-for-budget", "failed"]);

export async function showTaskStatus(
  io: Io,
  engine: Engine,
  key: string,
  options: { json?: boolean; run?: string },
): Promise<void> {
  const stored = options.run === undefined && readBacklog(engine.store).find((each) => each.id === key);
  if (stored) {
    const command = `owt run ${key}`;
    const data = { id: key, title: stored.title, run: null, state: "pending", standing: "written-down", command };
    answer(io, options, { task: data }, `${key}  ${printable(stored.title)}\n  written down; start it: ${command}`);
    return;
  }
  const task = await readStatusOf(engine, key, options.run);
  const isNewest = findTasks(engine.store, task.id)[0]?.run === task.run;
  const logs = `owt logs ${task.id}${isNewest ? "" : ` --run ${task.run}`}`;
  const said = task.said.map(({ text }) => text);
  answer(io, options, { task: { ...task, said } }, render(io, task, logs));
}

type TaskStatus = Awaited<ReturnType<typeof readStatusOf>>;

async function readStatusOf(engine: Engine, key: string, run: string | undefined) {
  const task = findTask(engine, key, { run, fits: (each) => !FINAL_STATES.has(each.state) });
  const owner = findRun(engine, task.run);
  const view = showRun(engine, owner).find((each) => each.task.id === task.id)!;
  const attempts = readAttempts(engine.store, task.id);
  const last = attempts.at(-1);
  const now = engine.now();
  const workedMs = workedMsOf(attempts, now, reviewTimes(engine, task.run, [task], now));
  const isAtWork = view.standing === "working";
  const estimate = isAtWork ? new Estimates(engine, owner.options).of(task.spec) : null;
  const left = estimate && taskTimeLeft({ estimate, workedMs });
  const late = estimate && lateBy([{ estimate, workedMs }]);
  const given = ANSWERED.has(view.standing) ? await answerNow(engine, task) : null;
  const plain = (_: unknown, text: string) => text;
  return {
    id: task.key,
    title: task.spec.title,
    run: task.run,
    state: task.state,
    standing: view.standing,
    why: view.why,
    waits_for: view.waitsFor,
    ...given,
    work_ms: attempts.length === 0 ? null : workedMs,
    left_ms: left && left.ms,
    left_is_rough: left?.isRough ?? false,
    late_ms: late,
    ...reportCost(addUsages(attempts.map((each) => each.usage))),
    attempt: last
      ? {
          number: last.number,
          agent: last.agent,
          model: last.model,
          phase: last.phase,
          outcome: last.outcome ? describeEnd(task, last.outcome) : null,
          branch: last.branch,
          worktree: existsSync(last.worktree) ? last.worktree : null,
          session: last.session,
        }
      : null,
    events: readLastEvents(engine.store, task.id, EVENTS).flatMap((event) => {
      const line = lineFor(event, plain);
      return line === null ? [] : [{ at: new Date(event.at).toISOString(), mark: line.mark, text: line.text }];
    }),
    said: last ? renderEnd(engine, last, WORDS) : [],
  };
}

/** `logs`: the command that prints all that its agent said. */
function render(io: Io, task: TaskStatus, logs: string): string {
  const local = (text: string) => localTimes(text, Date.now());
  const paint = painter(io, io.stdout);
  const width = screenWidth(io);
  const { attempt } = task;
  const facts = [
    task.work_ms === null ? "" : `work ${renderDuration(task.work_ms)}`,
    task.left_ms === null ? "" : leftWords({ ms: task.left_ms, isRough: task.left_is_rough }),
    task.late_ms === null ? "" : `later than expected, by ${roughDuration(task.late_ms)}`,
    task.cost_basis === null ? "" : `cost ${costWords(task)}`,
  ].filter(Boolean);
  const state = task.why === task.state || task.why === "" ? task.state : `${task.state} · ${task.why}`;
  const tried = attempt && `attempt ${attempt.number} (${[attempt.agent, attempt.model].filter(Boolean).join(", ")})`;
  return [
    ...wrap(`${markOf(task.standing, paint)} ${printable(`${task.id}  ${task.title}  (${task.run})`)}`, width, 4),
    ...wrap(`  ${printable(local(state.replaceAll("\n", " ")))}`, width, 4),
    ...(task.command === undefined
      ? []
      : [`  ${paint("dim", "↳")} ${renderAnswer({ command: task.command, note: task.note ?? null })}`]),
    ...(facts.length > 0 ? [`  ${facts.join(" · ")}`] : []),
    ...(attempt ? wrap(`  ${tried}: ${printable(local(attempt.outcome ?? attempt.phase))}`, width, 4) : []),
    ...(attempt ? [`  branch    ${attempt.branch}`, `  worktree  ${attempt.worktree ?? "removed"}`] : []),
    ...section(
      "what happened",
      task.events
        .slice(-SHOWN_EVENTS)
        .flatMap(({ at, mark, text }) =>
          wrap(`  ${clock(Date.parse(at))} ${mark} ${printable(local(text.split("\n", 1)[0]!))}`, width, 13),
        ),
    ),
    ...section(
      `what its agent said last (all of it: ${logs})`,
      task.said.flatMap((line) => wrap(`  ${printable(logWords(line))}`, width, 4)),
    ),
  ].join("\n");
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}
