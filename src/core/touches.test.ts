import { expect, test } from "vitest";
import { outsideOf } from "./touches.ts";

test.each<[touches: string[], inside: string[], outside: string[]]>([
  [["web/sign-in"], ["web/sign-in", "web/sign-in/a/b.ts"], ["web/sign-in.ts", "web", "other/web/sign-in/a"]],
  [["./web/", "/docs/a.md"], ["web/x", "docs/a.md"], ["docs/b.md"]],
  [["src/*.ts"], ["src/a.ts"], ["src/a/b.ts", "src/a.tsx"]],
  [["src/**/*.ts"], ["src/a.ts", "src/a/b/c.ts"], ["src/a.js", "lib/a.ts"]],
  [["**/test"], ["test/a", "a/b/test/c"], ["a/tests/c"]],
  [["src/**"], ["src/a", "src/a/b"], ["srcs/a"]],
  [["app/[id]/page.?sx"], ["app/[id]/page.tsx", "app/[id]/page.jsx"], ["app/i/page.tsx", "app/[id]/page.sx"]],
  [
    ["{api,web}/x", "a{1,2"],
    ["api/x/y", "web/x", "a1", "a2"],
    ["web/y", "{api,web}/x"],
  ],
  [["a+b(c)|d.$", "x}y,z"], ["a+b(c)|d.$", "x}y,z"], ["aab(c)|d.$"]],
  [["."], ["anything/at/all"], []],
])("%j", (touches, inside, outside) => {
  expect(outsideOf([...inside, ...outside], touches)).toEqual(outside);
});

test("one of several is enough, and any text is a pattern", () => {
  expect(outsideOf(["a", "b", "c"], ["a", "c"])).toEqual(["b"]);
  for (const text of ["{", "}{", "[", "**", "*{*", "\\", "(?", "a\nb"])
    expect(() => outsideOf(["x"], [text])).not.toThrow();
});
