import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import {
  branchRef,
  checkedOutWhere,
  createBranch,
  currentBranch,
  defaultBranch,
  deleteBranchIf,
  isAncestor,
  moveRef,
  readParents,
  readRef,
} from "./branch.ts";

test("a branch is created once; the second creation tells where it stands", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  const next = at.commit(at.root, { n: "1" });
  expect(await createBranch(at.repo, "owt/tasks/a/1", start)).toBe("created");
  expect(await createBranch(at.repo, "owt/tasks/a/1", next)).toEqual({ exists: start });
  expect(await readRef(at.repo, "refs/heads/owt/tasks/a/1")).toBe(start);
});

test("a ref moves only from where it was said to be, and the process answers on after a lost race", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  const next = at.commit(at.root, { n: "1" });
  await createBranch(at.repo, "b", start);
  expect(await moveRef(at.repo, "b", next, start)).toBe(false);
  expect(await moveRef(at.repo, "b", start, next)).toBe(true);
  expect(await moveRef(at.repo, "b", start, next)).toBe(false);
  expect(await moveRef(at.repo, "gone", start, next)).toBe(false);
  expect(await readRef(at.repo, "b")).toBe(next);
});

test("of many rivals for one ref exactly one wins", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  const next = at.commit(at.root, { n: "1" });
  await createBranch(at.repo, "b", start);
  const won = await Promise.all(Array.from({ length: 20 }, () => moveRef(at.repo, "b", start, next)));
  expect(won.filter(Boolean)).toHaveLength(1);
});

test("a folder of refs is no ref, and a symbolic one is what it names", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  await createBranch(at.repo, "owt/tasks/a/1", start);
  expect(await readRef(at.repo, "owt/tasks")).toBeNull();
  expect(await readRef(at.repo, "owt/tasks/a/1/below")).toBeNull();
  runGit(at.root, "symbolic-ref", "refs/heads/alias", "refs/heads/main");
  expect(await readRef(at.repo, "alias")).toBe(start);
  runGit(at.root, "symbolic-ref", "refs/heads/nowhere", "refs/heads/none");
  expect(await readRef(at.repo, "nowhere")).toBeNull();
});

test("refs read right when they are packed, moved after packing, or changed by others", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  await createBranch(at.repo, "b", start);
  runGit(at.root, "pack-refs", "--all", "--prune");
  expect(existsSync(join(at.repo.commonDir, "refs/heads/b"))).toBe(false);
  expect(await readRef(at.repo, "b")).toBe(start);
  const next = at.commit(at.root, { n: "1" });
  expect(await moveRef(at.repo, "b", start, next)).toBe(true);
  expect(await readRef(at.repo, "b")).toBe(next);
  runGit(at.root, "gc", "-q", "--prune=now");
  runGit(at.root, "branch", "-f", "b", start);
  expect(await readRef(at.repo, "b")).toBe(start);
  runGit(at.root, "pack-refs", "--all");
  expect(await deleteBranchIf(at.repo, "b", start, [next])).toBe("deleted");
  expect(await readRef(at.repo, "b")).toBeNull();
});

test("a branch is deleted only where it was expected, free, and kept elsewhere", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  runGit(at.root, "worktree", "add", "-q", "-b", "b", join(at.top, "w"));
  const own = at.commit(join(at.top, "w"), { n: "1" });
  expect(await deleteBranchIf(at.repo, "b", start, [start])).toEqual({ moved: own });
  expect(await deleteBranchIf(at.repo, "b", own, [own])).toEqual({ checkedOut: join(at.top, "w") });
  runGit(at.root, "worktree", "remove", join(at.top, "w"));
  expect(await deleteBranchIf(at.repo, "b", own, [start])).toBe("not-kept");
  expect(await deleteBranchIf(at.repo, "b", own, [own])).toBe("deleted");
  expect(await deleteBranchIf(at.repo, "b", own, [own])).toEqual({ moved: null });
});

test("ancestry is right near, far, and through merges", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  for (let n = 0; n < 60; n++) runGit(at.root, "commit", "-q", "--allow-empty", "-m", `c${n}`);
  const tip = (await readRef(at.repo, "main"))!;
  expect(await isAncestor(at.repo, start, tip)).toBe(true);
  expect(await isAncestor(at.repo, tip, start)).toBe(false);
  runGit(at.root, "checkout", "-q", "-b", "side", start);
  const side = at.commit(at.root, { s: "1" });
  runGit(at.root, "merge", "-q", "--no-ff", "-m", "m", tip);
  const merge = runGit(at.root, "rev-parse", "HEAD");
  expect(await readParents(at.repo, merge)).toEqual([side, tip]);
  expect(await isAncestor(at.repo, tip, merge)).toBe(true);
  expect(await isAncestor(at.repo, side, tip)).toBe(false);
});

