import { expect, test } from "vitest";
import { matchesPathspecs } from "./pathspec.ts";

test.each([
  ["lib/sub", ["."], true],
  ["lib/sub", ["lib"], true],
  ["library", ["lib"], false],
  ["lib/sub", ["lib/*"], true],
  ["lib/a/b", ["lib/*"], true],
  ["lib/sub", ["*.c"], false],
  ["lib/sub", [".", ":!lib"], false],
  ["lib/sub", [":(exclude)lib/sub"], false],
  ["other", [":(exclude)lib/sub"], true],
  ["lib/sub", [":/lib/s?b"], true],
  ["lib/sub", ["lib/[st]ub"], true],
  ["a.b", ["a.b"], true],
  ["axb", ["a.b"], false],
  ["lib/[", ["lib/["], true],
])("%s is among %j: %s", (path, specs, is) => {
  expect(matchesPathspecs(path, specs)).toBe(is);
});
