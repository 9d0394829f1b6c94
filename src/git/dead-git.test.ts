/** What a killed owt left half-done in a worktree: its git is waited for, its merge is undone without losing anything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratchRepo } from "../../test/rig/scratch-repo.ts";
import { outlastDeadGit } from "./dead-git.ts";
import { GIT_OWNER } from "./git.ts";
import { moveBack } from "./move.ts";
import { ownerMark } from "./owner.ts";
import { PROGRAMS_OF } from "./patience.ts";
import { createWorktree } from "./worktree.ts";

test.each([
  ["a dead owt is waited for", "999999999-1-x", "waits"],
  ["a living one is not", ownerMark(), "goes on"],
])("the git of %s", async (_, owner, expected) => {
  await using scratch = await scratchRepo();
  const env = { ...process.env, GIT_COMMON_DIR: scratch.repo.commonDir, [GIT_OWNER]: owner };
  const child = spawn("sleep", ["60"], { env, stdio: "ignore" });
  await once(child, "spawn");
  const look = () =>
    outlastDeadGit(scratch.repo, { longestMs: 50 }).then(
      () => "goes on",
      () => "waits",
    );
  expect(await look()).toBe(expected);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await look()).toBe("goes on");
});

test("what a merge driver of a dead owt still does is ended", async () => {
  await using scratch = await scratchRepo();
  const about = { GIT_COMMON_DIR: scratch.repo.commonDir, [GIT_OWNER]: "999999999-1-x", [PROGRAMS_OF]: "x" };
  const child = spawn("sleep", ["60"], { env: { ...process.env, ...about }, stdio: "ignore" });
  const ended = once(child, "exit");
  await once(child, "spawn");
  await outlastDeadGit(scratch.repo);
  await ended;
  expect(child.signalCode).toBe("SIGKILL");
});

test("a worktree goes back to its HEAD, and what it held is saved", async () => {
  await using scratch = await scratchRepo();
  const path = join(scratch.top, "task");
  const base = scratch.git(scratch.root, "rev-parse", "HEAD");
  await createWorktree(scratch.repo, { path, base, branch: "owt/tasks/t/1" });
  scratch.write(path, { "a.txt": "<<<<<<< half\n", "b.txt": "new\n", ".env": "S=1\n" });
  const ref = await moveBack(scratch.repo, path, [".env"], { id: "half", note: "a test", at: 0 });
  expect(scratch.git(path, "status", "--porcelain")).toBe("?? .env");
  expect(existsSync(join(path, ".env"))).toBe(true);
  expect(scratch.git(path, "show", `${ref}:a.txt`)).toBe("<<<<<<< half");
  expect(scratch.git(path, "show", `${ref}:b.txt`)).toBe("new");
});
