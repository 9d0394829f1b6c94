import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { openStore, type Store } from "./database.ts";
import { eventsAfter } from "./events.ts";
import {
  type Claim,
  claimSlot,
  endFiring,
  readBatch,
  readFirings,
  readOpenFirings,
  readSlot,
  recordMissed,
  retakeFiring,
  seeBatch,
  setPaused,
} from "./firings.ts";

const ME = { pid: 1, bootId: "b", startTime: "s" };
const OTHER = { ...ME, pid: 2 };
const places: string[] = [];
const stores: Store[] = [];

afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  for (const place of places.splice(0)) rmSync(place, { recursive: true });
});

function newStore(): Store {
  places.push(mkdtempSync(join(tmpdir(), "owt-firings-")));
  stores.push(openStore(places.at(-1)!));
  return stores.at(-1)!;
}

function claimOf(slot: number, change: Partial<Claim> = {}): Claim {
  return {
    batch: "night",
    slot,
    byHand: false,
    owner: ME,
    notify: true,
    now: slot,
    isUnderWay: () => false,
    ...change,
  };
}

test("processes that claim the same slots at once get each of them once", async () => {
  const store = newStore();
  const program = `
    import { readFileSync } from "node:fs";
    import { openStore } from ${JSON.stringify(new URL("database.ts", import.meta.url).href)};
    import { claimSlot } from ${JSON.stringify(new URL("firings.ts", import.meta.url).href)};
    const store = openStore(process.argv[1]);
    process.stderr.write("ready");
    readFileSync(0);
    const mine = [];
    const owner = { pid: process.pid, bootId: "", startTime: "" };
    for (let slot = 1; slot <= 200; slot++) {
      const got = claimSlot(store, { batch: "night", slot, byHand: false, owner, notify: false, now: slot, isUnderWay: () => false });
      if (typeof got === "object") mine.push(slot);
    }
    store.close();
    process.stdout.write(JSON.stringify(mine));
  `;
  const runs = Array.from({ length: 3 }, () =>
    promisify(execFile)(process.execPath, ["--input-type=module", "-e", program, places[0]!]),
  );
  await Promise.all(runs.map(({ child }) => once(child.stderr!, "data")));
  for (const { child } of runs) child.stdin!.end();
  const claimed = (await Promise.all(runs)).flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(claimed.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
  expect(readOpenFirings(store, "night")).toHaveLength(200);
});

test("a slot is passed over for good while an earlier one is under way; by hand nothing is on record of it", () => {
  const store = newStore();
  const first = claimSlot(store, claimOf(10));
  const isUnderWay = () => true;
  expect(claimSlot(store, claimOf(20, { isUnderWay }))).toEqual({ kind: "overlap", heldUp: null });
  expect(claimSlot(store, claimOf(20))).toBe("taken");
  expect(claimSlot(store, claimOf(25, { byHand: true, isUnderWay }))).toEqual({ kind: "overlap", heldUp: null });
  expect([readSlot(store, "night", 20), readSlot(store, "night", 25)]).toEqual(["overlap", null]);
  // Another batch does not care.
  expect(claimSlot(store, claimOf(10, { batch: "noon", isUnderWay }))).toMatchObject({ batch: "noon" });
  expect(first).toMatchObject({ state: "claimed", slot: 10, run: null, notify: true });
});

test("a slot behind one that waits for somebody says for what, and what helps", () => {
  const store = newStore();
  claimSlot(store, claimOf(10));
  const waits = { why: "waits for a worktree", command: "owt delete a --save --yes" };
  let looked = 0;
  const heldUp = () => (looked++, waits);
  const claimed = claimSlot(store, claimOf(20, { isUnderWay: () => true, heldUp }));
  expect([claimed, looked]).toEqual([{ kind: "overlap", heldUp: waits }, 1]);
  const [last] = readFirings(store, "night", 1);
  expect(last).toMatchObject({ slot: 20, state: "overlap", hint: "owt delete a --save --yes" });
  expect(last!.reason).toBe("the run of an earlier slot was still under way: it waits for a worktree");
});

test("a missed slot can be claimed when its time comes after all, and nothing that happened is taken for missed", () => {
  const store = newStore();
  const missed = { batch: "night", slot: 10, reason: "nobody watched" };
  expect(recordMissed(store, missed, ME, 99)).toBe(true);
  expect(recordMissed(store, missed, ME, 99)).toBe(false);
  expect(claimSlot(store, claimOf(10))).toMatchObject({ state: "claimed" });
  expect(recordMissed(store, missed, ME, 99)).toBe(false);
  expect(readFirings(store, "night", 9)).toHaveLength(1);
});

test("what a dead owner had claimed goes to one other, and its end is told once", () => {
  const store = newStore();
  claimSlot(store, claimOf(10));
  const [seen] = readOpenFirings(store);
  expect([retakeFiring(store, seen!, OTHER), retakeFiring(store, seen!, { ...ME, pid: 3 })]).toEqual([true, false]);
  const end = { from: "claimed", to: "refused", reason: "no plan", now: 30 } as const;
  expect([
    endFiring(store, seen!, { ...end, from: "running" }),
    endFiring(store, seen!, end),
    endFiring(store, seen!, end),
  ]).toEqual([false, true, false]);
  expect(eventsAfter(store, 0)).toMatchObject([
    {
      kind: "batch-ended",
      at: 30,
      run: null,
      batch: "night",
      slot: 10,
      notify: true,
      state: "refused",
      reason: "no plan",
    },
  ]);
  expect(readOpenFirings(store)).toEqual([]);
});

test("a batch counts from when it was seen first, when its times were changed, and when it went on", () => {
  const store = newStore();
  expect(readBatch(store, "night")).toBeNull();
  expect([seeBatch(store, "night", "a", 100), seeBatch(store, "night", "a", 200)].map(({ since }) => since)).toEqual([
    100, 100,
  ]);
  expect(seeBatch(store, "night", "b", 300).since).toBe(300);
  // The clock was ahead.
  expect(seeBatch(store, "night", "b", 250).since).toBe(250);
  expect([setPaused(store, "night", 400, 400), setPaused(store, "night", 410, 410)]).toEqual([true, false]);
  expect(readBatch(store, "night")).toEqual({ since: 250, pausedAt: 400 });
  expect([setPaused(store, "night", null, 500), setPaused(store, "night", null, 510)]).toEqual([true, false]);
  expect(readBatch(store, "night")).toEqual({ since: 500, pausedAt: null });
});
