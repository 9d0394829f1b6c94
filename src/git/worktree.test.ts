import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { createBranch, readRef } from "./branch.ts";
import type { Place } from "./git.ts";
import { ownerMark } from "./owner.ts";
import { sweepTrash } from "./remove.ts";
import { listRescues } from "./rescue.ts";
import { listCheckouts, listWorktrees } from "./list-worktrees.ts";
import { createWorktree, type NewWorktree } from "./worktree.ts";

async function baseOf(at: Scratch): Promise<string> {
  return (await readRef(at.repo, "main"))!;
}

/** Everything that a creation could leave behind. */
function remains(at: Scratch): unknown {
  const list = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  return {
    admin: list(join(at.repo.commonDir, "worktrees")),
    staging: list(join(at.repo.commonDir, "owt/staging")),
    trash: list(join(at.repo.commonDir, "owt/trash")),
    branches: runGit(at.root, "for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n"),
    rescues: runGit(at.root, "for-each-ref", "refs/owt"),
  };
}

test.each(["wt", "with space", "ünïcödé", "new\nline", "-dash", '"q" \\'])(
  "a worktree at %j is one that git itself agrees with",
  async (name) => {
    await using at = await scratchRepo();
    const base = await baseOf(at);
    const path = join(at.top, "some", "where", name);
    const made = await createWorktree(at.repo, { path, base, branch: "owt/tasks/a/1" });
    expect(made).toMatchObject({ path, branch: "owt/tasks/a/1", isNew: true });
    expect(runGit(path, "status", "--porcelain=v2", "--branch")).toBe(
      `# branch.oid ${base}\n# branch.head owt/tasks/a/1`,
    );
    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("one\ntwo\nthree\n");
    expect((await listWorktrees(at.repo)).map((one) => [one.path, one.branch, one.isMain, one.locked])).toEqual([
      [at.root, "main", true, null],
      [path, "owt/tasks/a/1", false, null],
    ]);
    expect(await listCheckouts(at.repo)).toEqual([
      { path: at.root, branch: "main", locked: null },
      { path, branch: "owt/tasks/a/1", locked: null },
    ]);
    runGit(at.root, "worktree", "prune");
    runGit(at.root, "fsck", "--strict");
    at.commit(path, { x: "1" });
    runGit(at.root, "worktree", "remove", path);
  },
);

