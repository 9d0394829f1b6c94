import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { checkedOutWhere, deleteBranchIf, readRef } from "./branch.ts";
import { bringSubmodules } from "./bring-submodules.ts";
import type { Oid, Place } from "./git.ts";
import { inspectWorktree } from "./inspect.ts";
import { startMerge } from "./merge.ts";
import { ownerMark } from "./owner.ts";
import { type Reason, type RemoveOptions, removeWorktree, sweepTrash, whyItStays } from "./remove.ts";
import { dropRescue, listRescues, rescueRef, saveRescue, withContent } from "./rescue.ts";
import { restoreRescue } from "./restore.ts";
import { openTrash } from "./trash.ts";
import { withdrawEntry } from "./withdraw.ts";
import { createWorktree } from "./worktree.ts";

type Task = Scratch & { wt: string; base: Oid; gitDir: string };
const RESCUE = { id: "t1", note: "task t1, attempt 1", at: 1_780_000_000_000 };
const PLAIN: RemoveOptions = { keep: ["refs/heads/main"], rescue: RESCUE };
const SAVE: RemoveOptions = { ...PLAIN, save: true };

async function task(): Promise<Task> {
  const at = await scratchRepo();
  const base = (await readRef(at.repo, "main"))!;
  const wt = join(at.top, "wt");
  const made = await createWorktree(at.repo, { path: wt, base, branch: "task", reason: "task t1" });
  if ("refused" in made) throw new Error(made.refused);
  return Object.assign(at, { wt, base, gitDir: made.gitDir });
}

/** Every file of a worktree with its kind and bytes. */
function snapshot(root: string, below = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(join(root, below))) {
    if (below === "" && name === ".git") continue;
    const path = join(below, name);
    const stat = lstatSync(join(root, path));
    if (stat.isSymbolicLink()) files[path] = `link ${readlinkSync(join(root, path))}`;
    else if (stat.isDirectory() && readdirSync(join(root, path)).length === 0) files[path] = "folder";
    else if (stat.isDirectory()) Object.assign(files, snapshot(root, path));
    else files[path] = `${(stat.mode & 0o100) === 0 ? "file" : "exec"} ${readFileSync(join(root, path), "latin1")}`;
  }
  return files;
}

const HOLDS: Record<string, { make: (at: Task) => void | Promise<void>; reasons: string[] }> = {
  dirty: { make: (at) => at.write(at.wt, { "a.txt": "changed\r\n\0\xff" }), reasons: ["dirty"] },
  "empty folders": {
    make: (at) => {
      at.write(at.wt, { "a.txt": "changed", "new/file": "new" });
      for (const folder of ["empty/deep", "new/empty", "dir/ü b"]) mkdirSync(join(at.wt, folder), { recursive: true });
    },
    reasons: ["dirty", "untracked"],
  },
  deleted: { make: (at) => rmSync(join(at.wt, "a.txt")), reasons: ["dirty"] },
  "made executable": { make: (at) => chmodSync(join(at.wt, "a.txt"), 0o755), reasons: ["dirty"] },
  untracked: {
    make: (at) =>
      at.write(at.wt, {
        "n/e/w": "new",
        "new\nline ü": "x",
        '"q" \\': "y",
        "-dash": "z",
        empty: "",
        "bin.dat": Buffer.from([0, 255, 13, 10]),
      }),
    reasons: ["untracked"],
  },
  "ignored but new": {
    make: (at) => at.write(at.wt, { "ignored/deep/x": "x", "ignored/y": "y", "z.log": "z" }),
    reasons: ["ignored-new"],
  },
  staged: {
    make: (at) => {
      at.write(at.wt, { "a.txt": "staged\n" });
      runGit(at.wt, "add", "a.txt");
      at.write(at.wt, { "a.txt": "and changed again\n" });
    },
    reasons: ["dirty", "staged"],
  },
  "hidden from git": {
    make: (at) => {
      runGit(at.wt, "update-index", "--skip-worktree", "a.txt");
      runGit(at.wt, "update-index", "--assume-unchanged", "dir/b.txt");
      at.write(at.wt, { "a.txt": "hidden", "dir/b.txt": "hidden too" });
    },
    reasons: ["dirty"],
  },
  "a file in a folder's place": {
    make: (at) => {
      rmSync(join(at.wt, "dir"), { recursive: true });
      rmSync(join(at.wt, "a.txt"));
      at.write(at.wt, { dir: "now a file", "a.txt/inside": "now a folder" });
    },
    reasons: ["dirty", "untracked"],
  },
  "a link in a folder's place": {
    make: (at) => {
      at.write(at.top, { "outside/b.txt": "not ours" });
      rmSync(join(at.wt, "dir"), { recursive: true });
      symlinkSync(join(at.top, "outside"), join(at.wt, "dir"));
    },
    reasons: ["dirty", "untracked"],
  },
  "symbolic links": {
    make: (at) => {
      at.write(at.top, { "outside/keep.txt": "keep" });
      symlinkSync(join(at.top, "outside"), join(at.wt, "linked"));
      symlinkSync("/nowhere\nat all", join(at.wt, "dangling"));
      mkdirSync(join(at.wt, "ignored"));
      symlinkSync(join(at.top, "outside"), join(at.wt, "ignored/linked"));
    },
    reasons: ["untracked", "ignored-new"],
  },
  "line ending and filter rules": {
    make: (at) =>
      at.write(at.wt, {
        ".gitattributes": "* text=auto eol=lf\n*.f filter=shout\n",
        "crlf.txt": "a\r\nb\n",
        "x.f": "quiet",
      }),
    reasons: ["untracked"],
  },
  "unmerged commits": { make: (at) => void at.commit(at.wt, { own: "own" }), reasons: ["commits"] },
  "detached commits": {
    make: (at) => {
      runGit(at.wt, "checkout", "-q", "--detach");
      at.commit(at.wt, { own: "own" });
    },
    reasons: ["commits"],
  },
  "a stopped merge": {
    make: async (at) => {
      at.commit(at.wt, { "a.txt": "task\n" });
      await startMerge(at.repo, at.wt, at.commit(at.root, { "a.txt": "main\n" }));
    },
    reasons: ["unmerged", "staged", "commits", "in-progress"],
  },
};

