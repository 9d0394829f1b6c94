import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findOverlap } from "./overlap.ts";
import { outsideOf } from "./touches.ts";

test.each<[one: string, other: string, meet: boolean]>([
  ["src/a.ts", "src/a.ts", true],
  ["src/a.ts", "src/b.ts", false],
  ["src", "src/deep/a.ts", true],
  ["./src/", "/src/a", true],
  ["src", "srcs/a", false],
  ["src/*.ts", "src/a.*", true],
  ["src/*.ts", "src/a.js", false],
  ["src/*.ts", "src/deep/a.ts", false],
  ["src/**/*.ts", "src/deep/er/a.ts", true],
  ["src/**/*.ts", "**/a.ts", true],
  ["src/**", "lib/**", false],
  ["**/test", "a/b/test/c", true],
  ["**/test", "tests", true],
  ["**/test", "?/tests.ts", false],
  ["**/test", "?/tests", true],
  ["{api,web}/x", "web/**", true],
  ["{api,web}/x", "docs/**", false],
  ["a{1,2", "a2", true],
  ["app/[id]/page.?sx", "app/*/page.tsx", true],
  [".", "anything", true],
  ["*", "a/b", true],
  ["a?c", "abc", true],
  ["a?c", "a/c", false],
  ["**/*.md", "src/a.ts", false],
  ["**/*.md", "*.css", false],
  ["**/*.md", "src/*.css", false],
  ["**/*.md", "**/*.css", false],
  ["**/*.md", "src/a.md", true],
  ["**/*.md", "src/*", true],
  ["**/*.md", "src", true],
  ["**/*.md", ".github", true],
  ["**/a.*", "src/*.ts", true],
])("%s and %s: %s", (one, other, meet) => {
  expect(findOverlap([one], [other]) !== null).toBe(meet);
  expect(findOverlap([other], [one]) !== null).toBe(meet);
});

test("nothing is known of a task without patterns, and the narrower words are told", () => {
  expect(findOverlap([], ["src"])).toBeNull();
  expect(findOverlap(["docs", "src/**"], ["lib", "src/core/a.ts"])).toBe("src/core/a.ts");
});

const pattern = fc
  .array(fc.constantFrom("a", "b", "/", "*", "**", "**/", "?", "{a,b}", "{a/,}"), { minLength: 1, maxLength: 3 })
  .map((words) => words.join("").replaceAll(/\/+/g, "/"));

/** Every text of up to so many of these letters. */
function texts(most: number): string[] {
  let last = [""];
  const all: string[] = [];
  for (let length = 0; length < most; length++) {
    last = last.flatMap((text) => ["a", "b", "/"].map((letter) => text + letter));
    all.push(...last);
  }
  return all;
}

test("two patterns overlap where some path is allowed by both, and only there", () => {
  const all = texts(8);
  fc.assert(
    fc.property(pattern, pattern, (one, other) => {
      const inOne = new Set(outsideOf(all, [one]));
      const inOther = new Set(outsideOf(all, [other]));
      const isBoth = all.some((text) => !inOne.has(text) && !inOther.has(text));
      expect(findOverlap([one], [other]) !== null).toBe(isBoth);
    }),
    { numRuns: 300 },
  );
});
