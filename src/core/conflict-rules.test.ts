import { expect, test } from "vitest";
import { ruleFor } from "./conflict-rules.ts";

const rules = {
  ours: ["*.snap", "dist"],
  union: ["CHANGELOG.md", "web/package-lock.json"],
  regenerate: { "package-lock.json": "npm install --package-lock-only", "web/**/package-lock.json": ["one", "two"] },
};

test.each([
  ["a.snap", { by: "ours" }],
  ["dist/deep/a.js", { by: "ours" }],
  ["deep/a.snap", null],
  ["CHANGELOG.md", { by: "union" }],
  ["package-lock.json", { by: "regenerate", commands: ["npm install --package-lock-only"] }],
  ["web/package-lock.json", { by: "regenerate", commands: ["one", "two"] }],
  ["other/package-lock.json", null],
])("%s", (path, rule) => {
  expect(ruleFor(path, rules)).toEqual(rule);
  expect(ruleFor(path, {})).toBeNull();
});
