import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkBranchName, nearest, oneLine, slug } from "./names.ts";

describe("nearest", () => {
  test("finds slips of the finger, swapped letters and other case, nearest first", () => {
    expect(nearest("shcema", ["scheme", "api", "schema"])).toEqual(["schema", "scheme"]);
    expect(nearest("API", ["app", "api"])).toEqual(["api", "app"]);
    expect(nearest("E05", ["technical/E05", "technical/E04"])).toEqual(["technical/E05"]);
  });

  test("finds what stands below a name, also one with a slip in it", () => {
    expect(nearest("shop", ["shop/E01", "web/E01"])).toEqual(["shop/E01"]);
    expect(nearest("smaple", ["sample/E01", "web/E01"])).toEqual(["sample/E01"]);
    expect(nearest("sample", ["simple/E01", "sample2", "sample/E01"])).toEqual(["sample/E01", "sample2", "simple/E01"]);
  });

  test("is silent when nothing is near, and never longer than asked", () => {
    expect(nearest("payments", ["schema", "api"])).toEqual([]);
    expect(nearest("b", ["a", "c", "B"])).toEqual(["B"]);
    expect(nearest("t1", ["t2", "t3", "t4", "t5"])).toEqual(["t2", "t3", "t4"]);
    expect(nearest("t1", ["t2", "t3"], 1)).toEqual(["t2"]);
  });
});

describe("slug", () => {
  test("keeps what a person recognizes", () => {
    expect(slug("technical/E05: Input Validators!")).toBe("technical-e05-input-validators");
    expect(slug("Größe à la carte")).toBe("gro-e-a-la-carte");
    expect(slug("設計")).toBe("task");
    expect(slug(`${"x".repeat(39)} y`)).toBe("x".repeat(39));
  });

  test("is a safe part of a branch name, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 80 }), (text) => {
        const short = slug(text);
        expect(short).toMatch(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/);
        expect(checkBranchName(`feat/${short}`)).toBeNull();
        expect(slug(short)).toBe(short);
      }),
    );
  });
});

describe("checkBranchName", () => {
  test.each([
    "main",
    "feat/technical-E05",
    "release/1.2.x",
    "fix_1",
    "a/b/c",
    "head/x",
    "9lives",
    "ümläut",
    "設計/画面",
    "функция-2",
    "हिन्दी",
    "٣",
  ])("takes %s", (name) => {
    expect(checkBranchName(name)).toBeNull();
  });

  test.each([
    ["", "empty"],
    ["a".repeat(201), "longer"],
    ["-x", "option"],
    ["--force", "option"],
    ["a..b", "range"],
    ["a@{1}", "revision"],
    ["a/.b", "dot"],
    [".a", "letter or digit"],
    ["a.", "dot"],
    ["a.lock", ".lock"],
    ["a.LOCK/b", ".lock"],
    ["a//b", "empty part"],
    ["a/", "empty part"],
    ["/a", "letter or digit"],
    ["a b", "only letters"],
    ["a~1", "only letters"],
    ["a:b", "only letters"],
    ["a$(id)", "only letters"],
    ["a\nb", "control"],
    ["a\u202Eb", "direction"],
    ["e\u0301", "NFC"],
    ["\u0301e", "letter or digit"],
    ["a\u200Db", "nobody sees"],
    ["\u3164", "nobody sees"],
    ["ä".repeat(101), "longer"],
    ["😀", "letter or digit"],
    ["a\u00A0b", "only letters"],
    ["HEAD", "git keeps"],
    ["FETCH_HEAD", "git keeps"],
    ["refs/heads/x", "refs/"],
    ["0123456789abcdef0123456789abcdef01234567", "commit id"],
  ])("refuses %j and says why", (name, reason) => {
    expect(checkBranchName(name)).toContain(reason);
  });
});

test("a title becomes one line that steers no terminal", () => {
  expect(oneLine("Add \u001b[31mred\u001b[0m\u0007 login\n\tpage")).toBe("Add red login page");
  expect(oneLine("\u001b]0;title\u0007Plain \u202Etxet")).toBe("Plain txet");
  expect(oneLine("Größe ändern — 日本語 👍")).toBe("Größe ändern — 日本語 👍");
});
