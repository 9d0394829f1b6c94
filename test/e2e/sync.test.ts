/** `owt sync`, with real remotes: every answer that there is, and nothing lost on the way. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { demoConfig, fileAppears, processesBelow, Rig, task } from "../rig/rig.ts";

type Synced = {
  name: string;
  state: string;
  with: string | null;
  commits: number;
  files: string[];
  notes: string[];
  by_hand: string | null;
};

const sync = async (rig: Rig, ...args: string[]) =>
  (await rig.json<{ worktrees: Synced[] }>("sync", ...args)).worktrees;

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, name: string, text = `${name}\n`): string {
  writeFileSync(join(folder, name), text);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", name);
  return gitIn(rig, folder, "rev-parse", "HEAD");
}

/** A repository with a remote, and somebody else's clone of that. */
function withRemote(files: Record<string, string> = {}): { rig: Rig; theirs: string } {
  const rig = Rig.create({ "a.txt": "1\n2\n3\n", ...files });
  rig.git("clone", "-q", "--bare", ".", rig.path("remote.git"));
  rig.git("remote", "add", "origin", rig.path("remote.git"));
  rig.git("push", "-q", "-u", "origin", "main");
  rig.git("clone", "-q", rig.path("remote.git"), rig.path("theirs"));
  return { rig, theirs: rig.path("theirs") };
}

/** Somebody else brings a commit to a branch of the remote. */
function theyPush(rig: Rig, branch: string, name: string, text?: string): string {
  const theirs = rig.path("theirs");
  gitIn(rig, theirs, "fetch", "-q");
  gitIn(rig, theirs, "checkout", "-q", "-B", branch, `origin/${branch}`);
  const at = commit(rig, theirs, name, text);
  gitIn(rig, theirs, "push", "-q", "origin", branch);
  return at;
}

function onlyOne(synced: readonly Synced[]): Synced {
  expect(synced).toHaveLength(1);
  return synced[0]!;
}

