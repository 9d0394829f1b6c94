/** What the dearest turn of an agent in a run took, as far as anybody saw one end. */
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

type Amounts = { usd: number; tokens: number };

/** Nothing before the first. */
export function readDearest(store: Store, run: string): Amounts {
  const row = store.get("select value from meta where key = ?", keyOf(run));
  return row ? (parseStored(row["value"]) as Amounts) : { usd: 0, tokens: 0 };
}

export function recordDearest(store: Store, run: string, dearest: Amounts): void {
  const sql = "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value";
  store.run(sql, keyOf(run), JSON.stringify(dearest));
}

const keyOf = (run: string) => `dearest ${run}`;
