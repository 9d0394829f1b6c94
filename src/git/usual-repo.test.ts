import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { findProgram } from "../system/programs.ts";
import { openRepo } from "./repo.ts";
import { recogniseRepo, remotesOf } from "./usual-repo.ts";

const isSystemGit = process.platform === "linux" && findProgram("git", process.env) === "/usr/bin/git";
const { GIT_CONFIG_GLOBAL } = process.env;

afterEach(() => {
  if (GIT_CONFIG_GLOBAL === undefined) delete process.env["GIT_CONFIG_GLOBAL"];
  else process.env["GIT_CONFIG_GLOBAL"] = GIT_CONFIG_GLOBAL;
});

describe.runIf(isSystemGit)("the usual repository", () => {
  test("is recognised from its top and from below, with loose and with packed refs, on a branch and detached", async () => {
    await using at = await scratchRepo();
    const usual = { root: at.root, gitDir: join(at.root, ".git") };
    expect(recogniseRepo(at.root)).toEqual(usual);
    mkdirSync(join(at.root, "deep", "er"), { recursive: true });
    expect(recogniseRepo(join(at.root, "deep", "er"))).toEqual(usual);
    runGit(at.root, "pack-refs", "--all");
    expect(recogniseRepo(at.root)).toEqual(usual);
    runGit(at.root, "checkout", "-q", "--detach");
    expect(recogniseRepo(at.root)).toEqual(usual);
  });

  test("is what git says it is", async () => {
    await using at = await scratchRepo();
    const { root, gitDir } = recogniseRepo(at.root)!;
    const said = runGit(at.root, "rev-parse", "--path-format=absolute", "--show-toplevel", "--git-common-dir");
    expect(said.split("\n")).toEqual([root, gitDir]);
  });
});

describe.runIf(isSystemGit)("remotes", () => {
  test.each<[string, (root: string) => void]>([
    ["none", () => {}],
    ["one", (root) => void runGit(root, "remote", "add", "origin", "../elsewhere")],
    [
      "several, one with a blank and a quote in its name",
      (root) => {
        for (const name of ["zeta", "up/stream"]) runGit(root, "remote", "add", name, "https://host/a[b]=c");
        runGit(root, "config", 'remote.it"s \\one.url', "x");
        runGit(root, "config", "--add", "remote.zeta.fetch", "+refs/heads/main:refs/remotes/zeta/main");
      },
    ],
    [
      "one of the user's own",
      (root) => {
        process.env["GIT_CONFIG_GLOBAL"] = join(root, "mine");
        writeFileSync(join(root, "mine"), '[user]\n\tname = A\n[remote "mine"]\n\turl = ../mine\n');
      },
    ],
  ])("%s: as git tells them", async (_, change) => {
    await using at = await scratchRepo();
    change(at.root);
    const said = runGit(at.root, "remote").split("\n").filter(Boolean);
    expect(remotesOf(join(at.root, ".git"))?.toSorted()).toEqual(said.toSorted());
  });

  test.each<[string, (root: string) => void]>([
    ["a section that says nothing else", (root) => appendFileSync(join(root, ".git/config"), '[remote "empty"]\n')],
    ["a setting that comes first", (root) => void runGit(root, "config", "remote.odd.prune", "true")],
    ["settings from another file", (root) => void runGit(root, "config", "include.path", "more")],
    [
      "a file of the old kind",
      (root) => {
        mkdirSync(join(root, ".git/remotes"), { recursive: true });
        writeFileSync(join(root, ".git/remotes/old"), "URL: ../old\n");
      },
    ],
  ])("%s: git is asked", async (_, change) => {
    await using at = await scratchRepo();
    change(at.root);
    expect(remotesOf(join(at.root, ".git"))).toBeNull();
  });
});

describe("what is unusual is left to git", () => {
  test.each<[string, (root: string) => string | void]>([
    ["inside the git directory", (root) => join(root, ".git")],
    ["deep inside the git directory", (root) => join(root, ".git", "refs")],
    ["a linked worktree", (root) => (runGit(root, "worktree", "add", "-q", "../linked"), join(root, "..", "linked"))],
    ["a branch without a commit", (root) => void runGit(root, "checkout", "-q", "--orphan", "new")],
    ["files shared by a group", (root) => void runGit(root, "config", "core.sharedRepository", "group")],
    ["files elsewhere", (root) => void runGit(root, "config", "core.worktree", "../elsewhere")],
    ["an extension", (root) => void runGit(root, "config", "extensions.worktreeConfig", "true")],
    ["settings from another file", (root) => void runGit(root, "config", "include.path", "more")],
    ["said to be bare", (root) => void runGit(root, "config", "core.bare", "true")],
    ["a newer format", (root) => void runGit(root, "config", "core.repositoryFormatVersion", "1")],
    [
      "a git directory kept elsewhere",
      (root) => {
        renameSync(join(root, ".git"), join(root, "kept"));
        writeFileSync(join(root, ".git"), "gitdir: kept\n");
      },
    ],
    ["no repository", (root) => rmSync(join(root, ".git"), { recursive: true })],
  ])("%s", async (_, change) => {
    await using at = await scratchRepo();
    const from = change(at.root) ?? at.root;
    expect(recogniseRepo(from)).toBeNull();
  });

  test("settings of the user's that bear on it", async () => {
    await using at = await scratchRepo();
    const file = join(mkdtempSync(join(at.top, "home-")), "gitconfig");
    writeFileSync(file, "[core]\n\tsharedRepository = group\n");
    process.env["GIT_CONFIG_GLOBAL"] = file;
    expect(recogniseRepo(at.root)).toBeNull();
    await using repo = await openRepo(at.root);
    expect(repo.plainLayout).toBe(false);
  });
});
