import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { createBranch, isAncestor, readParents, readRef } from "./branch.ts";
import { closeHelpers } from "./git.ts";
import { DEFAULT_IDENTITY, readIdentity, readTree, writeCommit } from "./commit.ts";
import { commitLeftovers, type LeftoversOptions } from "./leftovers.ts";
import { startMerge } from "./merge.ts";
import { removeWorktree } from "./remove.ts";
import { openRepo } from "./repo.ts";
import { restoreRescue } from "./restore.ts";
import { createWorktree } from "./worktree.ts";

const OPTIONS: LeftoversOptions = { branch: "task", exclude: [".env"], message: "leftovers" };

async function taskWorktree(name?: string): Promise<Scratch & { wt: string; base: string }> {
  const at = await scratchRepo(name);
  const base = (await readRef(at.repo, "main"))!;
  const wt = join(at.top, "task wt");
  await createWorktree(at.repo, { path: wt, base, branch: "task" });
  return Object.assign(at, { wt, base });
}

test("a written commit is what git itself would have written, and git agrees with its name", async () => {
  await using at = await scratchRepo();
  const tip = (await readRef(at.repo, "main"))!;
  const tree = await readTree(at.repo, tip);
  const commit = {
    tree,
    parents: [tip],
    message: "Merge ü\n\nOwt-Task: a\n",
    identity: { name: "A <b>\n c", email: "a@b" },
  };
  const oid = await writeCommit(at.repo, commit);
  expect(runGit(at.root, "cat-file", "commit", oid)).toContain(`tree ${tree}\nparent ${tip}\nauthor A b c <a@b> `);
  runGit(at.root, "fsck", "--strict");
  expect(await writeCommit({ ...at.repo, plainLayout: false }, commit)).toMatch(/^[0-9a-f]{40}$/);
  await expect(writeCommit(at.repo, { ...commit, tree: "1".repeat(40) })).rejects.toThrow("does not exist");
});

test("the identity is the user's, and without one a named default", async () => {
  await using at = await scratchRepo();
  expect(await readIdentity(at.repo)).toEqual({ name: "Ann User", email: "ann@example.com", isDefault: false });
  process.env["GIT_CONFIG_GLOBAL"] = "/dev/null";
  // The helper shells took their environment along when they started.
  await closeHelpers();
  try {
    runGit(at.root, "config", "--unset", "user.email");
    expect(await readIdentity(at.repo)).toEqual({ ...DEFAULT_IDENTITY, isDefault: true });
  } finally {
    delete process.env["GIT_CONFIG_GLOBAL"];
    await closeHelpers();
  }
});

