/** Single facts of the store, each under a name of its own, as JSON. */
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** What was written under this name; null where nothing is. The caller knows its shape, as it wrote it. */
export function readMeta<T>(store: Store, key: string): T | null {
  const row = store.get("select value from meta where key = ?", key);
  return row ? (parseStored(row["value"]) as T) : null;
}

/** In place of what was written under this name before. */
export function writeMeta(store: Store, key: string, value: object): void {
  const sql = "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value";
  store.run(sql, key, JSON.stringify(value));
}

/** Nothing is written under this name any more. */
export function forgetMeta(store: Store, key: string): void {
  store.run("delete from meta where key = ?", key);
}
