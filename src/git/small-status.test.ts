import { lstatSync, readFileSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CHANGED_FILES, changeOf, makeChange } from "../../test/rig/random-changes.ts";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readTree } from "./commit.ts";
import { placeAt } from "./place.ts";
import { readSmallStatus } from "./small-status.ts";
import { readStatus } from "./status.ts";

/** What both say of the main checkout as it is. */
async function askBoth(at: Scratch) {
  const place = placeAt(at.repo, at.root);
  const head = await readTree(at.repo, runGit(at.root, "rev-parse", "HEAD").trim());
  const ours = await readSmallStatus(at.repo, place, head);
  return { ours, gits: await readStatus(place, { ignored: true, links: true }) };
}

const change = changeOf("write", "write", "run", "remove", "link", "commit", "folder");
const PATTERNS = ["*.o", "/dist/", "q?z", "# out", "!out", "deep/**/gone", "\\#b", "tmp*", "é"];

test("it is what git says, whatever was changed", async () => {
  await using at = await scratchRepo();
  at.write(at.root, { ...CHANGED_FILES, "out/x/y": "5" });
  runGit(at.root, "add", "--all");
  runGit(at.root, "commit", "-q", "-m", "more");
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.subarray(PATTERNS, { maxLength: 4 }),
      async (changes, patterns) => {
        writeFileSync(join(at.root, ".git/info/exclude"), `${patterns.join("\n")}\n`);
        for (const each of changes) {
          makeChange(at.root, each);
          if (each.kind !== "commit") continue;
          runGit(at.root, "add", "--all");
          runGit(at.root, "commit", "-q", "--allow-empty", "-m", "between");
        }
        const { ours, gits } = await askBoth(at);
        if (ours !== null) expect(ours).toEqual(gits);
        if (ours !== null) answered++;
        runGit(at.root, "add", "--all", "--force");
        runGit(at.root, "commit", "-q", "--allow-empty", "-m", "next");
      },
    ),
    { numRuns: 80 },
  );
  expect(answered).toBeGreaterThan(10);
});

const text = fc.string({
  unit: fc.constantFrom("a", "b", "o", ".", "*", "?", "/", "[", "]", "!", "#", "\\", " ", "-"),
  maxLength: 6,
});

test("no pattern ignores a file that it says none can", async () => {
  await using at = await scratchRepo();
  at.write(at.root, { "a/b.o": "1", "ab/a": "2", "o-a": "3", "a b/o": "4", "b/#o": "5", "b/!a": "6" });
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 3 }), fc.boolean(), async (patterns, inFolder) => {
      rmSync(join(at.root, ".gitignore"), { force: true });
      rmSync(join(at.root, "a/.gitignore"), { force: true });
      writeFileSync(join(at.root, inFolder ? "a/.gitignore" : ".gitignore"), patterns.join("\n"));
      const { ours, gits } = await askBoth(at);
      if (ours !== null) expect(ours).toEqual(gits);
      if (ours !== null) answered++;
    }),
    { numRuns: 100 },
  );
  expect(answered).toBeGreaterThan(10);
});

type Case = [name: string, prepare: (at: Scratch) => void];
const ODD: Case[] = [
  ["attributes", (at) => at.write(at.root, { "deep/.gitattributes": "*.txt eol=crlf\n" })],
  ["attributes of the repository", (at) => at.write(at.root, { ".git/info/attributes": "* text\n" })],
  ["a setting that converts", (at) => void runGit(at.root, "config", "core.autocrlf", "input")],
  ["a setting that ignores", (at) => void runGit(at.root, "config", "core.excludesFile", join(at.top, "ignored"))],
  ["a file that may be ignored", (at) => at.write(at.root, { ".gitignore": "*.log\n", "a/x.log": "" })],
  ["a folder that may be", (at) => at.write(at.root, { ".git/info/exclude": "/Node*/\n", "node_modules/a/b": "" })],
  ["something staged", (at) => (at.write(at.root, { new: "" }), void runGit(at.root, "add", "new"))],
  ["something announced", (at) => (at.write(at.root, { new: "" }), void runGit(at.root, "add", "-N", "new"))],
  ["a file that git overlooks", (at) => void runGit(at.root, "update-index", "--assume-unchanged", "a.txt")],
  ["a sparse checkout", (at) => void runGit(at.root, "sparse-checkout", "set", "dir")],
  ["another repository inside", (at) => void runGit(at.root, "init", "-q", "inside/it")],
  ["a new link", (at) => symlinkSync("a.txt", join(at.root, "link"))],
  ["a folder instead of a file", (at) => (rmSync(join(at.root, "a.txt")), at.write(at.root, { "a.txt/x": "" }))],
  [
    "many new files",
    (at) => at.write(at.root, Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`n${n}`, ""]))),
  ],
];

test.each(ODD)("with %s it is left to git", async (_, prepare) => {
  await using at = await scratchRepo();
  expect((await askBoth(at)).ours).not.toBe(null);
  prepare(at);
  expect((await askBoth(at)).ours).toBe(null);
});

test("a file that was changed in the moment in which it was written is seen, though all its times and its size stayed", async () => {
  await using at = await scratchRepo();
  const file = join(at.root, "a.txt");
  const { size, atime, mtime } = lstatSync(file);
  writeFileSync(file, "x".repeat(size));
  utimesSync(file, atime, mtime);
  const { ours, gits } = await askBoth(at);
  expect(ours).toEqual(gits);
  expect(ours?.changes.map((each) => each.path)).toEqual(["a.txt"]);
});

test("a file that was touched, and is what it was, is none", async () => {
  await using at = await scratchRepo();
  const file = join(at.root, "a.txt");
  const before = readFileSync(file);
  truncateSync(file);
  writeFileSync(file, before);
  utimesSync(file, 1, 1);
  const { ours, gits } = await askBoth(at);
  expect(ours).toEqual(gits);
  expect(ours?.changes).toEqual([]);
});