test("modified, deleted, new, renamed and odd names are committed on the task's branch with the user's identity and without hooks", async () => {
  await using at = await taskWorktree();
  at.write(at.root, { ".git/hooks/pre-commit": "#!/bin/sh\ntouch ../hooked\nexit 1\n" });
  runGit(at.root, "config", "core.hooksPath", join(at.root, ".git/hooks"));
  at.write(at.wt, { "a.txt": "changed\n", "new\nline ü": "x", "-dash": "y", ":(top)z": "z", "dir2/c": "c" });
  rmSync(join(at.wt, "dir/b.txt"));
  symlinkSync("/etc/passwd", join(at.wt, "link"));
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(done).toMatchObject({ blocked: null, left: [], head: { branch: "task", oid: at.base } });
  expect(done.tip).toBe(done.commit);
  expect(await readRef(at.repo, "task")).toBe(done.commit);
  expect(runGit(at.wt, "status", "--porcelain")).toBe("");
  expect(runGit(at.wt, "show", "-s", "--format=%an %ae %s")).toBe("Ann User ann@example.com leftovers");
  expect(runGit(at.wt, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")).toEqual(
    expect.arrayContaining(["new\nline ü", "-dash", ":(top)z", "dir2/c", "link"]),
  );
  expect(existsSync(join(at.top, "hooked"))).toBe(false);
});

test("nothing left is nothing done, twice", async () => {
  await using at = await taskWorktree();
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({
    commit: null,
    blocked: null,
    tip: at.base,
    identity: null,
  });
  const own = at.commit(at.wt, { x: "1" });
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({ commit: null, tip: own });
});

test("our own files, local settings, large files and nested repositories stay out and are named, also when the agent had staged them", async () => {
  await using at = await taskWorktree();
  at.write(at.wt, {
    ".env": "SECRET",
    ".claude/settings.local.json": "{}",
    "big.bin": Buffer.alloc(2_000),
    "big2.bin": Buffer.alloc(2_000),
    "ok.txt": "ok",
    "ok2.txt": "ok",
    "ignored/x": "i",
  });
  runGit(at.wt, "init", "-q", "nested");
  runGit(at.wt, "add", "-f", ".env", "big2.bin", "ok2.txt");
  runGit(at.wt, "rm", "-q", "dir/b.txt");
  const done = await commitLeftovers(at.repo, at.wt, { ...OPTIONS, maxFileBytes: 1_000 });
  expect(done.left.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: ".claude/settings.local.json", reason: "excluded" },
    { path: ".env", reason: "excluded" },
    { path: "big.bin", reason: "too-large" },
    { path: "big2.bin", reason: "too-large" },
    { path: "nested/", reason: "nested-repository" },
  ]);
  expect(runGit(at.wt, "ls-tree", "-r", "--name-only", "HEAD").split("\n")).toEqual([
    ".gitignore",
    "a.txt",
    "ok.txt",
    "ok2.txt",
  ]);
  expect(readFileSync(join(at.wt, ".env"), "utf8")).toBe("SECRET");
  expect(await commitLeftovers(at.repo, at.wt, { ...OPTIONS, maxFileBytes: 1_000 })).toMatchObject({
    commit: null,
    tip: done.commit,
  });
});

test("a tracked file that is ours now keeps its committed content", async () => {
  await using at = await taskWorktree();
  at.commit(at.wt, { ".env": "A=1" });
  at.write(at.wt, { ".env": "A=secret", "ok.txt": "ok" });
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(done.left).toEqual([{ path: ".env", reason: "excluded" }]);
  expect(runGit(at.wt, "show", "HEAD:.env")).toBe("A=1");
  expect(runGit(at.wt, "show", "HEAD:ok.txt")).toBe("ok");
});

test("the user's own checkout is never committed in", async () => {
  await using at = await scratchRepo();
  await expect(commitLeftovers(at.repo, at.root, OPTIONS)).rejects.toThrow("user's own checkout");
});

test("a worktree whose .git file an agent deleted or rewrote is still itself", async () => {
  await using at = await taskWorktree();
  at.write(at.wt, { "x.txt": "x" });
  rmSync(join(at.wt, ".git"));
  const first = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(runGit(at.root, "show", `${first.commit!}:x.txt`)).toBe("x");
  writeFileSync(join(at.wt, ".git"), `gitdir: ${at.root}/.git\n`);
  at.write(at.wt, { "y.txt": "y" });
  const second = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(runGit(at.root, "show", `${second.commit!}:y.txt`)).toBe("y");
  expect(runGit(at.root, "status", "--porcelain")).toBe("");
});

test("work on a detached HEAD above the branch comes home", async () => {
  await using at = await taskWorktree();
  runGit(at.wt, "checkout", "-q", "--detach");
  const own = at.commit(at.wt, { x: "1" });
  at.write(at.wt, { y: "2" });
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(done).toMatchObject({ blocked: null, head: { branch: null, oid: own } });
  expect(await readParents(at.repo, done.commit!)).toEqual([own]);
  expect(await readRef(at.repo, "task")).toBe(done.commit);
  expect(runGit(at.wt, "symbolic-ref", "HEAD")).toBe("refs/heads/task");
  expect(runGit(at.wt, "status", "--porcelain")).toBe("");
});

