/** The judge of the crash harness finds what is planted. The repository is made with plain git, without owt. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Expectation } from "./crash/scenario.ts";
import { isSound, judge, type Verdict } from "./crash/verdict.ts";
import { runGit } from "./rig/scratch-repo.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test("a run that came home whole is sound", async () => {
  const verdict = await judge(finishedRun().dir);
  expect(verdict).toMatchObject({ lost: [], twice: [], wrongContent: [], other: [], starts: { a: 1, b: 1 } });
  expect(isSound(verdict)).toBe(true);
});

test("tasks that came together are each counted, and only the tree of all has to be green", async () => {
  const { dir, repo } = finishedRun();
  integrateTogether(repo, ["c", "d"]);
  const expectation = JSON.parse(readFileSync(join(dir, "expect.json"), "utf8")) as Expectation;
  put(join(dir, "expect.json"), JSON.stringify({ ...expectation, tasks: ["a", "b", "c", "d"] }));
  appendFileSync(join(dir, "checks.log"), runGit(repo, "log", "-1", "--format=green %T%n", "owt/runs/r1"));
  const verdict = await judge(dir, 0);
  expect(verdict).toMatchObject({ lost: [], twice: [], other: [] });
});

type Run = { dir: string; repo: string };

const planted: [name: string, plant: (run: Run) => void, where: keyof Verdict, says: RegExp][] = [
  ["a task that was integrated twice", ({ repo }) => integrate(repo, "a", { "again.txt": "x" }), "twice", /^a$/],
  [
    "a task that is missing",
    ({ repo }) => runGit(repo, "update-ref", "refs/heads/owt/runs/r1", "owt/runs/r1^"),
    "lost",
    /^b$/,
  ],
  ["a file with other content", ({ repo }) => integrate(repo, "c", { "a.txt": "other\n" }), "wrongContent", /a\.txt/],
  ["a committed secret", ({ repo }) => integrate(repo, "c", { ".env": "S=1\n" }), "wrongContent", /\.env/],
  ["an unchecked merge", ({ repo }) => integrate(repo, "c", { "c.txt": "" }), "other", /never seen green/],
  [
    "a check in a tree that changed",
    ({ dir }) => appendFileSync(join(dir, "checks.log"), "/r1 changed during its check\n"),
    "other",
    /changed/,
  ],
  ["a task that came twice, once with another", ({ repo }) => integrateTogether(repo, ["a", "c"]), "twice", /^a$/],
  [
    "a commit between those that came together",
    ({ repo }) => integrateTogether(repo, ["c", ""]),
    "other",
    /no integration/,
  ],
  [
    "another tree than that of those that came together",
    ({ repo }) => integrateTogether(repo, ["c", "d"], { "more.txt": "x" }),
    "other",
    /another tree/,
  ],
  ["a commit that is no integration", ({ repo }) => plainCommit(repo), "other", /no integration/],
  [
    "an orphan worktree",
    ({ dir, repo }) => runGit(repo, "worktree", "add", "-q", "--detach", join(dir, "repo-owt", "a-1")),
    "orphanWorktrees",
    /a-1/,
  ],
  ["the files of one", ({ dir }) => put(join(dir, "repo-owt", "a-1", "file"), ""), "orphanWorktrees", /a-1/],
  ["an orphan branch", ({ repo }) => runGit(repo, "branch", "owt/tasks/a/1"), "orphanBranches", /owt\/tasks\/a\/1/],
  ["a second run", ({ repo }) => runGit(repo, "branch", "owt/runs/r2"), "orphanBranches", /r2/],
  ["a stale lock", ({ repo }) => put(join(repo, ".git", "index.lock"), ""), "other", /index\.lock/],
  ["trash", ({ repo }) => put(join(repo, ".git", "owt", "trash", "1-2-3", "file"), ""), "other", /trash/],
  ["a touched checkout", ({ repo }) => put(join(repo, "base.txt"), "changed\n"), "other", /not clean/],
  ["a moved target", ({ repo }) => runGit(repo, "commit", "-q", "--allow-empty", "-m", "x"), "other", /main moved/],
  ["a lost object", ({ repo }) => loseObject(repo), "other", /fsck/],
];

test.each(planted)("%s is found", async (_, plant, where, says) => {
  const run = finishedRun();
  plant(run);
  const verdict = await judge(run.dir);
  expect(isSound(verdict)).toBe(false);
  expect([verdict[where]].flat().join("\n")).toMatch(says);
});

test.each([
  ["by its folder", (dir: string) => ({ cwd: dir })],
  ["by its environment", (dir: string) => ({ cwd: "/", env: { ...process.env, SOMETHING: join(dir, "home") } })],
])("a process that lives on is found %s", async (_, where) => {
  const { dir } = finishedRun();
  const child = spawn("sleep", ["60"], { ...where(dir), stdio: "ignore" });
  await once(child, "spawn");
  try {
    expect((await judge(dir, 100)).orphanProcesses.join("\n")).toContain(`${child.pid} sleep 60`);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

/** Two tasks on owt/runs/r1, as a finished run leaves them. */
function finishedRun(): Run {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "owt-verdict-")));
  folders.push(dir);
  const repo = join(dir, "repo");
  mkdirSync(repo);
  runGit(repo, "init", "-q", "-b", "main");
  runGit(repo, "config", "user.name", "Ann User");
  runGit(repo, "config", "user.email", "ann@example.com");
  put(join(repo, "base.txt"), "base\n");
  runGit(repo, "add", "-A");
  runGit(repo, "commit", "-q", "-m", "start");
  runGit(repo, "branch", "owt/runs/r1");
  integrate(repo, "a", { "a.txt": "a\n" });
  integrate(repo, "b", { "b.txt": "b\n" });
  const expectation: Expectation = {
    repo,
    worktrees: join(dir, "repo-owt"),
    checks: join(dir, "checks.log"),
    starts: join(dir, "starts.log"),
    tmp: join(dir, "tmp"),
    target: "main",
    base: runGit(repo, "rev-parse", "main"),
    tasks: ["a", "b"],
    files: { "a.txt": "a\n", "b.txt": "b\n" },
    never: [".env"],
  };
  put(join(dir, "expect.json"), JSON.stringify(expectation));
  put(expectation.checks, `${runGit(repo, "log", "--format=green %T", "owt/runs/r1")}\n`);
  put(expectation.starts, "a start\na end\nb start\nb end\n");
  return { dir, repo };
}

