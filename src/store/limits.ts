/** Usage limits that credentials have met, across all runs of the repository. */
import type { UsageLimit } from "../core/limit.ts";
import type { Row, Store } from "./database.ts";

/** All that are not known to be over. */
export function readLimits(store: Store): UsageLimit[] {
  return store.all("select * from usage_limit order by credential").map(toLimit);
}

export function readLimit(store: Store, credential: string): UsageLimit | null {
  const row = store.get("select * from usage_limit where credential = ?", credential);
  return row ? toLimit(row) : null;
}

export function writeLimit(store: Store, limit: UsageLimit): void {
  store.run(
    "insert or replace into usage_limit (credential, agent, until, is_guess, guesses, since, probe) values (?, ?, ?, ?, ?, ?, ?)",
    limit.credential,
    limit.agent,
    limit.until,
    limit.isGuess ? 1 : 0,
    limit.guesses,
    limit.since,
    limit.probe,
  );
}

/** Says that it is over. */
export function removeLimit(store: Store, credential: string): void {
  store.run("delete from usage_limit where credential = ?", credential);
}

function toLimit(row: Row): UsageLimit {
  return {
    credential: String(row["credential"]),
    agent: String(row["agent"]),
    until: Number(row["until"]),
    isGuess: row["is_guess"] === 1,
    guesses: Number(row["guesses"]),
    since: Number(row["since"]),
    probe: row["probe"] === null ? null : Number(row["probe"]),
  };
}
