import { describe, expect, test } from "vitest";
import type { OwtError } from "./errors.ts";
import { findNamed, folderName, nameOf, namesOf } from "./worktree.ts";

test("a folder is named by the pattern", () => {
  expect(folderName("{project}-{branch}", "shop", "feature/add-login")).toBe("shop-feature-add-login");
  expect(folderName("{branch}", "shop", "x")).toBe("x");
  expect(folderName("wt.{branch}.{project}", "shop", "a/b/c")).toBe("wt.a-b-c.shop");
  expect(() => folderName("{project}", "shop", "x")).toThrow(/without \{branch\}/);
  expect(() => folderName("sub/{branch}", "shop", "x")).toThrow(/no name of a folder/);
  expect(() => folderName("..{branch}", "shop", "")).toThrow(/no name of a folder/);
});

describe("a word means", () => {
  const worktrees = [
    { path: "/w/shop", branch: "main" },
    { path: "/w/shop-feature-login", branch: "feature/login" },
    { path: "/w/shop-fix-login", branch: "fix/login" },
    { path: "/w/login-old", branch: "fix/pay" },
    { path: "/w/loose", branch: null },
    { path: "/w/pay", branch: "other" },
    { path: "/w/shop-pr-12", branch: "pr/12" },
  ];
  const around = { here: "/w/loose", main: "/w/shop", previous: "/w/pay" };
  test.each([
    ["feature/login", "/w/shop-feature-login"],
    ["shop-fix-login", "/w/shop-fix-login"],
    ["/w/loose/", "/w/loose"],
    ["loose", "/w/loose"],
    // A folder is nearer than the end of a branch.
    ["pay", "/w/pay"],
    ["@", "/w/loose"],
    ["^", "/w/shop"],
    ["-", "/w/pay"],
    ["pr:12", "/w/shop-pr-12"],
    ["mr:12", "/w/shop-pr-12"],
    ["pr/12", "/w/shop-pr-12"],
  ])("%s: %s", (word, path) => {
    expect(findNamed(word, worktrees, around).path).toBe(path);
  });

  test("several, none, or nothing yet", () => {
    expect(() => findNamed("login", worktrees, around)).toThrow("login may be any of feature/login, fix/login");
    expect(() => findNamed("-", worktrees, { ...around, previous: null })).toThrow(/none was switched to before/);
    try {
      findNamed("shop-fix-logi", worktrees, around);
    } catch (error) {
      expect((error as OwtError).code).toBe("unknown-name");
      expect((error as OwtError).hint).toContain("shop-fix-login");
    }
    try {
      findNamed("pr:1", worktrees, around);
    } catch (error) {
      expect((error as OwtError).hint).toBe("make it: owt create pr:1");
    }
  });
});

test("names", () => {
  expect(nameOf({ path: "/a/b", branch: null })).toBe("b");
  expect(namesOf({ path: "/a/b", branch: "b" })).toEqual(["b"]);
});
