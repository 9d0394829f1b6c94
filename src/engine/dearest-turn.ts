/** What a turn of an agent cost: as much as its books grew between two looks. Of a run the dearest one is on record, for what others may cost still. */
import type { Attempt } from "../core/attempt.ts";
import { type Expected, type Spending, wasTooLittle } from "../core/budget.ts";
import { addUsages, tokensIn } from "../core/cost.ts";
import type { Run } from "../core/run.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Store } from "../store/database.ts";
import { readDearest, recordDearest } from "../store/dearest.ts";

type Amounts = Spending["dearest"];
type Seen = {
  booked: Map<number, Amounts>;
  /** What was expected of each task when it was first asked for. */
  reserved: Map<number, Expected>;
  dearest: Amounts;
  /** What is told of it: nothing as long as what is expected holds. */
  told: Amounts;
};

const SEEN = new MapPer<Store, string, Seen>();

/** The dearest turn of a run in which a task used more than was `expected` of it, by their row numbers; 0 before: that on record, or one that this process saw.
 *  What was booked before its first look, such as by agents that no owt metered, is no turn; but as long as none was seen, it may have been a single one. */
export function dearestTurn(
  store: Store,
  { id }: Pick<Run, "id">,
  attempts: readonly Attempt[],
  expected: ReadonlyMap<number, Expected>,
): Amounts {
  const runs = SEEN.of(store);
  const isFirst = !runs.has(id);
  const seen = runs.get(id) ?? beginSeeing(store, id);
  runs.set(id, seen);
  for (const [task, each] of expected) if (!seen.reserved.has(task)) seen.reserved.set(task, each);
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
  const tell = (unit: keyof Amounts) =>
    seen.told[unit] > 0 || wasTooLittle(unit, attempts, seen.reserved)
      ? seen.dearest[unit] || mostBooked(unit, seen)
      : 0;
  seen.told = { usd: tell("usd"), tokens: tell("tokens") };
  return seen.told;
}

function mostBooked(unit: keyof Amounts, { booked }: Seen): number {
  return Math.max(0, ...[...booked.values()].map((each) => each[unit]));
}

function beginSeeing(store: Store, run: string): Seen {
  const known = readDearest(store, run);
  return { booked: new Map(), reserved: new Map(), dearest: known, told: known };
}

/** Writes down what was seen of it, for whoever carries the run next. */
export function noteDearest(store: Store, { id }: Pick<Run, "id">): void {
  const known = readDearest(store, id);
  const seen = SEEN.of(store).get(id);
  if (seen === undefined) return;
  const seenOf = (unit: keyof Amounts) => (seen.told[unit] > 0 ? seen.dearest[unit] : 0);
  const dearest = { usd: seenOf("usd"), tokens: seenOf("tokens") };
  if (dearest.usd > known.usd || dearest.tokens > known.tokens) recordDearest(store, id, dearest);
}

function amountsOf({ usage }: Attempt): Amounts {
  const cost = addUsages([usage]);
  return { usd: cost.usd ?? 0, tokens: tokensIn(cost) };
}
