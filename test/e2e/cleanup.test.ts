/** `owt cleanup`: which worktrees go, why the others stay, and that nothing is lost with one. */
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Seen = {
  name: string;
  action: string;
  why: string;
  text: string;
  rescue: string | null;
  branch_deleted: boolean;
  unpushed: number | null;
  saves: string[];
  bytes: number | null;
};

const DAY_S = 86_400;

const look = async (rig: Rig, ...args: string[]) =>
  (await rig.json<{ worktrees: Seen[] }>("cleanup", ...args)).worktrees;
const decisions = (seen: readonly Seen[]) =>
  Object.fromEntries(seen.map(({ name, action, why }) => [name, `${action}: ${why}`]));

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, name: string, text = name): void {
  writeFileSync(join(folder, name), text);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", name);
}

/** As if nobody had been there for so many days: by git's own files, and by what is on record. */
function age(rig: Rig, name: string, days: number): void {
  const then = Math.floor(Date.now() / 1_000) - days * DAY_S;
  const folder = gitIn(rig, rig.path(name), "rev-parse", "--absolute-git-dir");
  const log = join(folder, "logs/HEAD");
  if (existsSync(log))
    writeFileSync(log, readFileSync(log, "utf8").replaceAll(/ \d{9,} ([+-]\d{4}\t)/g, ` ${then} $1`));
  utimesSync(join(folder, "index"), then, then);
  const state = join(rig.root, ".git/owt/state.db");
  if (!existsSync(state)) return;
  const code = `const s = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
    s.prepare("update worktree set used_at = ?, created_at = ? where path = ?").run(${then}000, ${then}000, process.argv[2])`;
  execFileSync(process.execPath, ["-e", code, state, rig.path(name)]);
}

test("a branch whose file a power cut emptied keeps its own worktree and no other; mended, it has its commits", async () => {
  await using rig = Rig.create({});
  rig.ok("create", "--no-tmux", "zero", "amended", "idle");
  for (const name of ["zero", "amended"]) commit(rig, rig.path(`shop-${name}`), name);
  gitIn(rig, rig.path("shop-amended"), "commit", "-q", "--amend", "-m", "again");
  const tip = rig.git("rev-parse", "zero");
  writeFileSync(join(rig.root, ".git/refs/heads/zero"), "");
  expect(decisions(await look(rig, "--all"))).toMatchObject({
    zero: "keep: unreadable",
    amended: "keep: unpushed",
    idle: "remove: all",
  });
  const refused = await rig.owt("delete", "zero", "--save", "-y");
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/names no commit: .*refs\/heads\/zero\n.*owt doctor --fix/),
  ]);
  expect((await rig.owt("list")).stdout).toMatch(/zero: git cannot read it\n {2}↳ owt doctor/);
  expect((await rig.owt("cleanup", "--all", "--yes")).code).toBe(0);
  expect([existsSync(rig.path("shop-idle")), existsSync(rig.path("shop-zero"))]).toEqual([false, true]);
  expect((await rig.owt("doctor", "--fix")).stdout).toMatch(
    /git can read .*shop-zero again, whose files are as they were\n/,
  );
  expect([rig.git("rev-parse", "zero"), gitIn(rig, rig.path("shop-zero"), "status", "--porcelain")]).toEqual([tip, ""]);
});

