import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { listProcesses } from "../system/processes.ts";
import { createBranch, readRef } from "./branch.ts";
import { readTree } from "./commit.ts";
import { fastForwardCheckout } from "./fast-forward.ts";
import { mergeTrees, startMerge } from "./merge.ts";
import { createWorktree } from "./worktree.ts";

test("a clean merge gives git's own tree and touches no worktree", async () => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const wt = join(at.top, "int");
  await createWorktree(at.repo, { path: wt, base });
  runGit(at.root, "checkout", "-q", "-b", "x");
  const theirs = at.commit(at.root, { x: "1" });
  runGit(at.root, "checkout", "-q", "main");
  const ours = at.commit(at.root, { y: "1" });
  const merged = await mergeTrees(at.repo, ours, theirs, wt);
  expect(merged).toMatchObject({ fastForward: false });
  runGit(at.root, "merge", "-q", "-m", "m", "x");
  expect(merged).toMatchObject({ tree: runGit(at.root, "rev-parse", "HEAD^{tree}") });
  expect(runGit(wt, "status", "--porcelain")).toBe("");
});

test("one side that contains the other needs no merge", async () => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const next = at.commit(at.root, { x: "1" });
  const tree = await readTree(at.repo, next);
  expect(await mergeTrees(at.repo, base, next, at.root)).toEqual({ tree, fastForward: true });
  expect(await mergeTrees(at.repo, next, base, at.root)).toEqual({ tree, fastForward: true });
});

test("conflicts are listed with all their names", async () => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const names = ["a.txt", "new\nline", "sp ace", "ü"];
  const files = (text: string) => Object.fromEntries(names.map((name) => [name, `${text}\n`]));
  const ours = at.commit(at.root, files("ours"));
  runGit(at.root, "checkout", "-q", "-b", "x", base);
  const theirs = at.commit(at.root, files("theirs"));
  const merged = await mergeTrees(at.repo, ours, theirs, at.root);
  expect("files" in merged && merged.files.toSorted()).toEqual(names.toSorted());
});

test("a file of one side that is a folder on the other is named as it is, and not as git puts it aside", async () => {
  await using at = await scratchRepo();
  at.commit(at.root, { "a.txt": "one\n" });
  runGit(at.root, "checkout", "-q", "-b", "x");
  runGit(at.root, "rm", "-q", "a.txt");
  const folder = at.commit(at.root, { "a.txt/inside": "two\n" });
  runGit(at.root, "checkout", "-q", "main");
  const file = at.commit(at.root, { "a.txt": "one and more\n" });
  expect(await mergeTrees(at.repo, file, folder, at.root)).toEqual({ files: ["a.txt"] });
  expect(await mergeTrees(at.repo, folder, file, at.root)).toEqual({ files: ["a.txt"] });
});

test("the attributes of the worktree at hand decide how files merge", async () => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { ".gitattributes": "list merge=union\n", list: "1\n" });
  const ours = at.commit(at.root, { list: "1\nours\n" });
  const wt = join(at.top, "int");
  await createWorktree(at.repo, { path: wt, base: ours });
  runGit(at.root, "checkout", "-q", "-b", "x", base);
  const theirs = at.commit(at.root, { list: "1\ntheirs\n" });
  const merged = await mergeTrees(at.repo, ours, theirs, wt);
  expect("tree" in merged && runGit(at.root, "show", `${merged.tree}:list`)).toBe("1\nours\ntheirs");
});

test("the attributes of the side that is merged into decide, wherever git runs, as with git merge", async () => {
  await using at = await scratchRepo();
  const base = at.commit(at.root, { "deep/w.txt": "1\n" });
  const plain = at.commit(at.root, { "deep/w.txt": "1\nplain\n" });
  runGit(at.root, "checkout", "-q", "-b", "x", base);
  const joins = at.commit(at.root, { "deep/w.txt": "1\njoins\n", "deep/.gitattributes": "*.txt merge=union\n" });
  for (const standsAt of [base, plain, joins]) {
    runGit(at.root, "checkout", "-q", "--detach", standsAt);
    const merged = await mergeTrees(at.repo, joins, plain, at.root);
    expect("tree" in merged && runGit(at.root, "show", `${merged.tree}:deep/w.txt`)).toBe("1\njoins\nplain");
    // A branch does not settle its own conflicts by what it brings.
    expect(await mergeTrees(at.repo, plain, joins, at.root)).toEqual({ files: ["deep/w.txt"] });
  }
});

