import { expect, test } from "vitest";
import { type TriedTask, reportHistory } from "../core/history.ts";
import { renderHistory, renderHistoryMarkdown } from "./history-text.ts";

const finished = (agent: string, costUsd: number | null): TriedTask => ({
  agent,
  model: null,
  kind: "shop",
  durationMs: 60_000,
  costUsd,
  estimatedTokens: null,
  end: "done",
  endedAt: 0,
  attempts: 1,
  missed: 0,
});

test("a cost that nobody told is unknown, of one agent and of all", () => {
  const some = reportHistory([finished("claude", 0.5), finished("script", null)], () => "2026-01-02");
  expect(renderHistory(some, 80)).toMatch(/^claude +1 .*\$0\.50 +\$0\.50$/m);
  expect(renderHistory(some, 80)).toMatch(/^script +1 .* unknown +unknown$/m);
  expect(renderHistoryMarkdown(some)).toMatch(/^\| script \| 1 \|.*\| unknown \| unknown \|$/m);
  const none = reportHistory([finished("script", null)], () => "2026-01-02");
  expect(renderHistory(none, 80)).toMatch(/^1 task: .* of work, cost unknown$/m);
});

test("what was cancelled or is open is said beside the rate, which goes by what was done or failed", () => {
  const ends = (["done", "failed", "cancelled", "open", "open"] as const).map((end) => ({
    ...finished("claude", 0.5),
    end,
  }));
  const text = renderHistory(
    reportHistory(ends, () => "2026-01-02"),
    120,
  );
  expect(text).toMatch(
    /^5 tasks: 1 done, 1 failed \(50% done\), 1 cancelled, 2 still open, 5 attempts, .* cost \$2\.50$/m,
  );
  const waits = reportHistory([{ ...finished("claude", 1), end: "open" }], () => "2026-01-02");
  expect(renderHistory(waits, 80)).toMatch(/^1 task: 0 done, 0 failed, 1 still open, 1 attempt, /m);
  expect(renderHistory(waits, 80)).not.toContain("%");
});
