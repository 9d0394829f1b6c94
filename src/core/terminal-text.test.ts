import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findStrays, withoutStrays } from "./terminal-text.ts";

test("plain text, tabs, line ends of every kind and other scripts are text", () => {
  expect(findStrays("a\tb\nc\r\nünïcödé 日本 🎉\u00A0\u2028 C-c Enter ;")).toEqual([]);
});

test("what a terminal takes for a key is found with its line", () => {
  expect(findStrays("one\ntwo \u001B[201~rm\n\u0003\u009B")).toEqual([
    { name: "U+001B", line: 2 },
    { name: "U+0003", line: 3 },
    { name: "U+009B", line: 3 },
  ]);
  expect(findStrays("half \uD83D")).toEqual([{ name: "U+D83D", line: 1 }]);
});

test("left out, control sequences go whole and the rest stays", () => {
  expect(withoutStrays("a \u001B[31mred\u001B[0m\tb\r\n\u0003\u007F")).toBe("a red\tb\r\n");
  expect(withoutStrays("x\u001B[201~y\u009B201~z")).toBe("xyz");
});

test("nothing can come together again out of what is left", () => {
  const piece = fc.constantFrom(
    "\u001B",
    "[",
    "201~",
    "\u009B",
    "\u0003",
    "a",
    "\uD83D",
    "\uDE00",
    "\n",
    "\u001B[201~",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const left = withoutStrays(pieces.join(""));
      expect(findStrays(left)).toEqual([]);
      expect(withoutStrays(left)).toBe(left);
    }),
  );
});
