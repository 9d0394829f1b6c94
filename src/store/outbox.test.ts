import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore, type Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { claimOutgoing, forgetOutbox, noteReached, readOutbox, settleOutgoing, tryLater } from "./outbox.ts";

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), "owt-outbox-"));
  store = openStore(folder);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const ended = (run: string) => ({ kind: "run-ended" as const, done: 1, failed: 0, skipped: 0, cancelled: 0, run });
const end = (run: string, at = 5) => appendEvent(store, at, { run }, ended(run));
const us = { pid: 1, bootId: "b", startTime: "s" };

test("what is to be told is there with its fact, or neither is", () => {
  expect(() =>
    store.transaction(() => {
      end("r1");
      throw new Error("undone");
    }),
  ).toThrow("undone");
  expect([readOutbox(store), store.all("select * from event")]).toEqual([[], []]);
  end("r1");
  expect(readOutbox(store)).toMatchObject([
    { at: 5, run: "r1", task: null, moment: { name: "run-ended" }, reached: [], tries: 0 },
  ]);
});

test("a moment is told once, however often its fact is written down; what goes on by itself never", () => {
  end("r1");
  end("r1", 6);
  end("r2");
  appendEvent(store, 7, { run: "r1" }, { kind: "run-wish", wish: "pause" });
  appendEvent(
    store,
    7,
    { run: "r1", task: 1 },
    { kind: "task-parked", park: { for: "retry", reason: "" }, notBefore: 9 },
  );
  expect(readOutbox(store).map(({ run }) => run)).toEqual(["r1", "r2"]);
  settleOutgoing(store, 1, "sent");
  end("r1", 8);
  expect(readOutbox(store).map(({ run }) => run)).toEqual(["r2"]);
});

test("one sends it: a second claim of the same look is refused, and of what failed somebody else may try", () => {
  end("r1");
  const [seen] = readOutbox(store);
  expect(claimOutgoing(store, seen!, us)).toBe(true);
  expect(claimOutgoing(store, seen!, { ...us, pid: 2 })).toBe(false);
  noteReached(store, seen!.id, "slack");
  tryLater(store, seen!.id, 1, 99);
  const [later] = readOutbox(store);
  expect(later).toMatchObject({ owner: null, tries: 1, notBefore: 99, reached: ["slack"] });
  // Who holds it and has died is known by what is written there.
  expect(claimOutgoing(store, later!, us)).toBe(true);
  const [held] = readOutbox(store);
  expect(held!.owner).toEqual(us);
  expect(claimOutgoing(store, held!, { ...us, pid: 2 })).toBe(true);
});

test("only what is settled is forgotten", () => {
  end("r1", 1);
  end("r2", 1);
  end("r3", 50);
  for (const id of [1, 3]) settleOutgoing(store, id, "sent");
  forgetOutbox(store, 50);
  expect(store.all("select run from outbox order by id").map(({ run }) => run)).toEqual(["r2", "r3"]);
});
