/** What the dearest turn of an agent in a run took, as far as anybody saw one end. */
import type { Store } from "./database.ts";
import { readMeta, writeMeta } from "./meta.ts";

type Amounts = { usd: number; tokens: number };

/** Nothing before the first. */
export function readDearest(store: Store, run: string): Amounts {
  return readMeta<Amounts>(store, keyOf(run)) ?? { usd: 0, tokens: 0 };
}

export function recordDearest(store: Store, run: string, dearest: Amounts): void {
  writeMeta(store, keyOf(run), dearest);
}

const keyOf = (run: string) => `dearest ${run}`;
