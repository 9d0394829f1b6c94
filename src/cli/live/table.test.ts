/** The live table fits every screen, and shows what matters where not all of it fits. */
import { array, assert, constantFrom, nat, property, record, tuple } from "fast-check";
import { expect, test } from "vitest";
import { sampleRun, sampleTask } from "../../../test/rig/samples.ts";
import { addUsages } from "../../core/cost.ts";
import type { Task } from "../../core/task.ts";
import { viewTasks } from "../../core/view.ts";
import type { RunProgress, TaskProgress } from "../../engine/progress.ts";
import { widthOf } from "../../lib/width.ts";
import { renderTable } from "./table.ts";

const plain = (_: string, text: string) => text;
const spent = (usd: number) =>
  addUsages([{ models: [{ model: "m", tokens: null, costUsd: usd, basis: "reported" }], missing: null }]);

function progressOf(tasks: (Partial<Task> & { more?: Partial<TaskProgress> })[]): RunProgress {
  const all = tasks.map((task, order) => sampleTask(task.key ?? `t${order}`, { id: order, order, ...task }));
  const views = viewTasks(all, () => "claude", 0);
  const rows = views.map((view, at) => ({
    view,
    workedMs: null,
    cost: spent(0),
    lines: null,
    doing: "",
    left: null,
    ...tasks[at]!.more,
  }));
  return { run: sampleRun(), tasks: rows, cost: spent(1.5), left: { ms: 25 * 60_000, isRough: false } };
}

test("a row says what a task does, for how long, what it cost, what it changed and when it will be done", () => {
  const working = {
    workedMs: 65_000,
    cost: spent(0.42),
    lines: { added: 120, removed: 3 },
    left: { ms: 600_000, isRough: false },
  };
  const progress = progressOf([
    { state: "running", more: { ...working, doing: "→ Edit src/parser.ts" } },
    { needs: ["t0"] },
    { state: "done", verified: true },
  ]);
  expect(renderTable(progress, { columns: 80, rows: 24 }, plain)).toEqual([
    "◎ t0  → Edit src/parser.ts                         1m 05s  $0.42  +120 −3  ~10m",
    "○ t1  waits for t0                                         $0.00",
    "✓ t2  done                                                 $0.00",
    "r1 · 1 done · 1 working · 1 to come · $1.50 · about 25m left",
  ]);
});

test("costs that nobody knows take no column, unless one is known", () => {
  const models = [{ model: "m", tokens: null, costUsd: null, basis: "unknown" as const }];
  const unknown = addUsages([{ models, missing: null }]);
  const rows = (cost: TaskProgress["cost"]) =>
    renderTable(
      progressOf([
        { state: "running", more: { doing: "works", cost: unknown } },
        { state: "done", verified: true, more: { cost } },
      ]),
      SCREEN,
      plain,
    ).slice(0, 2);
  expect(rows(unknown)).toEqual(["◎ t0  works", "✓ t1  done"]);
  expect(rows(spent(0.5))).toEqual([expect.stringMatching(/works +unknown$/), expect.stringMatching(/done +\$0\.50$/)]);
});

test("where not all fit, what goes on and what waits for a person is shown, in plan order, and the rest is counted", () => {
  const many = Array.from({ length: 30 }, (_, n): Partial<Task> => ({ state: n < 20 ? "done" : "pending" }));
  many[25] = { state: "running" };
  many[3] = { state: "review" };
  const lines = renderTable(progressOf(many), { columns: 80, rows: 9 }, plain);
  expect(lines).toHaveLength(7);
  expect(lines.map((line) => line.split(/\s+/)[1])).toEqual(["t3", "t20", "t21", "t22", "t25", "…", "·"]);
  expect(lines.at(-2)).toBe("  … and 25 more tasks: 19 done · 6 to come");
});

test("at 80 columns tasks of a long module are told apart, as rows and as what others wait for", () => {
  const long = "admin-backoffice-reporting";
  const progress = progressOf([
    {
      key: `${long}/E01`,
      state: "running",
      more: { doing: "works", workedMs: 1_000, left: { ms: 1_000, isRough: true } },
    },
    { key: `${long}/E02`, needs: [`${long}/E01`] },
    { key: `customer-notifications-and-mail/E03`, needs: [`${long}/E01`, `${long}/E02`] },
  ]);
  const lines = renderTable(progress, SCREEN, plain);
  expect(lines[0]).toMatch(/^◎ admin-backo…porting\/E01 {2}works .*~1s\?$/);
  expect(lines[1]).toMatch(/^○ admin-backo…porting\/E02 {2}waits for E01 /);
  expect(lines[2]).toMatch(/^○ customer-no…nd-mail\/E03 {2}waits for adm.*….*E02 /);
});

