import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { printable, printableName, printableNames, shellWord, withoutOrders } from "./printable.ts";

const NASTY = "a\nb\t\u001B[31mred\u001B]0;title\u0007 it's \\ $HOME \u009B2J";

test("a name is shown in one line, and gives a terminal no order", () => {
  expect(printableName(NASTY)).toBe("a\\nb\\tred]0;title it's \\ $HOME 2J");
  expect(printableNames(["a", "b\nc"])).toBe("a, b\\nc");
  const many = Array.from({ length: 1_500 }, (_, at) => `f${at}`);
  expect(printableNames(many.slice(0, 12))).toMatch(/f10, f11$/);
  expect(printableNames(many)).toBe("f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 1490 more");
  expect(printable("a\u202Eb")).toBe("a\\u202Eb");
});

describe("a name as a word of a command line", () => {
  test.each(["plain/./a-b@c", "with blank", "it's", "-dash", "$(id) `id` \\", "ünïcödé", ""])("%j", (name) => {
    const word = shellWord(name);
    expect(execFileSync("bash", ["-c", `printf %s ${word}`], { encoding: "utf8" })).toBe(name);
  });

  test("one that no terminal may be shown", () => {
    const word = shellWord(NASTY.slice(0, -4));
    expect(word).toMatch(/^\$'[ -~]*'$/);
    expect(execFileSync("bash", ["-c", `printf %s ${word}`], { encoding: "utf8" })).toBe(NASTY.slice(0, -4));
  });
});

test("colours, lines and columns of a text stay, other orders go", () => {
  expect(withoutOrders("\u001B[31mred\u001B[0m\n\tx\u001B]0;title\u0007\u001B[2J\r\u009B1m")).toBe(
    "\u001B[31mred\u001B[0m\n\tx]0;title[2J1m",
  );
});