test("unrelated histories and unknown commits are told apart", async () => {
  await using at = await scratchRepo();
  const ours = (await readRef(at.repo, "main"))!;
  runGit(at.root, "checkout", "-q", "--orphan", "other");
  const theirs = at.commit(at.root, { z: "1" });
  expect(await mergeTrees(at.repo, ours, theirs, at.root)).toEqual({ unrelated: true });
  await expect(mergeTrees(at.repo, ours, "1".repeat(40), at.root)).rejects.toMatchObject({ code: "tool-failed" });
});

test("a merge is not started in the user's checkout, on changes, or over ignored files", async () => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const wt = join(at.top, "wt");
  await createWorktree(at.repo, { path: wt, base, branch: "task" });
  writeFileSync(join(at.root, "x.log"), "theirs");
  runGit(at.root, "add", "-f", "x.log");
  const theirs = at.commit(at.root, { y: "1" });
  await expect(startMerge(at.repo, at.root, theirs)).rejects.toThrow("user's own checkout");
  at.write(wt, { "a.txt": "dirty" });
  await expect(startMerge(at.repo, wt, theirs)).rejects.toMatchObject({ code: "wrong-state" });
  runGit(wt, "checkout", "-q", "a.txt");
  at.write(wt, { "x.log": "mine" });
  expect(await startMerge(at.repo, wt, theirs)).toEqual({ inTheWay: ["x.log"] });
  expect(readFileSync(join(wt, "x.log"), "utf8")).toBe("mine");
});

test.each([
  ["branch.main.mergeOptions", "--squash"],
  ["branch.main.mergeOptions", "--no-commit --strategy ours"],
  ["branch.task.mergeOptions", "--strategy ours --squash"],
  ["pull.twohead", "ours"],
  ["merge.verifySignatures", "true"],
  ["merge.ff", "false"],
])("how a person has their own merges done, %s = %s, is not how ours are", async (key, value) => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const wt = join(at.top, "wt");
  await createWorktree(at.repo, { path: wt, base, branch: "task" });
  at.commit(wt, { x: "of the task" });
  runGit(at.root, "checkout", "-q", "-b", "other");
  const other = at.commit(at.root, { x: "of another", y: "1" });
  runGit(at.root, "checkout", "-q", "main");
  runGit(at.root, "config", key, value);
  expect(await startMerge(at.repo, wt, other)).toEqual({ files: ["x"] });
  expect(readFileSync(join(wt, "x"), "utf8")).toMatch(/^<<<<<<< .*of the task.*of another/s);
  expect(await fastForwardCheckout(at.repo, "main", base, other)).toEqual({ moved: true, path: at.root });
  expect(runGit(at.root, "status", "--porcelain")).toBe("");
});

test("a branch that is checked out nowhere is moved by itself, forward only", async () => {
  await using at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  await createBranch(at.repo, "target", base);
  const to = at.commit(at.root, { x: "1" });
  expect(await fastForwardCheckout(at.repo, "target", to, at.commit(at.root, { y: "1" }))).toMatchObject({
    reason: "branch-moved",
    tip: base,
  });
  expect(await fastForwardCheckout(at.repo, "target", base, to)).toEqual({ moved: true, path: null });
  expect(await fastForwardCheckout(at.repo, "target", base, to)).toEqual({ moved: true, path: null });
  expect(await fastForwardCheckout(at.repo, "target", to, base)).toEqual({
    moved: false,
    reason: "not-a-fast-forward",
    tip: to,
  });
});

async function checkedOutTarget() {
  const at = await scratchRepo();
  const from = (await readRef(at.repo, "main"))!;
  runGit(at.root, "checkout", "-q", "-b", "run");
  at.write(at.root, { "made.log": "log", "dir2/c": "c", "a.txt": "changed\n" });
  runGit(at.root, "add", "-f", "made.log");
  const to = at.commit(at.root, { plain: "1" });
  runGit(at.root, "checkout", "-q", "main");
  return Object.assign(at, { from, to });
}

