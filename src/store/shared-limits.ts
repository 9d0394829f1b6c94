/** The limits that logins have met, for all repositories of a user: one small database. A transaction is the arbiter of who tries one. */
import { closeSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { OwtError } from "../core/errors.ts";
import type { UsageLimit } from "../core/limit.ts";
import type { SharedKey, SharedLimit } from "../core/shared-limit.ts";
import { type Identity, isAlive } from "../system/identity.ts";
import { elapsedSince, momentNow } from "../system/monotonic.ts";
import { openSmall, type Row, type Store } from "./database.ts";

const SHAPE = `
  create table login_limit (
    login text not null,
    kind text not null,
    family text not null,
    is_default integer not null,
    until integer not null,
    is_guess integer not null,
    guesses integer not null,
    since integer not null,
    seen_at integer not null,
    over_at integer,
    revision integer not null,
    -- Who tries it: a process, and when it said so last, by the clock that nobody sets.
    pid integer,
    start_time text,
    boot_id text,
    said_ms integer,
    launched integer not null default 0,
    primary key (login, kind, family)
  ) strict;
`;

const VERSION = 1;

/** A word that is not repeated within this time counts no more, whatever became of who gave it. */
const WORD_MS = 60_000;

/** Opens it at `path`; made where it is missing. Throws where it, or its folder, is not ours alone, or in a shape that we do not know. */
export function openSharedLimits(path: string): Store {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  refuseForeign(dirname(path), "folder");
  // Never readable for others, not for a moment either.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) closeSync(openSync(path, "a", 0o600));
  refuseForeign(path, "file");
  const shared = openSmall(path, SHAPE);
  const version = Number(shared.get("pragma user_version")?.["user_version"]);
  if (version === VERSION) return shared;
  shared.close();
  throw unusable(path, `is of another version of owt (${version})`);
}

function refuseForeign(path: string, kind: "file" | "folder"): void {
  const found = lstatSync(path);
  if (kind === "file" ? !found.isFile() : !found.isDirectory()) throw unusable(path, `is no ${kind}`);
  if (process.getuid !== undefined && found.uid !== process.getuid())
    throw unusable(path, `belongs to another user (${found.uid})`);
}

function unusable(path: string, why: string): OwtError {
  return new OwtError("store", `${path} ${why}`, { hint: `it is made anew: rm ${path}*` });
}

/** All that were told of. */
export function readSharedLimits(shared: Store): SharedLimit[] {
  return shared.all("select * from login_limit order by revision").map(toLimit);
}

/** Says that a login has met a limit, or when it is tried. Gives the revision of that word. */
export function tellMet(shared: Store, key: SharedKey, limit: UsageLimit, now: number): number {
  return shared.transaction(() => {
    const revision = nextRevision(shared);
    const { until, isGuess, guesses, since, model } = limit;
    shared.run(
      `insert into login_limit (login, kind, family, is_default, until, is_guess, guesses, since, seen_at, over_at, revision)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, null, ?)
       on conflict (login, kind, family) do update set is_default = excluded.is_default, until = excluded.until,
         is_guess = excluded.is_guess, guesses = excluded.guesses, since = excluded.since, seen_at = excluded.seen_at,
         over_at = null, revision = excluded.revision`,
      ...placed(key),
      model?.isDefault === true ? 1 : 0,
      until,
      isGuess ? 1 : 0,
      guesses,
      since,
      now,
      revision,
    );
    shared.run("delete from login_limit where over_at < ? and revision < ?", now - KEPT_MS, revision);
    return revision;
  });
}

/** So long it is remembered that one is over. */
const KEPT_MS = 30 * 86_400_000;

/** Says that a limit is over; nobody tries it any more. Gives the revision of that word; null where nobody was ever told of the limit. */
export function tellOver(shared: Store, key: SharedKey, now: number): number | null {
  return shared.transaction(() => {
    const revision = nextRevision(shared);
    const told = shared.run(
      `update login_limit set over_at = ?, revision = ?, pid = null where ${THIS}`,
      now,
      revision,
      ...placed(key),
    );
    return told === 0 ? null : revision;
  });
}

/** Who wants to try a limit. `isReady`: nothing but the launch is left to do. */
export type Trier = { me: Identity; limit: UsageLimit; revision: number; isReady: boolean };

/** Takes it upon a process to try a limit. Who is ready goes before one that still makes its place: else two that take long at it could stop each other for
 *  ever. `news`: something was said of it since that revision, which comes first. */
export function claimTry(
  shared: Store,
  key: SharedKey,
  { me, limit, revision, isReady }: Trier,
  now: number,
): "ours" | "theirs" | "news" {
  return shared.transaction(() => {
    const row = shared.get(`select * from login_limit where ${THIS}`, ...placed(key));
    if (row !== undefined && Number(row["revision"]) > revision) return "news";
    // Who met it before it was known to be over tries it for themselves.
    if (row !== undefined && row["over_at"] !== null) return "ours";
    if (row === undefined) tellMet(shared, key, limit, now);
    else if (isTriedBy(row, me) === "theirs" && !(isReady && row["launched"] === 0)) return "theirs";
    keepTry(shared, key, me, isReady);
    return "ours";
  });
}

/** Says that a process still tries a limit, with an agent that was launched, unless another one does by now. */
export function renewTry(shared: Store, key: SharedKey, me: Identity): void {
  shared.transaction(() => {
    const row = shared.get(`select * from login_limit where ${THIS} and over_at is null`, ...placed(key));
    if (row !== undefined && isTriedBy(row, me) !== "theirs") keepTry(shared, key, me, true);
  });
}

/** Says that a process tries a limit no more. */
export function leaveTry(shared: Store, key: SharedKey, { pid, startTime }: Identity): void {
  const where = `${THIS} and pid = ? and start_time = ?`;
  shared.run(`update login_limit set pid = null where ${where}`, ...placed(key), pid, startTime);
}

/** Who tries a limit: this process, or another one that lives and said so lately; null where nobody does. */
export function readTry(shared: Store, key: SharedKey, me: Identity): "ours" | "theirs" | null {
  const row = shared.get(`select * from login_limit where ${THIS} and over_at is null`, ...placed(key));
  return row === undefined ? null : isTriedBy(row, me);
}

const THIS = "login = ? and kind = ? and family = ?";

function placed({ login, kind, family }: SharedKey): [string, string, string] {
  return [login, kind, family];
}

function keepTry(shared: Store, key: SharedKey, { pid, startTime, bootId }: Identity, isLaunched: boolean): void {
  shared.run(
    `update login_limit set pid = ?, start_time = ?, boot_id = ?, said_ms = ?, launched = ? where ${THIS}`,
    pid,
    startTime,
    bootId,
    momentNow().ms,
    isLaunched ? 1 : 0,
    ...placed(key),
  );
}

function isTriedBy(row: Row, me: Identity): "ours" | "theirs" | null {
  if (row["pid"] === null) return null;
  const by = { pid: Number(row["pid"]), startTime: String(row["start_time"]), bootId: String(row["boot_id"]) };
  if (by.pid === me.pid && by.startTime === me.startTime && by.bootId === me.bootId) return "ours";
  const age = elapsedSince({ bootId: by.bootId, ms: Number(row["said_ms"]) });
  return age !== null && age < WORD_MS && isAlive(by) ? "theirs" : null;
}

function nextRevision(shared: Store): number {
  return Number(shared.get("select coalesce(max(revision), 0) + 1 as next from login_limit")?.["next"]);
}

function toLimit(row: Row): SharedLimit {
  return {
    login: String(row["login"]),
    kind: row["kind"] === "outage" ? "outage" : "limit",
    family: String(row["family"]),
    isDefault: row["is_default"] === 1,
    until: Number(row["until"]),
    isGuess: row["is_guess"] === 1,
    guesses: Number(row["guesses"]),
    since: Number(row["since"]),
    seenAt: Number(row["seen_at"]),
    overAt: row["over_at"] === null ? null : Number(row["over_at"]),
    revision: Number(row["revision"]),
  };
}