test("a detached worktree, one with a kept lock, and the same name twice", async () => {
  await using at = await scratchRepo();
  const base = await baseOf(at);
  await createWorktree(at.repo, { path: join(at.top, "1/task"), base });
  await createWorktree(at.repo, { path: join(at.top, "2/task"), base, branch: "b", reason: "task b, attempt 1" });
  const listed = await listWorktrees(at.repo);
  expect(
    listed
      .slice(1)
      .map(({ path, branch, head, locked }) => ({ path, branch, head, locked }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  ).toEqual([
    { path: join(at.top, "1/task"), branch: null, head: base, locked: null },
    { path: join(at.top, "2/task"), branch: "b", head: base, locked: "owt: task b, attempt 1" },
  ]);
});

test("the same creation again gives the worktree back, with the work in it", async () => {
  await using at = await scratchRepo();
  const want = { path: join(at.top, "w"), base: await baseOf(at), branch: "b" };
  const first = await createWorktree(at.repo, want);
  at.commit(want.path, { x: "1" });
  at.write(want.path, { y: "2" });
  expect(await createWorktree(at.repo, want)).toEqual({ ...first, isNew: false });
  expect(readFileSync(join(want.path, "y"), "utf8")).toBe("2");
});

test("what stands in the way is a refusal, and nothing is left behind", async () => {
  await using at = await scratchRepo();
  const base = await baseOf(at);
  const next = at.commit(at.root, { n: "1" });
  await createBranch(at.repo, "taken", next);
  const before = remains(at);
  at.write(at.top, { "full/mine": "mine", file: "mine" });
  const make = (name: string, branch: string) => createWorktree(at.repo, { path: join(at.top, name), base, branch });
  expect(await make("full", "b")).toEqual({ refused: "path-exists", path: join(at.top, "full") });
  expect(await make("file", "b")).toEqual({ refused: "path-exists", path: join(at.top, "file") });
  expect(await make("repo", "b")).toEqual({ refused: "path-exists", path: at.root });
  expect(await make("w", "taken")).toEqual({ refused: "branch-exists", at: next });
  expect(await make("w", "main")).toEqual({ refused: "checked-out", path: at.root });
  await expect(createWorktree(at.repo, { path: join(at.top, "w"), base: "1".repeat(40) })).rejects.toMatchObject({
    code: "usage",
  });
  expect(remains(at)).toEqual(before);
  expect(readFileSync(join(at.top, "full/mine"), "utf8")).toBe("mine");
});

test("of several creations at one path, or of one branch, exactly one succeeds and it is whole", async () => {
  await using at = await scratchRepo();
  const base = await baseOf(at);
  const same = await Promise.all(
    Array.from({ length: 6 }, (_, n) => createWorktree(at.repo, { path: join(at.top, "w"), base, branch: `p${n}` })),
  );
  expect(same.filter((one) => "isNew" in one && one.isNew)).toHaveLength(1);
  expect(runGit(join(at.top, "w"), "status", "--porcelain")).toBe("");
  const rivals = await Promise.all(
    Array.from({ length: 6 }, (_, n) => createWorktree(at.repo, { path: join(at.top, `v${n}`), base, branch: "one" })),
  );
  expect(rivals.filter((one) => "isNew" in one).length).toBeLessThanOrEqual(1);
  const branches = runGit(at.root, "for-each-ref", "--format=%(refname:short)", "refs/heads/p*").split("\n");
  expect(branches).toHaveLength(1);
});

test("a creation that fails takes its branch and files away again", async () => {
  await using at = await scratchRepo();
  const base = await baseOf(at);
  await createWorktree(at.repo, { path: join(at.top, "other"), base });
  const before = remains(at);
  const fail = { path: join(at.top, "w"), base, branch: "b", finish: () => Promise.reject(new Error("no setup")) };
  await expect(createWorktree(at.repo, fail)).rejects.toThrow("no setup");
  expect(remains(at)).toEqual(before);
  expect(existsSync(fail.path)).toBe(false);
  runGit(at.root, "config", "filter.bad.smudge", "false");
  runGit(at.root, "config", "filter.bad.clean", "cat");
  runGit(at.root, "config", "filter.bad.required", "true");
  const bad = at.commit(at.root, { ".gitattributes": "*.bad filter=bad\n", "x.bad": "x" });
  await expect(createWorktree(at.repo, { path: join(at.top, "w"), base: bad, branch: "b" })).rejects.toMatchObject({
    code: "tool-failed",
  });
  expect(remains(at)).toEqual(before);
});

test("where the layout is not ours to write, git adds the worktree, also many at once", async () => {
  await using at = await scratchRepo();
  const repo = { ...at.repo, plainLayout: false };
  const base = await baseOf(at);
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, n) => createWorktree(repo, { path: join(at.top, `w${n}`), base, branch: `b${n}` })),
  );
  expect(made.every((one) => "isNew" in one && one.isNew)).toBe(true);
  for (let n = 0; n < 8; n++) expect(runGit(join(at.top, `w${n}`), "status", "--porcelain=v2")).toBe("");
  await createWorktree(repo, { path: join(at.top, "d"), base, reason: "held" });
  expect((await listWorktrees(repo)).find((one) => one.path === join(at.top, "d"))).toMatchObject({
    branch: null,
    locked: "owt: held",
  });
});

test("a sparse main checkout does not make task worktrees sparse", async () => {
  await using at = await scratchRepo();
  runGit(at.root, "sparse-checkout", "set", "--no-cone", "/a.txt");
  await createWorktree(at.repo, { path: join(at.top, "w"), base: await baseOf(at), branch: "b" });
  expect(existsSync(join(at.top, "w/dir/b.txt"))).toBe(true);
  expect(runGit(join(at.top, "w"), "status", "--porcelain")).toBe("");
});

test("a path through a symbolic link is the same worktree", async () => {
  await using at = await scratchRepo();
  mkdirSync(join(at.top, "real"));
  symlinkSync(join(at.top, "real"), join(at.top, "alias"));
  const base = await baseOf(at);
  const first = await createWorktree(at.repo, { path: join(at.top, "alias/w"), base, branch: "b" });
  expect(first).toMatchObject({ path: join(at.top, "real/w") });
  expect(await createWorktree(at.repo, { path: join(at.top, "real/w"), base, branch: "b" })).toMatchObject({
    isNew: false,
  });
});

/** A mark whose process is gone: this one's pid with another start time. */
const DEAD = ownerMark().replace(/^(\d+)-\d+-/, "$1-1-");