test.each(Object.keys(HOLDS))(
  "a worktree with work (%s) stays; saved first it goes, and comes back byte for byte",
  async (name) => {
    await using at = await task();
    runGit(at.root, "config", "filter.shout.clean", "tr a-z A-Z");
    await HOLDS[name]!.make(at);
    const before = snapshot(at.wt);
    const refused = await removeWorktree(at.repo, at.wt, PLAIN);
    expect(refused.removed ? [] : refused.reasons.map(({ reason }) => reason)).toEqual(HOLDS[name]!.reasons);
    expect(snapshot(at.wt)).toEqual(before);

    const head = runGit(at.wt, "rev-parse", "HEAD");
    const entries = runGit(at.wt, "ls-files", "-s");
    const staged = name === "a stopped merge" ? "" : runGit(at.wt, "write-tree");
    const removed = await removeWorktree(at.repo, at.wt, SAVE);
    if (!removed.removed) throw new Error(JSON.stringify(removed.reasons));
    expect(removed.rescue).toBe("refs/owt/rescue/t1");
    await removed.emptied;
    expect([existsSync(at.wt), existsSync(at.gitDir)]).toEqual([false, false]);
    expect(name !== "symbolic links" || existsSync(join(at.top, "outside/keep.txt"))).toBe(true);
    // The branch may go too: the rescue keeps its commits.
    const tip = (await readRef(at.repo, "task"))!;
    expect(await deleteBranchIf(at.repo, "task", tip, [(await readRef(at.repo, removed.rescue!))!])).toBe("deleted");
    runGit(at.root, "reflog", "expire", "--expire=now", "--all");
    runGit(at.root, "gc", "-q", "--prune=now");

    expect(await listRescues(at.repo)).toMatchObject([
      { id: "t1", path: at.wt, head, note: RESCUE.note, at: RESCUE.at },
    ]);
    const back = join(at.top, "back");
    await restoreRescue(at.repo, "t1", { path: back });
    expect(snapshot(back)).toEqual(before);
    expect(runGit(back, "rev-parse", "HEAD")).toBe(head);
    expect(staged === "" ? "" : runGit(back, "write-tree")).toBe(staged);
    // What was in conflict is so again.
    if (name === "a stopped merge") expect(runGit(back, "ls-files", "-s")).toBe(entries);
    expect(existsSync(join(runGit(back, "rev-parse", "--absolute-git-dir"), "MERGE_HEAD"))).toBe(
      name === "a stopped merge",
    );
    runGit(at.root, "fsck", "--strict");
  },
);

test("a clean worktree whose commit is kept goes without a rescue, and its branch after it", async () => {
  await using at = await task();
  const own = at.commit(at.wt, { own: "own" });
  expect(await deleteBranchIf(at.repo, "task", own, [own])).toEqual({ checkedOut: at.wt });
  const removed = await removeWorktree(at.repo, at.wt, { ...PLAIN, keep: [own] });
  expect(removed).toMatchObject({ removed: true, rescue: null });
  expect(await deleteBranchIf(at.repo, "task", own, [own])).toBe("deleted");
  expect(await removeWorktree(at.repo, at.wt, PLAIN)).toMatchObject({ removed: true, rescue: null });
});

