import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
