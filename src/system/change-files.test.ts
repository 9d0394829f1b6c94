import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changeFiles, settleChanges } from "./change-files.ts";
import { thisProcess } from "./identity.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "owt-change-"));
  for (const name of ["a", "b", "c"]) writeFileSync(join(top, name), `old ${name}`);
});
afterEach(() => rmSync(top, { recursive: true }));

const journals = () => join(top, "journals");
const changes = () =>
  ["a", "b", "c"].map((name) => ({ path: join(top, name), was: `old ${name}`, text: `new ${name}` }));
const contents = () => ["a", "b", "c"].map((name) => readFileSync(join(top, name), "utf8"));
const OLD = ["old a", "old b", "old c"];
const left = () => readdirSync(top).filter((name) => !["a", "b", "c", "journals"].includes(name));

test("all are changed, with their modes, and nothing is left over", () => {
  chmodSync(join(top, "b"), 0o640);
  changeFiles(changes(), journals());
  expect(contents()).toEqual(["new a", "new b", "new c"]);
  expect(statSync(join(top, "b")).mode & 0o777).toBe(0o640);
  expect([left(), existsSync(journals())]).toEqual([[], false]);
});

test("where one cannot be written, or cannot be replaced, all are as they were", () => {
  mkdirSync(join(top, `c.${process.pid}.new`));
  expect(() => changeFiles(changes(), journals())).toThrow("EISDIR");
  expect([contents(), existsSync(journals())]).toEqual([OLD, false]);
  rmSync(join(top, `c.${process.pid}.new`), { recursive: true });
  const last = join(top, "folder");
  mkdirSync(join(last, "x"), { recursive: true });
  expect(() => changeFiles([...changes(), { path: last, was: "", text: "new" }], journals())).toThrow("EISDIR");
  expect([contents(), left(), existsSync(journals())]).toEqual([OLD, ["folder"], false]);
});

/** A process that is killed once it has replaced so many of the files. */
function killedAfter(count: number): void {
  const script = `
    const fs = require("node:fs"), real = fs.renameSync;
    let left = ${count};
    fs.renameSync = (from, to) => {
      if (from.endsWith(".new") && left-- === 0) process.kill(process.pid, "SIGKILL");
      real(from, to);
    };
    require("node:module").syncBuiltinESMExports();
    import(${JSON.stringify(new URL("./change-files.ts", import.meta.url).pathname)}).then(({ changeFiles }) =>
      changeFiles(${JSON.stringify(changes())}, ${JSON.stringify(journals())}));`;
  expect(spawnSync(process.execPath, ["-e", script]).signal).toBe("SIGKILL");
}

test("what one that was killed had changed is put back by the next, whenever it was killed", () => {
  for (const count of [0, 1, 2]) {
    killedAfter(count);
    expect(contents().filter((text) => text.startsWith("new"))).toHaveLength(count);
    settleChanges(journals());
    expect([count, contents(), left(), existsSync(journals())]).toEqual([count, OLD, [], false]);
  }
  // What somebody has written there since is theirs.
  killedAfter(2);
  writeFileSync(join(top, "a"), "mine");
  settleChanges(journals());
  expect(contents()).toEqual(["mine", "old b", "old c"]);
});

test("one that is under way is left to its process, and a change that is whole stays", () => {
  killedAfter(2);
  const [name] = readdirSync(journals()) as [string];
  const journal = JSON.parse(readFileSync(join(journals(), name), "utf8")) as object;
  writeFileSync(join(journals(), name), JSON.stringify({ ...journal, owner: thisProcess() }));
  settleChanges(journals());
  expect([contents().at(-1), readdirSync(journals())]).toEqual(["old c", [name]]);
  writeFileSync(join(journals(), name), JSON.stringify(journal));
  writeFileSync(join(top, "c"), "new c");
  settleChanges(journals());
  expect([contents(), existsSync(journals())]).toEqual([["new a", "new b", "new c"], false]);
});