test("a branch is found in the worktree that has it, also while it is rebased there", async () => {
  await using at = await scratchRepo();
  const linked = join(at.top, "lin\nked ü");
  runGit(at.root, "worktree", "add", "-q", "-b", "b", linked);
  expect(await checkedOutWhere(at.repo, "main")).toBe(at.root);
  expect(await checkedOutWhere(at.repo, "b")).toBe(linked);
  expect(await checkedOutWhere({ ...at.repo, plainLayout: false }, "b")).toBe(linked);
  expect(await checkedOutWhere(at.repo, "free")).toBeNull();
  at.commit(linked, { "a.txt": "b\n" });
  at.commit(at.root, { "a.txt": "main\n" });
  expect(() => runGit(linked, "rebase", "-q", "main")).toThrow("rebase");
  expect(await currentBranch(at.repo, linked)).toBeNull();
  expect(await checkedOutWhere(at.repo, "b")).toBe(linked);
  expect(await currentBranch(at.repo)).toBe("main");
});

test("the default branch is the remote's, else a usual one, else the current", async () => {
  await using at = await scratchRepo();
  expect(await defaultBranch(at.repo)).toBe("main");
  runGit(at.root, "branch", "trunk");
  runGit(at.root, "update-ref", "refs/remotes/origin/trunk", "trunk");
  runGit(at.root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk");
  expect(await defaultBranch(at.repo)).toBe("trunk");
});

const HOSTILE = [
  "",
  "-x",
  "a b",
  "a\nb",
  "a\0b",
  "a..b",
  "a.lock",
  ".a",
  "a/",
  "/a",
  "a//b",
  "@",
  "a@{1}",
  "a~1",
  "a^",
  "a:b",
  "a?",
  "a*",
  "a[",
  "a\\b",
];
test.each(HOSTILE)("the name %j is refused before git sees it", async (name) => {
  expect(() => branchRef(name)).toThrow("not a branch name");
});

test("a name cannot carry a second command to a live process", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  const evil = `refs/heads/x\ncommit\nstart\ndelete refs/heads/main`;
  await expect(at.repo.live.updateRefs([{ ref: evil, from: null, to: start }])).rejects.toThrow("not a git name");
  await expect(at.repo.live.info("HEAD\ncontents HEAD")).rejects.toThrow("not a git name");
  expect(await readRef(at.repo, "main")).toBe(start);
});

test("two hundred questions at once get their own answers", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      n % 2 === 0 ? at.repo.live.info(start) : at.repo.live.contents(`${start}:a.txt`),
    ),
  );
  expect(answers.every((answer, n) => answer?.type === (n % 2 === 0 ? "commit" : "blob"))).toBe(true);
  expect(await at.repo.live.info("refs/heads/none")).toBeNull();
});

test("a name that collides with a branch folder is an error with git's words, not a lost race", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  await createBranch(at.repo, "a/b", start);
  await expect(createBranch(at.repo, "a", start)).rejects.toMatchObject({ code: "tool-failed" });
  expect(await createBranch(at.repo, "c", start)).toBe("created");
});

test("a lock on the packed refs is named, and waited for only once", async () => {
  await using at = await scratchRepo();
  const start = (await readRef(at.repo, "main"))!;
  for (const name of ["a", "b", "c"]) await createBranch(at.repo, name, start);
  const lock = join(at.root, ".git/packed-refs.lock");
  writeFileSync(lock, "");
  for (const [name, waits] of [
    ["a", "100"],
    ["b", "-1"],
  ] as const) {
    runGit(at.root, "config", "core.packedRefsTimeout", waits);
    await expect(deleteBranchIf(at.repo, name, start, [start])).rejects.toMatchObject({
      code: "tool-failed",
      message: expect.stringContaining(`${join(at.root, ".git/packed-refs")}: it is locked`),
      hint: expect.stringContaining(`rm ${lock}`),
    });
  }
  expect(await createBranch(at.repo, "d", start)).toBe("created");
  rmSync(lock);
  expect(await deleteBranchIf(at.repo, "a", start, [start])).toBe("deleted");
});