test("commits whose patch the target has are not work; what we brought is not new", async () => {
  await using at = await task();
  at.commit(at.wt, { own: "own" });
  at.commit(at.root, { between: "1" });
  runGit(at.root, "cherry-pick", "task");
  at.write(at.wt, { "ignored/env": "brought", "ignored/sub/x": "brought" });
  const options = { ...PLAIN, known: ["ignored/env", "ignored/sub/"] };
  expect(await inspectWorktree(at.repo, at.wt, options)).toMatchObject({
    commits: [],
    ignoredNew: [],
    inProgress: null,
    gone: false,
  });
  expect(await removeWorktree(at.repo, at.wt, options)).toMatchObject({ removed: true, rescue: null });
});

test("commits that only the reflog knows are saved without being asked", async () => {
  await using at = await task();
  const amended = at.commit(at.wt, { own: "first" });
  runGit(at.wt, "commit", "-q", "--amend", "-m", "second");
  runGit(at.wt, "checkout", "-q", "--detach");
  const detached = at.commit(at.wt, { lost: "lost" });
  runGit(at.wt, "checkout", "-q", "task");
  const removed = await removeWorktree(at.repo, at.wt, { ...PLAIN, keep: ["refs/heads/task"] });
  expect(removed).toMatchObject({ removed: true, rescue: "refs/owt/rescue/t1" });
  runGit(at.root, "branch", "-D", "task");
  runGit(at.root, "reflog", "expire", "--expire=now", "--all");
  runGit(at.root, "gc", "-q", "--prune=now");
  for (const oid of [amended, detached]) expect(runGit(at.root, "cat-file", "-t", oid)).toBe("commit");
  runGit(at.root, "merge-base", "--is-ancestor", amended, "refs/owt/rescue/t1");
});

test("nothing lets the main checkout, a stranger's lock, a living process or a nested repository be removed", async () => {
  await using at = await task();
  const reasonsOf = async (path = at.wt, options = SAVE): Promise<unknown> => {
    const removed = await removeWorktree(at.repo, path, options);
    return removed.removed ? "removed" : removed.reasons.map(({ reason }) => reason);
  };
  expect(await reasonsOf(at.root)).toEqual(["main"]);
  expect(await reasonsOf(at.top)).toEqual(["not-a-worktree"]);
  runGit(at.root, "worktree", "unlock", at.wt);
  runGit(at.root, "worktree", "lock", at.wt);
  expect(await reasonsOf()).toEqual(["locked"]);
  runGit(at.root, "worktree", "unlock", at.wt);

  const inside = spawn("sleep", ["600"], { cwd: join(at.wt, "dir"), stdio: "ignore" });
  expect(await reasonsOf()).toEqual(["in-use"]);
  inside.kill("SIGKILL");
  await once(inside, "close");

  runGit(at.wt, "init", "-q", "nested");
  expect(await reasonsOf()).toEqual(["nested-repository"]);
  renameSync(join(at.wt, "nested"), join(at.wt, "ignored"));
  expect(await reasonsOf()).toEqual(["nested-repository"]);
  rmSync(join(at.wt, "ignored"), { recursive: true });
  writeFileSync(join(at.gitDir, "locked"), `owt: initializing ${ownerMark()}\n`);
  expect(await reasonsOf()).toEqual(["being-made"]);
  rmSync(join(at.gitDir, "locked"));
  expect(await reasonsOf()).toBe("removed");
});