/** A merge with the task's trailer at the tip of the run, without a checkout. */
function integrate(repo: string, task: string, files: Record<string, string>): void {
  const tip = runGit(repo, "rev-parse", "owt/runs/r1");
  const tree = treeWith(repo, tip, files);
  const work = runGit(repo, "commit-tree", tree, "-p", tip, "-m", `work on ${task}`);
  const merge = runGit(repo, "commit-tree", tree, "-p", tip, "-p", work, "-m", `Task ${task}\n\nOwt-Task: ${task}`);
  runGit(repo, "update-ref", "refs/heads/owt/runs/r1", merge);
}

/** Merges of tasks one upon the other (without a task: a commit), and one around them. */
function integrateTogether(repo: string, tasks: readonly string[], more: Record<string, string> = {}): void {
  const tip = runGit(repo, "rev-parse", "owt/runs/r1");
  for (const task of tasks) {
    if (task === "") plainCommit(repo);
    else integrate(repo, task, { [`${task}.txt`]: `${task}\n` });
  }
  const last = runGit(repo, "rev-parse", "owt/runs/r1");
  const message = `Bring in ${tasks.length}\n\nOwt-Group: ${tasks.length}`;
  const around = runGit(repo, "commit-tree", treeWith(repo, last, more), "-p", tip, "-p", last, "-m", message);
  runGit(repo, "update-ref", "refs/heads/owt/runs/r1", around);
}

function plainCommit(repo: string): void {
  const tip = runGit(repo, "rev-parse", "owt/runs/r1");
  const commit = runGit(repo, "commit-tree", `${tip}^{tree}`, "-p", tip, "-m", "by hand");
  runGit(repo, "update-ref", "refs/heads/owt/runs/r1", commit);
}

function treeWith(repo: string, tip: string, files: Record<string, string>): string {
  const added = Object.entries(files).map(([name, text]) => {
    put(join(repo, "..", "blob"), text);
    return { name, line: `100644 blob ${runGit(repo, "hash-object", "-w", join(repo, "..", "blob"))}\t${name}` };
  });
  const kept = runGit(repo, "ls-tree", tip)
    .split("\n")
    .filter((line) => !added.some(({ name }) => line.endsWith(`\t${name}`)));
  const input = `${[...kept, ...added.map(({ line }) => line)].join("\n")}\n`;
  return execFileSync("git", ["mktree"], { cwd: repo, input, encoding: "utf8" }).trim();
}

function loseObject(repo: string): void {
  const oid = runGit(repo, "rev-parse", "owt/runs/r1^2");
  rmSync(join(repo, ".git", "objects", oid.slice(0, 2), oid.slice(2)));
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