describe("with an upstream", () => {
  test("up to date, updated, ahead, merged and rebased, merges kept as they are", async () => {
    const { rig, theirs } = withRemote();
    await using _ = rig;
    for (const name of ["same", "behind", "ahead", "apart", "straight"]) {
      rig.ok("create", name);
      rig.git("push", "-q", "-u", "origin", name);
    }
    const at = theyPush(rig, "behind", "theirs");
    theyPush(rig, "behind", "theirs2");
    for (const name of ["apart", "straight"]) theyPush(rig, name, "theirs");
    for (const name of ["ahead", "apart", "straight"]) commit(rig, rig.path(`shop-${name}`), "ours");
    gitIn(rig, rig.path("shop-straight"), "checkout", "-q", "-b", "side", "HEAD~1");
    commit(rig, rig.path("shop-straight"), "side");
    gitIn(rig, rig.path("shop-straight"), "checkout", "-q", "straight");
    gitIn(rig, rig.path("shop-straight"), "merge", "-q", "--no-ff", "--no-edit", "side");
    const before = gitIn(rig, theirs, "ls-remote", "origin");

    const told = onlyOne(await sync(rig, "straight", "--strategy", "rebase"));
    expect(told).toMatchObject({ state: "updated", with: "origin/straight", commits: 1 });
    const straight = rig.path("shop-straight");
    expect(gitIn(rig, straight, "log", "--merges", "--format=%s")).toBe("Merge branch 'side' into straight");
    expect(gitIn(rig, straight, "rev-list", "--count", "straight..origin/straight")).toBe("0");
    expect(gitIn(rig, straight, "log", "-1", "--format=%an", "HEAD^1")).toBe("Test User");

    const all = await sync(rig, "--all");
    expect(Object.fromEntries(all.map(({ name, state, commits }) => [name, `${state} ${commits}`]))).toEqual({
      same: "up-to-date 0",
      behind: "updated 2",
      ahead: "ahead 0",
      apart: "updated 1",
      straight: "ahead 0",
    });
    expect(rig.git("merge-base", "behind", at)).toBe(at);
    expect(rig.git("log", "-1", "--format=%s %p", "apart")).toMatch(
      /^Merge remote-tracking branch 'origin\/apart' into apart \S+ \S+$/,
    );
    for (const name of ["behind", "apart", "straight"])
      expect(gitIn(rig, rig.path(`shop-${name}`), "status", "--porcelain")).toBe("");
    // Nothing was pushed.
    expect(gitIn(rig, theirs, "ls-remote", "origin")).toBe(before);
    expect(rig.git("worktree", "list").split("\n")).toHaveLength(6);
  });

  test("one fetch for all, which forgets what the remote has no more", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "one", "two", "three");
    for (const name of ["one", "two", "three"]) rig.git("push", "-q", "-u", "origin", name);
    rig.git("push", "-q", "origin", "HEAD:refs/heads/old");
    rig.git("fetch", "-q");
    gitIn(rig, rig.path("remote.git"), "branch", "-D", "old", "three");
    const ran = await rig.owt("sync", "--all", "-v");
    expect(ran.stderr.match(/git .*\bfetch\b/g)).toHaveLength(1);
    const remotes = () => rig.git("branch", "--remotes", "--format=%(refname:short)").split("\n");
    expect(remotes().filter((name) => /old|three/.test(name))).toEqual([]);
    expect(ran.stdout).toMatch(/three: up to date with main\n {2}· origin\/three, which it follows, is gone/);
    rig.git("push", "-q", "origin", "HEAD:refs/heads/old");
    rig.git("fetch", "-q");
    gitIn(rig, rig.path("remote.git"), "branch", "-D", "old");
    rig.userFile("config.toml", "[sync]\nprune_remote = false\n");
    await rig.owt("sync", "one");
    expect(remotes()).toContain("origin/old");
  });

  test("a pull request goes on at its remote", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.git("push", "-q", "origin", "HEAD:refs/pull/7/head");
    rig.ok("create", "pr:7");
    const theirs = rig.path("theirs");
    commit(rig, theirs, "more");
    gitIn(rig, theirs, "push", "-q", "origin", "HEAD:refs/pull/7/head");
    expect(onlyOne(await sync(rig, "pr/7"))).toMatchObject({
      state: "updated",
      commits: 1,
      with: "origin/pull/7/head",
    });
    expect(existsSync(rig.path("shop-pr-7/more"))).toBe(true);
  });

  test("a pull request that was rewritten is left to a person, with a command that does it", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    const theirs = rig.path("theirs");
    commit(rig, theirs, "proposed");
    gitIn(rig, theirs, "push", "-q", "origin", "HEAD:refs/pull/7/head");
    rig.ok("create", "pr:7");
    const tree = rig.path("shop-pr-7");
    const tip = commit(rig, tree, "ours");
    gitIn(rig, theirs, "commit", "-q", "--amend", "-m", "rewritten");
    gitIn(rig, theirs, "push", "-q", "--force", "origin", "HEAD:refs/pull/7/head");
    const told = onlyOne(await sync(rig, "pr/7"));
    expect(told).toMatchObject({ state: "diverged", with: "origin/pull/7/head" });
    expect(rig.git("rev-parse", "pr/7")).toBe(tip);
    execFileSync("sh", ["-c", told.by_hand!], { env: rig.env, stdio: "pipe" });
    expect(gitIn(rig, tree, "log", "--format=%s", "-2")).toBe("ours\nrewritten");
  });

  test("what was rewritten there is left to a person", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "x");
    rig.git("push", "-q", "-u", "origin", "x");
    theyPush(rig, "x", "first");
    await sync(rig, "x");
    commit(rig, rig.path("shop-x"), "ours");
    const tip = rig.git("rev-parse", "x");
    const theirs = rig.path("theirs");
    gitIn(rig, theirs, "commit", "-q", "--amend", "-m", "rewritten");
    gitIn(rig, theirs, "push", "-q", "--force", "origin", "x");
    const told = onlyOne(await sync(rig, "x"));
    expect(told).toMatchObject({
      state: "diverged",
      by_hand: expect.stringContaining("rebase --onto origin/x") as string,
    });
    expect(rig.git("rev-parse", "x")).toBe(tip);
  });
});

describe("without an upstream", () => {
  test("with what is on record that it began from, there or at its remote", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "fresh");
    rig.ok("create", "late");
    rig.git("worktree", "add", "-q", "-b", "plain", rig.path("plain"));
    theyPush(rig, "main", "theirs");
    // The main checkout is behind its remote, and stays so.
    expect(onlyOne(await sync(rig, "fresh"))).toMatchObject({ state: "updated", with: "origin/main" });
    expect(rig.git("rev-list", "--count", "main..origin/main")).toBe("1");
    rig.git("pull", "-q");
    commit(rig, rig.root, "local");
    expect(onlyOne(await sync(rig, "late"))).toMatchObject({ state: "updated", commits: 2, with: "main" });
    expect(onlyOne(await sync(rig, "plain"))).toMatchObject({ state: "no-base", with: null });
    expect(rig.show("late", "local")).toBe("local\n");
    // It still holds nothing of its own.
    const seen = await rig.json<{ worktrees: { name: string; why: string }[] }>("cleanup");
    expect(seen.worktrees.find(({ name }) => name === "late")).toMatchObject({ why: "recent" });
  });

  test("a remote that cannot be reached is told, and what is there is used", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "local", "followed");
    rig.git("push", "-q", "-u", "origin", "followed");
    commit(rig, rig.root, "here");
    renameSync(rig.path("remote.git"), rig.path("away.git"));
    const ran = await rig.owt("sync", "--all");
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/✗ followed: origin\/followed could not be asked for\n {2}· origin cannot be reached: /);
    expect(ran.stdout).toMatch(/✓ local: 1 commit from main\n {2}· origin cannot be reached: /);
  });
});

