import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readQueue } from "./claude-queue.ts";

const op = (operation: string, content?: string) => ({ type: "queue-operation", operation, content });
const said = { type: "assistant", isSidechain: false, message: { content: [{ type: "text", text: "One." }] } };
const aside = { ...said, isSidechain: true };
const interrupted = {
  type: "user",
  message: { content: [{ type: "text", text: "[Request interrupted by user]" }] },
};

function readOf(...records: object[]) {
  const folder = mkdtempSync(join(tmpdir(), "owt-queue-"));
  const path = join(folder, "x.jsonl");
  writeFileSync(path, records.map((each) => `${JSON.stringify(each)}\n`).join(""));
  const queue = readQueue(JSON.stringify({ transcript_path: path }));
  rmSync(folder, { recursive: true });
  return queue;
}

function queueOf(...records: object[]) {
  const { isWaiting, isBegun } = readOf(...records);
  return { isWaiting, isBegun };
}

test("when its turn began is told by the record, whatever the model has said since; an interrupted one is over", () => {
  const begun = [op("enqueue", "second"), said, { ...op("dequeue"), timestamp: "2026-01-02T03:04:05.678Z" }];
  const at = Date.parse("2026-01-02T03:04:05.678Z");
  expect(readOf(...begun)).toMatchObject({ begunAt: at });
  // It thinks aloud first.
  expect(readOf(...begun, said)).toMatchObject({ begunAt: at, isBegun: false });
  expect(readOf(...begun, interrupted)).toMatchObject({ begunAt: null });
  // Behind an interruption it is taken at once, and that may be on record first.
  const before = { ...interrupted, timestamp: "2026-01-02T03:04:05.600Z" };
  expect(readOf(...begun, before)).toMatchObject({ begunAt: at, isBegun: true });
  const after = { ...interrupted, timestamp: "2026-01-02T03:04:05.700Z" };
  expect(readOf(...begun, after)).toMatchObject({ begunAt: null, isBegun: false });
});

test("what was typed meanwhile waits, has begun, and is over with the model's first word", () => {
  const typed = op("enqueue", "second");
  expect(queueOf(said)).toEqual({ isWaiting: false, isBegun: false });
  expect(queueOf(typed, said)).toEqual({ isWaiting: true, isBegun: false });
  expect(queueOf(typed, said, op("dequeue"))).toEqual({ isWaiting: false, isBegun: true });
  expect(queueOf(typed, said, op("dequeue"), aside)).toEqual({ isWaiting: false, isBegun: true });
  expect(queueOf(typed, said, op("dequeue"), said)).toEqual({ isWaiting: false, isBegun: false });
  expect(queueOf(typed, said, op("dequeue"), interrupted)).toEqual({ isWaiting: false, isBegun: false });
  // Taken into the turn itself, or given back to the input.
  expect(queueOf(typed, op("remove"), said)).toEqual({ isWaiting: false, isBegun: false });
  expect(queueOf(typed, typed, op("popAll"))).toEqual({ isWaiting: false, isBegun: false });
  expect(queueOf(typed, typed, said, op("dequeue"))).toEqual({ isWaiting: true, isBegun: true });
  // The model is not asked about a command of the program's own.
  expect(queueOf(op("enqueue", "/model"), said, op("dequeue"))).toEqual({ isWaiting: false, isBegun: false });
  expect(readQueue("{}")).toEqual({ begunAt: null, isWaiting: false, isBegun: false });
  expect(readQueue('{"transcript_path":"/nowhere/at/all"}')).toEqual({
    begunAt: null,
    isWaiting: false,
    isBegun: false,
  });
});
