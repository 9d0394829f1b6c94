/** The report of a run for a terminal: no line is longer than the screen is wide, unless a single word is. */
import { describeLost } from "../core/lost-change.ts";
import type { CheckoutChange, RunReport } from "../core/report.ts";
import type { CostReport } from "../core/report-cost.ts";
import { few, firstOf, IN_A_SENTENCE } from "../lib/few.ts";
import { renderDuration } from "../lib/duration.ts";
import { widthOf } from "../lib/width.ts";
import { count } from "./preview.ts";
import { costWords, localTimes, type Paint, printable, tokenWords, whichUnverified, wrap } from "./text.ts";
import { waitedMs, waitWords } from "./waiting-words.ts";

/** `width` in columns. */
export function renderReport(
  report: RunReport,
  changed: readonly CheckoutChange[],
  width: number,
  paint: Paint,
): string {
  const paragraphs = [
    head(report, width),
    tasks(report, width, paint),
    contests(report, width),
    parked(report, width),
    checkoutChanges(changed, width),
    models(report, width),
  ];
  return `${paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function landedWords({ landed_at, taken_out, target }: RunReport): string {
  if (taken_out) return `was landed, and taken out of ${target} again`;
  return landed_at === null ? `to land on ${target}` : `landed on ${target}`;
}

function head(report: RunReport, width: number): string[] {
  const counts = Object.entries(report.counts).map(([word, n]) => `${n} ${word}`);
  const landed = landedWords(report);
  const speedUp = report.speedup === null ? "" : `: speed-up ${report.speedup}`;
  const missing = report.cost_missing.length > 0 ? ` (not in it: ${report.cost_missing.join(", ")})` : "";
  const sequential = `one after the other ${renderDuration(report.sequential_ms)}`;
  const waits = waitWords(report.waiting_ms);
  const lines = [
    `time    ${renderDuration(report.duration_ms)}, ${sequential}${speedUp}`,
    `cost    ${costWords(report) || "nothing yet"}${missing}`,
    report.input_tokens === null ? "" : `tokens  ${tokensIn(report)} in, ${tokenWords(report.output_tokens)} out`,
    waits.length === 0 ? "" : `waited  all tasks added up: ${waits.join(", ")}`,
    report.unverified.length === 0 ? "" : `unverified, for want of a verify command: ${whichUnverified(report)}`,
    ...report.flaky.map((flaky) => `flaky   ${flakyWords(flaky)}`),
    ...settledWords(report).map((words) => `settled ${words}`),
  ];
  const title = `${report.run} · ${report.state} · ${counts.join(", ")} · ${report.plan || "written down by hand"}, ${landed}`;
  return [
    ...wrap(printable(title), width, 2),
    ...lines.filter(Boolean).flatMap((line) => wrap(`  ${printable(line)}`, width, 10)),
  ];
}

/** `npm test, 2 times red and then green on the same tree (a, b)` */
export function flakyWords({ command, times, tasks }: RunReport["flaky"][number]): string {
  return `${command}, ${count(times, "time")} red and then green on the same tree (${few(tasks)})`;
}

/** `nothing of shop/E03's change in f.txt is left`; empty where nothing was lost. */
export function lostWords({ lost }: Pick<RunReport["tasks"][number], "lost">): string {
  return describeLost(
    lost.map(({ path, of, is_own, is_deletion, is_mode, is_binary }) => ({
      path,
      of,
      isOwn: is_own,
      lines: [],
      ...(is_deletion ? { isDeletion: true } : {}),
      ...(is_mode ? { isMode: true } : {}),
      ...(is_binary ? { isBinary: true } : {}),
    })),
  );
}

/** `CHANGELOG.md, words.txt by union (shop/E01, shop/E02)`, for each rule that settled conflicts. */
export function settledWords({ settled }: Pick<RunReport, "settled">): string[] {
  const byRule = Map.groupBy(settled, ({ by, commands }) => (by === "regenerate" ? commands.join("; ") : by));
  return [...byRule].map(([rule, same]) => {
    const files = same.map(({ file }) => file);
    const tasks = new Set(same.flatMap((each) => each.tasks));
    return `${few(files)} by ${rule} (${few([...tasks])})${files.length > IN_A_SENTENCE || tasks.size > IN_A_SENTENCE ? WHOLE : ""}`;
  });
}

/** What names all of many. */
const WHOLE = "; all of them: owt report --json";

function tokensOf({ input_tokens, output_tokens }: Pick<CostReport, "input_tokens" | "output_tokens">): string {
  return input_tokens === null ? "" : `, ${tokenWords(input_tokens)} tokens in, ${tokenWords(output_tokens)} out`;
}

function tokensIn({ input_tokens, cache_read_tokens }: CostReport): string {
  const cached = cache_read_tokens ? ` (${tokenWords(cache_read_tokens)} from a cache)` : "";
  return `${tokenWords(input_tokens)}${cached}`;
}

const HEADER = ["task", "state", "work", "checks", "cost", "tokens", "tries", "waited"];
/** No table is worth more of a line than this for its names. */
const WIDEST_NAME = 30;

function tasks(report: RunReport, width: number, paint: Paint): string[] {
  const rows = report.tasks.map((task) => ({
    cells: [
      printable(task.id),
      task.state,
      task.attempts.length === 0 ? "" : renderDuration(task.work_ms),
      task.checks_ms < 100 ? "" : renderDuration(task.checks_ms),
      costWords(task),
      task.input_tokens === null ? "" : `${tokenWords(task.input_tokens)}+${tokenWords(task.output_tokens)}`,
      task.attempts.length === 0 ? "" : String(task.attempts.length),
      waitedMs(task.waiting_ms) < 100 ? "" : renderDuration(waitedMs(task.waiting_ms)),
    ],
    // What nobody checked is named above.
    remarks: [
      waitWords(task.waiting_ms).join(", "),
      task.flaky === 0 ? "" : `flaky checks: ${task.flaky}`,
      lostWords(task),
      task.state === "done" ? "" : localTimes(firstLine(task.why), Date.now()),
    ].filter(Boolean),
  }));
  const kept = HEADER.map((_, column) => column < 2 || rows.some(({ cells }) => cells[column] !== ""));
  const pick = (cells: string[]) => cells.filter((_, column) => kept[column]);
  const all = [pick(HEADER), ...rows.map(({ cells }) => pick(cells))];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((cells) => widthOf(cells[column]!))));
  widths[0] = Math.min(WIDEST_NAME, widths[0]!);
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, widths[column]! - widthOf(cell))))
      .join("  ")
      .trimEnd();
  return [
    paint("dim", line(all[0]!)),
    ...rows.flatMap(({ cells, remarks }) => [
      ...wrap(line(pick(cells)), width, 4),
      ...remarks.flatMap((remark) => wrap(`    ${remark}`, width, 4).map((each) => paint("dim", each))),
    ]),
  ];
}

