import * as fc from "fast-check";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { LineReader, LineSplitter } from "./lines.ts";

const CHUNK = 64 * 1024;
const BOUND = 1024 * 1024;

function newFile(content: string | Uint8Array = ""): string {
  const dir = mkdtempSync(join(tmpdir(), "owt-lines-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "out");
  writeFileSync(path, content);
  return path;
}

/** The complete lines of a file; and all of them. */
function read(path: string): { lines: string[]; all: string[] } {
  const reader = new LineReader(path);
  const lines: string[] = [];
  reader.read((line) => lines.push(line));
  const all = [...lines];
  reader.finish((line) => all.push(line));
  return { lines, all };
}

describe("lines", () => {
  test.each<[string, string[], string[]]>([
    ["", [], []],
    ["\n", [""], [""]],
    ["a\nb\n", ["a", "b"], ["a", "b"]],
    ["a\nb", ["a"], ["a", "b"]],
    ["a", [], ["a"]],
    ["\n\na\n\n", ["", "", "a", ""], ["", "", "a", ""]],
    ["a\r\nb\r\n", ["a", "b"], ["a", "b"]],
    ["a\rb\r\r\n\r\nc\r", ["a\rb\r", ""], ["a\rb\r", "", "c"]],
    ["a\0\0b\n\0\0\n\0", ["ab", ""], ["ab", "", ""]],
    ["a\u2028b\u0085c\vd\n", ["a\u2028b\u0085c\vd"], ["a\u2028b\u0085c\vd"]],
    ["\uFEFFa\n", ["\uFEFFa"], ["\uFEFFa"]],
  ])("of %j end with a newline and with nothing else", (text, complete, all) => {
    expect(read(newFile(text))).toEqual({ lines: complete, all });
  });

  test("of a file that is missing are none", () => {
    expect(read(join(newFile(), "..", "nothing"))).toEqual({ lines: [], all: [] });
  });
});

describe("a character that a chunk cuts in two is whole", () => {
  test.each(["é", "€", "😀"])("%s at every place of the border", (character) => {
    for (let before = CHUNK - 4; before <= CHUNK + 1; before++) {
      const text = `${"x".repeat(before)}${character}y`;
      expect(read(newFile(`${text}\nnext\n`)).lines).toEqual([text, "next"]);
    }
  });

  test("and so is a newline just behind or before the border", () => {
    for (const before of [CHUNK - 1, CHUNK, CHUNK + 1]) {
      const path = newFile(`${"x".repeat(before)}\ny\n`);
      expect(read(path).lines).toEqual(["x".repeat(before), "y"]);
    }
  });
});

test("bytes that are no UTF-8 are replaced in their own line and nowhere else, also at the very end", () => {
  const bytes = Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x82, 0x0a, 0x63, 0x0a, 0x64, 0xe2, 0x82]);
  expect(read(newFile(bytes)).all).toEqual(["a\uFFFDb", "\uFFFD", "c", "d\uFFFD"]);
});

test("a line above the bound is cut, and the next one is read as ever", () => {
  const path = newFile(`${"x".repeat(BOUND + CHUNK + 5)}\nnext\n${"y".repeat(BOUND + 1)}`);
  const { all } = read(path);
  expect(all.map((line) => line.length)).toEqual([BOUND, 4, BOUND]);
  expect(all[1]).toBe("next");
});

describe("whatever the bytes", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom("\n", "\r\n", "\n\n", "é", "😀").map((text) => Buffer.from(text)),
    fc.integer({ min: CHUNK - 3, max: CHUNK + 3 }).map((length) => Buffer.alloc(length, 120)),
  );
  const content = fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.concat(pieces));

  test("the lines are those of split", () => {
    const path = newFile();
    fc.assert(
      fc.property(content, (bytes) => {
        writeFileSync(path, bytes);
        const parts = splitBytes(bytes);
        const whole = bytes.at(-1) === 10 || bytes.length === 0 ? parts.slice(0, -1) : parts;
        expect(read(path)).toEqual({ lines: parts.slice(0, -1), all: whole });
      }),
    );
  });

  /** Cut at the newlines first: an incomplete character must not swallow what comes behind it. */
  function splitBytes(bytes: Buffer): string[] {
    const parts: string[] = [];
    let from = 0;
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, from)) {
      parts.push(clean(bytes.toString("utf8", from, at)));
      from = at + 1;
    }
    return [...parts, clean(bytes.toString("utf8", from))];
  }

  function clean(line: string): string {
    return line.replaceAll("\0", "").replace(/\r$/, "");
  }
});

describe("a reader of a file that grows", () => {
  test("gives each line once, however the bytes come", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\n", "é", "€", "🦉", "\r", "\0") });
    const path = newFile();
    fc.assert(
      fc.property(
        text,
        fc.array(fc.integer({ min: 1, max: 5 })),
        fc.integer({ min: 1, max: 9 }),
        (text, steps, most) => {
          writeFileSync(path, "");
          const reader = new LineReader(path);
          const lines: string[] = [];
          let left = Buffer.from(text);
          for (const step of [...steps, left.length]) {
            appendFileSync(path, left.subarray(0, step));
            left = left.subarray(step);
            while (reader.read((line) => lines.push(line), most));
          }
          expect(lines).toEqual(
            text
              .split("\n")
              .slice(0, -1)
              .map((line) => line.replaceAll("\0", "").replace(/\r$/, "")),
          );
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test("looks at so much at a time, and keeps so much of a line that has no end", () => {
    const path = newFile(`${"x".repeat(3 * BOUND)}\nend\n`);
    const reader = new LineReader(path);
    const lines: string[] = [];
    let looks = 0;
    while (reader.read((line) => lines.push(line), CHUNK)) looks++;
    expect(looks).toBe(Math.ceil((3 * BOUND + 5) / CHUNK));
    expect(lines.map((line) => line.length)).toEqual([BOUND, 3]);
  });

  test("of a file that is not there yet has nothing", () => {
    const path = `${newFile()}-later`;
    const reader = new LineReader(path);
    expect(reader.read(() => {})).toBe(false);
    writeFileSync(path, "a\n");
    expect(reader.read(() => {})).toBe(true);
  });
});

test("a hole of a gigabyte in a line costs nothing", () => {
  const splitter = new LineSplitter();
  const hole = Buffer.alloc(CHUNK);
  const lines: string[] = [];
  splitter.take(Buffer.from("before\nhalf"), (line) => lines.push(line));
  for (let bytes = 0; bytes < 2 ** 30; bytes += CHUNK) splitter.take(hole, (line) => lines.push(line));
  expect(splitter.held).toBe(4 + 2 ** 30);
  splitter.take(Buffer.from(" a line\nafter\n"), (line) => lines.push(line));
  expect(lines).toEqual(["before", "half a line", "after"]);
});

test("a line that is dropped is dropped to its end", () => {
  const splitter = new LineSplitter();
  const lines: string[] = [];
  const take = (text: string) => splitter.take(Buffer.from(text), (line) => lines.push(line));
  take("half");
  splitter.drop(true);
  take(" of it");
  take(" and more\nnext\nagain");
  splitter.drop(false);
  take("new\n");
  expect(lines).toEqual(["next", "new"]);
});
