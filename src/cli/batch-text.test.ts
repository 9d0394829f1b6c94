import { expect, test } from "vitest";
import type { Io } from "./io.ts";
import { renderSeen, zoned } from "./batch-text.ts";

const at = (moment: string) => Date.parse(moment);

test("an hour that a night has twice is told with its offset, and no other", () => {
  expect([
    zoned(at("2026-10-24T23:30Z"), "Europe/Berlin"),
    zoned(at("2026-10-25T00:30Z"), "Europe/Berlin"),
    zoned(at("2026-10-25T01:30Z"), "Europe/Berlin"),
    zoned(at("2026-10-25T02:00Z"), "Europe/Berlin"),
    zoned(at("2026-04-04T14:45Z"), "Australia/Lord_Howe"),
    zoned(at("2026-10-25T01:30Z"), "UTC"),
  ]).toEqual([
    "2026-10-25 01:30",
    "2026-10-25 02:30 +02:00",
    "2026-10-25 02:30 +01:00",
    "2026-10-25 03:00",
    "2026-04-05 01:45 +11:00",
    "2026-10-25 01:30",
  ]);
});

test("the slot of a batch is told with its seconds, where its expression names some", () => {
  const io = { env: { NO_COLOR: "1" }, stderr: { isTTY: false } } as unknown as Io;
  const told = (slot: number) =>
    renderSeen(io, { kind: "passed", batch: "night", slot, why: "paused" }, slot + 5 * 60_000);
  const slot = new Date(2026, 0, 1, 12, 30).getTime();
  expect([told(slot), told(slot + 20_000)]).toEqual([
    expect.stringContaining("night: the slot of 12:30 is passed over: paused"),
    expect.stringContaining("night: the slot of 12:30:20 is passed over: paused"),
  ]);
});
