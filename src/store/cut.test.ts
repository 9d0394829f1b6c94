/** A store that is cut off below who uses it, and written to before anybody looks. */
import { mkdtempSync, realpathSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openStore, type Store } from "./database.ts";
import { storeFile } from "./store-file.ts";

/** A store whose journal holds a few pages. It is not closed: what was cut off is left as it lies. */
function writtenStore(): { store: Store; journal: string } {
  const place = realpathSync(mkdtempSync(join(tmpdir(), "owt-cut-")));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const store = openStore(place);
  for (const key of ["a", "b", "c"]) write(store, key);
  expect(store.isWhole()).toBe(true);
  return { store, journal: `${storeFile(place)}-wal` };
}

const write = (store: Store, key: string) =>
  store.transaction(() => store.run("insert into meta (key, value) values (?, ?)", key, "x".repeat(9_000)));

/** What the journal has more is written by another, which remembers where it ends. */
const growBack = (path: string, size: number) => truncateSync(path, size);

test.each([
  ["emptied", 0],
  ["cut off", 5_000],
])("a journal that was %s and is as long as before at the next look is seen to be cut", (_, length) => {
  const { store, journal } = writtenStore();
  const { size } = statSync(journal);
  truncateSync(journal, length);
  growBack(journal, size + 4_120);
  expect(store.isWhole()).toBe(false);
});

test("a journal that was cut off within the same second in which it had grown is seen to be cut", () => {
  const { store, journal } = writtenStore();
  const { size } = statSync(journal);
  write(store, "d");
  truncateSync(journal, size);
  expect(store.isWhole()).toBe(false);
});

test("a journal that is written over from its beginning, or that a person's tool brought into the store, is whole", () => {
  const { store, journal } = writtenStore();
  const tool = new DatabaseSync(journal.slice(0, -"-wal".length));
  tool.exec("pragma wal_checkpoint(restart)");
  write(store, "d");
  expect(store.isWhole()).toBe(true);
  tool.exec("pragma wal_checkpoint(truncate)");
  expect([statSync(journal).size, store.isWhole()]).toEqual([0, true]);
  write(store, "e");
  expect(store.isWhole()).toBe(true);
  tool.close();
  store.close();
});
