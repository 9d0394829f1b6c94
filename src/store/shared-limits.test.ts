import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import type { UsageLimit } from "../core/limit.ts";
import { sharedKeyOf } from "../core/shared-limit.ts";
import { type Identity, readIdentity, thisProcess } from "../system/identity.ts";
import type { Store } from "./database.ts";
import {
  claimTry,
  leaveTry,
  openSharedLimits,
  readSharedLimits,
  readTry,
  renewTry,
  tellMet,
  tellOver,
} from "./shared-limits.ts";

const NOW = 1_800_000_000_000;
const LIMIT: UsageLimit = {
  credential: "claude",
  agent: "claude",
  until: NOW + 60_000,
  isGuess: false,
  guesses: 0,
  since: NOW,
  probe: null,
};
const KEY = sharedKeyOf("l0g1n", LIMIT);

function place(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "owt-shared-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "state", "limits.db");
}

function opened(path = place()): Store {
  const shared = openSharedLimits(path);
  onTestFinished(() => shared.close());
  return shared;
}

/** A process that lives until it is ended. */
async function process2(): Promise<{ who: Identity; end(): Promise<void> }> {
  const child = spawn("sleep", ["600"]);
  await once(child, "spawn");
  const end = async () => {
    const gone = once(child, "exit");
    if (child.kill("SIGKILL")) await gone;
  };
  onTestFinished(end);
  return { who: readIdentity(child.pid!)!, end };
}

const by = (me: Identity, revision: number, isReady = false) => ({ me, limit: LIMIT, revision, isReady });

test("what one tells the others read, until it is over; each word is newer than the ones before", () => {
  const path = place();
  const [one, other] = [opened(path), opened(path)];
  const met = tellMet(one, KEY, LIMIT, NOW);
  const outage = sharedKeyOf("l0g1n", { outage: "away" });
  tellMet(one, outage, { ...LIMIT, outage: "away" }, NOW);
  expect(readSharedLimits(other)).toMatchObject([
    { login: "l0g1n", kind: "limit", family: "", until: LIMIT.until, overAt: null, revision: met },
    { kind: "outage" },
  ]);
  const over = tellOver(other, KEY, NOW + 1)!;
  expect(over).toBeGreaterThan(met);
  expect(readSharedLimits(one)).toMatchObject([
    { kind: "outage", overAt: null },
    { kind: "limit", overAt: NOW + 1 },
  ]);
  expect(tellOver(other, sharedKeyOf("nobody", LIMIT), NOW)).toBeNull();
  expect(tellMet(one, KEY, LIMIT, NOW + 2)).toBeGreaterThan(over);
  expect(readSharedLimits(other).every(({ overAt }) => overAt === null)).toBe(true);
});

test("one of two tries it; the other one does when that leaves it, and when it dies", async () => {
  const shared = opened();
  const revision = tellMet(shared, KEY, LIMIT, NOW);
  const [me, other] = [thisProcess(), await process2()];
  expect(claimTry(shared, KEY, by(other.who, revision), NOW)).toBe("ours");
  expect(claimTry(shared, KEY, by(me, revision), NOW)).toBe("theirs");
  expect([readTry(shared, KEY, me), readTry(shared, KEY, other.who)]).toEqual(["theirs", "ours"]);
  // Nobody takes it off another one.
  renewTry(shared, KEY, me);
  leaveTry(shared, KEY, me);
  expect(readTry(shared, KEY, me)).toBe("theirs");
  leaveTry(shared, KEY, other.who);
  expect(readTry(shared, KEY, me)).toBeNull();
  expect(claimTry(shared, KEY, by(me, revision), NOW)).toBe("ours");
  leaveTry(shared, KEY, me);
  expect(claimTry(shared, KEY, by(other.who, revision), NOW)).toBe("ours");
  await other.end();
  expect(readTry(shared, KEY, me)).toBeNull();
  expect(claimTry(shared, KEY, by(me, revision), NOW)).toBe("ours");
});

test("who is ready goes before one that still makes its place, and not before one that was launched", async () => {
  const shared = opened();
  const revision = tellMet(shared, KEY, LIMIT, NOW);
  const [me, other] = [thisProcess(), await process2()];
  claimTry(shared, KEY, by(other.who, revision), NOW);
  expect(claimTry(shared, KEY, by(me, revision, true), NOW)).toBe("ours");
  expect(claimTry(shared, KEY, by(other.who, revision, true), NOW)).toBe("theirs");
  leaveTry(shared, KEY, me);
  claimTry(shared, KEY, by(other.who, revision), NOW);
  renewTry(shared, KEY, other.who);
  expect(claimTry(shared, KEY, by(me, revision, true), NOW)).toBe("theirs");
});

