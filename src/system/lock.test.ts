import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { prepareLock } from "./lock.ts";

function lockFile(): string {
  const dir = mkdtempSync(join(tmpdir(), "owt-lock-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "lease.db");
}

test("one holds it, and the next gets it when it is given back", () => {
  const path = lockFile();
  const [first, second] = [prepareLock(path), prepareLock(path)];
  expect(first.take()).toBe(true);
  expect(second.take()).toBe(false);
  first.close();
  expect(second.take()).toBe(true);
  second.close();
});

test("candidates that fail together do not stand in each other's way", () => {
  const path = lockFile();
  const [first, second] = [prepareLock(path), prepareLock(path)];
  // A third one half-way through its own try: both are let in as readers and refused as writers.
  const third = new DatabaseSync(path);
  third.exec("begin immediate");
  expect([first.take(), second.take()]).toEqual([false, false]);
  third.close();
  expect(first.take()).toBe(true);
  for (const lock of [first, second]) lock.close();
});

test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
  "where there is no room to take it, the disk is what is at fault",
  () => {
    const disk = dirname(lockFile());
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "owt-test", disk]);
    onTestFinished(() => void execFileSync("umount", ["--lazy", disk]));
    const lock = prepareLock(join(disk, "lease.db"));
    const ballast = join(disk, "ballast");
    expect(() => writeFileSync(ballast, Buffer.alloc(2 ** 20))).toThrow("ENOSPC");
    expect(() => lock.take()).toThrow(expect.objectContaining({ code: "disk-full" }));
    rmSync(ballast);
    expect(lock.take()).toBe(true);
    lock.close();
  },
);
