/** Which slots of which batches were fired, in the store of the repository that they run in. A slot is claimed by writing its row, in one transaction and
 *  before anything is started: however many watch, each slot is fired once. */
import { type Firing, FIRING_OPEN, type FiringState } from "../core/firing.ts";
import type { BackgroundProcess } from "./background.ts";
import type { Row, Store } from "./database.ts";
import { appendEvent } from "./events.ts";

/** Who is about to start a claimed firing. It may have ended since: ask `isAlive`. */
export type Claimed = Firing & { owner: BackgroundProcess };

/** What is known of a batch. `since`: slots up to then are none of ours (epoch ms). */
export type KnownBatch = { since: number; pausedAt: number | null };

/** Takes note of a batch that is in somebody's schedule. From when its times are others on, its slots count anew; and where the clock was ahead when it
 *  was seen first, from now on. */
export function seeBatch(store: Store, name: string, spec: string, now: number): KnownBatch {
  const known = store.get("select * from batch where name = ?", name);
  if (known && known["spec"] === spec && Number(known["since"]) <= now) return toKnown(known);
  return store.transaction(() => {
    store.run(
      `insert into batch (name, spec, since) values (?, ?, ?)
       on conflict (name) do update set spec = excluded.spec, since = excluded.since
       where batch.spec <> excluded.spec or batch.since > excluded.since`,
      name,
      spec,
      now,
    );
    return toKnown(store.get("select * from batch where name = ?", name)!);
  });
}

/** What is known of a batch; null where nobody watched it yet. */
export function readBatch(store: Store, name: string): KnownBatch | null {
  const row = store.get("select * from batch where name = ?", name);
  return row ? toKnown(row) : null;
}

/** Pauses a batch (epoch ms), or lets it go on (null): what passed meanwhile was not missed. False where it was so already. */
export function setPaused(store: Store, name: string, pausedAt: number | null, now: number): boolean {
  return pausedAt === null
    ? store.run("update batch set paused_at = null, since = ? where name = ? and paused_at is not null", now, name) ===
        1
    : store.run("update batch set paused_at = ? where name = ? and paused_at is null", pausedAt, name) === 1;
}

export type Claim = {
  batch: string;
  slot: number;
  byHand: boolean;
  owner: BackgroundProcess;
  notify: boolean;
  now: number;
  /** Whether an earlier firing of the batch is still under way. */
  isUnderWay(firing: Claimed): boolean;
  /** What that waits for that somebody has to do, and how; null where it goes on by itself. */
  heldUp?(): HeldUp | null;
};

export type HeldUp = { why: string; command: string };

/** An earlier firing is under way, and with it what somebody has to do before that goes on. */
export type Overlap = { kind: "overlap"; heldUp: HeldUp | null };

/** Claims a slot: the firing is the caller's to start. `taken`: somebody else has, or had; {@link Overlap}: the slot is passed over, which is on record then (by hand:
 *  nothing is). A slot that was missed by a clock that went ahead can be claimed still. */
