/** What a kill in the middle of a creation leaves in the place of a worktree is no obstacle to the next creation. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { createWorktree } from "./worktree.ts";

test.each([
  ["an empty .git file", ""],
  ["a .git file that points to an entry never made", null],
])("%s gives way", async (_, text) => {
  await using scratch = await scratchRepo();
  const path = join(scratch.top, "task");
  const base = scratch.git(scratch.root, "rev-parse", "HEAD");
  scratch.write(path, { ".git": text ?? `gitdir: ${join(scratch.repo.commonDir, "worktrees", "owt-task-1")}\n` });
  expect(await createWorktree(scratch.repo, { path, base, branch: "owt/tasks/t/1" })).toMatchObject({ isNew: true });
  expect(existsSync(join(path, "a.txt"))).toBe(true);
});

test.each([{ ".git": "gitdir: /elsewhere\n" }, { ".git": "", "work.txt": "mine" }])(
  "a folder that holds something of somebody's does not",
  async (files) => {
    await using scratch = await scratchRepo();
    const path = join(scratch.top, "task");
    scratch.write(path, files);
    const base = scratch.git(scratch.root, "rev-parse", "HEAD");
    expect(await createWorktree(scratch.repo, { path, base })).toMatchObject({ refused: "path-exists" });
    expect(existsSync(join(path, ".git"))).toBe(true);
  },
);
