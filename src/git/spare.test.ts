import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { removeWorktree, sweepTrash } from "./remove.ts";
import { listRescues } from "./rescue.ts";
import { dropSpares } from "./spare.ts";
import { createWorktree } from "./worktree.ts";

const RESCUE = { id: "t1", note: "task t1, attempt 1", at: 1_780_000_000_000 };
const DEAD = "1-1-dead";

type Made = { path: string; gitDir: string };

async function create(at: Scratch, name: string, base = "main"): Promise<Made> {
  const commit = (await readRef(at.repo, base))!;
  const made = await createWorktree(at.repo, { path: join(at.top, name), base: commit, branch: `task-${name}` });
  if ("refused" in made) throw new Error(made.refused);
  return made;
}

/** Removes a worktree whose files may be used again; gives what resolves when they are deleted. */
async function remove(at: Scratch, { path }: Made): Promise<{ emptied: Promise<void> }> {
  const options = { keep: ["refs/heads/main"], rescue: RESCUE, known: ["dist"], save: true, spare: true };
  const removed = await removeWorktree(at.repo, path, options);
  if (!removed.removed) throw new Error(JSON.stringify(removed.reasons));
  return removed;
}

/** Everything of a folder: kind, permissions, links, bytes. */
function look(root: string): string[] {
  const all = readdirSync(root, { recursive: true, withFileTypes: true, encoding: "utf8" });
  return all
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => relative(root, path) !== ".git")
    .map((path) => {
      const { mode, nlink } = lstatSync(path);
      const isFile = lstatSync(path).isFile();
      return `${relative(root, path)} ${mode.toString(8)} ${isFile ? `${nlink} ${readFileSync(path, "latin1")}` : ""}`;
    })
    .toSorted();
}

/** Tells a file from another one with the same content. */
function identity(made: Made, file: string): string {
  const { ino, birthtimeNs } = lstatSync(join(made.path, file), { bigint: true });
  return `${ino} ${birthtimeNs}`;
}

/** A history with a change of every kind, from `main` to `next`. */
async function twoStates(): Promise<Scratch> {
  const at = await scratchRepo();
  at.write(at.root, { "same/x": "x", "same/run": "#!/bin/sh\n", "gone/y": "y", "was-file": "1", "was-folder/z": "z" });
  chmodSync(join(at.root, "same/run"), 0o755);
  symlinkSync("a.txt", join(at.root, "link"));
  at.commit(at.root, { "ä ö.txt": "ä" }, "more");
  runGit(at.root, "switch", "-q", "-c", "next");
  runGit(at.root, "rm", "-q", "-r", "gone/y", "was-file", "was-folder");
  chmodSync(join(at.root, "same/x"), 0o755);
  at.commit(at.root, { "was-file/1": "1", "was-folder": "z", "a.txt": "other\n", "new/deep/er": "n" }, "next");
  runGit(at.root, "switch", "-q", "main");
  return at;
}

test("the next worktree is made of the files of the one before, and nothing tells it from a new one", async () => {
  await using at = await twoStates();
  const first = await create(at, "first");
  const before = identity(first, "dir/b.txt");
  const { emptied } = await remove(at, first);
  const second = await create(at, "second", "next");
  expect(identity(second, "dir/b.txt")).toBe(before);
  const fresh = await create(at, "fresh", "next");
  expect(look(second.path)).toEqual(look(fresh.path));
  expect(runGit(second.path, "status", "--porcelain", "--ignored")).toBe("");
  expect(runGit(second.path, "ls-files", "--stage")).toBe(runGit(fresh.path, "ls-files", "--stage"));
  expect(runGit(second.path, "symbolic-ref", "HEAD")).toBe("refs/heads/task-second");
  expect(runGit(second.path, "reflog", "-1", "--format=%H", "task-second")).toBe(runGit(at.root, "rev-parse", "next"));
  expect(readdirSync(second.gitDir).toSorted()).toEqual(readdirSync(fresh.gitDir).toSorted());
  expect(existsSync(first.path)).toBe(false);
  await emptied;
  expect(readdirSync(join(at.root, ".git/owt/trash"))).toEqual([]);
});

