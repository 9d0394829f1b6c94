/** `owt merge`: the work of one worktree into the branch that it began from, checked first, and nothing of anybody's touched for it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileAppears, processesBelow, Rig } from "../rig/rig.ts";

const gitIn = (rig: Rig, folder: string, ...args: string[]) =>
  execFileSync("git", args, { cwd: folder, env: rig.env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function commit(rig: Rig, folder: string, name: string, text = `${name}\n`): void {
  writeFileSync(join(folder, name), text);
  gitIn(rig, folder, "add", "-A");
  gitIn(rig, folder, "commit", "-q", "-m", `add ${name}`);
}

const verify = (command: string) => ({ ".worktreerc": `[run]\nverify = ${JSON.stringify(command)}\n` });

describe("what comes out of it", () => {
  test("a fast-forward, a merge, one commit; then it is there already", async () => {
    await using rig = Rig.create({});
    rig.ok("create", "one", "two", "three");
    commit(rig, rig.path("shop-one"), "one");
    for (const name of ["a", "b"]) commit(rig, rig.path("shop-two"), name);
    for (const name of ["c", "d"]) commit(rig, rig.path("shop-three"), name);
    expect(await rig.json("merge", "one", "--yes")).toMatchObject({ fast_forward: true, checked: false, commits: 1 });
    expect(rig.git("rev-parse", "main")).toBe(rig.git("rev-parse", "one"));
    expect(await rig.json("merge", "two", "--yes")).toMatchObject({ fast_forward: false, commits: 2 });
    expect(rig.git("log", "-1", "--format=%s|%an|%(trailers:key=Owt-Verified,valueonly)", "main")).toBe(
      "Merge branch 'two' into main|Test User|no",
    );
    const squashed = await rig.owt("merge", "three", "--squash", "--yes");
    expect(squashed.stdout).toContain("three is in main: 2 commits, squashed into one commit, not checked");
    expect(rig.git("log", "-1", "--format=%s %b", "main")).toMatch(/^three - add c\n- add d/);
    expect(rig.git("rev-list", "--count", "main^..main")).toBe("1");
    // The checkout went along.
    expect([existsSync(join(rig.root, "d")), rig.git("status", "--porcelain")]).toEqual([true, ""]);
    expect(await rig.json("merge", "three", "--yes")).toMatchObject({ already: true, squashed: false });
    expect((await rig.owt("delete", "three", "--yes")).stdout).toContain("its work came home squashed");
  });

  test("into the branch that it began from, or the one that is named, checked out or not", async () => {
    await using rig = Rig.create({});
    rig.git("branch", "release");
    rig.git("branch", "other");
    rig.ok("create", "fix", "--base", "release");
    commit(rig, rig.path("shop-fix"), "fix");
    expect((await rig.owt("merge", "fix", "--yes")).stdout).toContain("fix is in release");
    expect((await rig.owt("merge", "fix", "--yes", "--into", "other")).stdout).toContain("fix is in other");
    expect([rig.show("release", "fix"), rig.show("other", "fix"), rig.show("main", "fix")]).toEqual([
      "fix\n",
      "fix\n",
      null,
    ]);
    expect((await rig.owt("merge", "fix", "--yes", "--into", "nope")).stderr).toMatch(
      /no branch nope here\n {2}↳ .*--into/,
    );
  });

  test("where the branch that it began from is gone, what is not its own work comes in nowhere unasked", async () => {
    await using rig = Rig.create({});
    rig.git("branch", "release");
    rig.ok("create", "base", "--base", "release", "--no-tmux");
    commit(rig, rig.path("shop-base"), "unreleased");
    rig.ok("create", "hot", "--base", "base", "--no-tmux");
    commit(rig, rig.path("shop-hot"), "fix");
    rig.git("-C", rig.path("shop-base"), "branch", "-m", "base", "next");
    const gone = await rig.owt("merge", "hot", "--yes");
    expect(gone).toMatchObject({ code: 2 });
    expect(gone.stderr).toContain("base, which hot began from, is no branch here (any more)");
    expect(gone.stderr).toContain("owt merge hot --into <branch>");
    expect([rig.show("main", "unreleased"), rig.show("main", "fix")]).toEqual([null, null]);
    expect((await rig.owt("sync", "hot")).stdout).toContain("base is gone");
    // What it began from has come home meanwhile: then there is nothing but its own.
    rig.git("merge", "-q", "--ff-only", "next");
    expect((await rig.owt("merge", "hot", "--yes")).stdout).toContain("hot is in main: 1 commit");
    expect(rig.show("main", "fix")).toBe("fix\n");
  });
});

describe("the check", () => {
  test("runs on what is merged, not on either side; red moves nothing and leaves nothing", async () => {
    // Each side alone is green.
    await using rig = Rig.create({ ...verify("touch dropped; ! test -e a -a -e b"), ".gitignore": "*.log\n" });
    rig.ok("create", "x");
    commit(rig, rig.path("shop-x"), "a");
    commit(rig, rig.root, "b");
    const before = [rig.git("for-each-ref"), rig.git("worktree", "list")];
    const red = await rig.owt("merge", "x", "--yes");
    expect(red).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("x brought into main fails: touch dropped") as string,
    });
    expect([rig.git("for-each-ref"), rig.git("worktree", "list")]).toEqual(before);
    expect(existsSync(rig.path("shop-owt"))).toBe(false);
    expect(await rig.json("merge", "x", "--yes", "--no-verify")).toMatchObject({ checked: false });
  });

  test("green is said in the commit; a command that is not approved is not run", async () => {
    await using rig = Rig.create(verify("test -e a"));
    rig.ok("create", "x");
    commit(rig, rig.path("shop-x"), "a");
    commit(rig, rig.root, "b");
    expect(await rig.json("merge", "x", "--yes")).toMatchObject({ checked: true });
    expect(rig.git("log", "-1", "--format=%(trailers:key=Owt-Verified,valueonly)", "main")).toBe("yes");
    rig.ok("create", "y");
    commit(rig, rig.path("shop-y"), "c");
    rig.write({ ".worktreerc": `[run]\nverify = "touch ${rig.path("ran")}"\n` });
    rig.commit("another check");
    expect(await rig.owt("merge", "y", "--yes")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("not approved") as string,
    });
    expect(existsSync(rig.path("ran"))).toBe(false);
  });

  test("Ctrl-C stops it with nothing moved; after a kill the next command ends what ran and takes the worktree away", async () => {
    await using rig = Rig.create(verify("echo up > ../../up; exec sleep 1000"));
    rig.ok("create", "x");
    commit(rig, rig.path("shop-x"), "a");
    const tip = rig.git("rev-parse", "main");
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      execFileSync("rm", ["-f", rig.path("up")]);
      const running = rig.start("merge", "x", "--yes");
      await fileAppears(rig.path("up"));
      running.child.kill(signal);
      expect((await running.ended).code).toBe(signal === "SIGINT" ? 130 : -1);
      if (signal === "SIGKILL") rig.ok("list");
      expect([rig.git("rev-parse", "main"), rig.git("worktree", "list").split("\n").length]).toEqual([tip, 2]);
      expect(processesBelow(rig.path("shop-owt"))).toEqual([]);
      expect(rig.git("for-each-ref", "refs/owt")).toBe("");
    }
  });
});

describe("nothing moves", () => {
  test("with uncommitted work, an open merge, or a conflict, and it says what to do", async () => {
    await using rig = Rig.create({ "a.txt": "1\n" });
    rig.ok("create", "dirty", "fresh", "conflict");
    for (const name of ["dirty", "fresh"]) commit(rig, rig.path(`shop-${name}`), name);
    writeFileSync(rig.path("shop-dirty/a.txt"), "2\n");
    writeFileSync(rig.path("shop-fresh/new"), "new");
    commit(rig, rig.path("shop-conflict"), "a.txt", "theirs\n");
    commit(rig, rig.root, "a.txt", "ours\n");
    const tip = rig.git("rev-parse", "main");
    for (const [name, says] of [
      ["dirty", /dirty has uncommitted work: a.txt\n {2}↳ .*then: owt merge dirty/],
      ["fresh", /fresh has uncommitted work: new/],
      [
        "conflict",
        /conflict conflicts with main in a.txt; nothing was moved\n {2}↳ .*git -C \S+shop-conflict merge main/,
      ],
    ] as const)
      expect(await rig.owt("merge", name, "--yes")).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(says) as string,
      });
    expect(() => gitIn(rig, rig.path("shop-conflict"), "merge", "main")).toThrow("git merge");
    expect((await rig.owt("merge", "conflict", "--yes")).stderr).toContain("a merge is open in");
    expect([rig.git("rev-parse", "main"), rig.git("status", "--porcelain")]).toEqual([tip, ""]);
  });

  test("with conflict markers that it commits, with file and line; those that were there before are nobody's matter", async () => {
    await using rig = Rig.create({ "told.md": "<<<<<<< a\n=======\n>>>>>>> b\n" });
    rig.ok("create", "one", "--no-tmux");
    const one = rig.path("shop-one");
    commit(rig, one, "f.txt", "one\n");
    commit(rig, one, "told.md", "<<<<<<< a\n=======\n>>>>>>> b\n<<<<<<< c\n=======\n>>>>>>> d\n");
    rig.write({ "f.txt": "main\n" });
    rig.commit("on main");
    const tip = rig.git("rev-parse", "main");
    expect(() => gitIn(rig, one, "merge", "main")).toThrow("git merge main");
    gitIn(rig, one, "commit", "-qam", "resolved");
    const ran = await rig.owt("merge", "one", "--yes");
    expect([ran.code, ran.stderr.replaceAll(/\s+/g, " ")]).toEqual([
      4,
      expect.stringContaining("one holds conflict markers: f.txt:1, f.txt:3, f.txt:5"),
    ]);
    expect(ran.stderr.replaceAll(/\s+/g, " ")).toContain(`git -C ${one} commit -a && owt merge one`);
    expect(rig.git("rev-parse", "main")).toBe(tip);
    commit(rig, one, "f.txt", "both\n");
    expect((await rig.owt("merge", "one", "--yes")).code).toBe(0);
    expect(rig.show("main", "f.txt")).toBe("both\n");
  });

  test("in a main checkout with work of its own; and what is ignored there survives, as does everybody's settings", async () => {
    await using rig = Rig.create({ ".gitignore": ".env\nnode_modules\nsettings.local*\n", "a.txt": "1\n" });
    rig.write({
      ".env": "SECRET=1\n",
      "node_modules/x/index.js": "x",
      "settings.local.json": "{}",
      "scratch.txt": "mine",
    });
    rig.ok("create", "x");
    const tree = rig.path("shop-x");
    mkdirSync(join(tree, ".claude"));
    writeFileSync(join(tree, "b.txt"), "b\n");
    gitIn(rig, tree, "add", "b.txt");
    gitIn(rig, tree, "commit", "-q", "-m", "b");
    // The agent's settings of this machine are nobody's work.
    writeFileSync(join(tree, ".claude/settings.local.json"), `{"path":"${tree}"}`);
    rig.write({ "a.txt": "uncommitted\n" });
    const tip = rig.git("rev-parse", "main");
    expect(await rig.owt("merge", "x", "--yes")).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/main is checked out at \S+, which has uncommitted changes in a.txt/) as string,
    });
    expect([rig.git("rev-parse", "main"), readFileSync(join(rig.root, "a.txt"), "utf8")]).toEqual([
      tip,
      "uncommitted\n",
    ]);
    rig.git("checkout", "-q", "a.txt");
    rig.write({ "b.txt": "in the way\n" });
    expect((await rig.owt("merge", "x", "--yes")).stderr).toContain("b.txt");
    execFileSync("rm", [join(rig.root, "b.txt")]);
    expect((await rig.owt("merge", "x", "--yes")).code).toBe(0);
    for (const [file, text] of [
      [".env", "SECRET=1\n"],
      ["node_modules/x/index.js", "x"],
      ["settings.local.json", "{}"],
      ["scratch.txt", "mine"],
    ])
      expect(readFileSync(join(rig.root, file!), "utf8")).toBe(text);
    expect(rig.git("ls-files", ".claude")).toBe("");
    expect(rig.git("stash", "list")).toBe("");
  });
});
