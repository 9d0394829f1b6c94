import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { openRepo } from "./repo.ts";
import { settleConflicts } from "./settle-conflicts.ts";

/** Two branches that both changed `list` and `gone` (one of them deletes it), and a file each that the other did not touch. */
async function diverged() {
  const at = await scratchRepo();
  const put = (name: string, text: string) => writeFileSync(join(at.root, name), text);
  const commit = (message: string) => {
    runGit(at.root, "add", "-A");
    runGit(at.root, "commit", "-q", "-m", message);
    return runGit(at.root, "rev-parse", "HEAD").trim();
  };
  put("list", "base\n");
  put("gone", "base\n");
  const base = commit("base");
  put("list", "base\nours\n");
  put("only ours", "1");
  rmSync(join(at.root, "gone"));
  const ours = commit("ours");
  runGit(at.root, "checkout", "-q", "--detach", base);
  put("list", "base\ntheirs\n");
  put("gone", "changed\n");
  put("only theirs", "1");
  const theirs = commit("theirs");
  return { at, repo: await openRepo(at.root), ours, theirs };
}

test("ours, also where that is nothing; the lines of both; what only one side changed comes along", async () => {
  const { at, repo, ours, theirs } = await diverged();
  await using _ = at;
  const choose = (path: string) => (path === "list" ? "union" : "ours");
  const tree = await settleConflicts(repo, ours, theirs, at.root, choose);
  const names = runGit(at.root, "ls-tree", "-r", "--name-only", tree!).split("\n").filter(Boolean);
  expect(names).toEqual(expect.arrayContaining(["list", "only ours", "only theirs"]));
  expect(names).not.toContain("gone");
  expect(runGit(at.root, "show", `${tree!}:list`)).toBe("base\nours\ntheirs");
});

test("without a choice for one of them, or where lines cannot be joined, nothing is settled", async () => {
  const { at, repo, ours, theirs } = await diverged();
  await using _ = at;
  expect(await settleConflicts(repo, ours, theirs, at.root, (path) => (path === "list" ? "ours" : null))).toBeNull();
  expect(await settleConflicts(repo, ours, theirs, at.root, () => "union")).toBeNull();
});
