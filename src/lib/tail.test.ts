import * as fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { lastLines, readBehind, readTail } from "./tail.ts";

function newFile(content: string): string {
  const dir = mkdtempSync(join(tmpdir(), "owt-tail-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "out");
  writeFileSync(path, content);
  return path;
}

describe("readTail", () => {
  test.each<[string, number, string]>([
    ["", 10, ""],
    ["one\ntwo\n", 100, "one\ntwo\n"],
    ["one\ntwo\n", 8, "one\ntwo\n"],
    ["one\ntwo\n", 7, "two\n"],
    ["one\ntwo", 5, "two"],
    ["one\ntwo\nthree\n", 9, "three\n"],
    ["abcdefgh", 3, "fgh"],
    ["abcdefgh\n", 4, "fgh\n"],
    ["x\nabcdefgh\n", 4, "fgh\n"],
    ["aéé", 3, "é"],
    ["a😀b", 4, "b"],
    ["one\n", 0, ""],
  ])("of %j with %i bytes is %j", (text, bytes, tail) => {
    expect(readTail(newFile(text), bytes)).toBe(tail);
  });

  test("of a missing file is empty", () => {
    expect(readTail(join(tmpdir(), "owt-there-is-no-such-file"), 10)).toBe("");
  });

  test("is an end of the text, no longer than asked, never empty where there is text, without a broken character", () => {
    const path = newFile("");
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "é", "😀", "\n")), fc.integer({ min: 8, max: 60 }), (parts, bytes) => {
        const text = parts.join("");
        writeFileSync(path, text);
        const tail = readTail(path, bytes);
        expect(text.endsWith(tail)).toBe(true);
        expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(bytes);
        expect(tail === "").toBe(text === "");
      }),
    );
  });
});

test.each<[string, number, string]>([
  ["", 3, ""],
  ["a\nb\nc\n", 2, "b\nc"],
  ["a\nb\nc", 5, "a\nb\nc"],
  ["a\n\n\n", 1, "a"],
  ["a\n\nb\n", 2, "\nb"],
])("the last lines of %j", (text, count, lines) => {
  expect(lastLines(text, count)).toBe(lines);
});

test("what was written behind a place, and nothing of a file that is shorter or gone", () => {
  const file = newFile("one\ntwö\n");
  expect([0, 4, 9, 20].map((from) => readBehind(file, from))).toEqual(["one\ntwö\n", "twö\n", "", ""]);
  expect(readBehind(`${file}.gone`, 0)).toBe("");
});
