import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "./database.ts";
import { storeFile } from "./store-file.ts";
import { appendEvent, lastSeq } from "./events.ts";
import { giveUpReserve, hasReserve, makeReserve, RESERVE_BYTES, reserveFile } from "./reserve.ts";

function newFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "owt-reserve-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

/** A disk of its own, of so many megabytes. */
function newDisk(megabytes: number): string {
  const path = join(newFolder(), "disk");
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "owt-test", path]);
  onTestFinished(() => void execFileSync("umount", ["--lazy", path]));
  return path;
}

/** To the last byte. */
function fill(disk: string): void {
  for (const size of [2 ** 20, 4_096, 1]) {
    try {
      for (;;) appendFileSync(join(disk, "ballast"), Buffer.alloc(size, 1));
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
}

const canMount = process.platform === "linux" && process.getuid?.() === 0;

test("a reserve takes the room that it stands for, and is given up once", async () => {
  const store = storeFile(newFolder());
  mkdirSync(dirname(store));
  expect([hasReserve(store), giveUpReserve(store)]).toEqual([false, false]);
  expect(await makeReserve(store)).toBe(true);
  expect(statSync(reserveFile(store))).toMatchObject({ size: RESERVE_BYTES });
  expect(statSync(reserveFile(store)).blocks * 512).toBeGreaterThanOrEqual(RESERVE_BYTES);
  expect([giveUpReserve(store), giveUpReserve(store)]).toEqual([true, false]);
});

test.skipIf(!canMount)("where there is no room for it, nothing of it stays", async () => {
  const disk = newDisk(4);
  const store = storeFile(disk);
  mkdirSync(dirname(store));
  expect(await makeReserve(store)).toBe(false);
  expect(readdirSync(dirname(store))).toEqual([]);
});

test.skipIf(!canMount)(
  "a store whose disk is full is written in the room of its reserve, and nothing is done twice",
  async () => {
    const disk = newDisk(24);
    const store = openStore(disk);
    onTestFinished(() => store.close());
    const path = storeFile(disk);
    expect(await makeReserve(path)).toBe(true);
    fill(disk);
    const before = lastSeq(store);
    const note = (text: string) => appendEvent(store, 1, {}, { kind: "note", text });
    store.transaction(() => {
      for (let n = 0; n < 500; n++) note("x".repeat(1_000));
    });
    note("one by itself");
    expect(lastSeq(store) - before).toBe(501);
    expect(existsSync(reserveFile(path))).toBe(false);
  },
);

test.skipIf(!canMount)(
  "without a reserve it says that the disk is full, also where SQLite calls it something else",
  () => {
    const disk = newDisk(12);
    const store = openStore(disk);
    onTestFinished(() => store.close());
    fill(disk);
    const write = () => {
      for (let n = 0; n < 2_000; n++) appendEvent(store, 1, {}, { kind: "note", text: "x".repeat(4_000) });
    };
    const isFull = expect.objectContaining({
      code: "disk-full",
      hint: "make room, then: owt resume; where no run is open yet: owt run",
    });
    expect(write).toThrow(isFull);
    const other = join(disk, "other");
    // A folder takes no block here; the files of a new store do.
    expect(() => openStore(other)).toThrow(isFull);
  },
);

test.skipIf(!canMount)(
  "a store can be looked at though its disk is full to the last byte, and nobody has it open",
  async () => {
    const disk = newDisk(24);
    const first = openStore(disk);
    appendEvent(first, 1_000, {}, { kind: "note", text: "before" });
    const seq = lastSeq(first);
    expect(await makeReserve(storeFile(disk))).toBe(true);
    first.close();
    fill(disk);
    const looking = openStore(disk, { looks: true });
    expect([lastSeq(looking), hasReserve(storeFile(disk))]).toEqual([seq, false]);
    looking.close();
  },
);