describe("what it leaves exactly as it was", () => {
  test.each(["merge", "rebase"])("a conflict, by %s", async (strategy) => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "x");
    const tree = rig.path("shop-x");
    const tip = commit(rig, tree, "a.txt", "ours\n2\n3\n");
    commit(rig, rig.root, "a.txt", "theirs\n2\n3\n");
    writeFileSync(join(tree, "README.md"), "uncommitted\n");
    const told = onlyOne(await sync(rig, "x", "--strategy", strategy));
    expect(told).toMatchObject({ state: "conflicts", files: ["a.txt"], by_hand: `git -C ${tree} ${strategy} main` });
    expect([rig.git("rev-parse", "x"), gitIn(rig, tree, "status", "--porcelain")]).toEqual([tip, "M README.md"]);
    expect(rig.git("worktree", "list").split("\n")).toHaveLength(2);
    expect(rig.git("for-each-ref", "refs/owt")).toBe("");
    expect((await rig.owt("sync", "x", "--strategy", strategy)).code).toBe(4);
  });

  test("a merge that is open, no branch, and the worktree of a run that goes on", async () => {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
      "docs/plans/web/epic-01-asks.md": task({}, 'ask "Which colour?"'),
      "a.txt": "1\n",
    });
    await rig.owt("run", "--yes");
    rig.ok("create", "open");
    rig.git("worktree", "add", "-q", "--detach", rig.path("loose"));
    commit(rig, rig.path("shop-open"), "a.txt", "ours\n");
    commit(rig, rig.root, "a.txt", "theirs\n");
    expect(() => gitIn(rig, rig.path("shop-open"), "merge", "main")).toThrow("git merge main");
    const all = await sync(rig, "--all");
    const states = Object.fromEntries(all.map(({ name, state }) => [name.replace(/\/\d+$/, ""), state]));
    expect(states).toMatchObject({ open: "in-progress", loose: "detached", "owt/tasks/web-e01": "in-use" });
    expect(states).not.toHaveProperty("main");
  });
});

describe("what is uncommitted", () => {
  test("is carried over, staged and not, and the user's own stash is nobody's", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "x");
    const tree = rig.path("shop-x");
    writeFileSync(join(tree, "README.md"), "stashed by hand\n");
    gitIn(rig, tree, "stash");
    writeFileSync(join(tree, "a.txt"), "1\n2\nmine\n");
    gitIn(rig, tree, "add", "a.txt");
    writeFileSync(join(tree, "new"), "new");
    commit(rig, rig.root, "a.txt", "theirs\n2\n3\n");
    const refused = onlyOne(await sync(rig, "x", "--no-stash"));
    expect(refused).toMatchObject({ state: "dirty", files: ["a.txt"] });
    const stashes = rig.git("stash", "list");
    expect(onlyOne(await sync(rig, "x"))).toMatchObject({ state: "updated", commits: 1, notes: [] });
    expect(readFileSync(join(tree, "a.txt"), "utf8")).toBe("theirs\n2\nmine\n");
    expect(gitIn(rig, tree, "status", "--porcelain").split("\n")).toEqual(["M  a.txt", "?? new"]);
    expect(rig.git("stash", "list")).toBe(stashes);
    expect(gitIn(rig, tree, "for-each-ref", "refs/worktree")).toBe("");
  });

  test("that is about the same lines stays, and so does a file in the way", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "lines", "way");
    writeFileSync(rig.path("shop-lines/a.txt"), "mine\n2\n3\n");
    writeFileSync(rig.path("shop-way/b.txt"), "mine\n");
    commit(rig, rig.root, "a.txt", "theirs\n2\n3\n");
    commit(rig, rig.root, "b.txt");
    const [lines, way] = await sync(rig, "--all");
    expect([lines, way]).toMatchObject([
      { state: "dirty", files: ["a.txt"] },
      { state: "in-the-way", files: ["b.txt"] },
    ]);
    expect(readFileSync(rig.path("shop-lines/a.txt"), "utf8")).toBe("mine\n2\n3\n");
    expect(readFileSync(rig.path("shop-way/b.txt"), "utf8")).toBe("mine\n");
  });

  test("and only meant to be added is named, with what makes it more than that", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "x");
    const path = rig.path("shop-x");
    writeFileSync(join(path, "s x"), "mine\n");
    gitIn(rig, path, "add", "--intent-to-add", "s x");
    commit(rig, rig.root, "b.txt");
    const synced = onlyOne(await sync(rig, "x"));
    expect(synced).toMatchObject({ state: "dirty", files: ["s x"] });
    expect(gitIn(rig, path, "status", "--porcelain")).toBe('A "s x"');
    const [add, again] = synced.by_hand!.split("; then: ") as [string, string];
    execFileSync("sh", ["-c", add], { env: rig.env, cwd: rig.root });
    expect(again).toBe("owt sync x");
    expect(onlyOne(await sync(rig, "x"))).toMatchObject({ state: "updated" });
    expect(gitIn(rig, path, "status", "--porcelain")).toBe('A  "s x"');
  });

  test("and in conflict, with nothing under way, is named with its files and what helps", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "x", "--no-tmux");
    const path = rig.path("shop-x");
    writeFileSync(join(path, "a.txt"), "put away\n");
    gitIn(rig, path, "stash", "-q");
    commit(rig, path, "a.txt", "other\n");
    expect(() => gitIn(rig, path, "stash", "pop", "-q")).toThrow("Command failed");
    const before = gitIn(rig, path, "status", "--porcelain");
    commit(rig, rig.root, "b.txt");
    const synced = onlyOne(await sync(rig, "x"));
    expect(synced).toMatchObject({ state: "dirty", files: ["a.txt"], notes: ["conflicts are open in a.txt"] });
    expect(synced.by_hand).toBe(`settle them, git -C ${path} add -- a.txt, commit; then: owt sync x`);
    expect(gitIn(rig, path, "status", "--porcelain")).toBe(before);
  });

  test("of the main checkout keeps that as it is; clean, it goes along only where it is meant", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    theyPush(rig, "main", "theirs");
    writeFileSync(join(rig.root, "a.txt"), "mine\n");
    expect(onlyOne(await sync(rig))).toMatchObject({ name: "main", state: "dirty" });
    expect(await sync(rig, "--all")).toEqual([]);
    rig.git("checkout", "-q", "a.txt");
    expect(onlyOne(await sync(rig, "^"))).toMatchObject({ name: "main", state: "updated" });
    expect(existsSync(join(rig.root, "theirs"))).toBe(true);
  });
});