export function claimSlot(store: Store, claim: Claim): Firing | "taken" | Overlap {
  const { batch, slot, byHand, now } = claim;
  return store.transaction(() => {
    const there = store.get("select * from firing where batch = ? and slot = ?", batch, slot);
    if (there && there["state"] !== "missed") return "taken";
    const earlier = readOpenFirings(store, batch).find((each) => claim.isUnderWay(each));
    if (earlier && byHand) return { kind: "overlap", heldUp: null };
    const [state, reason] = earlier
      ? (["overlap", `${earlier.run ?? "the run of an earlier slot"} was still under way`] as const)
      : (["claimed", null] as const);
    const heldUp = earlier ? (claim.heldUp?.() ?? null) : null;
    store.run("delete from firing where batch = ? and slot = ? and state = 'missed'", batch, slot);
    const id = store.insert(
      `insert into firing (batch, slot, by_hand, state, owner, reason, hint, notify, at, ended_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      batch,
      slot,
      byHand ? 1 : 0,
      state,
      JSON.stringify(claim.owner),
      heldUp === null ? reason : `${reason}: it ${heldUp.why}`,
      heldUp?.command ?? null,
      claim.notify ? 1 : 0,
      now,
      earlier ? now : null,
    );
    return earlier ? { kind: "overlap", heldUp } : readFiring(store, id)!;
  });
}

/** Writes down why a slot was missed; nothing where something is on record of it. */
export function recordMissed(
  store: Store,
  { batch, slot, reason }: { batch: string; slot: number; reason: string },
  owner: BackgroundProcess,
  now: number,
): boolean {
  return (
    store.run(
      `insert into firing (batch, slot, by_hand, state, owner, reason, notify, at, ended_at)
       values (?, ?, 0, 'missed', ?, ?, 0, ?, ?) on conflict (batch, slot) do nothing`,
      batch,
      slot,
      JSON.stringify(owner),
      reason,
      now,
      now,
    ) === 1
  );
}

/** Takes over what a dead owner was about to start; false where somebody else was faster, or it has a run. */
export function retakeFiring(store: Store, firing: Claimed, owner: BackgroundProcess): boolean {
  return (
    store.run(
      "update firing set owner = ? where id = ? and state = 'claimed' and owner = ?",
      JSON.stringify(owner),
      firing.id,
      JSON.stringify(firing.owner),
    ) === 1
  );
}

/** Writes down what a claimed firing waits for before it is started; in words. */
export function noteWaiting(store: Store, firing: Firing, reason: string): void {
  store.run("update firing set reason = ? where id = ? and state = 'claimed'", reason, firing.id);
}

/** Binds the run to the firing that started it, in the transaction that makes the run. `owner` sees to it that it is carried. False where the firing has a
 *  run, or is over. */
export function linkRun(store: Store, firing: number, run: string, owner: BackgroundProcess): boolean {
  const sql =
    "update firing set state = 'running', run = ?, owner = ?, reason = null where id = ? and state = 'claimed'";
  return store.run(sql, run, JSON.stringify(owner), firing) === 1;
}

/** Writes down what became of a firing, with the event for whoever wants to be told; false when somebody else already did, or it is not in the state
 *  `from` any more. */
export function endFiring(store: Store, firing: Firing, { from, to, reason, hint = null, now }: FiringEnd): boolean {
  return store.transaction(() => {
    const ended =
      store.run(
        "update firing set state = ?, reason = ?, hint = ?, ended_at = ? where id = ? and state = ?",
        to,
        reason,
        hint,
        now,
        firing.id,
        from,
      ) === 1;
    const { batch, slot, notify, run } = firing;
    if (ended) appendEvent(store, now, { run }, { kind: "batch-ended", batch, slot, notify, state: to, reason });
    return ended;
  });
}

export type FiringEnd = {
  from: "claimed" | "running";
  to: Exclude<FiringState, "claimed" | "running">;
  reason: string | null;
  hint?: string | null;
  now: number;
};

export function readFiring(store: Store, id: number): Claimed | null {
  const row = store.get("select * from firing where id = ?", id);
  return row ? toFiring(row) : null;
}

/** What is on record of a slot. */
export function readSlot(store: Store, batch: string, slot: number): FiringState | null {
  const row = store.get("select state from firing where batch = ? and slot = ?", batch, slot);
  return row ? (row["state"] as FiringState) : null;
}

/** Firings that are claimed or run; of one batch, or of all. */
export function readOpenFirings(store: Store, batch?: string): Claimed[] {
  const open = [...FIRING_OPEN].map((state) => `'${state}'`).join(", ");
  const rows =
    batch === undefined
      ? store.all(`select * from firing where state in (${open}) order by id`)
      : store.all(`select * from firing where batch = ? and state in (${open}) order by id`, batch);
  return rows.map(toFiring);
}

/** The newest firings of a batch, newest first. */
export function readFirings(store: Store, batch: string, most: number): Claimed[] {
  return store.all("select * from firing where batch = ? order by slot desc limit ?", batch, most).map(toFiring);
}

/** Slots whose runs could not be started, oldest first, each of a batch of which none has begun since. */
export function readRefused(store: Store): Firing[] {
  const sql = `select * from firing as last where state = 'refused' and not exists (
    select 1 from firing where batch = last.batch and slot > last.slot and state not in ('missed', 'overlap'))
    order by slot`;
  return store.all(sql).map(toFiring);
}

function toKnown(row: Row): KnownBatch {
  return { since: Number(row["since"]), pausedAt: row["paused_at"] as number | null };
}

function toFiring(row: Row): Claimed {
  return {
    id: Number(row["id"]),
    batch: String(row["batch"]),
    slot: Number(row["slot"]),
    byHand: row["by_hand"] === 1,
    state: row["state"] as FiringState,
    owner: JSON.parse(String(row["owner"])) as BackgroundProcess,
    run: row["run"] as string | null,
    reason: row["reason"] as string | null,
    hint: row["hint"] as string | null,
    notify: row["notify"] === 1,
    at: Number(row["at"]),
    endedAt: row["ended_at"] as number | null,
  };
}
