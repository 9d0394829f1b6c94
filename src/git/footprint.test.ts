/** What a command left is told from what others did, and nothing else is taken back. */
import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { takeFootprint, undoFootprint } from "./footprint.ts";
import { commitLeftovers } from "./leftovers.ts";
import { createWorktree } from "./worktree.ts";

const NEWLINE = "new\nline";

async function setUpWorktree() {
  const at = await scratchRepo();
  const wt = join(at.top, "wt");
  await createWorktree(at.repo, { path: wt, base: (await readRef(at.repo, "main"))!, branch: "task" });
  at.write(wt, {
    "a.txt": "by setup\n",
    "new.lock": "1",
    [NEWLINE]: "2",
    "deep/er.lock": "3",
    "mine/x": "4",
    ".env": "S",
  });
  rmSync(join(wt, "dir/b.txt"));
  symlinkSync("a.txt", join(wt, "link"));
  const footprint = await takeFootprint(at.repo, wt, [".env", "mine/"]);
  return Object.assign(at, { wt, footprint });
}

test("names are those that git gives the content, and what is excepted is not in it", async () => {
  await using at = await setUpWorktree();
  expect([...at.footprint.keys()].toSorted()).toEqual(
    ["a.txt", "deep/er.lock", "dir/b.txt", "link", NEWLINE, "new.lock"].toSorted(),
  );
  const oid = runGit(at.wt, "hash-object", "--no-filters", "new.lock").trim();
  expect(at.footprint.get("new.lock")).toBe(`100644 ${oid}`);
  expect(at.footprint.get("dir/b.txt")).toBeNull();
});

test("only what was changed further is committed", async () => {
  await using at = await setUpWorktree();
  const options = { branch: "task", exclude: [".env", "mine"], message: "m", footprint: at.footprint };
  const untouched = await commitLeftovers(at.repo, at.wt, options);
  expect(untouched).toMatchObject({ commit: null, blocked: null });
  expect(untouched.left.map(({ path }) => path).toSorted()).toEqual([".env", "mine/x"]);
  at.write(at.wt, { "a.txt": "by the agent\n" });
  chmodSync(join(at.wt, "new.lock"), 0o755);
  // Staged without a change, it is still only what was there.
  runGit(at.wt, "add", "deep/er.lock");
  const { commit } = await commitLeftovers(at.repo, at.wt, options);
  expect(runGit(at.wt, "diff", "--name-only", `${commit}^`, commit!).trim().split("\n")).toEqual(["a.txt", "new.lock"]);
});

test("undone is what is still the same, and nothing else; a second time is the same", async () => {
  await using at = await setUpWorktree();
  at.write(at.wt, { "new.lock": "by somebody", "other.txt": "theirs" });
  const tracked = readFileSync(join(at.root, "a.txt"), "utf8");
  await undoFootprint(at.repo, at.wt, at.footprint, { untracked: false });
  expect(readFileSync(join(at.wt, "a.txt"), "utf8")).toBe(tracked);
  expect(existsSync(join(at.wt, "dir/b.txt"))).toBe(true);
  expect(existsSync(join(at.wt, NEWLINE))).toBe(true);
  for (let round = 0; round < 2; round++) await undoFootprint(at.repo, at.wt, at.footprint, { untracked: true });
  const left = runGit(at.wt, "status", "--porcelain", "--untracked-files=all").trim().split("\n").toSorted();
  expect(left).toEqual(["?? .env", "?? mine/x", "?? new.lock", "?? other.txt"]);
  expect(readFileSync(join(at.wt, "new.lock"), "utf8")).toBe("by somebody");
});

test("a path that leads through a link of somebody's is not followed", async () => {
  await using at = await setUpWorktree();
  at.write(at.top, { "outside/er.lock": "3" });
  rmSync(join(at.wt, "deep"), { recursive: true });
  symlinkSync(join(at.top, "outside"), join(at.wt, "deep"));
  await undoFootprint(at.repo, at.wt, at.footprint, { untracked: true });
  expect(existsSync(join(at.top, "outside/er.lock"))).toBe(true);
});
