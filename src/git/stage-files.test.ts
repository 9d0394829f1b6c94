import { existsSync, linkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CHANGED_FILES, changeOf, makeChange } from "../../test/rig/random-changes.ts";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { placeAt } from "./place.ts";
import { stageFiles } from "./stage-files.ts";
import { readStatus } from "./status.ts";

/** Everything that an index holds, and of these paths what it knows of their files too: times, inodes. */
const dump = (at: Scratch, paths: readonly string[] = []) =>
  [["--stage"], ["--debug", "--", ...paths]]
    .slice(0, paths.length === 0 ? 1 : 2)
    .map((more) => runGit(at.root, "--literal-pathspecs", "ls-files", ...more))
    .join("\n");

/** Stages all by ours, and then from the same index all by git. */
async function stageTwice(at: Scratch): Promise<{ isOurs: boolean; ours: string; gits: string }> {
  const index = join(at.root, ".git/index");
  // Its time stays what it was: git goes by it where a file was changed twice within a second.
  linkSync(index, `${index}.before`);
  const place = placeAt(at.repo, at.root);
  const { changes, untracked } = await readStatus(place);
  const paths = [...changes.filter(({ y }) => y !== ".").map((change) => change.path), ...untracked];
  const isOurs = stageFiles(at.repo, place, paths);
  const ours = dump(at, paths);
  expect(existsSync(`${index}.lock`)).toBe(false);
  if (isOurs) {
    expect(runGit(at.root, "status", "--porcelain")).not.toMatch(/^(.[^ ]|\?)/m);
    runGit(at.root, "fsck", "--strict");
    runGit(at.root, "write-tree");
  }
  renameSync(`${index}.before`, index);
  rmSync(`${index}.before`, { force: true });
  runGit(at.root, "add", "--all");
  return { isOurs, ours, gits: dump(at, paths) };
}

const change = changeOf("write", "run", "remove", "stage");

test("the index is the one that git makes, to the last inode, whatever was changed", async () => {
  await using at = await scratchRepo();
  at.write(at.root, CHANGED_FILES);
  runGit(at.root, "add", "--all");
  runGit(at.root, "commit", "-q", "-m", "more");
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      for (const each of changes) {
        makeChange(at.root, each);
        if (each.kind === "stage") runGit(at.root, "add", "--", each.path);
      }
      const { isOurs, ours, gits } = await stageTwice(at);
      expect(isOurs).toBe(true);
      expect(ours).toBe(gits);
    }),
    { numRuns: 60 },
  );
});

type Case = [name: string, prepare: (at: Scratch) => void];
const ODD: Case[] = [
  ["attributes in the worktree", (at) => at.write(at.root, { ".gitattributes": "*.txt eol=crlf\n" })],
  ["attributes in a folder of it", (at) => at.write(at.root, { "deep/.gitattributes": "* text\n", "deep/x": "1" })],
  ["attributes of the repository", (at) => at.write(at.root, { ".git/info/attributes": "* text\n" })],
  ["a setting that converts", (at) => void runGit(at.root, "config", "core.autocrlf", "input")],
  ["another kind of index", (at) => void runGit(at.root, "update-index", "--index-version", "4")],
  ["a symbolic link", (at) => symlinkSync("a.txt", join(at.root, "link"))],
  ["a large file", (at) => writeFileSync(join(at.root, "large"), Buffer.alloc(70_000))],
  ["many files", (at) => at.write(at.root, Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`n${n}`, ""])))],
  ["settings of one worktree", (at) => at.write(at.root, { ".git/config.worktree": "" })],
];

test.each(ODD)("with %s it is left to git, and nothing was changed", async (_, prepare) => {
  await using at = await scratchRepo();
  prepare(at);
  at.write(at.root, { new: "text\r\n" });
  const before = dump(at);
  const { isOurs, ours } = await stageTwice(at);
  expect(isOurs).toBe(false);
  expect(ours).toContain(before);
});

test("somebody else's lock is left alone", async () => {
  await using at = await scratchRepo();
  at.write(at.root, { new: "text", ".git/index.lock": "" });
  expect(stageFiles(at.repo, placeAt(at.repo, at.root), ["new"])).toBe(false);
  expect(existsSync(join(at.root, ".git/index.lock"))).toBe(true);
});
