/** The house is in order, and the test that says so bites. */
import { describe, expect, test } from "vitest";
import { findViolations, readHouse } from "./house.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

test("the house is in order", () => {
  expect(findViolations(readHouse(root))).toEqual([]);
});

describe("a planted violation is found", () => {
  const sound = {
    "src/main/main.ts": 'import { a } from "../cli/app.ts";',
    "src/cli/app.ts": 'import { b } from "../core/b.ts";',
    "src/core/b.ts": "export const b = 1;",
  };
  const planted: [name: string, files: Record<string, string>, says: RegExp][] = [
    ["upward import", { "src/core/b.ts": 'import { s } from "../store/s.ts";', "src/store/s.ts": "" }, /not below/],
    [
      "sibling import",
      {
        "src/cli/app.ts": 'import "../git/g.ts"; import "../core/b.ts";',
        "src/git/g.ts": 'import "../agents/a.ts";',
        "src/agents/a.ts": "",
      },
      /git\/g\.ts: imports src\/agents/,
    ],
    [
      "type-only cycle",
      { "src/core/b.ts": 'import type { C } from "./c.ts";', "src/core/c.ts": 'import type { B } from "./b.ts";' },
      /cycle: /,
    ],
    ["dynamic import upward", { "src/core/b.ts": 'const x = import("../cli/app.ts");' }, /not below/],
    ["node in core", { "src/core/b.ts": 'import { readFileSync } from "node:fs";' }, /no node: module/],
    ["clock in core", { "src/core/b.ts": "export const b = Date.now();" }, /no clock/],
    [
      "spawn elsewhere",
      { "src/cli/app.ts": 'import { spawn } from "node:child_process"; import "../core/b.ts";' },
      /only system\/exec/,
    ],
    ["SQL elsewhere", { "src/cli/app.ts": 'import "../core/b.ts"; db.all("select * from task");' }, /speaks SQL/],
    ["console", { "src/cli/app.ts": 'import "../core/b.ts"; console.log(1);' }, /nobody prints/],
    ["dead file", { "src/core/dead.ts": "" }, /nobody imports/],
    ["unknown floor", { "src/helpers/x.ts": "" }, /no floor/],
  ];
  test("and a sound house has none", () => {
    expect(findViolations(new Map(Object.entries(sound)))).toEqual([]);
  });
  test.each(planted)("%s", (_, files, says) => {
    const found = findViolations(new Map(Object.entries({ ...sound, ...files })));
    expect(found.join("\n")).toMatch(says);
  });
});
