/** What a turn of an agent cost: as much as its books grew between two looks. Of a run the dearest one is on record, for what others may cost still. */
import type { Attempt } from "../core/attempt.ts";
import type { Spending } from "../core/budget.ts";
import { addUsages, allTokens } from "../core/cost.ts";
import type { Run } from "../core/run.ts";
import type { Store } from "../store/database.ts";
import { readDearest, recordDearest } from "../store/dearest.ts";

type Amounts = Spending["dearest"];
type Seen = { booked: Map<number, Amounts>; dearest: Amounts };

const SEEN = new WeakMap<Store, Map<string, Seen>>();

/** The dearest turn of a run: that on record, or one that this process saw since. What was booked before its first look is no turn. */
export function dearestTurn(store: Store, { id }: Pick<Run, "id">, attempts: readonly Attempt[]): Amounts {
  const runs = SEEN.get(store) ?? new Map<string, Seen>();
  SEEN.set(store, runs);
  const isFirst = !runs.has(id);
  const seen = runs.get(id) ?? { booked: new Map<number, Amounts>(), dearest: readDearest(store, id) };
  runs.set(id, seen);
  for (const attempt of attempts) {
    if (attempt.outcome !== null) continue;
    const now = amountsOf(attempt);
    const before = seen.booked.get(attempt.id) ?? (isFirst ? now : { usd: 0, tokens: 0 });
    seen.booked.set(attempt.id, now);
    seen.dearest = {
      usd: Math.max(seen.dearest.usd, now.usd - before.usd),
      tokens: Math.max(seen.dearest.tokens, now.tokens - before.tokens),
    };
  }
  return seen.dearest;
}

/** Writes it down for whoever carries the run next. */
export function noteDearest(store: Store, { id }: Pick<Run, "id">, dearest: Amounts): void {
  const known = readDearest(store, id);
  if (dearest.usd > known.usd || dearest.tokens > known.tokens) recordDearest(store, id, dearest);
}

function amountsOf({ usage }: Attempt): Amounts {
  const cost = addUsages([usage]);
  return { usd: cost.usd ?? 0, tokens: cost.tokens === null ? 0 : allTokens(cost.tokens) };
}
