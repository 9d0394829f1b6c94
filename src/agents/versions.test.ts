import { expect, test } from "vitest";
import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import { findUnsound, versionIn } from "./versions.ts";

test.each([
  ["2.1.329 (Claude Code)\n", "2.1.329"],
  ["codex-cli 0.169.0\n", "0.169.0"],
  ["my-agent 3.2", "3.2"],
  ["claude: command not found", null],
  ["", null],
])("in %j the version is %j", (printed, version) => {
  expect(versionIn(printed)).toBe(version);
});

test.each([
  ["2.1.96", true],
  ["2.1.196", true],
  ["2.0", true],
  ["2.1.197", false],
  ["2.1.329", false],
  ["2.2", false],
  ["3.0.0", false],
])("Claude Code %s was never tried: %j", (version, isUnsound) => {
  expect(findUnsound(claude.about.unsound, version) !== null).toBe(isUnsound);
});

test("a finding may begin and end", () => {
  const hangs = { from: "1.2.0", below: "1.2.10", reason: "hangs", since: "2026-11-21" };
  const found = ["1.1.9", "1.2.0", "1.2.9", "1.2.10"].map((version) => findUnsound([hangs], version)?.reason ?? null);
  expect(found).toEqual([null, "hangs", "hangs", null]);
});

test("each finding says why and since when", () => {
  for (const { reason, since } of [...claude.about.unsound, ...codex.about.unsound]) {
    expect(reason).not.toBe("");
    expect(since).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  }
});
