import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { changedPaths } from "./changed-paths.ts";
import { openRepo } from "./repo.ts";

test("the paths of several commits at once, merges by their first parent, one without changes left out", async () => {
  await using at = await scratchRepo();
  const repo = await openRepo(at.root);
  const commit = (message: string) => {
    runGit(at.root, "add", "-A");
    runGit(at.root, "commit", "-q", "--allow-empty", "-m", message);
    return runGit(at.root, "rev-parse", "HEAD").trim();
  };
  const base = commit("base");
  mkdirSync(join(at.root, "deep"));
  writeFileSync(join(at.root, "deep", "a\nb c.txt"), "1");
  writeFileSync(join(at.root, "x"), "1");
  const one = commit("one");
  const empty = commit("nothing");
  runGit(at.root, "checkout", "-q", "-b", "side", base);
  writeFileSync(join(at.root, "side"), "1");
  commit("side");
  runGit(at.root, "checkout", "-q", "-");
  runGit(at.root, "merge", "-q", "--no-ff", "--no-edit", "side");
  const merge = runGit(at.root, "rev-parse", "HEAD").trim();
  rmSync(join(at.root, "x"));
  const gone = commit("gone");
  const pairs = [
    { from: base, to: one },
    { from: one, to: empty },
    { from: empty, to: merge },
    { from: base, to: gone },
  ];
  expect(Object.fromEntries(await changedPaths(repo, pairs))).toEqual({
    [one]: ["deep/a\nb c.txt", "x"],
    [merge]: ["side"],
    [gone]: ["deep/a\nb c.txt", "side"],
  });
  expect((await changedPaths(repo, [])).size).toBe(0);
});
