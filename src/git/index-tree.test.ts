import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CHANGED_FILES, changeOf, makeChange } from "../../test/rig/random-changes.ts";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { writeIndexTree } from "./index-tree.ts";
import { placeAt } from "./place.ts";

/** What both say of the index as it is, with all of the tree there. */
async function bothTrees(at: Scratch): Promise<{ ours: string | null; gits: string }> {
  const place = placeAt(at.repo, at.root);
  const ours = await writeIndexTree(at.repo, place, runGit(at.root, "rev-parse", "HEAD^{tree}").trim());
  if (ours !== null) runGit(at.root, "ls-tree", "-r", ours);
  return { ours, gits: runGit(at.root, "write-tree").trim() };
}

const change = changeOf("write", "run", "link", "remove");

test("the tree is the one that git writes, whatever was changed", async () => {
  await using at = await scratchRepo();
  at.write(at.root, CHANGED_FILES);
  runGit(at.root, "add", "--all");
  runGit(at.root, "commit", "-q", "-m", "more");
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), async (changes, keep) => {
      for (const each of changes) makeChange(at.root, each);
      runGit(at.root, "add", "--all");
      const { ours, gits } = await bothTrees(at);
      expect(ours).toBe(gits);
      if (keep) runGit(at.root, "commit", "-q", "--allow-empty", "-m", "next");
    }),
    { numRuns: 60 },
  );
});

test("submodules and an emptied index too", async () => {
  await using at = await scratchRepo();
  const commit = runGit(at.root, "rev-parse", "HEAD").trim();
  runGit(at.root, "update-index", "--add", "--cacheinfo", `160000,${commit},libs/module`);
  const withLink = await bothTrees(at);
  expect(withLink.ours).toBe(withLink.gits);
  runGit(at.root, "rm", "-r", "-q", "--cached", ".");
  const empty = await bothTrees(at);
  expect(empty.ours).toBe(empty.gits);
});

test("the word is git's where paths are open, only announced, under a name that no tree may have, without a content, or many", async () => {
  await using at = await scratchRepo();
  const commit = runGit(at.root, "rev-parse", "HEAD").trim();
  const blob = runGit(at.root, "hash-object", "-w", "--stdin").trim();
  const ask = () =>
    writeIndexTree(at.repo, placeAt(at.repo, at.root), runGit(at.root, "rev-parse", "HEAD^{tree}").trim());
  const reset = () => runGit(at.root, "reset", "-q", "--hard", commit);

  at.write(at.root, { later: "x" });
  runGit(at.root, "add", "--intent-to-add", "later");
  expect(await ask()).toBeNull();
  reset();

  runGit(at.root, "update-index", "--add", "--cacheinfo", `100644,${"1".repeat(40)},gone`);
  expect(await ask()).toBeNull();
  expect(() => runGit(at.root, "write-tree")).toThrow(/invalid object/);
  reset();

  runGit(at.root, "checkout", "-q", "-b", "side");
  at.write(at.root, { both: "side" });
  runGit(at.root, "add", "-A");
  runGit(at.root, "commit", "-q", "-m", "side");
  runGit(at.root, "checkout", "-q", "-");
  at.write(at.root, { both: "main" });
  runGit(at.root, "add", "-A");
  runGit(at.root, "commit", "-q", "-m", "main");
  expect(() => runGit(at.root, "merge", "-q", "side")).toThrow(/merge/);
  expect(await ask()).toBeNull();
  reset();

  runGit(
    at.root,
    "-c",
    "core.protectHFS=false",
    "-c",
    "core.protectNTFS=false",
    "update-index",
    "--add",
    "--cacheinfo",
    `100644,${blob},git~1/x`,
  );
  expect(await ask()).toBeNull();
  reset();

  at.write(at.root, Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`many/file-${n}`, "x"])));
  runGit(at.root, "add", "--all");
  expect(await ask()).toBeNull();
});