test("committed work on another branch comes home, and that branch stays", async () => {
  await using at = await taskWorktree();
  runGit(at.wt, "checkout", "-q", "-b", "own-idea");
  const own = at.commit(at.wt, { x: "1" });
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(done).toMatchObject({ commit: null, tip: own, blocked: null, head: { branch: "own-idea", oid: own } });
  expect(await readRef(at.repo, "task")).toBe(own);
  expect(await readRef(at.repo, "own-idea")).toBe(own);
});

test("work that the branch cannot be fast-forwarded to is reported and stays where it is", async () => {
  await using at = await taskWorktree();
  const own = at.commit(at.wt, { x: "1" });
  runGit(at.wt, "checkout", "-q", "--detach", at.base);
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({ commit: null, blocked: null, tip: own });
  at.write(at.wt, { y: "2" });
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({
    commit: null,
    blocked: "head-elsewhere",
    tip: own,
  });
  expect(await readRef(at.repo, "task")).toBe(own);
  expect(readFileSync(join(at.wt, "y"), "utf8")).toBe("2");
});

test("a rebase that stopped half-way is not committed into", async () => {
  await using at = await taskWorktree();
  at.commit(at.wt, { "a.txt": "task\n" });
  at.commit(at.root, { "a.txt": "main\n" });
  expect(() => runGit(at.wt, "rebase", "-q", "main")).toThrow("rebase");
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({ commit: null, blocked: "unmerged" });
  at.write(at.wt, { "a.txt": "both\n" });
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({ commit: null, blocked: "rebase-in-progress" });
});

test("an open merge is reported until it is resolved, then concluded with both parents, added or not", async () => {
  await using at = await taskWorktree();
  const own = at.commit(at.wt, { "a.txt": "task\n", "bin.dat": "x\0task" });
  const theirs = at.commit(at.root, {
    "a.txt": "main\n",
    "bin.dat": "x\0main",
    "theirs.md": "<<<<<<< not\n=======\n>>>>>>> ours\n",
  });
  expect(await startMerge(at.repo, at.wt, theirs)).toEqual({ files: ["a.txt", "bin.dat"] });
  expect(await startMerge(at.repo, at.wt, theirs)).toEqual({ files: ["a.txt", "bin.dat"] });
  const before = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(before).toMatchObject({ commit: null, blocked: "unmerged" });
  expect(before.left).toEqual([
    { path: "a.txt", reason: "conflict-markers" },
    { path: "bin.dat", reason: "unmerged" },
  ]);
  runGit(at.wt, "add", "a.txt");
  runGit(at.wt, "checkout", "--ours", "bin.dat");
  runGit(at.wt, "add", "bin.dat");
  expect((await commitLeftovers(at.repo, at.wt, OPTIONS)).left).toEqual([
    { path: "a.txt", reason: "conflict-markers" },
  ]);
  at.write(at.wt, { "a.txt": "both\n" });
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(done).toMatchObject({ blocked: null, left: [] });
  expect(await readParents(at.repo, done.commit!)).toEqual([own, theirs]);
  expect(runGit(at.wt, "status", "--porcelain=v2", "--branch")).not.toContain("u ");
  expect(existsSync(join(at.repo.commonDir, "worktrees"))).toBe(true);
  expect(runGit(at.wt, "rev-parse", "-q", "--verify", "HEAD^2")).toBe(theirs);
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({ commit: null, tip: done.commit });
});

test("a merge that was committed before we were killed is only tidied", async () => {
  await using at = await taskWorktree();
  at.commit(at.wt, { x: "1" });
  const theirs = at.commit(at.root, { y: "2" });
  expect(await startMerge(at.repo, at.wt, theirs)).toBe("clean");
  const admin = runGit(at.wt, "rev-parse", "--absolute-git-dir");
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  writeFileSync(join(admin, "MERGE_HEAD"), `${theirs}\n`);
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({ commit: null, tip: done.commit });
  expect(existsSync(join(admin, "MERGE_HEAD"))).toBe(false);
  expect(await startMerge(at.repo, at.wt, theirs)).toBe("nothing");
});

