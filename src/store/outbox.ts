/** What a person is still to be told of. A row is written in the transaction of the fact that it tells of, and marked once it was sent: nothing is forgotten by a
 *  crash, and told twice only what was on its way in that very moment. */
import type { Moment } from "../core/notification.ts";
import type { BackgroundProcess } from "./background.ts";
import type { Row, Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** `reached` names who has it already; `owner` is about to send it, and may have ended since. */
export type Outgoing = {
  id: number;
  at: number;
  run: string | null;
  task: number | null;
  moment: Moment;
  reached: string[];
  tries: number;
  notBefore: number | null;
  owner: BackgroundProcess | null;
};

/** Puts a moment on record. What has this key already is not told again. Call it in the transaction that writes the fact. */
export function putMoment(
  store: Store,
  at: number,
  key: string,
  about: { run: string | null; task: number | null; moment: Moment },
): void {
  store.run(
    "insert into outbox (key, at, run, task, moment) values (?, ?, ?, ?, ?) on conflict (key) do nothing",
    key,
    at,
    about.run,
    about.task,
    JSON.stringify(about.moment),
  );
}

/** What is not sent yet, oldest first. */
export function readOutbox(store: Store): Outgoing[] {
  return store.all("select * from outbox where state = 'waiting' order by id").map(toOutgoing);
}

/** Takes the sending on; false where somebody else was faster. */
export function claimOutgoing(store: Store, outgoing: Outgoing, owner: BackgroundProcess): boolean {
  const before = outgoing.owner === null ? null : JSON.stringify(outgoing.owner);
  const sql = "update outbox set owner = ? where id = ? and state = 'waiting' and owner is ?";
  return store.run(sql, JSON.stringify(owner), outgoing.id, before) === 1;
}

/** Notes that one more has it. */
export function noteReached(store: Store, id: number, target: string): void {
  store.run("update outbox set reached = json_insert(reached, '$[#]', ?) where id = ?", target, id);
}

/** Lets it wait for another try, by whoever comes then. */
export function tryLater(store: Store, id: number, tries: number, notBefore: number): void {
  store.run("update outbox set owner = null, tries = ?, not_before = ? where id = ?", tries, notBefore, id);
}

/** It is over: all have it, or it was given up, or is nobody's news any more. */
export function settleOutgoing(store: Store, id: number, state: "sent" | "given-up" | "old"): void {
  store.run("update outbox set state = ?, owner = null where id = ?", state, id);
}

/** Forgets what was settled and happened before then (epoch ms). */
export function forgetOutbox(store: Store, before: number): void {
  store.run("delete from outbox where state <> 'waiting' and at < ?", before);
}

function toOutgoing(row: Row): Outgoing {
  return {
    id: Number(row["id"]),
    at: Number(row["at"]),
    run: row["run"] as string | null,
    task: row["task"] as number | null,
    moment: parseStored(row["moment"]) as Moment,
    reached: parseStored(row["reached"]) as string[],
    tries: Number(row["tries"]),
    notBefore: row["not_before"] as number | null,
    owner: row["owner"] === null ? null : (parseStored(row["owner"]) as BackgroundProcess),
  };
}
