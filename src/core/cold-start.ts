/** What a task takes and costs where nothing has been done yet: from the `estimated_tokens` of its plan, else from a table. Pure.
 *
 *  The figures, and where they come from:
 *  - A task without an estimate counts as 90,000 tokens, 9 minutes: the median of the 23 tasks of the BO4E-rust plan (its epics took one
 *    agent 3.5 to 24 minutes, January 2026) is 9.0 minutes, their 90th percentile 2.25 times that.
 *  - 6 seconds for 1,000 estimated tokens: what RoRchestrator's README shows for its runs (30,000 and 40,000 tokens in 3 minutes each,
 *    180,000 in 15 to 20 minutes with a speed-up of 1.3).
 *  - An estimated token costs as much as 1.2 output tokens: the same README, $2.15 for 70,000 and about $5.40 for 180,000, when a million
 *    output tokens were $25. What an agent reads again and again, mostly from the cache, is the other part. */
import { NO_TOKENS } from "./cost.ts";
import { priceAnswer, type Prices } from "./prices.ts";

type ColdTask = { agentKind: string; model: string | null; estimatedTokens: number | null };

/** P90 over P50. */
export const COLD_SPREAD = 2.25;

const TOKENS = 90_000;
const MS_PER_TOKEN = 6;
const OUTPUT_TOKENS_PER_TOKEN = 1.2;
/** The built-in agent only plays: half a second for a task without an estimate. */
const DEMO_MS_PER_TOKEN = 500 / TOKENS;
/** What an agent uses when nobody names a model, as far as a price goes by it. */
const ASSUMED_MODELS: ReadonlyMap<string, string> = new Map([["claude", "claude-opus-5-5"]]);

/** The middle time, milliseconds. */
export function coldDurationMs(task: ColdTask): number {
  return tokensOf(task) * (task.agentKind === "demo" ? DEMO_MS_PER_TOKEN : MS_PER_TOKEN);
}

/** The middle cost, dollars; null where the price list does not know the model. */
export function coldCostUsd(task: ColdTask, prices: Prices): number | null {
  const model = task.model ?? ASSUMED_MODELS.get(task.agentKind) ?? null;
  const output = Math.round(tokensOf(task) * OUTPUT_TOKENS_PER_TOKEN);
  return model === null ? null : priceAnswer(prices, { model, tokens: { ...NO_TOKENS, output } });
}

function tokensOf({ estimatedTokens }: ColdTask): number {
  return estimatedTokens !== null && estimatedTokens > 0 ? estimatedTokens : TOKENS;
}
