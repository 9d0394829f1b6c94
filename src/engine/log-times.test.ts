import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LogTimes, offsetAt } from "./log-times.ts";

function newOutput(): string {
  const folder = mkdtempSync(join(tmpdir(), "owt-times-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "out");
}

test("what was written since a time begins where the output had come to then", async () => {
  const out = newOutput();
  const times = new LogTimes(out);
  await times.note(10_000, 100);
  await times.note(10_500, 150);
  await times.note(20_000, 400);
  expect([9_999, 10_000, 19_999, 20_000, 99_000].map((time) => offsetAt(out, time))).toEqual([0, 100, 100, 400, 400]);
});

test("who reads it all again, after a crash, notes only what is new", async () => {
  const out = newOutput();
  await new LogTimes(out).note(10_000, 400);
  const again = new LogTimes(out);
  await again.note(50_000, 200);
  await again.note(51_000, 400);
  await again.note(52_000, 900);
  expect(readFileSync(`${out}.times`, "utf8")).toBe("10000 400\n52000 900\n");
});

test("without notes, and with ones that a power cut left half written, everything counts as new", () => {
  expect(offsetAt(newOutput(), 5)).toBe(0);
});
