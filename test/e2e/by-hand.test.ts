/** Worktrees by hand: made, listed, noted, taken away, brought back. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileAppears, processesBelow, Rig } from "../rig/rig.ts";

type Worktree = {
  name: string;
  path: string;
  branch: string | null;
  changed: number;
  untracked: number;
  ahead: number | null;
  behind: number | null;
  note: string;
  is_current: boolean;
};
const list = async (rig: Rig) => (await rig.json<{ worktrees: Worktree[] }>("list")).worktrees;

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, name: string, text = name): void {
  writeFileSync(join(folder, name), text);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", name);
}

function fill(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

describe("owt create", () => {
  test("eight at once of one branch: one makes it, and the others wait and find it", async () => {
    await using rig = Rig.create({
      ".worktreerc": '[hooks]\npost_create = "test -e ../go || sleep 0.2; echo x >> ../made"\n',
    });
    rig.ok("config", "approve", "--yes");
    const all = Array.from({ length: 8 }, () => rig.owt("create", "same", "--no-tmux"));
    expect((await Promise.all(all)).map(({ code, stderr }) => [code, /another owt/.test(stderr)])).toEqual(
      Array.from({ length: 8 }, () => [0, false]),
    );
    expect(readFileSync(rig.path("made"), "utf8")).toBe("x\n");
  });

  test("what is brought and what is not is said: a link, ports of which there are none; and what was brought needs no saving later", async () => {
    await using rig = Rig.create({
      ".worktreerc": '[environment]\nports = 0\nenv_files = ["own.env"]\n',
      ".gitignore": "*.env\n.env*\n",
      "README.md": "",
    });
    rig.write({ "own.env": "A=1\n", ".env.owt": "PORT=${OWT_PORT}\n" });
    symlinkSync("/etc/hostname", join(rig.root, ".env.local"));
    const made = await rig.owt("create", "one", "--no-tmux");
    expect(made.stderr).toMatch(/\.env\.local is not brought: it is a symbolic link/);
    expect(made.stderr).toMatch(
      /\.env\.owt: \$\{OWT_PORT\} stays as it is: no ports are leased \(\[environment\] ports\)/,
    );
    rig.write({ ".worktreerc": "" });
    expect(await rig.owt("delete", "one", "--yes")).toMatchObject({ code: 0 });
  });

  test("several branches at once, environment files with their paths, safe to repeat", async () => {
    await using rig = Rig.create({ ".gitignore": ".env*\n" });
    rig.write({ ".env": `ROOT=${rig.root}/db\nOTHER=${rig.root}-other\n` });
    symlinkSync("/etc/hostname", join(rig.root, ".env.local"));
    const first = await rig.owt("create", "feature/login", "fix/a");
    const login = rig.path("shop-feature-login");
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining(login) as string });
    expect(readFileSync(join(login, ".env"), "utf8")).toBe(`ROOT=${login}/db\nOTHER=${rig.root}-other\n`);
    expect(lstatSync(join(login, ".env")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(login, ".env.local"))).toBe(false);
    expect((await list(rig)).map(({ name, ahead, behind, changed }) => [name, ahead, behind, changed])).toEqual([
      ["main", null, null, 0],
      ["feature/login", 0, 0, 0],
      ["fix/a", 0, 0, 0],
    ]);

    writeFileSync(join(login, ".env"), "MINE=1\n");
    const again = await rig.owt("create", "fix/a", "feature/login", "third");
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/fix\/a .*\(was there\)[^]*third/) as string,
    });
    expect(readFileSync(join(login, ".env"), "utf8")).toBe("MINE=1\n");
  });

  test("where the configuration says, and from where one says", async () => {
    await using rig = Rig.create({
      ".worktreerc": '[worktree]\nbase_directory = "../trees"\nnaming_pattern = "wt.{branch}"\n',
    });
    rig.git("branch", "old");
    rig.commit("newer");
    expect((await rig.owt("create", "a/b", "--base", "old")).stdout).toContain(rig.path("trees/wt.a-b"));
    expect(rig.git("rev-parse", "a/b")).toBe(rig.git("rev-parse", "old"));
    // Its name is as good as taken: both would be one folder.
    const taken = await rig.owt("create", "a-b");
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringContaining("--path FOLDER") as string });
    expect(rig.git("branch", "--list", "a-b")).toBe("");
    expect((await rig.owt("create", "a-b", "--path", "../elsewhere")).stdout).toContain(rig.path("elsewhere"));
  });

  test("branches that are there, a remote's, a pull request's and a merge request's", async () => {
    await using rig = Rig.create({});
    const remote = rig.path("remote.git");
    rig.git("branch", "theirs");
    rig.git("clone", "-q", "--bare", ".", remote);
    rig.git("branch", "-D", "theirs");
    rig.git("branch", "here");
    rig.git("remote", "add", "origin", remote);
    rig.git("fetch", "-q", "origin");
    rig.commit("a proposal");
    rig.git("push", "-q", "origin", "HEAD:refs/pull/7/head", "HEAD:refs/merge-requests/8/head");
    rig.git("reset", "-q", "--hard", "HEAD~1");

    // What a branch began from is said: one of the remote that nobody fetched is not silently another of its name.
    const made = await rig.owt("create", "here", "theirs", "pr:7", "mr:8", "unfetched");
    expect([
      made.code,
      made.stdout.split("\n").map((line) => line.replace(/^✓ (\S+) .*?( {2}(?:of|from) .*)?$/, "$1$2")),
    ]).toEqual([0, ["here", "theirs  of origin/theirs", "pr/7  of pr:7", "pr/8  of pr:8", "unfetched  from main", ""]]);
    rig.ok("delete", "unfetched", "--yes");
    expect(rig.git("config", "branch.theirs.merge")).toBe("refs/heads/theirs");
    // Work of one's own on what is proposed.
    const { worktrees } = await rig.json<{ worktrees: object[] }>("create", "mine", "--base", "pr:7");
    expect(worktrees).toMatchObject([{ branch: "mine", from: "pr:7", base: rig.git("rev-parse", "mine") }]);
    expect(rig.git("log", "-1", "--format=%s", "mine")).toBe("a proposal");
    expect((await rig.owt("create", "other", "--base", "mr:9")).stderr).toContain("no pull or merge request 9");
    rig.ok("delete", "mine", "--yes");
    expect(rig.git("log", "-1", "--format=%s", "pr/7")).toBe("a proposal");
    expect(rig.git("log", "-1", "--format=%s", "pr/8")).toBe("a proposal");
    expect(gitIn(rig, rig.path("shop-pr-7"), "pull", "--ff-only")).toContain("up to date");
    expect((await rig.owt("switch", "pr:7", "--path")).stdout.trim()).toBe(rig.path("shop-pr-7"));
    expect((await list(rig)).map(({ name }) => name)).toEqual(["main", "here", "pr/7", "pr/8", "theirs"]);
    const none = await rig.owt("create", "pr:9");
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining("no pull or merge request 9") as string });
  });

  test("a remote's branch that nobody fetched yet is fetched where its remote is named", async () => {
    await using rig = Rig.create({});
    const remote = rig.path("remote.git");
    rig.git("clone", "-q", "--bare", ".", remote);
    rig.git("remote", "add", "origin", remote);
    rig.git("fetch", "-q", "origin");
    rig.commit("later");
    rig.git("push", "-q", "origin", "HEAD:refs/heads/late/one", "HEAD:refs/heads/late/two");
    for (const name of ["one", "two"]) rig.git("update-ref", "-d", `refs/remotes/origin/late/${name}`);
    rig.git("reset", "-q", "--hard", "HEAD~1");
    rig.ok("create", "--no-tmux", "origin/late/one");
    expect(rig.git("log", "-1", "--format=%s", "late/one")).toBe("later");
    expect(rig.git("config", "branch.late/one.merge")).toBe("refs/heads/late/one");
    const none = await rig.owt("create", "--no-tmux", "origin/late/none");
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("origin has no branch late/none")]);
    expect(rig.git("branch", "--list", "*none*")).toBe("");
    rig.git("fetch", "-q", "origin");
    rig.ok("create", "--no-tmux", "mine", "--base", "late/two");
    expect(rig.git("log", "-1", "--format=%s", "mine")).toBe("later");
    rmSync(remote, { recursive: true });
    const away = await rig.owt("create", "--no-tmux", "origin/late/three");
    expect([away.code, away.stderr]).toEqual([3, expect.stringContaining("origin could not be asked for late/three")]);
  });

  test("a base is recorded as what it meant: the branch, here or of a remote, or the commit", async () => {
    await using rig = Rig.create({});
    rig.git("branch", "release/ü");
    rig.commit("second");
    rig.git("clone", "-q", "--bare", ".", rig.path("remote.git"));
    rig.git("remote", "add", "origin", rig.path("remote.git"));
    rig.git("push", "-q", "origin", "HEAD:refs/heads/r3");
    rig.git("fetch", "-q", "origin");
    const [tip, first] = rig.git("log", "--format=%H").split("\n") as [string, string];
    rig.ok("create", "--no-tmux", "release/ü", "--path", "../side");
    type Made = { base: string | null };
    const made = async (from: string, branch: string, base: string) => {
      const { code, stdout } = await rig.owtIn(from, "create", "--no-tmux", "--json", branch, "--base", base);
      const { data } = JSON.parse(stdout) as { data: { worktrees: Made[] } };
      return [code, data.worktrees[0]!.base, rig.git("rev-parse", branch)];
    };
    expect(await made(rig.root, "a", "HEAD")).toEqual([0, "main", tip]);
    expect(await made(rig.root, "b", "@")).toEqual([0, "main", tip]);
    expect(await made(rig.root, "c", "HEAD~1")).toEqual([0, first, first]);
    expect(await made(rig.root, "d", "r3")).toEqual([0, "origin/r3", tip]);
    // What HEAD is, is said by where one stands.
    expect(await made(rig.path("side"), "e", "HEAD")).toEqual([0, "release/ü", first]);
    for (const name of ["one", "two", "three"])
      for (const branch of ["a", "c", "d", "e"]) commit(rig, rig.path(`shop-${branch}`), name, branch);
    expect((await list(rig)).filter(({ name }) => /^[acd]$/.test(name))).toMatchObject([
      { name: "a", ahead: 3, behind: 0 },
      { name: "c", ahead: 3, behind: 0 },
      { name: "d", ahead: 3, behind: 0 },
    ]);
    const synced = await rig.json<{ worktrees: { with: string | null }[] }>("sync", "a", "d", "e");
    expect(synced.worktrees.map((each) => each.with)).toEqual(["main", "origin/r3", "release/ü"]);
    expect((await rig.owt("merge", "a", "--yes")).stdout).toContain("a is in main");
    expect((await rig.owt("merge", "c", "--into", "release/ü", "--yes")).stdout).toContain("c is in release/ü");
    rig.git("checkout", "-q", "--detach", first);
    expect(await made(rig.root, "f", "HEAD")).toEqual([0, first, first]);
  });

  test("what cannot be meant is one clear error, and leaves nothing", async () => {
    await using rig = Rig.create({});
    const before = rig.git("for-each-ref");
    for (const [args, says] of [
      [["-x"], /no option -x/],
      [["a b"], /is no name for a branch/],
      [["x.lock"], /is no name for a branch/],
      [["new", "--base", "nope"], /nope is no branch, tag or commit/],
      [["main"], /checked out in the main checkout/],
      [["x", "y", "--path", "/tmp/z"], /several branches/],
    ] as const) {
      const refused = await rig.owt("create", ...args);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(says)]);
    }
    const outside = await rig.owtIn(rig.home, "create", "x");
    expect(outside).toMatchObject({ code: 3, stderr: expect.stringMatching(/\n {2}↳ .*(git init|cd )/) as string });
    mkdirSync(rig.path("shop-taken"));
    writeFileSync(rig.path("shop-taken/mine"), "mine");
    expect((await rig.owt("create", "taken")).stderr).toContain("is there already");
    expect(readFileSync(rig.path("shop-taken/mine"), "utf8")).toBe("mine");
    expect(rig.git("for-each-ref")).toBe(before);
    rig.git("checkout", "-q", "--detach");
    expect((await rig.owt("create", "x")).stderr).toContain("--base <branch>");
  });

  test("a name whose folder is another worktree's is refused, and that one keeps its note, its base and its lease", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "--no-tmux", "fix/a");
    rig.ok("note", "fix/a", "important");
    const seen = async () => (await rig.json<{ worktrees: object[] }>("list")).worktrees;
    const before = await seen();
    const other = Rig.create({});
    for (const [from, ...args] of [
      [rig, "fix-a"],
      [rig, "other", "--path", rig.path("shop-fix-a")],
      [other, "other", "--path", rig.path("shop-fix-a")],
      [rig, "fix/b", "--path", rig.root],
    ] as const) {
      const refused = await from.owt("create", "--no-tmux", ...args);
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringMatching(/is there already|is the main checkout/),
      ]);
    }
    await other[Symbol.asyncDispose]();
    expect(await seen()).toEqual(before);
    expect((await rig.owt("note", "fix/a")).stdout).toContain("important");
    expect(rig.git("branch", "--list", "fix-a", "other", "fix/b")).toBe("");
  });

  test("what is checked out in part makes worktrees in part, as git does", async () => {
    await using rig = Rig.create({
      "x/a.txt": "a\n",
      "y/package.json": "{}\n",
      "y/package-lock.json": '{"lockfileVersion":3}\n',
    });
    rig.git("sparse-checkout", "set", "x");
    rig.git("worktree", "add", "-q", "-b", "plain", rig.path("plain"));
    const made = await rig.owt("create", "o", "--no-tmux");
    expect([made.code, made.stderr]).toEqual([0, expect.not.stringContaining("✗")]);
    const holds = (place: string) => readdirSync(place).filter((name) => name !== ".git");
    expect(holds(rig.path("shop-o"))).toEqual(holds(rig.path("plain")));
    expect(holds(rig.path("shop-o"))).not.toContain("y");
    expect(gitIn(rig, rig.path("shop-o"), "status", "--porcelain")).toBe("");
    expect(gitIn(rig, rig.path("shop-o"), "sparse-checkout", "list")).toBe("x");
    // From within one that has all, one that has all.
    gitIn(rig, rig.path("plain"), "sparse-checkout", "disable");
    await rig.owtIn(rig.path("plain"), "create", "full", "--no-tmux");
    expect(existsSync(rig.path("shop-full/y/package.json"))).toBe(true);
    writeFileSync(join(rig.path("shop-o"), "x/mine"), "");
    const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "o", "--yes", "--save");
    rig.ok("restore", removed[0]!.rescue, "--path", "../back");
    expect(gitIn(rig, rig.path("back"), "status", "--porcelain")).toBe("?? x/mine");
  });

  test("a file whose name is no UTF-8 is shown by diff; where it cannot be saved, the hint helps", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "k", "--no-tmux");
    const name = Buffer.concat([Buffer.from(`${rig.path("shop-k")}/odd-`), Buffer.from([0xff, 0xe9])]);
    writeFileSync(name, "one line\n");
    writeFileSync(join(rig.path("shop-k"), "ünï"), "two\n");
    const diff = await rig.owt("diff", "k");
    expect([diff.code, diff.stderr]).toEqual([0, ""]);
    expect(diff.stdout).toContain('+++ "b/odd-\\377\\351"\n@@ -0,0 +1 @@\n+one line');
    expect(diff.stdout).toContain("+two");
    type Files = { files: { status: string; added: number }[] };
    expect((await rig.json<Files>("diff", "k")).files).toMatchObject([{ added: 1 }, { added: 1 }]);
    expect(await rig.owt("delete", "k", "--yes", "--save")).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(
        /a name that is no UTF-8, and cannot be saved: odd-.*\n {2}↳ commit it under that name, or rename it: git -C \S+shop-k status; then: owt delete k/,
      ) as string,
    });
    gitIn(rig, rig.path("shop-k"), "add", "-A");
    gitIn(rig, rig.path("shop-k"), "commit", "-q", "-m", "odd");
    rig.ok("delete", "k", "--yes", "--save");
    expect(rig.git("ls-tree", "--name-only", "k")).toContain("odd-");
  });

  test("a folder for worktrees in the main checkout is none of its new files, and goes with the last; git's own folder takes none", async () => {
    await using rig = Rig.create({ ".worktreerc": '[worktree]\nbase_directory = ".trees [1]"\n' });
    rig.ok("create", "x", "y", "--no-tmux");
    rig.ok("create", "z", "--no-tmux", "--path", "other/z");
    expect(existsSync(join(rig.root, ".trees [1]/shop-x/README.md"))).toBe(true);
    expect(rig.git("status", "--porcelain")).toBe("");
    const lines = readFileSync(join(rig.root, ".git/info/exclude"), "utf8").split("\n");
    expect(lines.filter((line) => line.startsWith("/"))).toEqual(["/.trees \\[1]/", "/other/z/"]);
    rig.ok("delete", "x", "--yes");
    expect(readdirSync(join(rig.root, ".trees [1]"))).toEqual(["shop-y"]);
    rig.ok("delete", "y", "z", "--yes");
    expect(existsSync(join(rig.root, ".trees [1]"))).toBe(false);
    expect(await rig.owt("create", "in", "--no-tmux", "--path", ".git/foo")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("lies in git's own folder") as string,
    });
    expect(rig.git("branch", "--list", "in")).toBe("");
  });

  test("git's entry of a worktree that is not there is taken with a person's word only: it may have been moved; a broken link in the way is told", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "--no-tmux", "gone");
    const [place, beside, far] = [rig.path("shop-gone"), rig.path("zz"), rig.path("far/away")];
    commit(rig, place, "work");
    const tries = [
      ["create", "--no-tmux", "gone"],
      ["create", "--no-tmux", "e", "--path", place],
    ];
    renameSync(place, beside);
    for (const words of tries)
      expect(await rig.owt(...words)).toMatchObject({
        code: 2,
        stderr: `✗ the worktree of ${place} stands at ${beside} now, and git does not know\n  ↳ git worktree repair ${beside}\n`,
      });
    mkdirSync(rig.path("far"));
    renameSync(beside, far);
    for (const words of tries)
      expect(await rig.owt(...words)).toMatchObject({
        code: 2,
        stderr: `✗ git has a worktree at ${place} on record, and nothing is there\n  ↳ if you moved it: git worktree repair NEW-FOLDER; if it is gone for good: owt delete gone --yes\n`,
      });
    expect(rig.git("branch", "--list", "e")).toBe("");
    rig.git("worktree", "repair", far);
    expect(gitIn(rig, far, "status", "--porcelain")).toBe("");
    rmSync(far, { recursive: true });
    rig.ok("delete", "gone", "--yes");
    rig.ok("create", "--no-tmux", "gone");
    expect(gitIn(rig, place, "log", "-1", "--format=%s")).toBe("work");
    symlinkSync(rig.path("nowhere"), rig.path("shop-linked"));
    const linked = await rig.owt("create", "--no-tmux", "linked");
    expect([linked.code, linked.stderr]).toEqual([2, expect.stringContaining("shop-linked is there already")]);
    expect(rig.git("branch", "--list", "linked")).toBe("");
  });

  test("a name that git cannot have beside another branch's is refused with a name that it can", async () => {
    await using rig = Rig.create({});
    rig.git("branch", "feature/a");
    const before = rig.git("for-each-ref");
    for (const [name, hint] of [
      ["feature/a/sub/x", "owt create feature-a-sub-x; or"],
      ["feature", "git branch -m feature/a <name>"],
    ] as const) {
      const refused = await rig.owt("create", "--no-tmux", name);
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining(`${name} cannot be a branch beside feature/a: `),
      ]);
      expect(refused.stderr).toContain(hint);
    }
    expect([rig.git("for-each-ref"), existsSync(rig.path("shop-feature-a-sub-x"))]).toEqual([before, false]);
  });

  test("one of several that is refused is told, and the others are made", async () => {
    await using rig = Rig.create({});
    const ran = await rig.owt("create", "good", "main", "fine");
    expect(ran.code).toBe(2);
    expect(ran.stdout).toMatch(/good[^]*fine/);
    expect(ran.stderr).toContain("main is checked out");
  });

  test("a failed install leaves nothing; without dependencies it is made", async () => {
    await using rig = Rig.create({ ".worktreerc": '[environment]\ninstall_command = "echo lots; exit 3"\n' });
    const before = rig.git("for-each-ref");
    const failed = await rig.owt("create", "x");
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/lots[^]*--no-deps/) as string });
    expect([rig.git("for-each-ref"), existsSync(rig.path("shop-x"))]).toEqual([before, false]);
    expect(rig.git("worktree", "list").split("\n")).toHaveLength(1);
    expect((await rig.owt("create", "x", "--no-deps")).code).toBe(0);
  });

  test("a hook that fails is named as that, for it runs without dependencies too", async () => {
    await using rig = Rig.create({ ".worktreerc": '[hooks]\npost_create = "echo lots; exit 3"\n' });
    const failed = await rig.owt("create", "--no-tmux", "x", "--no-deps");
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringMatching(
        /nothing of it was left\): \[hooks\] post_create ended with exit code 3: echo lots; exit 3\nlots\n.*↳ mend it \(owt config show hooks.post_create\), then once more: owt create x\n/,
      ),
    ]);
    expect(failed.stderr).not.toContain("--no-deps");
    expect(existsSync(rig.path("shop-x"))).toBe(false);
  });

  test("a killed creation is taken away by the next command, with the command that still ran for it", async () => {
    await using rig = Rig.create({
      ".worktreerc": `[environment]\ninstall_command = "echo up > ../up; exec sleep 1000"\n`,
    });
    const before = rig.git("for-each-ref");
    const running = rig.start("create", "x");
    await fileAppears(rig.path("up"));
    expect(processesBelow(rig.path("shop-x"))).not.toEqual([]);
    running.child.kill("SIGKILL");
    await running.ended;
    expect((await list(rig)).map(({ name }) => name)).toEqual(["main"]);
    expect([rig.git("for-each-ref"), existsSync(rig.path("shop-x"))]).toEqual([before, false]);
    expect(processesBelow(rig.path("shop-x"))).toEqual([]);
  });

  test("what a killed creation had brought is nobody's: nothing of it is saved", async () => {
    await using rig = Rig.create({
      ".gitignore": ".env\nnode_modules\n",
      ".worktreerc": `[environment]\ninstall_command = "mkdir node_modules; echo a > node_modules/a.js; echo up > ../up; exec sleep 1000"\n`,
    });
    rig.write({ ".env": "SECRET=1\n" });
    const before = rig.git("for-each-ref");
    const running = rig.start("create", "x", "--no-tmux");
    await fileAppears(rig.path("up"));
    expect(existsSync(rig.path("shop-x/.env"))).toBe(true);
    running.child.kill("SIGKILL");
    await running.ended;
    const seen = await rig.owt("list");
    expect([seen.stderr, rig.git("for-each-ref"), existsSync(rig.path("shop-x"))]).toEqual(["", before, false]);
    expect((await rig.owt("restore")).stdout).toBe("nothing is saved\n");
  });

  test("made anew behind a kill, by the same words, it has the base that was told, wherever the first one stood", async () => {
    await using rig = Rig.create({
      ".worktreerc": `[environment]\ninstall_command = "echo up > ../up; [ -e ../second ] || exec sleep 1000"\n`,
    });
    rig.git("branch", "rel");
    commit(rig, rig.root, "later");
    for (const [name, ...where] of [["x"], ["y", "--path", rig.path("elsewhere")]] as const) {
      rmSync(rig.path("up"), { force: true });
      rmSync(rig.path("second"), { force: true });
      const running = rig.start("create", name, "--base", "rel", "--no-tmux", ...where);
      await fileAppears(rig.path("up"));
      running.child.kill("SIGKILL");
      await running.ended;
      writeFileSync(rig.path("second"), "");
      const made = await rig.owt("create", name, "--base", "rel", "--no-tmux");
      expect([made.code, made.stdout]).toEqual([0, `✓ ${name}  ${rig.path(`shop-${name}`)}  from rel\n`]);
      expect((await list(rig)).find((each) => each.name === name)).toMatchObject({ path: rig.path(`shop-${name}`) });
      commit(rig, rig.path(`shop-${name}`), `work-${name}`);
      const home = await rig.owt("merge", name, "--yes");
      expect([home.code, rig.git("log", "--format=%s", "-1", "rel")]).toEqual([0, `work-${name}`]);
    }
    expect(existsSync(rig.path("elsewhere"))).toBe(false);
    expect(rig.git("log", "--format=%s", "-1", "main")).toBe("later");
  });

  test("what somebody runs in a half-made one keeps it; ended, it goes, and what it wrote is kept and told", async () => {
    await using rig = Rig.create({
      ".worktreerc": `[environment]\ninstall_command = "echo up > ../up; exec sleep 1000"\n`,
    });
    const running = rig.start("create", "x");
    await fileAppears(rig.path("up"));
    running.child.kill("SIGKILL");
    await running.ended;
    const script = "echo work > work.txt; echo > ../works; exec sleep 1000";
    const person = spawn("sh", ["-c", script], { cwd: rig.path("shop-x"), stdio: "ignore" });
    await fileAppears(rig.path("works"));
    const seen = await rig.owt("list");
    expect(seen).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/x was being made.*stays while.*sleep/) as string,
    });
    expect(existsSync(rig.path("shop-x/work.txt"))).toBe(true);
    const ended = once(person, "close");
    person.kill("SIGKILL");
    await ended;
    const swept = await rig.owt("list");
    const rescue = /what was in it is kept: owt restore (\S+)/.exec(swept.stderr)?.[1];
    expect(existsSync(rig.path("shop-x"))).toBe(false);
    rig.ok("restore", rescue!, "--path", rig.path("back"));
    expect(readFileSync(rig.path("back/work.txt"), "utf8")).toBe("work\n");
  });
});

describe("owt list", () => {
  test("a base that is gone is said to be", async () => {
    await using rig = Rig.create({});
    rig.git("branch", "release");
    rig.ok("create", "one", "--base", "release", "--no-tmux");
    rig.git("branch", "-m", "release", "later");
    expect((await rig.owt("list")).stdout).toMatch(/one .*release is gone/);
  });

  test("knows those of plain git, says what changed, and where one is", async () => {
    await using rig = Rig.create({});
    rig.git("worktree", "add", "-q", "-b", "plain", rig.path("plain tree"));
    rig.git("worktree", "add", "-q", "--detach", rig.path("loose"));
    commit(rig, rig.path("plain tree"), "one");
    writeFileSync(rig.path("plain tree/two"), "2");
    writeFileSync(rig.path("plain tree/one"), "changed");
    const told = await list(rig);
    expect(told.find(({ name }) => name === "plain")).toMatchObject({ ahead: 1, behind: 0, changed: 1, untracked: 1 });
    expect(told.find(({ name }) => name === "loose")).toMatchObject({ branch: null, changed: 0 });
    const there = await rig.owtIn(rig.path("loose"), "list");
    expect(there.stdout).toMatch(/^@ {2}loose .*\/loose$/m);
    expect(there.stdout).toMatch(/^\^ {2}main .*\/shop$/m);
  });

  test("a folder that somebody deleted is still named", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "x");
    execFileSync("rm", ["-r", rig.path("shop-x")]);
    expect((await rig.owt("list")).stdout).toMatch(/x +its files are gone/);
    expect((await rig.owt("delete", "x", "--yes")).stdout).toContain("x is gone");
    expect(await list(rig)).toHaveLength(1);
  });
});

describe("owt delete", () => {
  test("what the git of a killed owt still does is waited for", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "one", "two", "--no-tmux");
    writeFileSync(join(rig.path("shop-one"), "new"), "mine");
    rig.ok("delete", "one", "--save", "--yes");
    const { rescues } = await rig.json<{ rescues: { id: string }[] }>("restore");
    const leaveGit = (script: string) =>
      spawn("sh", ["-c", `sleep 3; ${script}`], {
        cwd: rig.path("shop-two"),
        env: { ...rig.env, OWT_GIT_OWNER: "1-99999999999-dead", GIT_COMMON_DIR: join(rig.root, ".git") },
        stdio: "ignore",
      });
    mkdirSync(rig.path("back"));
    writeFileSync(rig.path("back/half"), "");
    leaveGit(`rm -r ${rig.path("back")}`);
    expect(await rig.owt("restore", rescues[0]!.id, "--path", rig.path("back"))).toMatchObject({ code: 0 });
    expect(readFileSync(rig.path("back/new"), "utf8")).toBe("mine");
    leaveGit("true");
    expect(await rig.owt("delete", "two", "--yes")).toMatchObject({ code: 0 });
  });

  test("what would be lost keeps the worktree; with --save it comes back byte for byte", async () => {
    await using rig = Rig.create({ ".gitignore": "*.log\n" });
    rig.ok("create", "x");
    const tree = rig.path("shop-x");
    writeFileSync(join(tree, "new file"), "\0bytes");
    chmodSync(join(tree, "new file"), 0o4755);
    writeFileSync(join(tree, "README.md"), "changed\n");
    writeFileSync(join(tree, "precious.log"), "log");
    const refused = await rig.owt("delete", "x", "--yes");
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(
      /uncommitted changes in README.md; new files: new file; ignored files.*precious.log/,
    );
    expect(refused.stderr).toContain("owt delete x --save");
    const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "x", "--yes", "--save");
    expect(existsSync(tree)).toBe(false);
    const { path } = await rig.json<{ path: string }>("restore", removed[0]!.rescue);
    expect(readFileSync(join(path, "new file"), "latin1")).toBe("\0bytes");
    expect(lstatSync(join(path, "new file")).mode & 0o7777).toBe(0o4755);
    expect(readFileSync(join(path, "README.md"), "utf8")).toBe("changed\n");
    expect(readFileSync(join(path, "precious.log"), "utf8")).toBe("log");
  });

  test("what tools make again keeps no worktree, and what went of it is named", async () => {
    await using rig = Rig.create({ ".gitignore": "node_modules\n.venv\ndist\ntarget\n__pycache__\nscratch\n" });
    rig.ok("create", "x", "y", "--no-tmux");
    for (const name of ["x", "y"]) {
      fill(rig.path(`shop-${name}`), {
        "node_modules/a.js": "a",
        "web/node_modules/b.js": "b",
        "api/.venv/pyvenv.cfg": "home = /usr/bin\n",
        "api/__pycache__/c.pyc": "c",
        "deep/target/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# cargo\n",
        "dist/app.js": "built",
      });
      symlinkSync(rig.root, join(rig.path(`shop-${name}`), "scratch"));
    }
    expect((await rig.owt("delete", "x", "--yes")).stderr).toMatch(
      /x stays: ignored files that nobody brought: scratch\n/,
    );
    for (const name of ["x", "y"]) rmSync(join(rig.path(`shop-${name}`), "scratch"));
    const gone = await rig.owt("delete", "x", "--yes");
    expect([gone.code, gone.stdout]).toEqual([
      0,
      expect.stringMatching(/^✓ x is gone.*\n {2}with it went what tools make again: dist\/, .*\/, .* and 3 more\n$/),
    ]);
    const { worktrees } = await rig.json<{ worktrees: object[] }>("cleanup", "--all", "--yes");
    expect(worktrees).toContainEqual(
      expect.objectContaining({
        name: "y",
        action: "removed",
        rescue: null,
        left_out: [],
        discarded: ["dist/", "api/.venv/", "api/__pycache__/", "deep/target/", "node_modules/", "web/node_modules/"],
      }),
    );
  });

  test("what is no file, as a named pipe, keeps no worktree and is named; the rest is kept", async () => {
    await using rig = Rig.create({ ".gitignore": "*.log\nnode_modules\n" });
    rig.ok("create", "x", "y", "z", "--no-tmux");
    for (const name of ["x", "y", "z"]) {
      const tree = rig.path(`shop-${name}`);
      fill(tree, { "node_modules/a/a.js": "a" });
      mkdirSync(join(tree, "deep"));
      execFileSync("mkfifo", ["pipe", "deep/\u001B[31mq", "node_modules/a/pipe"], { cwd: tree });
      execFileSync("python3", ["-c", "import socket; socket.socket(socket.AF_UNIX).bind('s.log')"], { cwd: tree });
    }
    const said = "2 named pipes (deep/q, pipe) and 1 socket (s.log)";
    writeFileSync(join(rig.path("shop-x"), "new"), "new");
    expect((await rig.owt("delete", "x", "--yes")).stderr).toContain(
      `x stays: new files: new; ${said} in it cannot be kept\n`,
    );
    const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "x", "--yes", "--save");
    expect(removed).toMatchObject([
      {
        not_files: [
          { path: "deep/\u001B[31mq", kind: "named pipe" },
          { path: "pipe", kind: "named pipe" },
          { path: "s.log", kind: "socket" },
        ],
      },
    ]);
    const { path } = await rig.json<{ path: string }>("restore", removed[0]!.rescue);
    expect([readFileSync(join(path, "new"), "utf8"), existsSync(join(path, "pipe"))]).toEqual(["new", false]);
    const gone = await rig.owt("delete", "y", "--yes");
    expect([gone.code, gone.stdout]).toEqual([
      0,
      expect.stringContaining(`\n  ${said} went with it: cannot be kept\n`),
    ]);
    expect((await rig.owt("cleanup", "--all")).stdout).toMatch(
      /would go +z .*; 2 named pipes \(deep\/q, pipe\) and 1 socket \(s\.log\) in it cannot be kept\n/,
    );
    expect((await rig.owt("cleanup", "--all", "--yes")).stdout).toContain(`\n  ${said} went with it: cannot be kept\n`);
  });

  test("--save keeps what only by its name is a build's, up to a size; what it leaves out is named", async () => {
    await using rig = Rig.create({ ".gitignore": "dist\nbuild\ntarget\ncoverage\nnode_modules\n" });
    rig.ok("create", "x", "--no-tmux");
    const tree = rig.path("shop-x");
    fill(tree, {
      "dist/notes.md": "by hand\n",
      "dist/node_modules/a.js": "a",
      "target/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
      "build/large": "",
      "coverage/clone/README.md": "cloned\n",
    });
    truncateSync(join(tree, "build/large"), 65 * 2 ** 20);
    rig.git("init", "-q", join(tree, "coverage/clone"));
    const gone = await rig.owt("delete", "x", "--yes", "--save");
    expect([gone.code, gone.stdout]).toEqual([
      0,
      expect.stringMatching(
        /bring it back: owt restore .*\n.*again: build\/, coverage\/, target\/, dist\/node_modules\/; not kept, with more than 64 MiB or a repository in it: build\/, coverage\/\n$/,
      ),
    ]);
    const { path } = await rig.json<{ path: string }>("restore", /owt restore (\S+)/.exec(gone.stdout)![1]!);
    expect(readFileSync(join(path, "dist/notes.md"), "utf8")).toBe("by hand\n");
    expect(readdirSync(path).toSorted()).toEqual([".git", ".gitignore", "README.md", "dist"]);
    expect(readdirSync(join(path, "dist"))).toEqual(["notes.md"]);
  });

  test.each<[string, (tree: string) => void]>([
    ["a file of a build's name", (tree) => writeFileSync(join(tree, "dist"), "mine")],
    ["a link of a build's name", (tree) => symlinkSync("/nowhere", join(tree, "build"))],
    ["a folder that is no environment of Python's", (tree) => fill(tree, { "venv/notes.md": "mine" })],
    ["a build's name further down", (tree) => fill(tree, { "src/dist/notes.md": "mine" })],
    ["a tag that is none", (tree) => fill(tree, { "scratch/CACHEDIR.TAG": "mine" })],
  ])("%s is somebody's", async (_, write) => {
    await using rig = Rig.create({ ".gitignore": "dist\nbuild\nvenv\nscratch\n" });
    rig.ok("create", "x", "--no-tmux");
    write(rig.path("shop-x"));
    const stays = await rig.owt("delete", "x", "--yes");
    expect([stays.code, stays.stderr]).toEqual([4, expect.stringContaining("ignored files that nobody brought")]);
  });

  test.each([
    ["merge", ["merge", "-q", "--no-edit", "x"]],
    ["squash", ["merge", "-q", "--squash", "x"]],
    ["cherry-pick", ["cherry-pick", "main..x"]],
  ])("a branch whose work came home by %s goes too, and comes back", async (way, words) => {
    await using rig = Rig.create({});
    rig.ok("create", "x");
    commit(rig, rig.path("shop-x"), "one");
    commit(rig, rig.path("shop-x"), "two");
    commit(rig, rig.root, "other");
    const tip = rig.git("rev-parse", "x");
    rig.git(...words);
    if (way === "squash") rig.git("commit", "-q", "-m", "squashed");
    // The target went on in the same lines.
    commit(rig, rig.root, "one", "later");
    const { removed } = await rig.json<{ removed: { rescue: string | null; branch_deleted: boolean }[] }>(
      "delete",
      "x",
      "--yes",
    );
    expect(removed).toMatchObject([{ branch_deleted: true }]);
    expect(rig.git("branch", "--list", "x")).toBe("");
    if (way === "merge") return;
    await rig.owt("restore", removed[0]!.rescue!);
    expect(rig.git("rev-parse", "x")).toBe(tip);
  });

  test("one commit that came home as another one is not said to be rebased: a squash looks the same", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "x", "--no-tmux");
    commit(rig, rig.path("shop-x"), "one");
    commit(rig, rig.root, "other");
    rig.git("merge", "-q", "--squash", "x");
    rig.git("commit", "-q", "-m", "squashed");
    const { worktrees } = await rig.json<{ worktrees: unknown[] }>("cleanup", "--merged");
    expect(worktrees).toContainEqual(
      expect.objectContaining({ name: "x", text: "its work came home as another commit" }),
    );
    expect((await rig.owt("delete", "x", "--yes")).stdout).toMatch(
      /the branch too: its work came home as another commit; .*owt restore/,
    );
  });

  test("an environment file that git does not ignore comes back once", async () => {
    await using rig = Rig.create({});
    writeFileSync(join(rig.root, ".env"), "A=1\n");
    rig.ok("create", "x", "--no-tmux");
    writeFileSync(join(rig.path("shop-x"), ".env"), "A=2\n");
    const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "x", "--yes", "--save");
    const { path, environment } = await rig.json<{ path: string; environment: string[] }>(
      "restore",
      removed[0]!.rescue,
    );
    expect(environment).toEqual([".env"]);
    expect(readdirSync(path).toSorted()).toEqual([".env", ".git", "README.md"]);
    expect(readFileSync(join(path, ".env"), "utf8")).toBe("A=2\n");
    expect(lstatSync(join(path, ".env")).mode & 0o777).toBe(0o600);
  });

  test("what is on record of it comes back too: what it began from, and its note", async () => {
    await using rig = Rig.create({});
    rig.git("branch", "next");
    rig.ok("create", "x", "--base", "next");
    rig.ok("note", "x", "the login");
    commit(rig, rig.path("shop-x"), "one");
    commit(rig, rig.path("shop-x"), "two");
    writeFileSync(join(rig.path("shop-x"), "new"), "new");
    const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", "x", "--yes", "--save");
    const { path } = await rig.json<{ path: string }>("restore", removed[0]!.rescue);
    expect((await rig.owt("list")).stdout).toContain("the login");
    rig.git("switch", "-q", "next");
    commit(rig, rig.root, "later");
    rig.ok("sync", "x");
    expect(existsSync(join(path, "later"))).toBe(true);
    rig.git("merge", "-q", "--squash", "x");
    rig.git("commit", "-q", "-m", "squashed");
    rig.git("switch", "-q", "main");
    rmSync(join(path, "new"));
    const { worktrees } = await rig.json<{ worktrees: unknown[] }>("cleanup", "--merged");
    expect(worktrees).toContainEqual(expect.objectContaining({ name: "x", action: "remove", why: "merged" }));
  });

  test("one that git cannot read is said to be, by whichever name, and once it is mended its work is kept", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "--no-tmux", "fix/index", "fix/head", "fix/entry", "fix/other");
    const own = (name: string) => gitIn(rig, rig.path(`shop-fix-${name}`), "rev-parse", "--absolute-git-dir");
    const harm: Record<string, (gitDir: string) => void> = {
      index: (gitDir) => writeFileSync(join(gitDir, "index"), ""),
      head: (gitDir) => rmSync(join(gitDir, "HEAD")),
      entry: (gitDir) => rmSync(gitDir, { recursive: true }),
    };
    for (const [name, deed] of Object.entries(harm)) {
      writeFileSync(rig.path(`shop-fix-${name}/new`), name);
      deed(own(name));
      for (const word of [`fix/${name}`, `shop-fix-${name}`]) {
        const refused = await rig.owt("delete", word, "--yes", "--save");
        expect([word, refused.code, refused.stderr]).toEqual([
          word,
          2,
          expect.stringMatching(
            new RegExp(`git cannot read fix/${name} .*(?:its index|its HEAD|what git had).*\n.*owt doctor --fix`),
          ),
        ]);
      }
    }
    await rig.owt("doctor", "--fix");
    for (const name of Object.keys(harm)) {
      const { removed } = await rig.json<{ removed: { rescue: string }[] }>("delete", `fix/${name}`, "--yes", "--save");
      rig.ok("restore", removed[0]!.rescue, "--path", `../back-${name}`);
      expect(readFileSync(rig.path(`back-${name}/new`), "utf8")).toBe(name);
    }
  });

  test.each(["garbage\n", ""])(
    "one whose entry says %j and not where it stands is refused by every command, and git's own folder is never taken for it",
    async (said) => {
      await using rig = Rig.create({});
      rig.ok("create", "--no-tmux", "x");
      rig.git("worktree", "add", "-q", "-b", "plain", rig.path("by-git"));
      const folders = [rig.path("shop-x"), rig.path("by-git")];
      const entries = folders.map((folder) => gitIn(rig, folder, "rev-parse", "--absolute-git-dir"));
      for (const folder of folders) writeFileSync(join(folder, "README.md"), "changed\n");
      for (const entry of entries) writeFileSync(join(entry, "gitdir"), said);
      const held = entries.map((entry) => readdirSync(entry).toSorted());
      for (const [name, folder] of [
        ["x", folders[0]!],
        ["by-git", folders[1]!],
      ] as const)
        for (const words of [
          ["delete", name, "--save", "-y"],
          ["status", name],
          ["note", name, "mine"],
          ["sync", name],
        ]) {
          const refused = await rig.owt(...words);
          expect([words, refused.code, refused.stderr]).toEqual([
            words,
            2,
            expect.stringMatching(new RegExp(`git cannot read [^]*${folder}[^]*where it stands[^]*owt doctor --fix`)),
          ]);
        }
      expect(entries.map((entry) => readdirSync(entry).toSorted())).toEqual(held);
      expect((await list(rig)).map(({ path }) => path).toSorted()).toEqual([rig.root, ...folders].toSorted());
      expect((await rig.owt("list")).stdout).toMatch(/x: git cannot read it\n {2}↳ owt doctor/);
      await rig.owt("doctor", "--fix");
      for (const folder of folders) expect(gitIn(rig, folder, "status", "--porcelain")).toBe("M README.md");
      expect((await rig.owt("delete", "x", "--save", "-y")).code).toBe(0);
      expect(existsSync(folders[0]!)).toBe(false);
    },
  );

  test("one whose .git file is gone is said to be by list and doctor, and mended with what was staged", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "--no-tmux", "x");
    const tree = rig.path("shop-x");
    writeFileSync(join(tree, "staged"), "1");
    gitIn(rig, tree, "add", "staged");
    rmSync(join(tree, ".git"));
    expect((await rig.owt("list")).stdout).toMatch(/x: git cannot read it\n {2}↳ owt doctor/);
    const told = await rig.owt("doctor");
    expect(told.stdout).toMatch(/shop-x: its file .*\.git is missing\n.*owt doctor --fix/);
    const mended = await rig.owt("doctor", "--fix");
    expect(mended.stdout).toMatch(/git can read .*shop-x again, whose files are as they were\n/);
    expect(gitIn(rig, tree, "status", "--porcelain")).toBe("A  staged");
  });

  test("one that another process takes away meanwhile is gone already, and the rest goes", async () => {
    await using rig = Rig.create({
      ".worktreerc": '[hooks]\npre_remove = "test -e keep || git worktree remove --force ."\n',
    });
    rig.ok("config", "approve", "--yes");
    rig.ok("create", "a", "b");
    writeFileSync(join(rig.path("shop-b"), "keep"), "");
    const ran = await rig.owt("delete", "a", "b", "--yes", "--save");
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("a is gone already") as string });
    expect(ran.stdout).toMatch(/b is gone.*owt restore/);
  });

  test("two at once of the same ones fall over nothing", async () => {
    await using rig = Rig.create({});
    const names = ["a", "b", "c", "d", "e"];
    rig.ok("create", "--no-tmux", ...names);
    for (const name of names) writeFileSync(join(rig.path(`shop-${name}`), "new"), name);
    const both = await Promise.all([1, 2].map(() => rig.owt("delete", ...names, "--yes", "--save")));
    // One that started late does not find the names any more.
    for (const { code, stderr } of both) if (code !== 0) expect(stderr).toMatch(/no worktree|is no branch|unknown/);
    expect(both.some(({ code }) => code === 0)).toBe(true);
    expect(names.filter((name) => existsSync(rig.path(`shop-${name}`)))).toEqual([]);
    const { rescues } = await rig.json<{ rescues: { id: string }[] }>("restore");
    for (const { id } of rescues) {
      const { path } = await rig.json<{ path: string }>("restore", id);
      expect([id, existsSync(join(path, "new"))]).toEqual([id, true]);
    }
  });

  test("a branch with work of its own stays, a locked worktree and one that somebody is in stay too", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "work", "locked", "busy");
    commit(rig, rig.path("shop-work"), "one");
    rig.git("worktree", "lock", "--reason", "on a stick", rig.path("shop-locked"));
    expect((await rig.owt("delete", "work", "--yes")).stdout).toContain("work is gone; the branch stays");
    expect((await rig.owt("delete", "locked", "--yes", "--save")).stderr).toContain("locked: on a stick");
    const inside = await rig.owtIn(rig.path("shop-busy"), "delete", "@", "--yes");
    // Only we are in it: nobody else's place is taken away.
    expect(inside).toMatchObject({ code: 0, stdout: expect.stringContaining("busy is gone") as string });
    expect(rig.git("branch", "--format=%(refname:short)").split("\n")).toEqual(["locked", "main", "work"]);
  });
});

test("owt list --all-projects: of each repository that has one, from anywhere, whatever came to one of them", async () => {
  await using rig = Rig.create({});
  const other = rig.path("books");
  const third = rig.path("third");
  for (const root of [other, third]) rig.git("clone", "-q", ".", root);
  rig.ok("create", "x", "--no-tmux");
  for (const root of [other, third]) expect((await rig.owtIn(root, "create", "y", "--no-tmux")).code).toBe(0);
  type Project = { name: string; is_current: boolean; worktrees: (Worktree & { is_current: boolean })[] };
  const brief = ({ name, is_current, worktrees }: Project) => [name, is_current, worktrees.map((each) => each.name)];
  const inShop = await rig.json<{ projects: Project[] }>("list", "--all-projects");
  expect(inShop.projects.map(brief)).toEqual([
    ["shop", true, ["main", "x"]],
    ["books", false, ["main", "y"]],
    ["third", false, ["main", "y"]],
  ]);
  expect(inShop.projects.flatMap(({ worktrees }) => worktrees.filter((each) => each.is_current))).toHaveLength(1);

  // One has no worktree of ours any more, another cannot be read.
  expect((await rig.owtIn(third, "delete", "y", "--yes")).code).toBe(0);
  writeFileSync(join(other, ".git/owt/state.db"), "garbage".repeat(1000));
  const ran = await rig.owtIn(rig.home, "list", "--all-projects");
  expect([ran.code, ran.stderr]).toEqual([0, ""]);
  expect(ran.stdout).toMatch(/^books {2}\S+books\n.*state\.db.*\n\nshop {2}\S+shop\n[^]*\n.*\bx\b/);
  expect(ran.stdout).not.toContain("third");
});

test("owt note: what is done there stands in the list, also of a worktree of plain git", async () => {
  await using rig = Rig.create({});
  rig.git("worktree", "add", "-q", "-b", "plain", rig.path("plain"));
  expect((await rig.owt("note", "plain", "the login", "form")).stdout).toBe("plain: the login form\n");
  expect((await list(rig))[1]).toMatchObject({ name: "plain", note: "the login form" });
  expect((await rig.owt("list")).stdout).toContain("the login form");
  expect((await rig.owt("note", "plain", "--clear")).stdout).toBe("plain: no note\n");
});

test("owt create --json: what each has to itself, and how what it needs came", async () => {
  await using rig = Rig.create({ "package.json": "{}", "package-lock.json": "{}", "api/poetry.lock": "" });
  rig.write({ "../tools/npm": "#!/bin/sh\nmkdir node_modules\n" });
  chmodSync(rig.path("tools/npm"), 0o755);
  rig.env["PATH"] = `${rig.path("tools")}:${rig.env["PATH"]}`;
  type Made = {
    ports: { first: number; count: number } | null;
    database: string | null;
    compose_project: string | null;
    dependencies: { folder: string; lockfile: string; way: string; from: string | null }[];
    warnings: string[];
  };
  const { worktrees } = await rig.json<{ worktrees: Made[] }>("create", "a", "b");
  const [a, b] = worktrees;
  expect([a!.database, a!.compose_project, a!.ports?.count]).toEqual(["shop_a", "shop-a", 10]);
  expect(b!.ports!.first).toBe(a!.ports!.first + 10);
  expect(a!.dependencies).toMatchObject([{ folder: "", lockfile: "package-lock.json", way: "install", from: null }]);
  expect(a!.warnings).toEqual([expect.stringContaining("poetry is not installed here")]);
  expect((await rig.json<{ worktrees: Made[] }>("create", "a")).worktrees[0]).toMatchObject({
    ports: a!.ports,
    dependencies: [],
  });
});

test("names with line ends and a terminal's orders in them break no line, and give no order", async () => {
  await using rig = Rig.create({});
  const odd = "odd\nname\t\u001B]0;title\u0007\u001B[2J it's";
  const tree = rig.path(`tree ${odd}`);
  rig.commit("base");
  rig.git("worktree", "add", "-q", "-b", "p", tree);
  rig.write({ [odd]: "ours\n" });
  rig.commit("ours");
  commit(rig, tree, odd, "theirs\n");
  writeFileSync(join(tree, "new"), "");
  const said: string[] = [];
  for (const line of [
    ["list"],
    ["status"],
    ["status", "p"],
    ["note", "p", "doing"],
    ["diff", "p", "--stat"],
    ["sync", "p"],
    ["merge", "p", "--yes"],
    ["cleanup", "--all"],
    ["delete", "p", "--yes"],
    ["tmux", "list"],
    ["doctor"],
  ]) {
    const { stdout, stderr } = await rig.owt(...line);
    said.push(`${stdout}${stderr}`);
  }
  const all = said.join("");
  // eslint-disable-next-line no-control-regex
  expect(all.match(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g)).toBeNull();
  expect(all.split("\n").filter((line) => line.startsWith("name"))).toEqual([expect.stringMatching(/^name +changes/)]);
  expect(all).toContain("odd\\nname");
  // The way out is a command that works.
  writeFileSync(join(tree, "new"), "");
  gitIn(rig, tree, "add", "-A");
  gitIn(rig, tree, "commit", "-q", "-m", "new");
  const { stderr } = await rig.owt("merge", "p", "--yes");
  const byHand = /(git -C .* merge main); then/.exec(stderr)![1]!;
  const conflict = spawn("bash", ["-c", byHand], { env: rig.env, stdio: "ignore" });
  expect(await once(conflict, "close")).toEqual([1, null]);
  expect(gitIn(rig, tree, "status", "--porcelain")).toMatch(/^AA/);
  rig.git("worktree", "add", "-q", "--detach", rig.path("on no branch"));
  writeFileSync(rig.path("on no branch/new"), "");
  expect((await rig.owt("delete", "on no branch", "--yes")).stderr).toContain("owt delete 'on no branch' --save\n");
});

test("what stands in a worktree's place is not taken for it, and nobody takes it away", async () => {
  await using rig = Rig.create({ "a.txt": "a\n" });
  const place = rig.path("shop-b");
  expect((await rig.owt("create", "b", "--no-tmux")).code).toBe(0);
  renameSync(place, rig.path("kept"));
  execFileSync("git", ["clone", "-q", rig.root, place]);
  writeFileSync(join(place, "mine"), "of nobody else\n");
  for (const words of [
    ["create", "b", "--no-tmux"],
    ["diff", "b"],
    ["delete", "b", "--yes", "--save"],
  ]) {
    const refused = await rig.owt(...words);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("stands a repository of its own")]);
  }
  expect((await rig.owt("cleanup", "--all", "--days", "0", "--yes")).code).toBe(0);
  expect(readFileSync(join(place, "mine"), "utf8")).toBe("of nobody else\n");
  rmSync(place, { recursive: true });
  writeFileSync(place, "a file\n");
  const file = await rig.owt("delete", "b", "--yes");
  expect([file.code, file.stderr]).toEqual([2, expect.stringContaining("stands a file")]);
  expect((await rig.owt("list")).code).toBe(0);
  rmSync(place);
  execFileSync("git", ["worktree", "repair", rig.path("kept")], { cwd: rig.root });
  expect((await rig.owt("delete", "b", "--yes")).code).toBe(0);
});

test("the name of a file here is no worktree's", async () => {
  await using rig = Rig.create({ "a.txt": "a\n" });
  const refused = await rig.owt("diff", "a.txt");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("there is no worktree a.txt")]);
});

test("a worktree in a folder whose name is no UTF-8 is nobody's to take away", async () => {
  await using rig = Rig.create({ "a.txt": "a\n" });
  const folder = Buffer.concat([Buffer.from(rig.path("folder")), Buffer.from([0xff])]);
  // A name that is no UTF-8 can be given to a program by a shell alone.
  const script = 'cd "$(printf "$1\\377")" && git -C "$2" worktree add -q "$PWD/v" -b vv && echo mine >v/mine';
  mkdirSync(folder);
  execFileSync("sh", ["-c", script, "sh", rig.path("folder"), rig.root]);
  expect((await rig.owt("cleanup", "--all", "--days", "0", "--yes")).code).toBe(0);
  expect((await rig.owt("delete", "vv", "--yes")).code).toBe(2);
  // Called from there.
  const call = 'cd "$(printf "$1\\377")/v" && exec "$2" "$3" list';
  const words = ["-c", call, "sh", rig.path("folder"), process.execPath, rig.command];
  const { status, stderr } = spawnSync("sh", words, { env: rig.env, encoding: "utf8" });
  expect(status).toBe(3);
  expect(stderr).toMatch(/^✗ the name of the folder that you are in is no UTF-8: .*\n {2}↳ .*\n$/);
  expect(readFileSync(Buffer.concat([folder, Buffer.from("/v/mine")]), "utf8")).toBe("mine\n");
  expect(rig.git("worktree", "list")).toContain("[vv]");
  expect(rig.git("branch", "--list", "vv")).toContain("vv");
});