test("the foot begins with what somebody wished, and says what its figures are", () => {
  const { tasks } = progressOf([{ state: "running" }, {}]);
  const unknown = addUsages([
    { models: [{ model: "m", tokens: null, costUsd: null, basis: "unknown" }], missing: null },
  ]);
  const foot = (progress: Partial<RunProgress>) =>
    renderTable({ run: sampleRun(), tasks, cost: unknown, left: null, ...progress }, SCREEN, plain).at(-1);
  expect(foot({ run: sampleRun({ wish: "pause" }) })).toBe("r1 · pausing · 1 working · 1 to come · cost unknown");
  expect(foot({ run: sampleRun({ wish: "stop" }), tasks: tasks.slice(1) })).toMatch(/^r1 · stopped · 1 to come/);
  expect(foot({ left: { ms: 540_000, isRough: true } })).toMatch(/ · about 9m left, a first guess$/);
  const many = progressOf([
    { state: "running" },
    {},
    ...(["done", "failed", "skipped", "cancelled"] as const).map((state) => ({ state })),
  ]).tasks;
  const left = { ms: 540_000, isRough: true };
  expect(foot({ tasks: many.slice(0, 5), left })).toMatch(/1 failed · 1 skipped · about 9m left$/);
  // What was left out of the run stands in the table and in the summary: what is spent, and when it ends, are worth more.
  expect(foot({ tasks: many, left })).toBe("r1 · 1 done · 1 working · 1 to come · 1 failed · about 9m left");
  expect(foot({ tasks: many, left, cost: spent(1.5) })).toBe(
    "r1 · 1 done · 1 working · 1 to come · 1 failed · $1.50 · about 9m left",
  );
  const asks = progressOf([...many.map(({ view }) => ({ state: view.task.state })), { state: "review" }]).tasks;
  const narrow = renderTable({ run: sampleRun(), tasks: asks, cost: unknown, left }, { columns: 60, rows: 24 }, plain);
  expect(narrow.at(-1)).toMatch(/^r1 · about 9m left · 1 done · 1 working · 1 for a/);
});

test("where the foot has little room its counts are shortened, and what is spent stays", () => {
  const { tasks } = progressOf([
    { state: "done" },
    { state: "running" },
    { state: "review" },
    { park: { for: "answer", question: "?" } },
    ...[1, 2, 3].map(() => ({ park: { for: "limit" as const, until: null }, notBefore: 60_000 })),
    { state: "failed" },
  ]);
  const foot = (columns: number, left: RunProgress["left"]) =>
    renderTable({ run: sampleRun(), tasks, cost: spent(1.5), left }, { columns, rows: 24 }, plain).at(-1);
  const left = { ms: 40_000, isRough: false };
  expect(foot(92, left)).toBe(
    "r1 · 1 done · 1 working · 2 for a person · 3 for a time · 1 failed · $1.50 · about 40s left",
  );
  expect(foot(60, left)).toMatch(/^r1 · \$1\.50 · about 40s left · 1 done · 1 working · 2 for a/);
  expect(foot(60, null)).toMatch(/^r1 · \$1\.50 · 1 done · 1 working · 2 for a person · 3 fo/);
});

test("a notice stands above the foot", () => {
  const lines = renderTable(progressOf([{}]), SCREEN, plain, "❯ Enter: answer t0");
  expect(lines.slice(-2)).toEqual(["❯ Enter: answer t0", expect.stringMatching(/^r1 · /)]);
});

test("what an agent or a plan writes cannot move the cursor", () => {
  const doing = "\u001B[2Jwiped\r\nand more\u0007";
  const lines = renderTable(progressOf([{ key: "a\u001B[1A", state: "running", more: { doing } }]), SCREEN, plain);
  // eslint-disable-next-line no-control-regex
  expect(lines.join("\n")).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/);
  expect(lines[0]).toContain("wiped and more");
});

const SCREEN = { columns: 80, rows: 24 };

test("no line is as wide as the screen, and there are fewer than its rows", () => {
  const words = constantFrom(
    "",
    "short",
    "→ Bash npm run a-very-long-command --with=all of its flags",
    "日本語の文章",
    "👍🏽 ok",
  );
  const task = record({
    key: constantFrom("a", "core/E01", "a-very-long-module-name/with-a-long-task-name", "日本語/タスク"),
    state: constantFrom("pending", "running", "review", "done", "failed"),
    doing: words,
    worked: nat(10_000_000),
    usd: nat(1_000),
    added: nat(99_999),
  });
  const check = property(array(task, { maxLength: 40 }), tuple(nat(200), nat(60)), (tasks, [columns, rows]) => {
    const progress = progressOf(
      tasks.map(({ key, state, doing, worked, usd, added }) => ({
        key,
        state: state as Task["state"],
        more: {
          doing,
          workedMs: worked,
          cost: spent(usd / 100),
          lines: { added, removed: 1 },
          left: { ms: worked, isRough: worked % 2 === 0 },
        },
      })),
    );
    const lines = renderTable(progress, { columns: columns + 2, rows: rows + 2 }, plain);
    for (const line of lines) expect(widthOf(line)).toBeLessThan(columns + 2);
    expect(lines.length).toBeLessThan(rows + 2);
  });
  assert(check, { numRuns: 500 });
});
