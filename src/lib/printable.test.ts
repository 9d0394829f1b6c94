import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import {
  nameToType,
  printable,
  printableName,
  printableNames,
  quotedName,
  shellWord,
  withoutOrders,
} from "./printable.ts";

const NASTY = "a\nb\t\u001B[31mred\u001B]0;title\u0007 it's \\ $HOME \u009B2J";

test("a name is shown in one line, and gives a terminal no order", () => {
  expect(printableName(NASTY)).toBe("a\\nb\\tred]0;title it's \\ $HOME 2J");
  expect(printableNames(["a", "b\nc"])).toBe("a, b\\nc");
  const many = Array.from({ length: 1_500 }, (_, at) => `f${at}`);
  expect(printableNames(many.slice(0, 13))).toMatch(/f11, f12$/);
  expect(printableNames(many)).toBe("f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11 and 1488 more");
  expect(printable("a\u202Eb")).toBe("a\\u202Eb");
});

test.each([
  ["src/a b-c_d.ts", "src/a b-c_d.ts"],
  ["ünï/漢字 (1)[x].md", "ünï/漢字 (1)[x].md"],
  [" lead", '" lead"'],
  ["trail ", '"trail "'],
  ["two  blanks", '"two  blanks"'],
  ["a, b", '"a, b"'],
  ["a;b", '"a;b"'],
  ["`ls`", '"`ls`"'],
  ["it's", '"it\'s"'],
  ['say "x"', '"say \\"x\\""'],
  ["back\\slash", '"back\\\\slash"'],
  ["line\nend\r", '"line\\nend\\r"'],
  ["bell\u0007", '"bell\\u0007"'],
  ["turned\u202E", '"turned\\u202e"'],
  ["no\u00A0break", '"no\\u00a0break"'],
  ["unseen\u200B", '"unseen\\u200b"'],
  ["", '""'],
  ['"caf\\351.txt"', '"caf\\351.txt"'],
])("a name in a text for an agent: %j", (name, shown) => {
  expect(quotedName(name)).toBe(shown);
});

test("one that is no UTF-8 is told to an agent as a shell takes it", () => {
  expect(nameToType('"caf\\351\'s.txt"')).toBe("\"caf\\351's.txt\" (no UTF-8; in a shell: $'caf\\351\\'s.txt')");
  expect(nameToType("a ")).toBe('"a "');
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