/** Puts a finished creation back into the state that a kill after each step would have left. */
const KILLS: Record<string, (at: Scratch, want: NewWorktree, gitDir: string) => void> = {
  "after the branch": (_, want, gitDir) => {
    rmSync(want.path, { recursive: true });
    rmSync(gitDir, { recursive: true });
  },
  "while staging": (at, want, gitDir) => {
    rmSync(want.path, { recursive: true });
    rmSync(gitDir, { recursive: true });
    at.write(join(at.repo.commonDir, "owt/staging", DEAD), { HEAD: "", commondir: "../..\n" });
  },
  "after the directory": (_, want, gitDir) => {
    rmSync(want.path, { recursive: true });
    rmSync(gitDir, { recursive: true });
    mkdirSync(want.path);
  },
  "between the .git file and its content": (_, want, gitDir) => {
    rmSync(want.path, { recursive: true });
    rmSync(gitDir, { recursive: true });
    mkdirSync(want.path);
    writeFileSync(join(want.path, ".git"), "");
  },
  "after the .git file": (at, want, gitDir) => {
    stage(at, gitDir);
    for (const name of readdirSync(want.path)) if (name !== ".git") rmSync(join(want.path, name), { recursive: true });
  },
  "after the rename": (_, want, gitDir) => {
    for (const name of readdirSync(want.path)) if (name !== ".git") rmSync(join(want.path, name), { recursive: true });
    unlinkSync(join(gitDir, "index"));
    writeFileSync(join(gitDir, "owt-making"), `${DEAD}\n`);
  },
  "in the middle of the checkout": (_, want, gitDir) => {
    rmSync(join(want.path, "dir"), { recursive: true });
    renameSync(join(gitDir, "index"), join(gitDir, "index.lock"));
    writeFileSync(join(gitDir, "locked"), `owt: initializing ${DEAD}\n`);
  },
  "before the mark is lifted": (_, __, gitDir) => writeFileSync(join(gitDir, "owt-making"), `${DEAD}\n`),
  "while git made it for us": (_, __, gitDir) => writeFileSync(join(gitDir, "locked"), `owt: initializing ${DEAD}\n`),
  "by a power cut that took the entry's content": (_, __, gitDir) => {
    for (const name of ["HEAD", "gitdir", "locked", "commondir"]) writeFileSync(join(gitDir, name), "");
  },
};

function stage(at: Scratch, gitDir: string): void {
  const staged = join(at.repo.commonDir, "owt/staging", DEAD);
  mkdirSync(dirname(staged), { recursive: true });
  renameSync(gitDir, staged);
}

test.each(Object.keys(KILLS))("a creation killed %s is redone by the same call", async (kill) => {
  await using at = await scratchRepo();
  const want = { path: join(at.top, "w"), base: await baseOf(at), branch: "b" };
  const made = await createWorktree(at.repo, want);
  if ("refused" in made) throw new Error("not made");
  KILLS[kill]!(at, want, made.gitDir);
  if (kill.startsWith("by a power cut")) {
    await sweepTrash(at.repo);
    rmSync(want.path, { recursive: true });
  }
  expect(await createWorktree(at.repo, want)).toMatchObject({ path: want.path, isNew: true });
  expect(runGit(want.path, "status", "--porcelain=v2", "--branch")).toBe(`# branch.oid ${want.base}\n# branch.head b`);
  await sweepTrash(at.repo);
  expect(remains(at)).toMatchObject({ staging: [], trash: [], branches: ["b", "main"], rescues: "" });
  expect((remains(at) as { admin: string[] }).admin).toHaveLength(1);
});

test("a half-made worktree in which somebody worked all the same is saved before it is redone", async () => {
  await using at = await scratchRepo();
  const want = { path: join(at.top, "w"), base: await baseOf(at), branch: "b" };
  const made = await createWorktree(at.repo, want);
  if ("refused" in made) throw new Error("not made");
  KILLS["after the rename"]!(at, want, made.gitDir);
  at.write(want.path, { mine: "mine" });
  expect(await createWorktree(at.repo, want)).toMatchObject({ isNew: true });
  const [rescue] = await listRescues(at.repo);
  expect(rescue).toMatchObject({ id: basename(made.gitDir), path: want.path, branch: "b" });
  expect(runGit(at.root, "show", `${rescue!.ref}:mine`)).toBe("mine");
});

test("the mark of one that is being made is a file of ours: git dies when a lock vanishes while it looks", async () => {
  await using at = await scratchRepo();
  const seen: string[][] = [];
  const finish = async ({ gitDir }: Place) => void seen.push(readdirSync(gitDir));
  const want = { path: join(at.top, "w"), base: await baseOf(at), finish };
  const made = await createWorktree(at.repo, want);
  if ("refused" in made) throw new Error("not made");
  expect(seen[0]).toContain("owt-making");
  expect(seen[0]).not.toContain("locked");
  expect(readdirSync(made.gitDir)).not.toContain("owt-making");
});

test.each(["owt-making", "locked"])("a worktree that a living process is making is left to it (%s)", async (file) => {
  await using at = await scratchRepo();
  const want = { path: join(at.top, "w"), base: await baseOf(at), branch: "b" };
  const made = await createWorktree(at.repo, want);
  if ("refused" in made) throw new Error("not made");
  const reason = file === "locked" ? "owt: initializing " : "";
  writeFileSync(join(made.gitDir, file), `${reason}${ownerMark()}\n`);
  expect(await createWorktree(at.repo, want)).toEqual({ refused: "being-made", path: want.path });
  expect(await sweepTrash(at.repo)).toBe(0);
  expect(existsSync(join(want.path, "a.txt"))).toBe(true);
});