describe("cut off", () => {
  test("kill -9 while files are written: the next command gives back what was uncommitted", async () => {
    const { rig } = withRemote({ ".gitattributes": "slow.txt filter=slow\n", "slow.txt": "1\n" });
    await using _ = rig;
    rig.ok("create", "x");
    const tree = rig.path("shop-x");
    commit(rig, rig.root, "slow.txt", "2\n");
    writeFileSync(join(tree, "a.txt"), "1\n2\nmine\n");
    gitIn(rig, tree, "add", "a.txt");
    writeFileSync(join(tree, "README.md"), "not staged\n");
    const before = gitIn(rig, tree, "status", "--porcelain");
    rig.git("config", "filter.slow.clean", "cat");
    rig.git(
      "config",
      "filter.slow.smudge",
      `echo up > '${rig.path("smudging")}'; while ! test -e '${rig.path("go")}'; do sleep 0.05; done; cat`,
    );
    const running = rig.start("sync", "x");
    await fileAppears(rig.path("smudging"));
    running.child.kill("SIGKILL");
    await running.ended;
    // Its git goes on, and takes its step first.
    rig.release("go");
    const told = onlyOne(await sync(rig, "x"));
    expect(told).toMatchObject({ state: "updated", notes: ["a sync that was cut off was brought to its end"] });
    expect(gitIn(rig, tree, "status", "--porcelain")).toBe(before);
    expect(readFileSync(join(tree, "a.txt"), "utf8")).toBe("1\n2\nmine\n");
    expect(readFileSync(join(tree, "slow.txt"), "utf8")).toBe("2\n");
    expect(gitIn(rig, tree, "for-each-ref", "refs/worktree")).toBe("");
    expect(rig.git("stash", "list")).toBe("");
  });

  test("Ctrl-C while a remote does not answer ends it at once, with nothing changed", async () => {
    const { rig } = withRemote();
    await using _ = rig;
    rig.ok("create", "--no-tmux", "x");
    rig.git("push", "-q", "-u", "origin", "x");
    rig.git("remote", "set-url", "origin", "ssh://nowhere.invalid/repo");
    rig.addProgram("slow-ssh", `#!/bin/sh\necho up > '${rig.path("asked")}'\nexec sleep 1000\n`);
    rig.env["GIT_SSH_COMMAND"] = "slow-ssh";
    const running = rig.start("sync", "x");
    await fileAppears(rig.path("asked"));
    running.child.kill("SIGINT");
    expect(await running.ended).toMatchObject({ code: 130, stdout: "" });
    // With the program that it waited for; what was told to end may take a moment.
    await expect.poll(() => processesBelow(rig.home), { timeout: 20_000 }).toEqual([]);
  });
});