describe("a checked-out submodule", () => {
  async function withModule(): Promise<Task & { sub: string }> {
    const at = await task();
    runGit(at.top, "clone", "-q", at.root, "sub");
    runGit(at.wt, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", join(at.top, "sub"), "lib/sub");
    runGit(at.wt, "commit", "-q", "-m", "sub");
    const sub = join(at.wt, "lib/sub");
    runGit(sub, "config", "user.name", "Ann User");
    runGit(sub, "config", "user.email", "ann@example.com");
    return { ...at, sub };
  }
  /** git does not fetch a submodule from a folder, unless the user's own configuration says so. */
  async function withFileProtocol<T>(at: Task, act: () => Promise<T>): Promise<T> {
    const before = process.env["GIT_CONFIG_GLOBAL"];
    writeFileSync(join(at.top, "global"), '[protocol "file"]\n\tallow = always\n');
    process.env["GIT_CONFIG_GLOBAL"] = join(at.top, "global");
    try {
      return await act();
    } finally {
      if (before === undefined) delete process.env["GIT_CONFIG_GLOBAL"];
      else process.env["GIT_CONFIG_GLOBAL"] = before;
    }
  }
  const BRANCH = { ...PLAIN, keep: ["refs/heads/task"] };
  const submodules = (at: Task) => async (place: Place) =>
    void (await bringSubmodules(at.repo, place, runGit(place.root, "rev-parse", "HEAD"), { asked: true }));

  test("with nothing that is only there is in nobody's way", async () => {
    await using at = await withModule();
    expect(await whyItStays(at.repo, at.wt, BRANCH)).toEqual([]);
    const removed = await removeWorktree(at.repo, at.wt, BRANCH);
    expect(removed).toMatchObject({ removed: true, rescue: null });
    if (removed.removed) await removed.emptied;
    expect(existsSync(at.gitDir)).toBe(false);
  });

  const add = (at: { sub: string }, file: string, text = "mine") => writeFileSync(join(at.sub, file), text);
  const commitIn = (at: { sub: string } & Task) => at.commit(at.sub, { "own.txt": "own" });
  /** What is done there, which reason names it, and what is there again afterwards: a file, or a commit that is kept. */
  type Row = [name: string, change: (at: Task & { sub: string }) => string, reason: Reason];
  const work = (what: string): Reason => ({ reason: "submodule-work", what: [`lib/sub: ${what}`] });
  const commits = (count: number): Reason => ({ reason: "submodule-commits", what: [`lib/sub: ${count}`] });
  const file = (name: string): Row[1] => {
    return (at) => {
      add(at, name);
      return name;
    };
  };
  const WORK: Row[] = [
    ["a changed file", file("a.txt"), work("a.txt")],
    ["a new file", file("new.txt"), work("new.txt")],
    ["an ignored file", file("x.log"), work("x.log")],
    [
      "a commit that is recorded",
      (at) => {
        const own = commitIn(at);
        runGit(at.wt, "commit", "-q", "-a", "-m", "moved");
        return own;
      },
      commits(1),
    ],
    [
      "a commit on a branch that is not checked out",
      (at) => {
        runGit(at.sub, "switch", "-q", "-c", "mine");
        const own = commitIn(at);
        runGit(at.sub, "switch", "-q", "main");
        return own;
      },
      commits(1),
    ],
    [
      "a stash",
      (at) => {
        add(at, "a.txt");
        runGit(at.sub, "stash", "-q");
        return runGit(at.sub, "rev-parse", "stash");
      },
      commits(2),
    ],
    [
      "a commit in one that is checked out no more",
      (at) => {
        const own = commitIn(at);
        runGit(at.wt, "submodule", "deinit", "-q", "--force", "lib/sub");
        return own;
      },
      commits(1),
    ],
  ];

  test.each(WORK)("%s in it is named; saved, it is to be had", async (_, change, reason) => {
    await using at = await withModule();
    const left = change(at);
    expect(await whyItStays(at.repo, at.wt, BRANCH)).toEqual([reason]);
    expect(await removeWorktree(at.repo, at.wt, BRANCH)).toMatchObject({ removed: false, reasons: [reason] });
    const removed = await removeWorktree(at.repo, at.wt, { ...BRANCH, save: true });
    expect(removed).toMatchObject({ removed: true, rescue: rescueRef("t1") });
    const back = join(at.top, "back");
    await restoreRescue(at.repo, "t1", { path: back, submodules: submodules(at) });
    if (/^[0-9a-f]{40}$/.test(left))
      expect(runGit(at.root, "for-each-ref", `--contains=${left}`, "refs/owt/submodules")).not.toBe("");
    else expect(readFileSync(join(back, "lib/sub", left), "utf8")).toBe("mine");
  });

  test("that stands at another commit than the recorded one stands there again", async () => {
    await using at = await withModule();
    const newer = at.commit(join(at.top, "sub"), { "a.txt": "newer" });
    runGit(at.sub, "fetch", "-q");
    runGit(at.sub, "checkout", "-q", newer);
    expect(await whyItStays(at.repo, at.wt, BRANCH)).toEqual([{ reason: "dirty", what: ["lib/sub"] }]);
    await removeWorktree(at.repo, at.wt, { ...BRANCH, save: true });
    const back = join(at.top, "back");
    await withFileProtocol(at, () => restoreRescue(at.repo, "t1", { path: back, submodules: submodules(at) }));
    expect(runGit(join(back, "lib/sub"), "rev-parse", "HEAD")).toBe(newer);
    expect(runGit(back, "status", "--porcelain")).toBe(" M lib/sub");
  });

  test("what only its reflog knows is saved without a word", async () => {
    await using at = await withModule();
    const own = commitIn(at);
    runGit(at.sub, "reset", "-q", "--hard", "origin/main");
    expect(await removeWorktree(at.repo, at.wt, BRANCH)).toMatchObject({ removed: true, rescue: rescueRef("t1") });
    expect(runGit(at.root, "rev-parse", `refs/owt/submodules/${own}`)).toBe(own);
  });

  test("comes back with the other branches, the tags and the stashes that have commits of its own", async () => {
    await using at = await withModule();
    runGit(at.sub, "switch", "-q", "-c", "side");
    const own = commitIn(at);
    runGit(at.sub, "tag", "v1");
    runGit(at.sub, "switch", "-q", "main");
    for (const text of ["first", "second"]) {
      at.write(at.sub, { "a.txt": text });
      runGit(at.sub, "stash", "push", "-q", "-m", `put away ${text}`);
    }
    const stashes = runGit(at.sub, "stash", "list");
    expect(await removeWorktree(at.repo, at.wt, { ...BRANCH, save: true })).toMatchObject({ removed: true });
    const back = join(at.top, "back");
    await withFileProtocol(at, () => restoreRescue(at.repo, "t1", { path: back, submodules: submodules(at) }));
    const sub = join(back, "lib/sub");
    expect(runGit(sub, "rev-parse", "side", "v1")).toBe(`${own}\n${own}`);
    expect(runGit(sub, "stash", "list")).toBe(stashes);
    expect(runGit(sub, "stash", "show", "-p", "stash@{1}")).toContain("+first");
  });

  test("comes back with its branch, its commits, its files and its index, byte for byte", async () => {
    await using at = await withModule();
    runGit(at.sub, "switch", "-q", "-c", "mine");
    const own = commitIn(at);
    at.write(at.sub, { "a.txt": "changed", "deep/new.txt": Buffer.from([0, 255, 10]), "x.log": "ignored" });
    runGit(at.sub, "add", "a.txt");
    at.write(at.sub, { "a.txt": "changed again" });
    rmSync(join(at.sub, "dir/b.txt"));
    mkdirSync(join(at.sub, "empty/deep"), { recursive: true });
    expect((await whyItStays(at.repo, at.wt, BRANCH)).map(({ reason }) => reason)).toEqual([
      "dirty",
      "submodule-work",
      "submodule-commits",
    ]);
    const status = runGit(at.sub, "status", "--porcelain", "--ignored");
    expect(await removeWorktree(at.repo, at.wt, { ...BRANCH, save: true })).toMatchObject({ removed: true });

    const back = join(at.top, "back");
    await restoreRescue(at.repo, "t1", { path: back, submodules: submodules(at) });
    const sub = join(back, "lib/sub");
    expect(runGit(sub, "status", "--porcelain", "--ignored")).toBe(status);
    expect(runGit(sub, "rev-parse", "HEAD", "mine")).toBe(`${own}\n${own}`);
    expect(runGit(sub, "symbolic-ref", "HEAD")).toBe("refs/heads/mine");
    expect(readFileSync(join(sub, "a.txt"), "utf8")).toBe("changed again");
    expect(runGit(sub, "show", ":a.txt")).toBe("changed");
    expect(readFileSync(join(sub, "deep/new.txt"))).toEqual(Buffer.from([0, 255, 10]));
    expect(existsSync(join(sub, "empty/deep"))).toBe(true);
  });

  test("with commits that the main checkout's own copy or this repository has is in nobody's way", async () => {
    await using at = await withModule();
    runGit(at.root, "merge", "-q", "task");
    runGit(at.root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init");
    const own = commitIn(at);
    runGit(at.wt, "commit", "-q", "-a", "-m", "moved");
    runGit(join(at.root, "lib/sub"), "fetch", "-q", at.sub, `${own}:refs/heads/theirs`);
    expect(await whyItStays(at.repo, at.wt, BRANCH)).toEqual([]);
    runGit(join(at.root, "lib/sub"), "branch", "-q", "-D", "theirs");
    expect(await whyItStays(at.repo, at.wt, BRANCH)).toHaveLength(1);
    runGit(at.root, "fetch", "-q", at.sub, `${own}:refs/owt/submodules/${own}`);
    expect(await whyItStays(at.repo, at.wt, BRANCH)).toEqual([]);
  });

  test("a clone in it, and a folder `.git` where it would be, are repositories of their own", async () => {
    await using at = await withModule();
    runGit(at.sub, "init", "-q", "clone");
    expect(await removeWorktree(at.repo, at.wt, SAVE)).toMatchObject({
      reasons: [{ reason: "nested-repository", what: ["lib/sub/clone/"] }],
    });
    rmSync(join(at.sub, "clone"), { recursive: true });
    runGit(at.wt, "submodule", "deinit", "-q", "--force", "lib/sub");
    runGit(at.wt, "init", "-q", "lib/sub");
    expect(await removeWorktree(at.repo, at.wt, SAVE)).toMatchObject({
      reasons: [{ reason: "nested-repository", what: ["lib/sub"] }],
    });
  });
});

test("an orphan folder never makes us look at the repository around it", async () => {
  await using at = await scratchRepo();
  const wt = join(at.root, "ignored", "wt");
  const made = await createWorktree(at.repo, { path: wt, base: (await readRef(at.repo, "main"))!, branch: "task" });
  if ("refused" in made) throw new Error(made.refused);
  rmSync(made.gitDir, { recursive: true });
  expect(await removeWorktree(at.repo, wt, SAVE)).toMatchObject({
    removed: false,
    reasons: [{ reason: "not-a-worktree" }],
  });
  unlinkSync(join(wt, ".git"));
  expect(await removeWorktree(at.repo, wt, SAVE)).toMatchObject({ removed: false });
  expect(existsSync(join(wt, "a.txt"))).toBe(true);
});

test("a worktree whose files somebody deleted still keeps its detached commits and its index", async () => {
  await using at = await task();
  runGit(at.wt, "checkout", "-q", "--detach");
  const own = at.commit(at.wt, { own: "own" });
  at.write(at.wt, { staged: "only in the index" });
  runGit(at.wt, "add", "staged");
  rmSync(at.wt, { recursive: true });
  expect(await removeWorktree(at.repo, at.wt, PLAIN)).toMatchObject({
    removed: false,
    reasons: [{ reason: "staged" }, { reason: "commits" }],
  });
  expect(await removeWorktree(at.repo, at.wt, SAVE)).toMatchObject({ removed: true });
  const [rescue] = await listRescues(at.repo);
  expect(rescue!.head).toBe(own);
  expect(runGit(at.root, "show", `${rescue!.index!}:staged`)).toBe("only in the index");
});

test("a half-made worktree goes, with a rescue only when somebody put files in it", async () => {
  await using at = await task();
  unlinkSync(join(at.gitDir, "index"));
  writeFileSync(join(at.gitDir, "locked"), "owt: initializing 1-1-dead\n");
  expect(await removeWorktree(at.repo, at.wt, PLAIN)).toMatchObject({ removed: true });
  expect(await listRescues(at.repo)).toEqual([]);
});

test("what a checkout leaves that was cut off is nobody's work", async () => {
  await using at = await task();
  unlinkSync(join(at.gitDir, "index"));
  writeFileSync(join(at.gitDir, "locked"), "owt: initializing 1-1-dead\n");
  const whole = readFileSync(join(at.wt, "a.txt"));
  for (const bytes of [0, whole.length - 1]) {
    writeFileSync(join(at.wt, "a.txt"), whole.subarray(0, bytes));
    expect(await removeWorktree(at.repo, at.wt, PLAIN)).toMatchObject({ removed: true, rescue: null });
    const made = await createWorktree(at.repo, { path: at.wt, base: at.base, branch: "task" });
    if ("refused" in made) throw new Error(made.refused);
    unlinkSync(join(made.gitDir, "index"));
    writeFileSync(join(made.gitDir, "locked"), "owt: initializing 1-1-dead\n");
  }
  writeFileSync(join(at.wt, "a.txt"), "other");
  expect(await removeWorktree(at.repo, at.wt, PLAIN)).toMatchObject({ removed: true });
  expect((await listRescues(at.repo)).map(({ note }) => note)).toEqual(["its creation was interrupted"]);
});

test("a rescue holds something where it has files, an index or commits of its own", async () => {
  await using at = await task();
  const save = async (id: string) =>
    saveRescue(at.repo, await inspectWorktree(at.repo, at.wt, PLAIN), { ...RESCUE, id });
  await save("empty");
  mkdirSync(join(at.wt, "folder"));
  await save("folder");
  rmSync(join(at.wt, "folder"), { recursive: true });
  at.write(at.wt, { new: "new" });
  await save("file");
  rmSync(join(at.wt, "new"));
  runGit(at.wt, "commit", "-q", "--allow-empty", "-m", "own");
  await save("commit");
  const named = async () => (await withContent(at.repo, await listRescues(at.repo))).map(({ id }) => id).toSorted();
  expect(await named()).toEqual(["file", "folder"]);
  runGit(at.root, "update-ref", "-d", "refs/heads/task");
  expect(await named()).toEqual(["commit", "file", "folder"]);
});

test("what an attempt left is listed also where a branch that its agent made stands at it, and not once that is in other work", async () => {
  await using at = await task();
  runGit(at.wt, "switch", "-q", "-c", "agents");
  runGit(at.wt, "commit", "-q", "--allow-empty", "-m", "own");
  await saveRescue(at.repo, await inspectWorktree(at.repo, at.wt, PLAIN), { ...RESCUE, id: "r1-m2-e01-1" });
  const named = async () => (await withContent(at.repo, await listRescues(at.repo))).map(({ id }) => id);
  expect(await named()).toEqual(["r1-m2-e01-1"]);
  runGit(at.root, "merge", "-q", "--no-ff", "-m", "taken in", "agents");
  expect(await named()).toEqual([]);
});

test("a removal killed between its steps is finished by the next, and its trash swept", async () => {
  await using at = await task();
  at.write(at.wt, { "locked/x": "x" });
  chmodSync(join(at.wt, "locked"), 0o555);
  at.write(at.top, { "outside/keep.txt": "keep" });
  symlinkSync(join(at.top, "outside"), join(at.wt, "linked"));
  const bin = join(at.repo.commonDir, "owt/trash", "1-1-dead");
  mkdirSync(bin, { recursive: true });
  renameSync(at.wt, join(bin, "tree"));
  at.write(at.top, { ".owt-trash-1-1-dead/beside": "x" });
  at.write(bin, { "beside-tree": join(at.top, ".owt-trash-1-1-dead") });
  const removed = await removeWorktree(at.repo, at.wt, PLAIN);
  expect(removed).toMatchObject({ removed: true, rescue: null });
  if (removed.removed) await removed.emptied;
  expect(existsSync(at.gitDir)).toBe(false);
  expect(await sweepTrash(at.repo)).toBe(1);
  expect(await sweepTrash(at.repo)).toBe(0);
  expect([existsSync(bin), existsSync(join(at.top, ".owt-trash-1-1-dead"))]).toEqual([false, false]);
  expect(readFileSync(join(at.top, "outside/keep.txt"), "utf8")).toBe("keep");
});

test("git's entry goes from git's sight first, and stays whole for commands that have seen it", async () => {
  await using at = await task();
  const removed = await removeWorktree(at.repo, at.wt, PLAIN);
  // Looked at before anything else can happen: what is left goes soon.
  const left = readdirSync(at.gitDir);
  expect(left).toEqual(expect.arrayContaining(["HEAD", "commondir", "locked"]));
  expect(left).not.toContain("gitdir");
  if (removed.removed) await removed.emptied;
  expect(existsSync(at.gitDir)).toBe(false);
});

test("an entry out of sight is nobody's worktree, holds no branch, and is left to whom takes it away", async () => {
  await using at = await task();
  const bin = openTrash(at.repo.commonDir);
  const entry = withdrawEntry(bin, at.gitDir);
  const left = readdirSync(at.gitDir);
  expect(runGit(at.root, "worktree", "list").split("\n")).toHaveLength(1);
  expect(await checkedOutWhere(at.repo, "task")).toBeNull();
  runGit(at.root, "worktree", "prune");
  expect(await sweepTrash(at.repo)).toBe(0);
  expect(readdirSync(at.gitDir)).toEqual(left);
  await entry.taken();
  expect(readdirSync(bin)).toEqual(["admin"]);
});

test("an entry whose taking away was killed half-way is cleared by the next sweep", async () => {
  await using at = await task();
  renameSync(at.wt, join(at.top, "gone"));
  rmSync(join(at.gitDir, "gitdir"));
  writeFileSync(join(at.gitDir, "locked"), "owt: initializing 1-1-dead\n");
  expect(await sweepTrash(at.repo)).toBe(1);
  expect(existsSync(at.gitDir)).toBe(false);
});

test("a restore that was killed in the middle is done again, on the worktree's own branch", async () => {
  await using at = await task();
  at.write(at.wt, { one: "1" });
  await removeWorktree(at.repo, at.wt, SAVE);
  const path = join(at.top, "back");
  const begun = await restoreRescue(at.repo, "t1", { path });
  writeFileSync(join(begun.gitDir, "owt-making"), "1-1-dead\n");
  rmSync(join(path, "one"));
  expect(await restoreRescue(at.repo, "t1", { path })).toMatchObject({ branch: begun.branch });
  expect(readFileSync(join(path, "one"), "utf8")).toBe("1");
  expect(runGit(at.root, "branch", "--list", "owt/rescued/*")).toBe("");
});

test("saving the same state again changes nothing; another state under the same id is added", async () => {
  await using at = await task();
  at.write(at.wt, { one: "1" });
  await removeWorktree(at.repo, at.wt, SAVE);
  const [first] = await listRescues(at.repo);
  await restoreRescue(at.repo, "t1", { path: at.wt });
  await removeWorktree(at.repo, at.wt, SAVE);
  expect(await listRescues(at.repo)).toEqual([first]);
  await restoreRescue(at.repo, "t1", { path: at.wt });
  at.write(at.wt, { one: "2" });
  await removeWorktree(at.repo, at.wt, SAVE);
  const [second] = await listRescues(at.repo);
  runGit(at.root, "merge-base", "--is-ancestor", first!.commit, second!.commit);
  expect(await dropRescue(at.repo, first!)).toBe(false);
  expect(await dropRescue(at.repo, second!)).toBe(true);
});

test("each kind of conflict comes back as a conflict, and resolved ones as resolved", async () => {
  await using at = await task();
  runGit(at.root, "config", "rerere.enabled", "true");
  at.commit(at.root, { both: "0\n", "dir/we deleted": "0\n", "they deleted": "0\n", solved: "0\n" });
  runGit(at.wt, "reset", "-q", "--hard", "main");
  runGit(at.wt, "rm", "-q", "dir/we deleted");
  at.commit(at.wt, { both: "1\n", "they deleted": "1\n", solved: "1\n", "new ü\n": "1\n" });
  runGit(at.root, "rm", "-q", "they deleted");
  const theirs = at.commit(at.root, { both: "2\n", "dir/we deleted": "2\n", solved: "2\n", "new ü\n": "2\n" });
  await startMerge(at.repo, at.wt, theirs);
  at.write(at.wt, { solved: "3\n" });
  runGit(at.wt, "add", "solved");
  const [entries, before] = [runGit(at.wt, "ls-files", "-s"), snapshot(at.wt)];
  const conflicts = runGit(at.wt, "ls-files", "-u");
  expect(conflicts.split("\n")).toHaveLength(9);
  const removed = await removeWorktree(at.repo, at.wt, SAVE);
  if (removed.removed) await removed.emptied;
  runGit(at.root, "reflog", "expire", "--expire=now", "--all");
  runGit(at.root, "gc", "-q", "--prune=now");
  await restoreRescue(at.repo, "t1", { path: at.wt });
  expect([runGit(at.wt, "ls-files", "-s"), snapshot(at.wt)]).toEqual([entries, before]);
  expect(() => runGit(at.wt, "commit", "-q", "--no-edit")).toThrow(/unmerged|conflict/i);
});

test("modes of files and of their folders come back, also of those in which nothing changed", async () => {
  await using at = await task();
  at.write(at.wt, { "kept/same": "as it was" });
  runGit(at.wt, "add", "kept");
  runGit(at.wt, "commit", "-qm", "kept");
  at.write(at.wt, { "z.log": "secret", new: "new", "a.txt": "changed", "ignored/keys/id": "key", "run me": "x" });
  const modes = {
    "z.log": 0o600,
    new: 0o400,
    "a.txt": 0o660,
    "ignored/keys/id": 0o400,
    "ignored/keys": 0o500,
    "run me": 0o700,
    "kept/same": 0o400,
    kept: 0o2750,
  };
  for (const [path, mode] of Object.entries(modes)) chmodSync(join(at.wt, path), mode);
  const removed = await removeWorktree(at.repo, at.wt, SAVE);
  if (removed.removed) await removed.emptied;
  await restoreRescue(at.repo, "t1", { path: at.wt });
  const now = Object.keys(modes).map((path) => [path, lstatSync(join(at.wt, path)).mode & 0o7777]);
  expect(Object.fromEntries(now)).toEqual(modes);
});

test("a rescue comes back beside a branch that went on, and never over something", async () => {
  await using at = await task();
  at.write(at.wt, { one: "1" });
  await removeWorktree(at.repo, at.wt, SAVE);
  runGit(at.root, "branch", "-f", "task", at.commit(at.root, { n: "1" }));
  expect(await restoreRescue(at.repo, "t1", { path: at.wt })).toMatchObject({ branch: "owt/rescued/t1", isNew: true });
  expect(readFileSync(join(at.wt, "one"), "utf8")).toBe("1");
  await expect(restoreRescue(at.repo, "t1", { path: at.wt })).rejects.toMatchObject({ code: "wrong-state" });
  await expect(restoreRescue(at.repo, "none", { path: at.wt })).rejects.toMatchObject({ code: "unknown-name" });
  expect(() => rescueRef("../heads/main")).toThrow("not a rescue id");
});

test("a restore does not write through a link that history has in a folder's place", async () => {
  await using at = await task();
  at.write(at.top, { "outside/x": "theirs" });
  symlinkSync(join(at.top, "outside"), join(at.wt, "d"));
  at.commit(at.wt, {});
  unlinkSync(join(at.wt, "d"));
  at.write(at.wt, { "d/x": "ours" });
  const before = snapshot(at.wt);
  await removeWorktree(at.repo, at.wt, SAVE);
  await restoreRescue(at.repo, "t1", { path: at.wt });
  expect(snapshot(at.wt)).toEqual(before);
  expect(readFileSync(join(at.top, "outside/x"), "utf8")).toBe("theirs");
});

test("what git was in the middle of and cannot be taken up again is named, and its conflict is back", async () => {
  await using at = await task();
  at.commit(at.wt, { "a.txt": "task\n" });
  const theirs = at.commit(at.root, { "a.txt": "main\n" });
  expect(() => runGit(at.wt, "cherry-pick", theirs)).toThrow("cherry-pick");
  const entries = runGit(at.wt, "ls-files", "-s");
  const removed = await removeWorktree(at.repo, at.wt, SAVE);
  expect(removed).toMatchObject({ removed: true });
  expect(await listRescues(at.repo)).toMatchObject([{ underWay: "cherry-pick", merging: null }]);
  const back = join(at.top, "back");
  await restoreRescue(at.repo, "t1", { path: back });
  expect(runGit(back, "ls-files", "-s")).toBe(entries);
  // A place that is taken is told in words.
  await expect(restoreRescue(at.repo, "t1", { path: at.root })).rejects.toMatchObject({
    message: `t1 cannot be restored: something else is at ${at.root} already`,
    hint: expect.stringContaining("owt restore t1 --path"),
  });
});
