/** Usage limits that credentials have met, across all runs of the repository. */
import { keyOf, type LimitedModel, type UsageLimit } from "../core/limit.ts";
import type { Row, Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** All that are not known to be over. */
export function readLimits(store: Store): UsageLimit[] {
  return store.all("select * from usage_limit order by credential").map(toLimit);
}

/** `key` is that of `core/limit.ts`. */
export function readLimit(store: Store, key: string): UsageLimit | null {
  const row = store.get("select * from usage_limit where credential = ?", key);
  return row ? toLimit(row) : null;
}

export function writeLimit(store: Store, limit: UsageLimit): void {
  store.run(
    "insert or replace into usage_limit (credential, agent, until, is_guess, guesses, since, probe, login, model, outage, due) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    keyOf(limit),
    limit.agent,
    limit.until,
    limit.isGuess ? 1 : 0,
    limit.guesses,
    limit.since,
    limit.probe,
    limit.credential,
    limit.model === undefined ? null : JSON.stringify(limit.model),
    limit.outage ?? null,
    limit.due ?? null,
  );
}

/** Says that it is over. */
export function removeLimit(store: Store, limit: UsageLimit): void {
  store.run("delete from usage_limit where credential = ?", keyOf(limit));
}

function toLimit(row: Row): UsageLimit {
  return {
    // A row of an older owt bears its credential as its key.
    credential: String(row["login"] ?? row["credential"]),
    ...(row["model"] === null ? {} : { model: parseStored(String(row["model"])) as LimitedModel }),
    ...(row["outage"] === null ? {} : { outage: String(row["outage"]) }),
    agent: String(row["agent"]),
    until: Number(row["until"]),
    isGuess: row["is_guess"] === 1,
    guesses: Number(row["guesses"]),
    since: Number(row["since"]),
    probe: row["probe"] === null ? null : Number(row["probe"]),
    ...(row["due"] === null ? {} : { due: Number(row["due"]) }),
  };
}
