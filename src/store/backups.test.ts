/** Copies of the store, and what becomes of a damaged one. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { listBackups } from "./backup-files.ts";
import { restoreStore, staleBackups, takeBackup } from "./backups.ts";
import { openStore, type Store } from "./database.ts";
import { findDamage } from "./store-damage.ts";
import { storeFile } from "./store-file.ts";
import { appendEvent, eventsAfter, lastSeq } from "./events.ts";
import { MIGRATIONS } from "./migrations.ts";

function newPlace(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "owt-backups-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function note(store: Store, text: string): void {
  appendEvent(store, 1, {}, { kind: "note", text });
}

/** A store with three events, of which the copy has two. */
async function copiedStore(): Promise<string> {
  const place = newPlace();
  const store = openStore(place);
  note(store, "one");
  note(store, "two");
  expect(await takeBackup(place)).toBeNull();
  note(store, "three");
  store.close();
  return place;
}

test("a damaged store is put aside whole, and its last copy is in its place", async () => {
  const place = await copiedStore();
  writeFileSync(storeFile(place), Buffer.alloc(9_000, 7));
  const { aside, from } = restoreStore(place, 0);
  expect(from?.seq).toBe(2);
  expect(aside !== null && existsSync(aside)).toBe(true);
  expect(findDamage(place)).toBeNull();
  const store = openStore(place);
  expect(lastSeq(store)).toBe(2);
  store.close();
});

test.each([
  ["is damaged", "nothing of use"],
  ["is empty", ""],
])("a copy that %s too is passed over, and says nothing of the store that is restored", async (_, content) => {
  const place = await copiedStore();
  const store = openStore(place);
  expect(await takeBackup(place)).toBeNull();
  store.close();
  const [newest, older] = listBackups(place);
  writeFileSync(newest!.path, content);
  writeFileSync(storeFile(place), Buffer.alloc(9_000, 7));
  const restored = restoreStore(place, 0);
  expect(restored).toMatchObject({ from: { number: older!.number }, unsound: [newest!.path] });
  expect(existsSync(`${newest!.path}.damaged`)).toBe(true);
  const again = openStore(place);
  expect(lastSeq(again)).toBe(2);
  again.close();
});

test.each([
  ["empty", (file: string) => writeFileSync(file, "")],
  [
    "an earlier one",
    (file: string) => {
      const db = new DatabaseSync(file);
      db.exec("delete from event where seq > 1");
      db.close();
    },
  ],
])("a store that has become %s, as SQLite leaves it without its journal, is never taken for sound", async (_, harm) => {
  const place = await copiedStore();
  harm(storeFile(place));
  expect(findDamage(place)).not.toBeNull();
  expect(() => openStore(place)).toThrow(
    expect.objectContaining({ code: "store", hint: expect.stringContaining("owt doctor --fix") }),
  );
});

function removeStore(place: string): void {
  for (const part of ["", "-wal", "-shm"]) rmSync(storeFile(place) + part, { force: true });
}

test("a store that somebody removed is not begun anew beside its copies, and the last of them takes its place", async () => {
  const place = await copiedStore();
  removeStore(place);
  const refused = expect.objectContaining({
    code: "store",
    message: expect.stringContaining("is gone"),
    hint: expect.stringMatching(/owt doctor --fix.*rm -r /),
  });
  expect(() => openStore(place)).toThrow(refused);
  expect(() => openStore(place, { looks: true })).toThrow(refused);
  expect(existsSync(storeFile(place))).toBe(false);
  expect(findDamage(place)).toContain("copies");
  expect(restoreStore(place, 0)).toMatchObject({ aside: null, from: { seq: 2 } });
  const store = openStore(place);
  expect(lastSeq(store)).toBe(2);
  store.close();
});

test("where no copy of a removed store is sound they are put aside, and a new one begins", async () => {
  const place = await copiedStore();
  removeStore(place);
  writeFileSync(listBackups(place)[0]!.path, "nothing of use");
  expect(restoreStore(place, 0)).toMatchObject({ aside: null, from: null });
  expect(findDamage(place)).toBeNull();
  openStore(place).close();
});

test("a removed store whose copies a person has removed as well begins anew", async () => {
  const place = await copiedStore();
  removeStore(place);
  rmSync(join(place, "owt", "backups"), { recursive: true });
  openStore(place).close();
  expect(findDamage(place)).toBeNull();
});

test("a text that is JSON no longer is damage, for who looks and for who reads it", async () => {
  const place = await copiedStore();
  const raw = new DatabaseSync(storeFile(place));
  raw.exec(`update event set data = replace(data, '"text"', '~text"') where seq = 2`);
  raw.close();
  expect(findDamage(place)).toContain("event");
  const store = openStore(place);
  onTestFinished(() => store.close());
  const damaged = expect.objectContaining({ code: "store", message: expect.stringContaining("is damaged") });
  expect(() => eventsAfter(store, 0)).toThrow(damaged);
  expect(() => store.all("select json_extract(data, '$.text') from event")).toThrow(damaged);
  expect(() => store.assertSound()).toThrow(damaged);
  expect(await takeBackup(place)).toContain("event");
});

test("no copy is taken of a damaged store, and those there are stay", async () => {
  const place = await copiedStore();
  writeFileSync(storeFile(place), Buffer.alloc(9_000, 7));
  expect(await takeBackup(place)).toContain("not a database");
  expect(listBackups(place).map(({ seq }) => seq)).toEqual([2]);
});

test("of the copies the newest are kept, and a few of long ago", () => {
  const all = Array.from({ length: 1_000 }, (_, at) => ({
    path: String(1_000 - at),
    number: 1_000 - at,
    seq: 0,
    at: 0,
  }));
  const stale = new Set(staleBackups(all));
  expect(all.filter((each) => !stale.has(each)).map(({ number }) => number)).toEqual([1_000, 999, 998, 980, 800]);
});

test("before its shape is changed a store is kept as it was", () => {
  const place = newPlace();
  mkdirSync(join(place, "owt"));
  const raw = new DatabaseSync(storeFile(place));
  for (const step of MIGRATIONS.slice(0, -1)) raw.exec(step);
  raw.exec(`pragma user_version = ${MIGRATIONS.length - 1}`);
  raw.close();
  openStore(place).close();
  const kept = new DatabaseSync(join(place, "owt", "backups", `before-shape-${MIGRATIONS.length}.db`), {
    readOnly: true,
  });
  expect(kept.prepare("pragma user_version").get()).toEqual({ user_version: MIGRATIONS.length - 1 });
  kept.close();
});

test.each([MIGRATIONS.length + 256, -1])(
  "a header that names shape %i is damaged, where no newer owt was here",
  async (shape) => {
    const place = await copiedStore();
    const harm = () => {
      const raw = new DatabaseSync(storeFile(place));
      raw.exec(`pragma user_version = ${shape}`);
      raw.close();
    };
    harm();
    expect(findDamage(place)).toContain(`shape ${shape}`);
    expect(() => openStore(place)).toThrow("is damaged");
    restoreStore(place, 0);
    openStore(place).close();
    harm();
    // What a newer owt leaves before it changes the shape.
    writeFileSync(join(place, "owt", "backups", `before-shape-${MIGRATIONS.length + 1}.db`), "");
    expect(findDamage(place)).toBeNull();
    expect(() => openStore(place)).toThrow("newer owt");
  },
);
