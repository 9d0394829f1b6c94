import * as fc from "fast-check";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { mergeDisjoint } from "./tree-merge.ts";

const PATHS = ["a", "b", "dir/a", "dir/b", "dir/sub/c", "dir.x", "dir-x", "other/d", "other/e"];
const change = fc.record({ path: fc.constantFrom(...PATHS), text: fc.constantFrom(null, "one", "two", "three") });

test("where it answers, the answer is git's; where git sees a conflict, it gives up", async () => {
  await using at = await scratchRepo();
  let answered = 0;
  const commitOf = (parent: string, files: Map<string, string>): string => {
    runGit(at.root, "read-tree", "--empty");
    for (const [path, text] of files) {
      const blob = runGit(at.root, "hash-object", "-w", "--", `${at.top}/${text}`).trim();
      // A path that is a folder for another one cannot be a file as well; git refuses, and so the case is left out.
      runGit(at.root, "update-index", "--add", "--cacheinfo", `100644,${blob},${path}`);
    }
    const tree = runGit(at.root, "write-tree").trim();
    return runGit(at.root, "commit-tree", tree, ...(parent ? ["-p", parent] : []), "-m", "x").trim();
  };
  for (const text of ["one", "two", "three"]) at.write(at.top, { [text]: `${text}\n`.repeat(5) });
  const apply = (files: Map<string, string>, changes: { path: string; text: string | null }[]) => {
    const next = new Map(files);
    for (const { path, text } of changes)
      if (text === null) next.delete(path);
      else next.set(path, text);
    return next;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 8 }),
      fc.array(change, { maxLength: 4 }),
      fc.array(change, { maxLength: 4 }),
      async (start, left, right) => {
        const base = apply(new Map(), start);
        const baseCommit = commitOf("", base);
        const ours = commitOf(baseCommit, apply(base, left));
        const theirs = commitOf(baseCommit, apply(base, right));
        const merged = await mergeDisjoint(at.repo, ours, theirs);
        if (merged === null) return;
        answered++;
        expect(merged).toBe(runGit(at.root, "merge-tree", "--write-tree", ours, theirs).trim());
      },
    ),
    { numRuns: Number(process.env["OWT_PROPERTY_RUNS"] ?? 25) },
  );
  expect(answered).toBeGreaterThan(3);
});

test("a folder of which each side removed the other's half is gone", async () => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { "dir/a": "a", "dir/sub/c": "c" });
  runGit(at.root, "switch", "-q", "-c", "one");
  runGit(at.root, "rm", "-q", "dir/a");
  runGit(at.root, "commit", "-qm", "one");
  runGit(at.root, "switch", "-q", "-c", "two", base);
  runGit(at.root, "rm", "-q", "dir/sub/c");
  runGit(at.root, "commit", "-qm", "two");
  const [ours, theirs] = ["one", "two"].map((name) => runGit(at.root, "rev-parse", name).trim());
  expect(await mergeDisjoint(at.repo, ours!, theirs!)).toBe(
    runGit(at.root, "merge-tree", "--write-tree", ours!, theirs!).trim(),
  );
});

test("what both took out of a folder, and one of them put elsewhere, is left to git", async () => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { "dir/kept": "kept", "dir/sub/gone": "one\ntwo\nthree\n" });
  runGit(at.root, "switch", "-q", "-c", "one");
  runGit(at.root, "rm", "-q", "dir/sub/gone");
  const ours = at.commit(at.root, {});
  runGit(at.root, "switch", "-q", "-c", "two", base);
  runGit(at.root, "mv", "dir/sub/gone", "elsewhere");
  const theirs = at.commit(at.root, {});
  expect(runGit(at.root, "rev-parse", `${ours}:dir`)).toBe(runGit(at.root, "rev-parse", `${theirs}:dir`));
  expect(await mergeDisjoint(at.repo, ours, theirs)).toBeNull();
});

test("a branch whose commits came in by a side way is left to git", async () => {
  await using at = await scratchRepo();
  runGit(at.root, "switch", "-q", "-c", "side");
  at.write(at.root, { side: "1" });
  runGit(at.root, "add", "-A");
  runGit(at.root, "commit", "-qm", "side 1");
  runGit(at.root, "switch", "-q", "-c", "friend");
  at.write(at.root, { friend: "1" });
  runGit(at.root, "add", "-A");
  runGit(at.root, "commit", "-qm", "friend");
  runGit(at.root, "switch", "-q", "main");
  runGit(at.root, "merge", "-q", "--no-ff", "-m", "friend comes in", "friend");
  runGit(at.root, "rm", "-q", "side");
  runGit(at.root, "commit", "-qm", "side goes");
  runGit(at.root, "switch", "-q", "side");
  at.write(at.root, { more: "2" });
  runGit(at.root, "add", "-A");
  runGit(at.root, "commit", "-qm", "side 2");
  const [ours, theirs] = ["main", "side"].map((name) => runGit(at.root, "rev-parse", name).trim());
  expect(await mergeDisjoint(at.repo, ours!, theirs!)).toBeNull();
});
