/** What a model's tokens cost where its agent does not say: a small list with dates and sources, which a user can add to.
 *  What is not on it is unknown; nothing is guessed from a relative's price. Pure. */
import * as v from "valibot";
import { byModel, type ModelUsage, promptTokens, type Tokens } from "./cost.ts";
import { describeIssue, keyOf, table } from "./form.ts";
import shipped from "./prices.json" with { type: "json" };

/** The form of a list. Made only where a user has one: each command would pay for it at its start. */
function priceList() {
  const perMillion = v.pipe(v.number(), v.minValue(0));
  const words = v.pipe(v.string(), v.minLength(1));
  const tier = table({
    /** Holds for prompts of at most so many tokens; the last tier holds for all others. */
    up_to_prompt_tokens: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
    input: perMillion,
    output: perMillion,
    cache_read: v.optional(perMillion),
    cache_write_5m: v.optional(perMillion),
    cache_write_1h: v.optional(perMillion),
  });
  const price = table({
    models: v.pipe(v.array(words), v.minLength(1)),
    tiers: v.pipe(v.array(tier), v.minLength(1)),
    source: words,
    verified: v.pipe(v.string(), v.isoDate()),
  });
  return table({ unit: v.optional(v.literal("US dollars per million tokens")), prices: v.array(price) });
}

/** Prices by model, the first that fits a name counts. */
export type Prices = v.InferOutput<ReturnType<typeof priceList>>["prices"];

type Tier = Prices[number]["tiers"][number];

/** The list that comes with owt. That it has the form of a list, a test keeps. */
export const SHIPPED_PRICES = shipped.prices as Prices;

/** Reads a user's own list; its entries stand before ours. All problems at once, as `key: message`. */
export function withUserPrices(raw: unknown): { prices: Prices } | { problems: string[] } {
  const result = v.safeParse(priceList(), raw);
  if (result.success) return { prices: [...result.output.prices, ...SHIPPED_PRICES] };
  return { problems: result.issues.map((issue) => `${keyOf(issue).join(".")}: ${describeIssue(issue)}`) };
}

/** One answer of a model. */
export type PricedAnswer = { model: string | null; tokens: Tokens };

/** The price of one answer in dollars; null when the list does not know the model, or the price of a kind of tokens that it used. */
export function priceAnswer(prices: Prices, { model, tokens }: PricedAnswer): number | null {
  const name = model === null ? null : modelName(model);
  const tiers = prices.find((price) => price.models.some((each) => each === model || each === name))?.tiers;
  if (!tiers) return null;
  const size = promptTokens(tokens);
  const tier = tiers.find((each) => each.up_to_prompt_tokens === undefined || size <= each.up_to_prompt_tokens);
  return tier ? priceIn(tier, tokens) : null;
}

function priceIn(tier: Tier, tokens: Tokens): number | null {
  const parts: [count: number, price: number | undefined][] = [
    [tokens.input, tier.input],
    [tokens.output, tier.output],
    [tokens.cacheRead, tier.cache_read],
    [tokens.cacheWrite5m, tier.cache_write_5m],
    [tokens.cacheWrite1h, tier.cache_write_1h],
  ];
  let usd = 0;
  for (const [count, price] of parts) {
    if (count === 0) continue;
    if (price === undefined) return null;
    usd += (count * price) / 1_000_000;
  }
  return usd;
}

/** What answers used, priced one by one (a tier goes by the size of one prompt), with one entry a model. */
export function listUsage(prices: Prices, answers: Iterable<PricedAnswer>): ModelUsage[] {
  const parts = Array.from(answers, ({ model, tokens }): ModelUsage => {
    const costUsd = priceAnswer(prices, { model, tokens });
    const name = model === null ? null : modelName(model);
    return { model: name, tokens, costUsd, basis: costUsd === null ? "unknown" : "list" };
  });
  return byModel(parts);
}

/** The plain name of a model that a provider, a date, a release or a context window was added to:
 *  `us.anthropic.claude-opus-4-8-v1:0`, `claude-opus-4-8@20260101`, `claude-opus-4-8[1m]`. */
export function modelName(model: string): string {
  return model
    .replace(/\[[^\]]*\]$/, "")
    .replace(/^.*[/.](?=[a-z]+-)/, "")
    .replace(/-v\d+(:\d+)?$/, "")
    .replace(/[-@]\d{8}$/, "")
    .replace(/-latest$/, "");
}