test("a clean checkout goes along with its branch", async () => {
  await using at = await checkedOutTarget();
  at.write(at.root, { "untracked.txt": "mine" });
  expect(await fastForwardCheckout(at.repo, "main", at.from, at.to)).toEqual({ moved: true, path: at.root });
  expect(runGit(at.root, "status", "--porcelain")).toBe("?? untracked.txt");
  expect(readFileSync(join(at.root, "a.txt"), "utf8")).toBe("changed\n");
});

test("a checkout that holds anything of its own stays as it is, and the answer names it", async () => {
  await using at = await checkedOutTarget();
  const forward = () => fastForwardCheckout(at.repo, "main", at.from, at.to);
  at.write(at.root, { "dir/b.txt": "mine" });
  expect(await forward()).toMatchObject({ reason: "dirty", files: ["dir/b.txt"], path: at.root });
  runGit(at.root, "add", "-A");
  expect(await forward()).toMatchObject({ reason: "dirty", files: ["dir/b.txt"] });
  runGit(at.root, "reset", "-q", "--hard");
  at.write(at.root, { "made.log": "ignored but mine", plain: "mine" });
  expect(await forward()).toMatchObject({ reason: "would-overwrite", files: ["made.log", "plain"] });
  runGit(at.root, "clean", "-fdxq");
  at.write(at.root, { dir2: "a file where a folder would come" });
  expect(await forward()).toMatchObject({ reason: "would-overwrite", files: ["dir2"] });
  runGit(at.root, "clean", "-fdxq");
  mkdirSync(join(at.root, "plain"));
  at.write(at.root, { "plain/mine": "mine" });
  expect(await forward()).toMatchObject({ reason: "would-overwrite", files: ["plain/mine"] });
  expect(readFileSync(join(at.root, "plain/mine"), "utf8")).toBe("mine");
  rmSync(join(at.root, "plain/mine"));
  writeFileSync(join(at.root, ".git/HEAD.lock"), "");
  expect(await forward()).toMatchObject({ reason: "locked", lock: join(at.root, ".git/HEAD.lock") });
  rmSync(join(at.root, ".git/HEAD.lock"));
  runGit(at.root, "clean", "-fdxq");
  runGit(at.root, "merge", "-q", "--no-ff", "--no-commit", "run");
  expect(await forward()).toMatchObject({ reason: "in-progress", what: "merge" });
  runGit(at.root, "merge", "--abort");
  expect(await readRef(at.repo, "main")).toBe(at.from);
  expect(await forward()).toEqual({ moved: true, path: at.root });
});

test.each(["assume-unchanged", "skip-worktree"])(
  "what git was told to overlook (%s) stays, and is named",
  async (mark) => {
    await using at = await checkedOutTarget();
    const forward = () => fastForwardCheckout(at.repo, "main", at.from, at.to);
    runGit(at.root, "update-index", `--${mark}`, "a.txt", "dir/b.txt");
    at.write(at.root, { "a.txt": "mine\n", "dir/b.txt": "mine\n" });
    const files = [{ path: "a.txt", marks: [mark] }];
    expect(await forward()).toEqual({ moved: false, reason: "overlooked", path: at.root, files });
    expect(readFileSync(join(at.root, "a.txt"), "utf8")).toBe("mine\n");
    runGit(at.root, "update-index", `--no-${mark}`, "a.txt");
    runGit(at.root, "checkout", "-q", "a.txt");
    expect(await forward()).toEqual({ moved: true, path: at.root });
    expect(readFileSync(join(at.root, "dir/b.txt"), "utf8")).toBe("mine\n");
    expect(runGit(at.root, "ls-files", "-v", "dir/b.txt")).toBe(`${mark === "skip-worktree" ? "S" : "h"} dir/b.txt`);
  },
);

