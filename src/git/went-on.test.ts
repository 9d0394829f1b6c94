/** Whether a branch only went on from a commit, by git's own log of it. */
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { onlyWentOn } from "./went-on.ts";

test.each([
  ["stays", [], true],
  ["is committed to", [["commit", "-q", "--allow-empty", "-m", "more"]], true],
  ["is merged into", [["merge", "-q", "--no-ff", "--no-edit", "other"]], true],
  ["is amended", [["commit", "-q", "--amend", "--allow-empty", "-m", "other"]], false],
  ["is reset", [["reset", "-q", "--hard", "HEAD~1"]], false],
  ["is rebased", [["rebase", "-q", "other"]], false],
  [
    "has no log",
    [
      ["reflog", "expire", "--expire=all", "--all"],
      ["commit", "-q", "--allow-empty", "-m", "more"],
    ],
    false,
  ],
])("a branch that %s", async (_, commands, only) => {
  await using at = await scratchRepo();
  const git = (...words: string[]) => at.git(at.root, ...words);
  git("commit", "-q", "--allow-empty", "-m", "one more");
  git("branch", "other", "HEAD~1");
  git("switch", "-q", "other");
  git("commit", "-q", "--allow-empty", "-m", "other");
  git("switch", "-q", "main");
  const from = (await readRef(at.repo, "main"))!;
  for (const command of commands) git(...command);
  expect(onlyWentOn(at.repo, "main", from)).toBe(only);
});
