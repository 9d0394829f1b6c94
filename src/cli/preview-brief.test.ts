import { expect, test } from "vitest";
import { widthOf } from "../lib/width.ts";
import { renderPreviewToAsk, renderQuestion } from "./preview-brief.ts";
import type { Preview, PreviewTask } from "./preview.ts";
import { renderPreview } from "./preview-text.ts";

const ids = (n: number) => Array.from({ length: n }, (_, at) => `shop/E${String(at + 1).padStart(2, "0")}`);

function taskOf(id: string, at: number): PreviewTask {
  return {
    id,
    title: `Make the part of the shop that is number ${at + 1}, with all that belongs to it`,
    module: "shop",
    state: "to-run",
    needs: [],
    priority: "normal",
    wave: 1,
    needs_review: at === 2,
    verify: [],
    touches: [],
    agent: null,
    model: null,
    rivals: [],
    branch: null,
    file: `docs/plans/shop/epic-${at + 1}.md`,
    line: 1,
    estimate: null,
  };
}

/** A plan of so many tasks in so many steps. */
function previewOf(tasks: number, steps: number): Preview {
  const all = ids(tasks);
  const waves = Array.from({ length: steps }, (_, step) => all.filter((_id, at) => at % steps === step));
  return {
    plan: "docs/plans",
    kind: "markdown",
    target: "main",
    builds_on: [],
    tasks: all.map(taskOf),
    waves,
    order: all,
    critical_path: all.slice(0, steps),
    max_parallel: 3,
    overlaps: [{ tasks: [all[0]!, all[1]!], path: "src/a.ts" } as Preview["overlaps"][number]],
    estimate: {
      label: "cold start: no history yet",
      earlier_tasks: 0,
      cold_tasks: tasks,
      makespan_ms: { p50: 720_000, p90: 1_200_000 },
      sequential_ms: { p50: 2_160_000, p90: 3_600_000 },
      speedup: 3,
      cost_usd: { p50: 3.1, p90: 5 },
      cost_unknown_tasks: 0,
      critical_path_ms: 600_000,
      parallelism: { most: 3, average: 2.5 },
    },
    ignored: [{ file: "docs/plans/README.md", reason: "no epic" }],
    warnings: [
      { file: "docs/plans/shop/epic-1.md", line: 3, message: "says twice what it needs", hint: "once will do" },
    ],
  };
}

test("a preview and its question fit on the screen, with the time and the cost", () => {
  for (const steps of [1, 6, 30])
    for (const [columns, rows] of [
      [80, 24],
      [80, 14],
      [120, 30],
    ] as const) {
      const preview = previewOf(30, steps);
      const lines = (renderPreviewToAsk(preview, { columns, rows }) + renderQuestion(preview, columns)).split("\n");
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
      expect(lines.join("\n")).toMatch(
        /^30 tasks in docs\/plans: 30 to run; [^]*time {2}12m–20m [^]*cost {2}\$3\.10–\$5\.00/,
      );
      expect(lines.join("\n")).toMatch(/owt plan[^]*run 30 tasks\? expected 12m–20m, cost \$3\.10–\$5\.00 \[y\/N\] $/);
    }
});

test("a brief preview tells the steps, and what is unusual", () => {
  const text = renderPreviewToAsk(previewOf(30, 6), { columns: 80, rows: 24 });
  expect(text).toContain("\nstep 1, 5 tasks: shop/E01, shop/E07, ");
  expect(text).toContain("\nstep 6, 5 tasks: ");
  expect(text).toContain("\nwarning: docs/plans/shop/epic-1.md:3 says twice what it needs\n");
  expect(text).toContain("\n1 task will wait for your approval: shop/E03\n");
  expect(text).toContain("\n1 pair of tasks touch the same files\n");
  const low = renderPreviewToAsk(previewOf(30, 30), { columns: 80, rows: 16 });
  expect(low).toMatch(/\nstep 1, 1 task: shop\/E01\n[^]*\n… and \d\d more steps\n/);
});

test("a preview that fits is shown as a whole", () => {
  const preview = previewOf(3, 1);
  expect(renderPreviewToAsk(preview, { columns: 80, rows: 50 })).toBe(renderPreview(preview, 80));
});
