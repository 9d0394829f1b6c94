import { expect, test } from "vitest";
import { type FinishedTask, reportHistory } from "../core/history.ts";
import { renderHistory, renderHistoryMarkdown } from "./history-text.ts";

const finished = (agent: string, costUsd: number | null): FinishedTask => ({
  agent,
  model: null,
  kind: "shop",
  durationMs: 60_000,
  costUsd,
  estimatedTokens: null,
  isDone: true,
  endedAt: 0,
  attempts: 1,
});

test("a cost that nobody told is unknown, of one agent and of all", () => {
  const some = reportHistory([finished("claude", 0.5), finished("script", null)], () => "2026-01-02");
  expect(renderHistory(some, 80)).toMatch(/^claude +1 .*\$0\.50 +\$0\.50$/m);
  expect(renderHistory(some, 80)).toMatch(/^script +1 .* unknown +unknown$/m);
  expect(renderHistoryMarkdown(some)).toMatch(/^\| script \| 1 \|.*\| unknown \| unknown \|$/m);
  const none = reportHistory([finished("script", null)], () => "2026-01-02");
  expect(renderHistory(none, 80)).toMatch(/^1 task: .* of work, cost unknown$/m);
});
