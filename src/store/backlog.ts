/** Tasks that a person wrote down with `owt task create`, until a run takes them up. */
import type { PlannedTask } from "../core/plan.ts";
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** Stores a task; false when its key is taken. */
export function addToBacklog(store: Store, at: number, spec: PlannedTask): boolean {
  const order = Number(store.get("select coalesce(max(ord), 0) + 1 as n from backlog")?.["n"]);
  return (
    store.run(
      "insert or ignore into backlog (key, ord, spec, created_at) values (?, ?, ?, ?)",
      spec.id,
      order,
      JSON.stringify(spec),
      at,
    ) === 1
  );
}

/** The stored tasks in the order in which they were written down. */
export function readBacklog(store: Store): PlannedTask[] {
  return store.all("select spec from backlog order by ord").map((row) => parseStored(row["spec"]) as PlannedTask);
}

/** Gives a stored task another text; false when a run has taken it up meanwhile, or somebody else changed it. */
export function changeInBacklog(store: Store, before: PlannedTask, after: PlannedTask): boolean {
  const sql = "update backlog set spec = ? where key = ? and spec = ?";
  return store.run(sql, JSON.stringify(after), before.id, JSON.stringify(before)) === 1;
}

export function removeFromBacklog(store: Store, key: string): boolean {
  return store.run("delete from backlog where key = ?", key) === 1;
}
