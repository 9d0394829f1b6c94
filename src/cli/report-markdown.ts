/** The report of a run as markdown: to be read, or pasted into a message. */
import type { CheckoutChange, RunReport } from "../core/report.ts";
import type { CostReport } from "../core/report-cost.ts";
import { renderDuration } from "../lib/duration.ts";
import {
  CHECKOUT_CHANGED,
  contestWords,
  parkedTime,
  flakyWords,
  lostWords,
  settledWords,
  winWords,
} from "./report-text.ts";
import { costWords, localTimes, printable, tokenWords } from "./text.ts";
import { waitWords } from "./waiting-words.ts";

export function renderMarkdown(report: RunReport, changed: readonly CheckoutChange[]): string {
  const lines = [
    ...head(report),
    "",
    "| task | state | attempts | work | checks | cost | tokens in | out | waited | commit | remarks |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
    ...report.tasks.map((task) =>
      row([
        cell(task.id),
        task.state,
        String(task.attempts.length),
        time(task.duration_ms === null ? null : task.work_ms),
        task.checks_ms < 100 ? "" : renderDuration(task.checks_ms),
        costWords(task),
        tokenWords(task.input_tokens),
        tokenWords(task.output_tokens),
        waitWords(task.waiting_ms).join(", "),
        task.commit?.slice(0, 10) ?? "",
        [cell(task.why ?? ""), cell(lostWords(task)), task.flaky === 0 ? "" : `flaky checks: ${task.flaky}`]
          .filter(Boolean)
          .join("; "),
      ]),
    ),
    ...contestTable(report),
    ...parkedTable(report),
    ...changedTable(changed),
    ...modelTable(report),
    ...attemptTable(report),
  ];
  return `${withLocalTimes(lines).join("\n")}\n`;
}

/** It is read elsewhere and later: each time has its day, and the zone is named, once. */
function withLocalTimes(lines: readonly string[]): string[] {
  const local = lines.map((line) => localTimes(line, null));
  if (local.every((line, at) => line === lines[at])) return local;
  const zone = `- times are those of ${new Intl.DateTimeFormat().resolvedOptions().timeZone}`;
  return local.toSpliced(local.indexOf("", 2), 0, zone);
}

function head(report: RunReport): string[] {
  const counts = Object.entries(report.counts).map(([word, n]) => `${n} ${word}`);
  const waits = waitWords(report.waiting_ms);
  const speedUp = report.speedup === null ? "" : `, speed-up ${report.speedup}`;
  const missing = report.cost_missing.length > 0 ? ` (not in it: ${report.cost_missing.join(", ")})` : "";
  return [
    `# Run ${report.run}`,
    "",
    `- plan: ${report.plan || "tasks written down by hand"}`,
    `- branch: ${report.branch}, to land on ${report.target}${report.landed_at ? ` (landed ${report.landed_at}${report.taken_out ? ", and taken out of it again" : ""})` : ""}`,
    `- ${counts.join(", ")}`,
    `- duration ${renderDuration(report.duration_ms)}, one after the other ${renderDuration(report.sequential_ms)}${speedUp}`,
    ...(waits.length > 0 ? [`- waited, all tasks added up: ${waits.join(", ")}`] : []),
    `- cost ${costWords(report) || "nothing yet"}${missing}`,
    ...(report.unverified.length > 0 ? [`- unverified: ${report.unverified.join(", ")}`] : []),
    ...report.flaky.map((flaky) => `- flaky: ${cell(flakyWords(flaky))}`),
    ...settledWords(report).map((words) => `- conflicts settled by rule: ${cell(words)}`),
  ];
}

function contestTable(report: RunReport): string[] {
  if (report.contests.length === 0) return [];
  return [
    "",
    ...(report.wins.length === 0 ? [] : [`Rivals: ${cell(winWords(report))}`, ""]),
    "| task | rivals |",
    "|---|---|",
    ...report.contests.map((contest) => row([cell(contest.task), cell(contestWords(contest))])),
  ];
}

function parkedTable({ parked }: RunReport): string[] {
  if (parked.length === 0) return [];
  return [
    "",
    "| set aside | why | for |",
    "|---|---|---|",
    ...parked.map((each) => row([cell(each.task), cell(each.why), parkedTime(each)])),
  ];
}

function changedTable(changed: readonly CheckoutChange[]): string[] {
  if (changed.length === 0) return [];
  return [
    "",
    `| ${CHECKOUT_CHANGED} | when | tasks |`,
    "|---|---|---|",
    ...changed.map(({ path, at, tasks }) => row([cell(path), at, cell(tasks.join(", "))])),
  ];
}

function modelTable({ models }: RunReport): string[] {
  if (models.length === 0) return [];
  return [
    "",
    "| model | cost | by | tokens in | from cache | to cache | out |",
    "|---|---|---|---|---|---|---|",
    ...models.map((model) =>
      row([cell(model.model ?? "?"), costWords(model), model.cost_basis ?? "", ...tokens(model)]),
    ),
  ];
}

function attemptTable({ tasks }: RunReport): string[] {
  const attempts = tasks.flatMap((task) => task.attempts.map((attempt) => ({ task: task.id, attempt })));
  if (attempts.length === 0) return [];
  return [
    "",
    "| attempt | agent | time | cost | by | tokens in | from cache | to cache | out | outcome |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...attempts.map(({ task, attempt }) =>
      row([
        `${cell(task)} ${attempt.number}`,
        attempt.agent,
        time(attempt.duration_ms),
        costWords(attempt),
        attempt.cost_basis ?? "",
        ...tokens(attempt),
        cell(attempt.outcome),
      ]),
    ),
  ];
}

type Counted = Pick<CostReport, "input_tokens" | "output_tokens" | "cache_read_tokens" | "cache_write_tokens">;

function tokens(counted: Counted): string[] {
  const { input_tokens, cache_read_tokens, cache_write_tokens, output_tokens } = counted;
  return [input_tokens, cache_read_tokens, cache_write_tokens, output_tokens].map(tokenWords);
}

function time(ms: number | null): string {
  return ms === null ? "" : renderDuration(ms);
}

function row(cells: string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function cell(text: string): string {
  return printable(text).replaceAll("|", "\\|").replaceAll("\n", " ");
}
