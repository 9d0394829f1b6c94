import { array, assert, constantFrom, nat, property } from "fast-check";
import { expect, test } from "vitest";
import { column, fit, fitAround, widthOf, wrapText } from "./width.ts";

test.each([
  ["plain", 5],
  ["→ ◎ ✓ − …", 9],
  ["日本語", 6],
  ["👍🏽", 2],
  ["e\u0301", 1],
  ["\u001B[31mred\u001B[0m", 3],
  ["", 0],
])("%j takes %i columns", (text, columns) => expect(widthOf(text)).toBe(columns));

test("what fits stays, what does not ends in dots", () => {
  expect(fit("hello", 5)).toBe("hello");
  expect(fit("hello world", 8)).toBe("hello w…");
  expect(fit("→ working on step", 10)).toBe("→ working…");
  // Half a wide character is none.
  expect(fit("日本語", 4)).toBe("日…");
  expect(fit("anything", 0)).toBe("");
});

test("a column is as wide as it was asked to be, whatever is in it", () => {
  const piece = constantFrom("a", "→", "日", "👍🏽", "e\u0301", " ", "−", "🇩🇪", "한");
  const check = property(
    array(piece, { maxLength: 12 }),
    nat(20),
    constantFrom("start", "end"),
    (pieces, columns, side) => {
      expect(widthOf(column(pieces.join(""), columns, side))).toBe(columns);
    },
  );
  assert(check, { numRuns: 2_000 });
});

test("a name is cut in its middle: what tells it apart from others is often its end", () => {
  expect(fitAround("admin-backoffice-reporting/E01", 23)).toBe("admin-backo…porting/E01");
  expect(fitAround("shop/E01", 8)).toBe("shop/E01");
  expect(fitAround("日本語/E01", 7)).toBe("日…/E01");
  expect(fitAround("anything", 0)).toBe("");
});

test("a text is broken between words, line by line; what fits and what stands at its end stays as it is", () => {
  expect(wrapText("one two three\n\n  four five six? ", 10)).toBe(
    "one two\n    three\n\n  four\n     five\n     six? ",
  );
  expect(wrapText("a  table   row", 20)).toBe("a  table   row");
  expect(wrapText("  ↳ one two three four", 10, /two three/g)).toBe("  ↳ one\n    two three\n    four");
  expect(wrapText("  ↳ do it all again", 10)).toBe("  ↳ do it\n    all\n    again");
  expect(wrapText("/a/path/that/is/longer/than/the/line", 10)).toBe("/a/path/that/is/longer/than/the/line");
});