type Left = [name: string, leave: (at: Scratch, first: Made) => void];
const LEFT: Left[] = [
  ["an empty folder", (_, { path }) => void mkdirSync(join(path, "empty"))],
  ["other permissions of a file", (_, { path }) => chmodSync(join(path, "a.txt"), 0o600)],
  ["other permissions of a folder", (_, { path }) => chmodSync(join(path, "dir"), 0o700)],
  ["a file that has another name elsewhere", (at, { path }) => linkSync(join(path, "a.txt"), join(at.top, "also"))],
  ["a file that git overlooks", (_, { path }) => void runGit(path, "update-index", "--assume-unchanged", "a.txt")],
  ["work that has to be saved", (_, { path }) => writeFileSync(join(path, "a.txt"), "mine")],
];

test.each(LEFT)("%s keeps them from being used", async (_, leave) => {
  await using at = await twoStates();
  const first = await create(at, "first");
  const before = identity(first, "dir/b.txt");
  leave(at, first);
  const { emptied } = await remove(at, first);
  const second = await create(at, "second", "next");
  expect(identity(second, "dir/b.txt")).not.toBe(before);
  expect(look(second.path)).toEqual(look((await create(at, "fresh", "next")).path));
  expect(runGit(second.path, "status", "--porcelain", "--ignored")).toBe("");
  dropSpares(at.repo);
  await emptied;
});

test("an ignored file that needs no saving is not handed on", async () => {
  await using at = await twoStates();
  at.commit(at.root, { ".gitignore": "dist/\n" }, "ignore");
  const first = await create(at, "first");
  at.write(first.path, { "dist/out": "1" });
  const { emptied } = await remove(at, first);
  const second = await create(at, "second");
  expect(existsSync(join(second.path, "dist"))).toBe(false);
  dropSpares(at.repo);
  await emptied;
});

test("what git would write otherwise than somebody has is not handed on, though it is no change", async () => {
  await using at = await twoStates();
  runGit(at.root, "config", "core.autocrlf", "input");
  const first = await create(at, "first");
  at.commit(first.path, { "dir/b.txt": "b\r\nb\r\n" }, "line ends");
  runGit(at.root, "merge", "-q", "--ff-only", "task-first");
  const { emptied } = await remove(at, first);
  const second = await create(at, "second");
  expect(readFileSync(join(second.path, "dir/b.txt"), "utf8")).toBe("b\nb\n");
  dropSpares(at.repo);
  await emptied;
});

test("files that other attributes would have written otherwise are not handed on", async () => {
  await using at = await twoStates();
  runGit(at.root, "switch", "-q", "next");
  at.commit(at.root, { ".gitattributes": "b.txt eol=crlf\n" }, "attributes");
  const { emptied } = await remove(at, await create(at, "first"));
  const second = await create(at, "second", "next");
  expect(readFileSync(join(second.path, "dir/b.txt"), "utf8")).toBe("b\r\n");
  dropSpares(at.repo);
  await emptied;
});

test("what nobody takes is deleted when it is given up", async () => {
  await using at = await twoStates();
  const made = [];
  for (let n = 0; n < 6; n++) made.push(await create(at, `w${n}`));
  const removed = await Promise.all(made.map((each) => remove(at, each)));
  dropSpares(at.repo);
  await Promise.all(removed.map(({ emptied }) => emptied));
  expect(readdirSync(join(at.root, ".git/owt/trash"))).toEqual([]);
});

test.each([
  ["before its files were brought forward", "task-half"],
  ["just after", "next"],
])(
  "one whose maker died %s is cleared away and nothing of it is saved; what somebody left in it is",
  async (_, has) => {
    for (const isWork of [false, true]) {
      await using at = await twoStates();
      const base = runGit(at.root, "rev-parse", "main");
      const made = await create(at, "half");
      // The files and the index of the other commit, as a maker leaves them who dies in between.
      if (has === "next") runGit(made.path, "read-tree", "-m", "-u", "HEAD", "next");
      runGit(made.path, "update-ref", "refs/heads/task-half", "next");
      writeFileSync(join(made.gitDir, "owt-making"), `${DEAD}\n`);
      writeFileSync(join(made.gitDir, "owt-made-of"), `${base}\n`);
      if (isWork) writeFileSync(join(made.path, "a.txt"), "mine");
      expect(await sweepTrash(at.repo)).toBe(1);
      expect(existsSync(made.path)).toBe(false);
      expect(existsSync(made.gitDir)).toBe(false);
      expect(await listRescues(at.repo)).toHaveLength(isWork ? 1 : 0);
    }
  },
);
