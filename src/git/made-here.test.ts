/** Which commits of a history were made in a worktree. */
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { holdsMadeHere } from "./made-here.ts";

test.each([
  ["a commit", [], true],
  ["an amended one", [["commit", "-q", "--amend", "-m", "other"]], true],
  [
    "one taken over from elsewhere",
    [
      ["reset", "-q", "--hard", "main"],
      ["cherry-pick", "other"],
    ],
    true,
  ],
  ["one rebased", [["rebase", "-q", "other"]], true],
  ["a commit that was reset away", [["reset", "-q", "--hard", "main"]], false],
  [
    "a rebase of nothing",
    [
      ["reset", "-q", "--hard", "main"],
      ["rebase", "-q", "other"],
    ],
    false,
  ],
  [
    "what was merged forward",
    [
      ["reset", "-q", "--hard", "main"],
      ["merge", "-q", "--ff-only", "other"],
    ],
    false,
  ],
  [
    "what was merged",
    [
      ["reset", "-q", "--hard", "main"],
      ["merge", "-q", "--no-ff", "--no-edit", "other"],
    ],
    false,
  ],
])("%s", async (_, steps, isMade) => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { "a.txt": "a\n" });
  at.git(at.root, "switch", "-q", "--detach", base);
  const other = at.commit(at.root, { "b.txt": "b\n" });
  at.git(at.root, "branch", "other", other);
  const worktree = `${at.root}-side`;
  at.git(at.root, "worktree", "add", "-q", "-b", "side", worktree, base);
  at.commit(worktree, { "c.txt": "c\n" });
  for (const step of steps) at.git(worktree, ...step);
  const head = (await readRef(at.repo, "side"))!;
  expect(await holdsMadeHere(at.repo, { worktree, branch: "side", base }, head)).toBe(isMade);
});