function firstLine(text = ""): string {
  return printable(text.split("\n", 1)[0]!);
}

function contests(report: RunReport, width: number): string[] {
  if (report.contests.length === 0) return [];
  return [
    `rivals${report.wins.length === 0 ? "" : `: ${winWords(report)}`}`,
    ...report.contests.flatMap((contest) => wrap(printable(`  ${contest.task}  ${contestWords(contest)}`), width, 4)),
  ];
}

/** `claude won 3 of 5, codex 2 of 5` */
export function winWords({ wins }: Pick<RunReport, "wins">): string {
  return wins.map(({ agent, won, of }, at) => `${agent} ${at === 0 ? "won " : ""}${won} of ${of}`).join(", ");
}

/** Who won a task and why; of one that is open, how each of its rivals stands. */
export function contestWords({ winner, why, rivals }: RunReport["contests"][number]): string {
  if (winner !== null) return `${winner}: ${why}`;
  return `undecided: ${rivals.map(({ agent, state }) => `${agent} ${state}`).join(", ")}`;
}

function parked(report: RunReport, width: number): string[] {
  if (report.parked.length === 0) return [];
  return [
    "set aside:",
    ...report.parked.flatMap((each) => {
      const why = localTimes(each.why.split("\n", 1)[0]!, Date.now());
      return wrap(`  ${printable(`${each.task}  ${why}`)}  (${parkedTime(each)})`, width, 4);
    }),
  ];
}

/** For how long something was set aside, and how often. */
export function parkedTime({ waited_ms, until, times }: RunReport["parked"][number]): string {
  return `${renderDuration(waited_ms)}${times > 1 ? `, ${times} times` : ""}${until === null ? ", still" : ""}`;
}

/** What stands above the files of the checkout that changed meanwhile. */
export const CHECKOUT_CHANGED = "changed in your checkout while agents were at work, by you or by one of them";

function checkoutChanges(changed: readonly CheckoutChange[], width: number): string[] {
  if (changed.length === 0) return [];
  const { shown, left } = firstOf(changed, IN_A_SENTENCE);
  return [
    ...wrap(`${CHECKOUT_CHANGED}:`, width, 2),
    ...shown.flatMap(({ path, at, tasks }) =>
      wrap(printable(`  ${path}  ${localTimes(at, Date.now())}, ${few(tasks)}`), width, 4),
    ),
    ...(left > 0 ? [`  and ${count(left, "file")} more (--json names them)`] : []),
  ];
}

function models(report: RunReport, width: number): string[] {
  if (report.models.length < 2) return [];
  return [
    `${count(report.models.length, "model")}:`,
    ...report.models.flatMap((model) =>
      wrap(`  ${model.model ?? "?"}  ${costWords(model)}${tokensOf(model)}`, width, 4),
    ),
  ];
}