test("a merge that changes nothing is still concluded", async () => {
  await using at = await taskWorktree();
  at.commit(at.wt, { same: "1" }, "ours");
  const theirs = at.commit(at.root, { same: "1" });
  expect(await startMerge(at.repo, at.wt, theirs)).toBe("clean");
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect((await readParents(at.repo, done.commit!))[1]).toBe(theirs);
});

test("a file deleted against a change is open until somebody decides", async () => {
  await using at = await taskWorktree();
  runGit(at.wt, "rm", "-q", "a.txt");
  runGit(at.wt, "commit", "-q", "-m", "delete");
  const theirs = at.commit(at.root, { "a.txt": "changed\n" });
  expect(await startMerge(at.repo, at.wt, theirs)).toEqual({ files: ["a.txt"] });
  expect((await commitLeftovers(at.repo, at.wt, OPTIONS)).left).toEqual([{ path: "a.txt", reason: "unmerged" }]);
  rmSync(join(at.wt, "a.txt"));
  const done = await commitLeftovers(at.repo, at.wt, OPTIONS);
  expect(done.blocked).toBeNull();
  expect(runGit(at.wt, "ls-tree", "--name-only", "HEAD")).not.toContain("a.txt");
});

test("a branch that moved meanwhile is not overwritten", async () => {
  await using at = await taskWorktree();
  await createBranch(at.repo, "other", at.base);
  runGit(at.wt, "checkout", "-q", "other");
  const elsewhere = at.commit(at.root, { z: "1" });
  runGit(at.root, "branch", "-f", "task", elsewhere);
  at.write(at.wt, { y: "2" });
  expect(await commitLeftovers(at.repo, at.wt, OPTIONS)).toMatchObject({
    commit: null,
    blocked: "head-elsewhere",
    tip: elsewhere,
  });
});

test("a SHA-256 repository goes the same way, from creation to rescue and back", async () => {
  await using at = await scratchRepo();
  const root = join(at.top, "sha256");
  runGit(at.top, "init", "-q", "-b", "main", "--object-format=sha256", root);
  runGit(root, "config", "user.name", "Ann User");
  runGit(root, "config", "user.email", "ann@example.com");
  const base = at.commit(root, { a: "1", b: "2" });
  await using repo = await openRepo(root);
  const wt = join(at.top, "wt256");
  await createWorktree(repo, { path: wt, base, branch: "task" });
  at.write(wt, { a: "changed" });
  const { commit } = await commitLeftovers(repo, wt, OPTIONS);
  expect(commit).toMatch(/^[0-9a-f]{64}$/);
  rmSync(join(wt, "b"));
  const removed = await removeWorktree(repo, wt, { keep: [], save: true, rescue: { id: "r", note: "n", at: 0 } });
  expect(removed).toMatchObject({ removed: true, rescue: "refs/owt/rescue/r" });
  await restoreRescue(repo, "r", { path: wt });
  expect(runGit(wt, "status", "--porcelain")).toBe(" D b");
  runGit(root, "fsck", "--strict");
});

test("a shallow clone, whose last commit names parents that are not there, is no obstacle", async () => {
  await using at = await scratchRepo();
  at.commit(at.root, { n: "1" });
  runGit(at.top, "clone", "-q", "--depth", "1", `file://${at.root}`, "shallow");
  await using repo = await openRepo(join(at.top, "shallow"));
  const base = (await readRef(repo, "main"))!;
  const wt = join(at.top, "wt");
  await createWorktree(repo, { path: wt, base, branch: "task" });
  at.write(wt, { x: "1" });
  const { commit } = await commitLeftovers(repo, wt, OPTIONS);
  expect(await isAncestor(repo, "1".repeat(40), commit!).catch(() => "unknown")).toBe("unknown");
  expect(await removeWorktree(repo, wt, { keep: [commit!], rescue: { id: "r", note: "", at: 0 } })).toMatchObject({
    rescue: null,
  });
});