test("one that lives and has not said so for a minute tries it no more, nor does one from before a restart of the machine", async () => {
  const path = place();
  const shared = opened(path);
  const revision = tellMet(shared, KEY, LIMIT, NOW);
  const [me, other] = [thisProcess(), await process2()];
  claimTry(shared, KEY, by(other.who, revision), NOW);
  const raw = new DatabaseSync(path);
  onTestFinished(() => raw.close());
  raw.exec("update login_limit set said_ms = said_ms - 59000");
  expect(readTry(shared, KEY, me)).toBe("theirs");
  raw.exec("update login_limit set said_ms = said_ms - 1000");
  expect(readTry(shared, KEY, me)).toBeNull();
  renewTry(shared, KEY, other.who);
  expect(readTry(shared, KEY, me)).toBe("theirs");
  raw.exec("update login_limit set said_ms = said_ms + 3600000");
  expect(readTry(shared, KEY, me)).toBeNull();
  renewTry(shared, KEY, other.who);
  raw.exec("update login_limit set boot_id = 'another'");
  expect(readTry(shared, KEY, me)).toBeNull();
});

test("who has not heard the last word hears that first; what is over needs no leave", () => {
  const shared = opened();
  const me = thisProcess();
  // A file that was deleted: what is tried is told anew.
  expect(claimTry(shared, KEY, by(me, 0), NOW)).toBe("ours");
  expect(readSharedLimits(shared)).toMatchObject([{ until: LIMIT.until, overAt: null }]);
  const revision = tellMet(shared, KEY, LIMIT, NOW);
  expect(claimTry(shared, KEY, by(me, revision - 1), NOW)).toBe("news");
  const over = tellOver(shared, KEY, NOW)!;
  expect(claimTry(shared, KEY, by(me, revision), NOW)).toBe("news");
  expect(claimTry(shared, KEY, by(me, over), NOW)).toBe("ours");
  expect(readTry(shared, KEY, me)).toBeNull();
});

test("what has been over for a month is forgotten", () => {
  const shared = opened();
  tellMet(shared, KEY, LIMIT, NOW);
  tellOver(shared, KEY, NOW);
  const later = sharedKeyOf("another", LIMIT);
  tellMet(shared, later, LIMIT, NOW + 29 * 86_400_000);
  expect(readSharedLimits(shared)).toHaveLength(2);
  tellMet(shared, later, LIMIT, NOW + 31 * 86_400_000);
  expect(readSharedLimits(shared)).toMatchObject([{ login: "another" }]);
});

test("nobody else can read it, in whatever mode files are made", () => {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const path = place();
  const shared = opened(path);
  tellMet(shared, KEY, LIMIT, NOW);
  const modes = [path, `${path}-wal`, `${path}-shm`, join(path, "..")].map((each) => statSync(each).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600, 0o600, 0o700]);
});

test.each<[string, (path: string) => void, RegExp]>([
  ["no database", (path) => writeFileSync(path, "x".repeat(4_096)), /is damaged/],
  ["a folder", (path) => mkdirSync(path), /is no file/],
  [
    "of another version",
    (path) => new DatabaseSync(path).exec("pragma user_version = 2"),
    /another version of owt \(2\)/,
  ],
])("what is %s is refused", (_, put, says) => {
  const path = place();
  mkdirSync(join(path, ".."), { mode: 0o700 });
  put(path);
  expect(() => openSharedLimits(path)).toThrow(says);
});

test.runIf(process.getuid?.() === 0)("what is another user's is refused, and left as it is", () => {
  const path = place();
  opened(path);
  chmodSync(path, 0o644);
  chownSync(path, 12_345, 12_345);
  expect(() => openSharedLimits(path)).toThrow(/belongs to another user \(12345\)/);
  expect(statSync(path).mode & 0o777).toBe(0o644);
  const folder = place();
  mkdirSync(join(folder, ".."));
  chownSync(join(folder, ".."), 12_345, 12_345);
  expect(() => openSharedLimits(folder)).toThrow(/belongs to another user/);
});
