import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { realpathSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { agentGitEnv, cleanEnv, git } from "./git.ts";
import { openRepo } from "./repo.ts";

test("a repository opens from its main worktree, from a folder in it, and from a linked worktree", async () => {
  await using at = await scratchRepo();
  runGit(at.root, "worktree", "add", "-q", join(at.top, "linked"));
  await using fromFolder = await openRepo(join(at.root, "dir"));
  await using fromLinked = await openRepo(join(at.top, "linked"));
  for (const repo of [at.repo, fromFolder, fromLinked]) {
    expect(repo.root).toBe(at.root);
    expect(repo.commonDir).toBe(join(at.root, ".git"));
    expect(repo.plainLayout).toBe(true);
  }
  expect(fromLinked.here).toBe(join(at.top, "linked"));
});

test.each(["with space", "ünïcödé-日本", "new\nline", "-dash", '"quoted" \\ back'])(
  "a repository opens at %j",
  async (name) => {
    await using at = await scratchRepo(name);
    expect(at.repo.root).toBe(join(at.top, name));
    expect((await at.repo.live.info("HEAD"))?.type).toBe("commit");
  },
);

test("a git directory kept elsewhere opens from the main checkout", async () => {
  await using at = await scratchRepo();
  runGit(at.top, "init", "-q", "--separate-git-dir", join(at.top, "kept.git"), "sep");
  at.commit(join(at.top, "sep"), { x: "1" });
  await using repo = await openRepo(join(at.top, "sep"));
  expect([repo.root, repo.commonDir]).toEqual([join(at.top, "sep"), join(at.top, "kept.git")]);
});

test("places that cannot be worked in are refused with a hint", async () => {
  const top = await mkdtemp(join(tmpdir(), "owt-none-"));
  try {
    await expect(openRepo(top)).rejects.toMatchObject({
      code: "environment",
      hint: expect.stringContaining("git init"),
    });
    runGit(top, "init", "-q", "--bare", "bare.git");
    await expect(openRepo(join(top, "bare.git"))).rejects.toMatchObject({
      code: "environment",
      message: expect.stringContaining("bare"),
    });
    runGit(top, "init", "-q", "unborn");
    await expect(openRepo(join(top, "unborn"))).rejects.toMatchObject({
      message: expect.stringContaining("no commit"),
    });
    const bareHome = join(top, "bare.git");
    runGit(top, "clone", "-q", join(top, "unborn"), "seed");
    runGit(join(top, "seed"), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x");
    runGit(join(top, "seed"), "push", "-q", bareHome, "HEAD:refs/heads/main");
    runGit(bareHome, "worktree", "add", "-q", join(top, "of-bare"), "main");
    // Also a folder whose `.git` leads to one, as of somebody who has their worktrees beside it.
    runGit(top, "init", "-q", "beside");
    rmSync(join(top, "beside/.git"), { recursive: true });
    writeFileSync(join(top, "beside/.git"), "gitdir: ../bare.git\n");
    for (const place of ["of-bare", "beside"])
      await expect(openRepo(join(top, place))).rejects.toMatchObject({
        message: `${realpathSync(bareHome)} is a bare repository, also for the worktrees beside it: owt works from a main checkout`,
        hint: `git clone ${realpathSync(bareHome)} FOLDER, and run owt there`,
      });
  } finally {
    await rm(top, { recursive: true, force: true });
  }
});

test("git variables of whoever started us do not reach our git", async () => {
  await using at = await scratchRepo();
  process.env["GIT_DIR"] = "/nowhere";
  process.env["GIT_INDEX_FILE"] = "/nowhere/index";
  try {
    await using repo = await openRepo(at.root);
    expect((await git(repo, ["rev-parse", "--git-dir"])).stdout.trim()).toBe(repo.gitDir);
    expect(cleanEnv()["GIT_INDEX_FILE"]).toBeUndefined();
  } finally {
    delete process.env["GIT_DIR"];
    delete process.env["GIT_INDEX_FILE"];
  }
  expect(agentGitEnv()).toEqual({
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "core.fsync",
    GIT_CONFIG_VALUE_0: "committed,reference",
  });
});

test("an unknown extension makes the layout one that we do not write in ourselves", async () => {
  await using at = await scratchRepo();
  runGit(at.root, "config", "core.sharedRepository", "group");
  await using repo = await openRepo(at.root);
  expect(repo.plainLayout).toBe(false);
});

const USES_LIVE = `
  const { openRepo } = await import(process.argv[1]);
  const repo = await openRepo(process.argv[2]);
  const { git } = await import(process.argv[1].replace("repo.ts", "git.ts"));
  await git(repo, ["rev-parse", "HEAD"]);
  await repo.live.info("HEAD");
  await repo.live.updateRefs([{ ref: "refs/heads/live", from: null, to: (await repo.live.info("HEAD")).oid }]);
  console.log("used");
  if (process.argv[3] === "stay") setInterval(() => {}, 1000);
`;

test("live processes neither keep Node alive nor outlive it, not even after kill -9", async () => {
  await using at = await scratchRepo();
  const module = join(import.meta.dirname, "repo.ts");
  const leave = spawn(process.execPath, ["--input-type=module", "-e", USES_LIVE, module, at.root, "leave"], {
    stdio: "pipe",
  });
  expect((await once(leave, "close"))[0]).toBe(0);
  runGit(at.root, "branch", "-D", "live");
  const stay = spawn(process.execPath, ["--input-type=module", "-e", USES_LIVE, module, at.root, "stay"], {
    stdio: "pipe",
  });
  await once(stay.stdout, "data");
  const children = childrenOf(stay.pid!);
  // Reader, mover, and the helper shells that were needed so far.
  expect(children.length).toBeGreaterThan(2);
  stay.kill("SIGKILL");
  await once(stay, "close");
  await expect.poll(() => children.filter((pid) => isRunning(pid))).toEqual([]);
});

test("closing ends the live processes", async () => {
  await using at = await scratchRepo();
  const before = childrenOf(process.pid);
  const repo = await openRepo(at.root);
  await repo.live.info("HEAD");
  expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toHaveLength(1);
  await repo.close();
  expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toHaveLength(0);
  await expect(repo.live.info("HEAD")).rejects.toMatchObject({ code: "internal" });
  await mkdir(join(at.top, "x"));
});

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isRunning(Number(name)) && statOf(Number(name))[1] === String(pid))
    .map(Number);
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && statOf(pid)[0] !== "Z";
}

function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return ["Z", ""];
  }
}
