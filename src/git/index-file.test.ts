import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readSpecialEntries } from "./index-file.ts";

test("marked entries and submodules are found, whatever the lengths of the names", async () => {
  await using at = await scratchRepo();
  const names = Array.from({ length: 24 }, (_, n) => `n${"x".repeat(n)}`);
  at.write(at.root, Object.fromEntries(names.map((name) => [name, name])));
  runGit(at.root, "add", "-A");
  const index = join(at.root, ".git/index");
  expect(readSpecialEntries(index, 20)).toEqual({ overlooked: [], links: [] });
  runGit(at.root, "update-index", "--skip-worktree", names[3]!, names[17]!);
  runGit(at.root, "update-index", "--assume-unchanged", names[8]!);
  runGit(
    at.root,
    "update-index",
    "--add",
    "--cacheinfo",
    `160000,${runGit(at.root, "rev-parse", "HEAD").trim()},module`,
  );
  expect(readSpecialEntries(index, 20)).toEqual({ overlooked: [names[3], names[8], names[17]], links: ["module"] });
});

test("an index that is written otherwise is left to git", async () => {
  await using at = await scratchRepo();
  runGit(at.root, "update-index", "--index-version", "4");
  expect(readSpecialEntries(join(at.root, ".git/index"), 20)).toBeNull();
  runGit(at.root, "update-index", "--index-version", "2");
  runGit(at.root, "update-index", "--split-index");
  expect(readSpecialEntries(join(at.root, ".git/index"), 20)).toBeNull();
});
