/** What agents used and what it cost: tokens by kind, money with the source of the figure, and sums in which what is not
 *  known stays visible. Pure. */

/** Tokens by the kinds that have prices of their own. `input` is what no cache served or took. */
export type Tokens = { input: number; output: number; cacheRead: number; cacheWrite5m: number; cacheWrite1h: number };

/** Where a figure in dollars comes from: the agent said it, our list of prices, or nowhere. */
type CostBasis = "reported" | "list" | "unknown";

/** What one model of one turn used; null is unknown, never zero. */
export type ModelUsage = { model: string | null; tokens: Tokens | null; costUsd: number | null; basis: CostBasis };

/** What one attempt used. */
export type Usage = {
  models: ModelUsage[];
  /** Why something that was used is not among them; null: it is all there. */
  missing: string | null;
};

/** A sum of usages. */
export type Cost = {
  /** The sum of what is known; null when nothing is. */
  usd: number | null;
  /** True when something is not in the sum: the cost is at least `usd`. */
  isAtLeast: boolean;
  /** The source of what is known: the one that all parts share, else "mixed"; null when nothing was used or said. */
  basis: CostBasis | "mixed" | null;
  /** Null when no part says. */
  tokens: Tokens | null;
  /** One entry a model, in the order in which they came. */
  models: ModelUsage[];
  /** Why it is at least that much, each reason once. */
  missing: string[];
};

export const NO_TOKENS: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

const KINDS = Object.keys(NO_TOKENS) as (keyof Tokens)[];

export function addTokens(a: Tokens, b: Tokens): Tokens {
  return Object.fromEntries(KINDS.map((kind) => [kind, a[kind] + b[kind]])) as Tokens;
}

/** The size of the prompt that an answer was given to: what was sent anew, read from the cache, and written to it. */
export function promptTokens(tokens: Tokens): number {
  return tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h;
}

/** All tokens: those of the prompt, cache included, and those of the answer. */
export function allTokens(tokens: Tokens): number {
  return promptTokens(tokens) + tokens.output;
}

/** All tokens that something cost, as far as they are known. */
export function tokensIn({ tokens }: Pick<Cost, "tokens">): number {
  return tokens === null ? 0 : allTokens(tokens);
}

/** Adds up what several attempts used. An attempt without usage is one whose agent never ran. */
export function addUsages(usages: readonly (Usage | null)[]): Cost {
  const given = usages.filter((usage) => usage !== null);
  const parts = given.flatMap((usage) => usage.models);
  const missing = new Set(given.flatMap((usage) => (usage.missing === null ? [] : [usage.missing])));
  for (const part of parts) if (part.costUsd === null) missing.add(`${part.model ?? "a model"} has no known price`);
  const known = parts.flatMap((part) => (part.costUsd === null ? [] : [part.costUsd]));
  // Nothing used is a known zero; nothing known is not.
  const isKnownZero = given.length > 0 && parts.length === 0 && missing.size === 0;
  return {
    usd: known.length === 0 ? (isKnownZero ? 0 : null) : known.reduce((sum, usd) => sum + usd, 0),
    isAtLeast: missing.size > 0,
    basis: basisOf(given, parts),
    tokens: tokensOf(parts),
    models: byModel(parts),
    missing: [...missing],
  };
}

/** One entry a model, so that the parts of a turn, a task or a run read alike. Known and unknown parts of one model stay apart. */
export function byModel(parts: readonly ModelUsage[]): ModelUsage[] {
  const models = new Map<string, ModelUsage>();
  for (const part of parts) {
    const key = JSON.stringify([part.model, part.costUsd === null, part.basis]);
    const before = models.get(key);
    models.set(key, before ? addParts(before, part) : part);
  }
  return [...models.values()];
}

function addParts(a: ModelUsage, b: ModelUsage): ModelUsage {
  return {
    ...a,
    tokens: tokensOf([a, b]),
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}

function tokensOf(parts: readonly ModelUsage[]): Tokens | null {
  return parts.reduce<Tokens | null>(
    (sum, { tokens }) => (tokens === null ? sum : addTokens(sum ?? NO_TOKENS, tokens)),
    null,
  );
}

function basisOf(given: readonly Usage[], parts: readonly ModelUsage[]): Cost["basis"] {
  const bases = new Set(parts.map((part) => part.basis));
  if (given.some((usage) => usage.missing !== null)) bases.add("unknown");
  if (bases.size === 0) return null;
  return bases.size === 1 ? [...bases][0]! : "mixed";
}

/** Dollars: cents, below ten of them a tenth of one, and what is less still never as nothing. */
export function renderUsd(usd: number): string {
  const isWholeCents = usd >= 0.01 && Math.abs(usd * 100 - Math.round(usd * 100)) < 1e-6;
  if (usd >= 0.1 || usd <= 0 || isWholeCents) return `$${usd.toFixed(2)}`;
  if (usd >= 0.001) return `$${usd.toFixed(3)}`;
  return usd < 0.0001 ? "<$0.0001" : `$${usd.toFixed(4)}`;
}

/** The cost in words: `$1.25`, `at least $1.25`, `unknown`; empty where no agent has run. */
export function describeCost(cost: Pick<Cost, "usd" | "isAtLeast" | "basis">): string {
  if (cost.basis === null) return cost.usd === null ? "" : renderUsd(cost.usd);
  if (cost.usd === null) return "unknown";
  return cost.isAtLeast ? `at least ${renderUsd(cost.usd)}` : renderUsd(cost.usd);
}