test("a marked file that nobody changed goes along, and so does a sparse checkout", async () => {
  await using at = await checkedOutTarget();
  runGit(at.root, "sparse-checkout", "set", "--no-cone", "/*", "!/a.txt");
  runGit(at.root, "update-index", "--assume-unchanged", "dir/b.txt");
  expect(existsSync(join(at.root, "a.txt"))).toBe(false);
  expect(await fastForwardCheckout(at.repo, "main", at.from, at.to)).toEqual({ moved: true, path: at.root });
  expect(existsSync(join(at.root, "a.txt"))).toBe(false);
  expect(runGit(at.root, "status", "--porcelain")).toBe("");
});

test.each(["clean", "changed meanwhile"])("a checkout whose branch could not follow, and that is %s", async (how) => {
  await using at = await checkedOutTarget();
  const lock = join(at.root, ".git/HEAD.lock");
  const mine = how === "clean" ? "" : `echo mine > ${join(at.root, "dir/b.txt")}; `;
  // Whoever takes the lock does so while the files are written.
  runGit(at.root, "config", "filter.late.smudge", `touch ${lock}; ${mine}cat`);
  at.write(at.root, { ".git/info/attributes": "a.txt filter=late\n" });
  const before = readFileSync(join(at.root, "a.txt"), "utf8");
  expect(await fastForwardCheckout(at.repo, "main", at.from, at.to)).toMatchObject({ reason: "locked", lock });
  expect(await readRef(at.repo, "main")).toBe(at.from);
  rmSync(lock);
  if (how === "clean") {
    expect(runGit(at.root, "status", "--porcelain")).toBe("");
    expect(readFileSync(join(at.root, "a.txt"), "utf8")).toBe(before);
  } else expect(readFileSync(join(at.root, "dir/b.txt"), "utf8")).toBe("mine\n");
});

test("a fast-forward that was killed before the ref moved is finished", async () => {
  await using at = await checkedOutTarget();
  runGit(at.root, "read-tree", "-m", "-u", at.from, at.to);
  expect(await fastForwardCheckout(at.repo, "main", at.from, at.to)).toEqual({ moved: true, path: at.root });
  expect(runGit(at.root, "status", "--porcelain")).toBe("");
});

describe.each(["in the object store", "in a worktree"])("a merge driver that does not end, %s", (where) => {
  test.each(["when its time is up", "when whoever waits leaves"])("is ended with what it started, %s", async (how) => {
    await using at = await scratchRepo();
    const pids = join(at.top, "pids");
    const driver = `echo $$ > ${pids}; setsid sh -c 'trap "" TERM; echo $$ >> ${pids}; sleep 1000 & wait; wait'`;
    runGit(at.root, "config", "merge.asks.driver", driver);
    const base = at.commit(at.root, { "a.txt": "a\nb\nc\n", ".gitattributes": "a.txt merge=asks\n" });
    const ours = at.commit(at.root, { "a.txt": "a\nours\nc\n" });
    runGit(at.root, "checkout", "-q", "-b", "x", base);
    const theirs = at.commit(at.root, { "a.txt": "a\ntheirs\nc\n" });
    const wt = join(at.top, "int");
    await createWorktree(at.repo, { path: wt, base: ours, branch: "task" });
    const leave = new AbortController();
    at.repo.patience.leave = leave.signal;
    if (how === "when its time is up") at.repo.patience.limitMs = 500;
    const merging = where === "in a worktree" ? startMerge(at.repo, wt, theirs) : mergeTrees(at.repo, ours, theirs, wt);
    const failed = merging.catch((error: unknown) => error);
    await vi.waitFor(() => expect(readFileSync(pids, "utf8").split("\n")).toHaveLength(3), 10_000);
    if (how !== "when its time is up") leave.abort();
    const why = /^git was stopped after 0\.5s in git merge.*: the merge driver asks of .* does not end$/s;
    const error =
      how === "when its time is up"
        ? { code: "tool-failed", message: expect.stringMatching(why) }
        : { code: "interrupted" };
    expect(await failed).toMatchObject(error);
    const begun = new Set(readFileSync(pids, "utf8").trim().split("\n").map(Number));
    await vi.waitFor(() => expect(listProcesses().filter(({ pid }) => begun.has(pid))).toEqual([]));
    expect(runGit(wt, "status", "--porcelain")).toBe("");
    expect(existsSync(join(at.root, ".git/worktrees/int/index.lock"))).toBe(false);
  });
});
