import { expect, test } from "vitest";
import { widthOf } from "../lib/width.ts";
import { folded, type Io, wantsColor } from "./io.ts";

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ TERM: "dumb" }, true, false],
  [{ NO_COLOR: "1" }, true, false],
  [{ CLICOLOR: "0" }, true, false],
  [{ CLICOLOR: "1" }, false, false],
  [{ CLICOLOR: "0", CLICOLOR_FORCE: "1" }, false, true],
  [{ NO_COLOR: "" }, true, true],
  [{ CLICOLOR_FORCE: "1" }, false, true],
  [{ CLICOLOR_FORCE: "0" }, false, false],
  [{ CLICOLOR_FORCE: "1", TERM: "dumb" }, false, true],
  [{ CLICOLOR_FORCE: "1", NO_COLOR: "1" }, true, false],
])("%j on a terminal (%s): colours %s", (env, isTTY, wanted) => {
  expect(wantsColor({ env } as unknown as Io, { isTTY })).toBe(wanted);
});

const TERMINAL = { isTTY: true, columns: 80 };

test.each([
  [
    "go there: owt switch billing; to give that up: owt delete billing; a worktree beside it, without the task: owt create billing-2",
    [
      "  ↳ go there: owt switch billing; to give that up: owt delete billing; a",
      "    worktree beside it, without the task: owt create billing-2",
    ],
  ],
  [
    "merge it by hand, for the target has moved on since then: git switch owt/runs/r1 && git merge main, then: owt land r1",
    [
      "  ↳ merge it by hand, for the target has moved on since then:",
      "    git switch owt/runs/r1 && git merge main, then: owt land r1",
    ],
  ],
  [
    `owt task edit a/E01 --file /tmp/a/folder/with/a/long/name/owt-edit-XXXXXX/epic-01-of-a-long-name.md`,
    ["  ↳ owt task edit a/E01 --file /tmp/a/folder/with/a/long/name/owt-edit-XXXXXX/epic-01-of-a-long-name.md"],
  ],
])("a hint is broken between words, and never inside a command: %s", (hint, lines) => {
  expect(folded(TERMINAL, `✗ no\n  ↳ ${hint}`).split("\n").slice(1)).toEqual(lines);
  const dim = folded(TERMINAL, `  \u001B[2m↳\u001B[0m ${hint}`).split("\n");
  expect(dim.map(widthOf)).toEqual(lines.map(widthOf));
  expect(folded({ isTTY: false }, `  ↳ ${hint}`)).toBe(`  ↳ ${hint}`);
});

test("what is told beside a hint is broken between any words", () => {
  const text = "another owt (pid 1234) carries the runs of this repository; watching, and taking over when it ends";
  expect(folded(TERMINAL, text).split("\n")).toHaveLength(2);
});
