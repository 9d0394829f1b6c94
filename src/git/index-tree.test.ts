import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
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

const PARTS = ["a", "b", "b.txt", "b-c", "ä ö", "-x", ".github", "c"];
const path = fc.array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const change = fc.record({
  path,
  kind: fc.constantFrom("write", "run", "link", "remove"),
  text: fc.string({ maxLength: 9 }),
});

test("the tree is the one that git writes, whatever was changed", async () => {
  await using at = await scratchRepo();
  at.write(at.root, { "a/b/c": "1", "b.txt": "2", "b-c/a": "3", ".github/x": "4" });
  runGit(at.root, "add", "--all");
  runGit(at.root, "commit", "-q", "-m", "more");
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), async (changes, keep) => {
      for (const { path: name, kind, text } of changes) {
        const full = join(at.root, name);
        // A file where a folder would be, or the other way round, is taken out of the way, as an agent would.
        for (let above = dirname(name); above !== "."; above = dirname(above)) removeFile(join(at.root, above));
        rmSync(full, { recursive: true, force: true });
        if (kind === "remove") continue;
        mkdirSync(dirname(full), { recursive: true });
        if (kind === "link") symlinkSync(`to ${text}`.replaceAll("\0", ""), full);
        else writeFileSync(full, text);
        if (kind === "run") chmodSync(full, 0o755);
      }
      runGit(at.root, "add", "--all");
      const { ours, gits } = await bothTrees(at);
      expect(ours).toBe(gits);
      if (keep) runGit(at.root, "commit", "-q", "--allow-empty", "-m", "next");
    }),
    { numRuns: 60 },
  );
});

function removeFile(path: string): void {
  try {
    rmSync(path);
  } catch {
    // A folder, or nothing.
  }
}

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