describe("which ones go", () => {
  test("stale and merged ones, and why the others stay; without --yes nothing happens", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "stale", "fresh", "merged", "squashed", "rebased", "idle");
    for (const name of ["merged", "squashed", "rebased"]) commit(rig, rig.path(`shop-${name}`), name);
    commit(rig, rig.path("shop-squashed"), "more");
    commit(rig, rig.root, "other");
    rig.git("merge", "-q", "--no-edit", "merged");
    rig.git("merge", "-q", "--squash", "squashed");
    rig.git("commit", "-q", "-m", "squashed");
    rig.git("cherry-pick", "rebased");
    age(rig, "shop-stale", 20);
    age(rig, "shop-idle", 13);
    const before = rig.git("for-each-ref");
    const seen = await look(rig);
    expect(decisions(seen)).toEqual({
      main: "keep: main",
      stale: "remove: stale",
      fresh: "keep: recent",
      idle: "keep: recent",
      merged: "remove: merged",
      squashed: "remove: merged",
      rebased: "remove: merged",
    });
    expect(seen.find(({ name }) => name === "stale")).toMatchObject({
      text: "not used for 14 days: last used 20 days ago",
    });
    expect(seen.find(({ name }) => name === "squashed")).toMatchObject({ text: "its work came home squashed" });
    expect(seen.find(({ name }) => name === "stale")!.bytes).toBeGreaterThan(0);
    expect((await rig.owt("cleanup", "--yes", "--dry-run")).stderr).toContain("nothing was done; 4 worktrees would go");
    expect(decisions(await look(rig, "--days", "30"))).toMatchObject({
      stale: "keep: recent",
      merged: "remove: merged",
    });
    expect(decisions(await look(rig, "--days", "10"))).toMatchObject({ idle: "remove: stale" });
    expect(decisions(await look(rig, "--merged"))).toMatchObject({
      stale: "keep: not-merged",
      rebased: "remove: merged",
    });
    expect([rig.git("for-each-ref"), readdirSync(rig.home).filter((name) => name.startsWith("shop-")).length]).toEqual([
      before,
      6,
    ]);

    const ran = await rig.owt("cleanup", "--yes");
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/squashed is gone, the branch too.*owt restore/) as string,
    });
    expect(readdirSync(rig.home).filter((name) => name.startsWith("shop-"))).toEqual(["shop-fresh", "shop-idle"]);
    expect(rig.git("branch", "--format=%(refname:short)").split("\n")).toEqual(["fresh", "idle", "main"]);
  });

  test("worktrees of plain git, by where HEAD went and when something was staged, not by a gc", async () => {
    await using rig = Rig.create({ ".worktreerc": "[worktree]\nauto_cleanup_days = 5\n" });
    for (const name of ["old", "staged", "moved"]) {
      rig.git("worktree", "add", "-q", "-b", name, rig.path(name));
      age(rig, name, 6);
    }
    gitIn(rig, rig.path("moved"), "checkout", "-q", "--detach");
    const index = join(rig.root, ".git/worktrees/staged/index");
    utimesSync(index, new Date(), new Date());
    // It writes every reflog anew.
    rig.git("gc", "-q");
    expect(decisions(await look(rig))).toMatchObject({
      old: "remove: stale",
      staged: "keep: recent",
      moved: "keep: recent",
    });
    expect((await rig.owt("cleanup", "--yes")).code).toBe(0);
    expect([existsSync(rig.path("old")), existsSync(rig.path("moved"))]).toEqual([false, true]);
  });

  test("not those where somebody is, that are locked, or whose run goes on; but what an ended run left", async () => {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[run]\nretries = 0\n[worktree]\nkeep = "all"\n`,
      "docs/plans/web/epic-01-asks.md": task({}, 'ask "Which colour?"'),
    });
    expect((await rig.owt("run", "--yes")).code).toBe(4);
    rig.ok("create", "here", "locked", "busy");
    rig.git("worktree", "lock", rig.path("shop-locked"));
    const inside = spawn("sleep", ["1000"], { cwd: rig.path("shop-busy"), stdio: "ignore" });
    try {
      const ran = await rig.owtIn(rig.path("shop-here"), "cleanup", "--all", "--days", "0", "--json");
      const seen = (JSON.parse(ran.stdout) as { data: { worktrees: Seen[] } }).data.worktrees;
      const told = decisions(seen);
      expect(told).toMatchObject({ here: "keep: here", locked: "keep: locked", busy: "keep: in-use" });
      expect(seen.find(({ name }) => name.startsWith("owt/tasks/"))).toMatchObject({
        why: "run",
        text: "it belongs to r1, which has not ended",
      });
    } finally {
      inside.kill("SIGKILL");
    }
    expect((await rig.owt("task", "cancel", "web/E01")).code).toBe(0);
    await rig.owt("resume");
    const ended = await look(rig, "--all");
    expect(ended.filter(({ name }) => name.startsWith("owt/")).map(({ action }) => action)).toEqual(["remove"]);
  });

  test("the one of a pull request that came home, and not before", async () => {
    await using rig = Rig.create({});
    rig.git("clone", "-q", "--bare", ".", rig.path("remote.git"));
    rig.git("remote", "add", "origin", rig.path("remote.git"));
    commit(rig, rig.root, "proposal");
    rig.git("push", "-q", "origin", "HEAD:refs/pull/7/head");
    rig.git("reset", "-q", "--hard", "HEAD~1");
    rig.ok("create", "pr:7", "fresh");
    expect(decisions(await look(rig, "--merged"))).toMatchObject({ "pr/7": "keep: not-merged" });
    rig.ok("merge", "pr/7", "--yes");
    const told = decisions(await look(rig, "--merged"));
    expect(told).toMatchObject({ "pr/7": "remove: merged", fresh: "keep: not-merged" });
    expect((await rig.owt("cleanup", "--merged", "--yes")).stdout).toContain("the branch too");
  });

  test("those whose files are gone, unless they may be elsewhere", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "--no-tmux", "x", "worked", "beside", "merged");
    for (const name of ["worked", "merged"]) commit(rig, rig.path(`shop-${name}`), name);
    rig.git("merge", "-q", "merged");
    for (const name of ["x", "worked", "merged"]) rmSync(rig.path(`shop-${name}`), { recursive: true });
    renameSync(rig.path("shop-beside"), rig.path("other-name"));
    expect(decisions(await look(rig, "--all"))).toMatchObject({
      x: "remove: gone",
      merged: "remove: merged",
      worked: "keep: moved",
      beside: "keep: moved",
    });
    const { stdout, stderr } = await rig.owt("cleanup", "--yes");
    expect(stdout).toContain("x is gone, the branch too");
    expect(stderr).toContain(
      `worked stays: its files are gone from ${rig.path("shop-worked")} (moved: git worktree repair NEW-FOLDER; gone for good: owt delete worked --yes)`,
    );
    rig.git("worktree", "repair", rig.path("other-name"));
    rig.ok("delete", "worked", "beside", "--yes");
    expect(rig.git("worktree", "list").split("\n")).toHaveLength(1);
    expect(rig.show("worked", "worked")).toBe("worked");
  });
});

test("one that git cannot read stays with its reason, and the others are judged and go; doctor says how to mend it", async () => {
  await using rig = Rig.create({});
  rig.ok("create", "--no-tmux", "a", "headless", "indexless", "z");
  const own = (name: string) => gitIn(rig, rig.path(`shop-${name}`), "rev-parse", "--absolute-git-dir");
  const files = [join(own("headless"), "HEAD"), join(own("indexless"), "index")] as const;
  rmSync(files[0]);
  writeFileSync(files[1], "");
  expect(decisions(await look(rig, "--all"))).toEqual({
    main: "keep: main",
    a: "remove: all",
    "shop-headless": "keep: unreadable",
    indexless: "keep: unreadable",
    z: "remove: all",
  });
  const done = await rig.owt("cleanup", "--all", "--yes");
  expect([done.code, done.stdout.match(/^✓/gm)?.length]).toEqual([0, 2]);
  expect(done.stderr).toContain("indexless stays: git cannot read it (owt doctor): ");
  expect(["a", "headless", "indexless", "z"].map((name) => existsSync(rig.path(`shop-${name}`)))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  // Its line does as it says.
  const ran = await rig.owt("doctor", "--json");
  type Finding = { check: string; state: string; detail: string; hint: string };
  const { findings } = (JSON.parse(ran.stdout) as { data: { findings: Finding[] } }).data;
  const found = findings.filter(({ check }) => check === "worktree");
  expect([ran.code, found.map(({ state, hint }) => [state, hint])]).toEqual([
    1,
    [
      ["fail", "owt doctor --fix"],
      ["fail", "owt doctor --fix"],
    ],
  ]);
  expect(found[0]!.detail).toContain(`${rig.path("shop-headless")}: its HEAD is missing`);
  await rig.owt("doctor", "--fix");
  expect(gitIn(rig, rig.path("shop-headless"), "symbolic-ref", "--short", "HEAD")).toBe("headless");
  expect(gitIn(rig, rig.path("shop-indexless"), "status", "--porcelain")).toBe("");
  expect(decisions(await look(rig, "--all"))).toMatchObject({ headless: "remove: all", indexless: "remove: all" });
});

describe("what is protected", () => {
  test("a commit that nobody else has, also without an upstream; not one that was pushed", async () => {
    await using rig = Rig.create({});
    rig.git("clone", "-q", "--bare", ".", rig.path("remote.git"));
    rig.git("remote", "add", "origin", rig.path("remote.git"));
    rig.ok("create", "lonely", "followed", "pushed", "by-name");
    for (const name of ["lonely", "followed", "pushed", "by-name"]) commit(rig, rig.path(`shop-${name}`), name);
    for (const name of ["followed", "pushed"]) rig.git("push", "-q", "-u", "origin", name);
    rig.git("push", "-q", "origin", "by-name");
    commit(rig, rig.path("shop-followed"), "later");
    const seen = await look(rig, "--all");
    expect(decisions(seen)).toMatchObject({
      lonely: "keep: unpushed",
      followed: "keep: unpushed",
      pushed: "remove: all",
      "by-name": "remove: all",
    });
    expect(seen.find(({ name }) => name === "followed")).toMatchObject({
      text: "1 commit that nothing else has (cleanup.protect_unpushed)",
    });
    // Saved without a branch that holds it: the branch may be deleted afterwards, the commit stays.
    rig.write({ ".worktreerc": "[cleanup]\nprotect_unpushed = false\n" });
    const done = await look(rig, "--all", "--yes");
    const lonely = done.find(({ name }) => name === "lonely")!;
    expect(lonely).toMatchObject({ action: "removed", branch_deleted: false, rescue: expect.any(String) as string });
    rig.git("branch", "-D", "lonely");
    const { path } = await rig.json<{ path: string }>("restore", lonely.rescue!);
    expect(readFileSync(join(path, "lonely"), "utf8")).toBe("lonely");
  });

  test("uncommitted, new and ignored files; without the protection they are saved, and come back", async () => {
    await using rig = Rig.create({ ".gitignore": "*.log\n" });
    rig.ok("create", "changed", "added", "ignored");
    writeFileSync(rig.path("shop-changed/README.md"), "changed\n");
    writeFileSync(rig.path("shop-added/new"), "new");
    writeFileSync(rig.path("shop-ignored/x.log"), "log");
    const kept = { changed: "keep: uncommitted", added: "keep: uncommitted", ignored: "keep: uncommitted" };
    expect(decisions(await look(rig, "--all"))).toMatchObject(kept);
    expect((await rig.owt("cleanup", "--all", "--yes")).stderr).toContain("nothing is to be taken away");
    rig.userFile("config.toml", "[cleanup]\nprotect_uncommitted = false\n");
    const preview = await rig.owt("cleanup", "--all");
    expect(preview.stdout).toMatch(/would go +added .*what is in it is saved first/);
    const done = await look(rig, "--all", "--yes");
    const contents = { changed: "README.md", added: "new", ignored: "x.log" };
    for (const [name, file] of Object.entries(contents)) {
      const { rescue } = done.find((each) => each.name === name)!;
      const { path } = await rig.json<{ path: string }>("restore", rescue!);
      expect([existsSync(rig.path(`shop-${name}`)), readFileSync(join(path, file), "utf8").trim()]).toEqual([
        false,
        { changed: "changed", added: "new", ignored: "log" }[name],
      ]);
    }
  });

  test("a clone inside of one keeps it, whatever is wished", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "x");
    mkdirSync(rig.path("shop-x/inner"));
    gitIn(rig, rig.path("shop-x/inner"), "init", "-q");
    writeFileSync(rig.path("shop-x/inner/file"), "mine");
    rig.userFile("config.toml", "[cleanup]\nprotect_uncommitted = false\nprotect_unpushed = false\n");
    expect(decisions(await look(rig, "--all", "--yes"))).toMatchObject({ x: "keep: unsavable" });
    expect(readFileSync(rig.path("shop-x/inner/file"), "utf8")).toBe("mine");
  });
});
