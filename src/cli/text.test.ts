import { expect, test } from "vitest";
import { localTime, localTimes, printable, whichUnverified, wrap } from "./text.ts";

const DIRECTION_MARKS = [
  0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069,
];

test.each(DIRECTION_MARKS)("what changes the writing direction is shown by its number (%i)", (code) => {
  const number = code.toString(16).toUpperCase().padStart(4, "0");
  expect(printable(`a${String.fromCodePoint(code)}b`)).toBe(`a\\u${number}b`);
});

test("control characters and escape sequences do not reach the terminal; tabs, lines and every script do", () => {
  expect(printable("\u001B[31mred\u001B[0m\u0007 \u009Bx")).toBe("red x");
  expect(printable("a\tb\nשלום 日本語 é 👩‍👩‍👧")).toBe("a\tb\nשלום 日本語 é 👩‍👩‍👧");
});

test("a text is broken between words, none lost, and no line is wider than the screen unless a word is", () => {
  expect(wrap("  one two  three", 8, 4)).toEqual(["  one", "    two", "    three"]);
  expect(wrap("short", 80)).toEqual(["short"]);
  expect(wrap("", 80)).toEqual([]);
  expect(wrap("a averyverylongword b", 6)).toEqual(["a", "averyverylongword", "b"]);
  // Letters that take two columns.
  expect(wrap("\u4efb\u52a1 \u4efb\u52a1 x", 6)).toEqual(["\u4efb\u52a1", "\u4efb\u52a1 x"]);
});

test("what came in unchecked is named, unless it is all that came in", () => {
  expect(whichUnverified({ unverified: ["a", "b"], counts: { done: 3 } })).toBe("a, b");
  expect(whichUnverified({ unverified: ["a", "b"], counts: { done: 2, failed: 1 } })).toBe("all 2");
  expect(whichUnverified({ unverified: ["a"], counts: { done: 1 } })).toBe("a");
});

test("a time that is less than a minute ahead has its seconds, as a wait of seconds is no minute", () => {
  const now = new Date(2026, 10, 23, 4, 2, 40).getTime();
  const at = (seconds: number) => localTime(now + seconds * 1_000, now);
  expect([at(20), at(1), at(59), at(60), at(0), at(-20), at(3_600)]).toEqual([
    "04:03:00",
    "04:02:41",
    "04:03:39",
    "04:03",
    "04:02",
    "04:02",
    "05:02",
  ]);
  expect(localTimes(`next try at ${new Date(now + 15_000).toISOString()}`, now)).toBe("next try at 04:02:55");
  // A report that is read on other days.
  expect(localTime(now + 20_000, null)).toBe("2026-11-23 04:03");
});
