/** Worktrees behind a power cut: git's files are made whole again, what nobody committed is kept, and nothing of it is taken for work. */
import { existsSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { placeAt } from "./place.ts";
import { mendEntry } from "./mend.ts";
import { putAside } from "./move.ts";
import { sweepTrash } from "./remove.ts";
import { isInDoubt, noteStanding, STANDS_SINCE } from "./standing.ts";
import { createWorktree } from "./worktree.ts";

const HOME = { branch: "owt/tasks/t/1" };

/** A worktree of a task in which somebody works, and after which the machine was started anew. */
async function cutWorktree(scratch: Scratch): Promise<{ path: string; gitDir: string }> {
  const path = join(scratch.top, "task");
  const base = scratch.git(scratch.root, "rev-parse", "HEAD");
  const made = await createWorktree(scratch.repo, { path, base, branch: HOME.branch });
  if ("refused" in made) throw new Error(made.refused);
  scratch.write(path, { "new.txt": "new\n" });
  const { gitDir } = made;
  expect(isInDoubt(placeAt(scratch.repo, path))).toBe(false);
  writeFileSync(join(gitDir, STANDS_SINCE), "another start\n");
  return { path, gitDir };
}

describe("what a power cut takes of git's files in a worktree", () => {
  const blank = (path: string) => writeFileSync(path, Buffer.alloc(statSync(path).size));
  test.each<[string, (path: string, gitDir: string) => void]>([
    ["nothing", () => {}],
    ["HEAD", (_, gitDir) => truncateSync(join(gitDir, "HEAD"))],
    ["HEAD, full of zeros", (_, gitDir) => blank(join(gitDir, "HEAD"))],
    ["commondir", (_, gitDir) => truncateSync(join(gitDir, "commondir"))],
    ["gitdir", (_, gitDir) => truncateSync(join(gitDir, "gitdir"))],
    ["the .git file", (path) => truncateSync(join(path, ".git"))],
    [
      "all of them",
      (path, gitDir) =>
        [join(path, ".git"), ...["HEAD", "commondir", "gitdir", "index"].map((name) => join(gitDir, name))].forEach(
          (file) => truncateSync(file),
        ),
    ],
    ["what said since when it stands", (_, gitDir) => truncateSync(join(gitDir, STANDS_SINCE))],
    ["the index, empty", (_, gitDir) => truncateSync(join(gitDir, "index"))],
    ["the index, in half", (_, gitDir) => truncateSync(join(gitDir, "index"), 100)],
    ["the index, gone", (_, gitDir) => rmSync(join(gitDir, "index"))],
    [
      "an entry of the index",
      (_, gitDir) => {
        const index = readFileSync(join(gitDir, "index"));
        writeFileSync(join(gitDir, "index"), index.fill(0, 52, 72));
      },
    ],
    ["the index, with a lock", (_, gitDir) => writeFileSync(join(gitDir, "index.lock"), "")],
    ["what is merged", (_, gitDir) => writeFileSync(join(gitDir, "MERGE_HEAD"), "\0\0\0")],
  ])("%s: it is whole again, and its files are what they were", async (_, harm) => {
    await using scratch = await scratchRepo();
    const { path, gitDir } = await cutWorktree(scratch);
    harm(path, gitDir);
    // Whoever carries the runs sweeps, too: no files of anybody go with that.
    await sweepTrash(scratch.repo);
    const place = await mendEntry(scratch.repo, path, HOME);
    expect(place?.root).toBe(path);
    expect(scratch.git(path, "status", "--porcelain")).toBe("?? new.txt");
    expect(scratch.git(path, "symbolic-ref", "HEAD")).toBe("refs/heads/owt/tasks/t/1");
    expect(scratch.git(scratch.root, "worktree", "list", "--porcelain")).toContain(`worktree ${path}\n`);
    noteStanding(place!);
    expect(await mendEntry(scratch.repo, path, HOME)).toBe(null);
  });

  test("files that are not what they were are seen, though their dates say nothing", async () => {
    await using scratch = await scratchRepo();
    const { path } = await cutWorktree(scratch);
    const file = join(path, "a.txt");
    scratch.git(path, "config", "core.trustctime", "false");
    utimesSync(file, 1_000_000, 1_000_000);
    scratch.git(path, "update-index", "--refresh");
    writeFileSync(file, Buffer.alloc(statSync(file).size));
    utimesSync(file, 1_000_000, 1_000_000);
    expect(scratch.git(path, "status", "--porcelain")).toBe("?? new.txt");
    await mendEntry(scratch.repo, path, HOME);
    expect(scratch.git(path, "status", "--porcelain")).toBe(" M a.txt\n?? new.txt");
  });

  test("a worktree of somebody else is left as it is", async () => {
    await using scratch = await scratchRepo();
    const path = join(scratch.top, "own");
    scratch.git(scratch.root, "worktree", "add", "-q", "-b", "own", path);
    const file = join(scratch.repo.commonDir, "worktrees/own/HEAD");
    truncateSync(file);
    expect(await mendEntry(scratch.repo, path, HOME)).toBe(null);
    expect(readFileSync(file, "utf8")).toBe("");
    expect(await mendEntry(scratch.repo, scratch.root, HOME)).toBe(null);
    expect(await mendEntry(scratch.repo, join(scratch.top, "nowhere"), HOME)).toBe(null);
  });
});

test("what was not committed is put aside, and told before anything is changed", async () => {
  await using scratch = await scratchRepo();
  const { path } = await cutWorktree(scratch);
  scratch.write(path, { "a.txt": "", ".env": "S=1\n", "note.log": "kept\n" });
  await mendEntry(scratch.repo, path, HOME);
  const told: unknown[] = [];
  const note = (aside: unknown) => told.push([aside, readFileSync(join(path, "a.txt"), "utf8")]);
  const files = { keep: [".env"], known: [".env"] };
  const rescue = { id: "cut", note: "a test", at: 0 };
  const aside = await putAside(scratch.repo, path, HOME.branch, files, rescue, note);
  expect(aside).toEqual({ ref: "refs/owt/rescue/cut", paths: ["a.txt", "new.txt"] });
  expect(told).toEqual([[aside, ""]]);
  expect(scratch.git(path, "status", "--porcelain")).toBe("?? .env");
  expect(existsSync(join(path, "note.log"))).toBe(true);
  expect(scratch.git(path, "show", "refs/owt/rescue/cut:new.txt")).toBe("new");
  expect(scratch.git(path, "cat-file", "-s", "refs/owt/rescue/cut:a.txt")).toBe("0");
  expect(await putAside(scratch.repo, path, HOME.branch, files, rescue, note)).toBe(null);
});

test("a rebase that a cut broke off is left, and the branch is where it was", async () => {
  await using scratch = await scratchRepo();
  const { path, gitDir } = await cutWorktree(scratch);
  scratch.commit(path, { "a.txt": "task\n" }, "task");
  const tip = scratch.git(path, "rev-parse", "HEAD");
  scratch.commit(scratch.root, { "a.txt": "main\n" }, "main");
  expect(() => scratch.git(path, "rebase", "-q", "main")).toThrow("could not apply");
  truncateSync(join(gitDir, "rebase-merge/head-name"));
  await mendEntry(scratch.repo, path, HOME);
  await putAside(
    scratch.repo,
    path,
    HOME.branch,
    { keep: [], known: [] },
    { id: "cut", note: "a test", at: 0 },
    () => {},
  );
  expect(existsSync(join(gitDir, "rebase-merge"))).toBe(false);
  expect(scratch.git(path, "rev-parse", "--symbolic-full-name", "HEAD")).toBe("refs/heads/owt/tasks/t/1");
  expect(scratch.git(path, "rev-parse", "HEAD")).toBe(tip);
  expect(scratch.git(path, "status", "--porcelain")).toBe("");
});

describe("what a power cut takes of a submodule", () => {
  const module = (gitDir: string, name: string) => join(gitDir, "modules", "lib", name);
  const blank = (path: string) => writeFileSync(path, Buffer.alloc(statSync(path).size));
  test.each<[string, (path: string, gitDir: string) => void]>([
    ["nothing", () => {}],
    ["its index, empty", (_, gitDir) => truncateSync(module(gitDir, "index"))],
    ["its index, in half", (_, gitDir) => truncateSync(module(gitDir, "index"), 60)],
    ["its index, with a lock", (_, gitDir) => writeFileSync(module(gitDir, "index.lock"), "")],
    ["its HEAD", (_, gitDir) => truncateSync(module(gitDir, "HEAD"))],
    ["its HEAD, full of zeros", (_, gitDir) => blank(module(gitDir, "HEAD"))],
    [
      "its HEAD and what it was",
      (_, gitDir) => {
        truncateSync(module(gitDir, "HEAD"));
        truncateSync(module(gitDir, "logs/HEAD"));
      },
    ],
    ["its .git file", (path) => truncateSync(join(path, "lib", ".git"))],
    ["its configuration", (_, gitDir) => truncateSync(module(gitDir, "config"))],
    [
      "all of them",
      (path, gitDir) =>
        [join(path, "lib", ".git"), ...["HEAD", "config", "index"].map((name) => module(gitDir, name))].forEach(
          (file) => truncateSync(file),
        ),
    ],
  ])("%s: it is whole again, and its files are what they were", async (_, harm) => {
    await using scratch = await scratchRepo();
    const lib = join(scratch.top, "lib");
    scratch.git(scratch.top, "init", "-q", "-b", "main", "lib");
    for (const [key, value] of [
      ["user.name", "Ann User"],
      ["user.email", "ann@example.com"],
    ] as const)
      scratch.git(lib, "config", key, value);
    scratch.commit(lib, { "lib.txt": "lib\n" });
    const add = ["-c", "protocol.file.allow=always", "submodule", "--quiet"];
    scratch.git(scratch.root, ...add, "add", lib, "lib");
    scratch.git(scratch.root, "commit", "-q", "-m", "lib");
    const { path, gitDir } = await cutWorktree(scratch);
    scratch.git(path, ...add, "update", "--init");
    scratch.write(path, { "lib/new.txt": "new\n" });
    harm(path, gitDir);
    const place = await mendEntry(scratch.repo, path, HOME);
    expect(place?.root).toBe(path);
    expect(scratch.git(join(path, "lib"), "status", "--porcelain")).toBe("?? new.txt");
    expect(scratch.git(join(path, "lib"), "rev-parse", "HEAD")).toBe(scratch.git(lib, "rev-parse", "HEAD"));
    expect(scratch.git(join(path, "lib"), "rev-parse", "--show-toplevel")).toBe(join(path, "lib"));
    expect(scratch.git(path, "status", "--porcelain", "--ignore-submodules=untracked")).toBe("?? new.txt");
    expect(scratch.git(path, "submodule", "status")).toMatch(/^ [0-9a-f]{40} lib /);
  });

  test("a commit that only it has is where its HEAD stands again", async () => {
    await using scratch = await scratchRepo();
    const lib = join(scratch.top, "lib");
    scratch.git(scratch.top, "init", "-q", "-b", "main", "lib");
    scratch.git(lib, "config", "user.name", "Ann User");
    scratch.git(lib, "config", "user.email", "ann@example.com");
    scratch.commit(lib, { "lib.txt": "lib\n" });
    const add = ["-c", "protocol.file.allow=always", "submodule", "--quiet"];
    scratch.git(scratch.root, ...add, "add", lib, "lib");
    scratch.git(scratch.root, "commit", "-q", "-m", "lib");
    const { path, gitDir } = await cutWorktree(scratch);
    scratch.git(path, ...add, "update", "--init");
    scratch.git(join(path, "lib"), "config", "user.name", "Ann User");
    scratch.git(join(path, "lib"), "config", "user.email", "ann@example.com");
    const made = scratch.commit(join(path, "lib"), { "more.txt": "more\n" });
    truncateSync(module(gitDir, "HEAD"));
    await mendEntry(scratch.repo, path, HOME);
    expect(scratch.git(join(path, "lib"), "rev-parse", "HEAD")).toBe(made);
  });
});
