/** A cost as every report shows it. Pure. */
import { addUsages, type Cost, type ModelUsage, promptTokens } from "./cost.ts";

/** What something cost, flat, as every report shows it. */
export type CostReport = {
  /** The sum of what is known; null is unknown, never zero. */
  cost_usd: number | null;
  /** True when something is not in the sum: `cost_missing` says what. */
  cost_at_least: boolean;
  cost_missing: string[];
  /** Who says so: the agent (reported), our list of prices, both (mixed), nobody (unknown); null where no agent has run. */
  cost_basis: Cost["basis"];
  /** All tokens of the prompts, those from and to a cache included. */
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_tokens: number | null;
};

/** The same for one model. */
export type ModelReport = Omit<CostReport, "cost_missing"> & { model: string | null };

/** A cost as a report shows it. */
export function reportCost(cost: Cost): CostReport {
  const { tokens } = cost;
  return {
    // Sums of binary fractions have long tails; a billionth of a dollar is enough.
    cost_usd: cost.usd && Math.round(cost.usd * 1e9) / 1e9,
    cost_at_least: cost.isAtLeast,
    cost_missing: cost.missing,
    cost_basis: cost.basis,
    input_tokens: tokens && promptTokens(tokens),
    output_tokens: tokens && tokens.output,
    cache_read_tokens: tokens && tokens.cacheRead,
    cache_write_tokens: tokens && tokens.cacheWrite5m + tokens.cacheWrite1h,
  };
}

/** What a model cost. */
export function reportModel(usage: ModelUsage): ModelReport {
  const { cost_missing: _, ...cost } = reportCost(addUsages([{ models: [usage], missing: null }]));
  return { model: usage.model, ...cost };
}
