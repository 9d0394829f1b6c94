/** The judge of the gauntlet finds what is planted, and knows nothing of what the program believes. The night is made with plain git, without owt. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { isSound, judge, type Verdict } from "./gauntlet/judge.ts";
import type { Night } from "./gauntlet/night.ts";
import type { Expectation } from "./gauntlet/scene.ts";
import { runGit } from "./rig/scratch-repo.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test("the judges import nothing from the program, and nothing that does", () => {
  for (const name of ["gauntlet/judge.ts", "crash/verdict.ts"]) {
    const source = readFileSync(new URL(name, import.meta.url), "utf8");
    const imported = [...source.matchAll(/^import\s+(type\s)?(?:[^;"]*\sfrom\s)?"([^"]+)";/gm)];
    const real = imported.filter(([, isType]) => isType === undefined).map(([, , from]) => from!);
    expect(real.length).toBeGreaterThan(3);
    expect(real.filter((from) => !from.startsWith("node:"))).toEqual([]);
    expect(source).not.toMatch(/import\(|src\/(core|lib|engine|cli|store|system|git)/);
  }
});

test("a night that went as it must is sound", async () => {
  const verdict = await judge(finishedNight().dir);
  expect(tell(verdict)).toBe("");
  expect(verdict.counts).toMatchObject({ tasks: 3, integrated: 2, commits: 2, greenCommits: 2, lost: 0, words: 4 });
  expect(isSound(verdict)).toBe(true);
});

type Scene = { dir: string; repo: string; notes: string };
type Told = { tasks: Record<string, unknown>[]; waiting: Record<string, unknown>[] };

const planted: [name: string, plant: (scene: Scene) => void, says: RegExp][] = [
  [
    "a task that did not come home",
    ({ notes }) => change(notes, ({ tasks }) => (tasks[0]!["state"] = "failed")),
    /a\/E01 is failed/,
  ],
  [
    "work that nothing verified",
    ({ notes }) => change(notes, ({ tasks }) => (tasks[0]!["verified"] = false)),
    /not verified/,
  ],
  [
    "a commit that the report invents",
    ({ notes }) => change(notes, ({ tasks }) => (tasks[0]!["commit"] = "0".repeat(40))),
    /the report names the commit 0/,
  ],
  [
    "a task that is not told of",
    ({ notes }) => change(notes, ({ tasks }) => tasks.pop()),
    /w\/E01 is not in the report/,
  ],
  [
    "another reason",
    ({ notes }) => change(notes, ({ tasks }) => (tasks[2]!["why"] = "asks: What?")),
    /w\/E01 says why: asks: What\?/,
  ],
  [
    "a reason that the inbox tells otherwise",
    ({ notes }) => change(notes, ({ waiting }) => (waiting[0]!["why"] = "hm")),
    /the inbox says hm/,
  ],
  ["no word in the inbox", ({ notes }) => change(notes, ({ waiting }) => waiting.pop()), /w\/E01 is not in the inbox/],
  [
    "another command",
    ({ notes }) => change(notes, ({ waiting }) => (waiting[0]!["command"] = "owt retry")),
    /names the command owt retry/,
  ],
  [
    "a misdeed that did not happen",
    ({ notes }) => change(notes, ({ tasks }) => (tasks[1]!["attempts"] = [])),
    /b\/E01 did not happen: .*transient/,
  ],
  [
    "a task that was integrated twice",
    ({ repo }) => integrate(repo, "a/E01", { "parts/c.txt": "" }),
    /a\/E01 is integrated twice/,
  ],
  [
    "work of one that waits",
    ({ repo }) => integrate(repo, "w/E01", { "parts/c.txt": "" }),
    /w\/E01 is in the run's branch/,
  ],
  ["a red commit under a green tip", ({ repo }) => hideRed(repo), /is red: .*says 9, is 1/],
  ["a commit that is no integration", ({ repo }) => plainCommit(repo), /is no integration of one task/],
  [
    "a word that is in no ref",
    ({ notes }) => put(join(notes, "words"), "a/E01 word-a\nb/E01 word-b\nw/E01 word-w\na/E01 word-x\n"),
    /lost: word-x of a\/E01/,
  ],
  [
    "work that is kept and did not come home",
    ({ repo }) => runGit(repo, "update-ref", "refs/heads/owt/runs/r1", "owt/runs/r1^"),
    /its last word word-b2 did not come home/,
  ],
  ["a stray branch", ({ repo }) => runGit(repo, "branch", "owt/tasks/a-e01/1"), /stray branch owt\/tasks\/a-e01\/1/],
  [
    "a second branch of one that waits",
    ({ repo }) => runGit(repo, "branch", "owt/tasks/w-e01/9"),
    /stray branch owt\/tasks\/w-e01\/9/,
  ],
  [
    "a stray worktree",
    ({ dir, repo }) => runGit(repo, "worktree", "add", "-q", "--detach", join(dir, "disk", "shop-owt", "a-e01-1")),
    /stray worktree .*a-e01-1/,
  ],
  ["a stale lock", ({ repo }) => put(join(repo, ".git", "index.lock"), ""), /index\.lock is a stale lock/],
  ["trash", ({ repo }) => put(join(repo, ".git", "owt", "trash", "1-2-3", "file"), ""), /trash\/1-2-3 is left/],
  ["a lost object", ({ repo }) => loseObject(repo), /git fsck/],
  [
    "a touched checkout",
    ({ notes }) => night(notes, { touched: ["README.md was changed"] }),
    /the user's checkout: README\.md/,
  ],
  ["an end that says something else", ({ notes }) => night(notes, { exitCode: 0 }), /owt ended with 0, not with 1/],
  ["a night without kills", ({ notes }) => night(notes, { kills: 1 }), /owt was killed 1 times/],
  [
    "a file of another place",
    ({ repo }) => integrate(repo, "a/E01", { "parts/outside-red.txt": "" }),
    /outside-red\.txt of another place/,
  ],
  [
    "a file of the agent's that is gone",
    ({ repo }) => rmSync(join(repo, "outside.txt")),
    /outside\.txt, which an agent wrote .* is gone/,
  ],
];

test.each(planted)("%s is found", async (_, plant, says) => {
  const scene = finishedNight();
  plant(scene);
  const verdict = await judge(scene.dir);
  expect(isSound(verdict)).toBe(false);
  expect(tell(verdict)).toMatch(says);
});

test("a process that lives on is found", async () => {
  const { dir } = finishedNight();
  const child = spawn("sleep", ["60"], {
    cwd: "/",
    env: { ...process.env, SOMETHING: join(dir, "home") },
    stdio: "ignore",
  });
  await once(child, "spawn");
  try {
    expect(tell(await judge(dir, 100))).toContain(`orphan process: ${child.pid} sleep 60`);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

function tell({ rows, defects }: Verdict): string {
  return [...rows.flatMap((row) => row.defects.map((each) => `${row.task} ${each}`)), ...defects].join("\n");
}

const CHECK = `for part in parts/*.txt; do
  [ -e "$part" ] || continue
  awk '$1 == "sum" { want = $2 } /^[0-9]+$/ { is += $1 } END { if (is != want) { print "says " want ", is " is; exit 1 } }' "$part" || exit 1
done
`;

/** Two tasks on owt/runs/r1 and one that waits, as a night leaves them. */
function finishedNight(): Scene {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "owt-gauntlet-test-")));
  folders.push(dir);
  const [repo, notes] = [join(dir, "disk", "shop"), join(dir, "notes")];
  mkdirSync(repo, { recursive: true });
  runGit(repo, "init", "-q", "-b", "main");
  runGit(repo, "config", "user.name", "Ann User");
  runGit(repo, "config", "user.email", "ann@example.com");
  put(join(repo, "base.txt"), "base\n");
  runGit(repo, "add", "-A");
  runGit(repo, "commit", "-q", "-m", "start");
  runGit(repo, "branch", "owt/runs/r1");
  const a = integrate(repo, "a/E01", { "parts.txt": "word-a\n" });
  const b = integrate(repo, "b/E01", { "b.txt": "word-b\nword-b2\n" });
  const kept = runGit(repo, "commit-tree", treeWith(repo, "main", { "w.txt": "word-w\n" }), "-p", "main", "-m", "left");
  runGit(repo, "branch", "owt/tasks/w-e01/3", kept);
  put(join(repo, "outside.txt"), "written outside\n");
  const expectation: Expectation = {
    repo,
    worktrees: join(dir, "disk", "shop-owt"),
    run: "r1",
    target: "main",
    base: runGit(repo, "rev-parse", "main"),
    check: join(notes, "check.sh"),
    tasks: [
      { id: "a/E01", does: "succeeds", ending: { is: "integrated" }, shows: ["ok"] },
      { id: "b/E01", does: "is overloaded", ending: { is: "integrated" }, shows: ["transient"] },
      {
        id: "w/E01",
        does: "asks",
        ending: { is: "parked", why: "^asks: Which\\?$", command: "^owt task answer w/E01" },
        shows: [],
      },
    ],
    ownBranches: [],
    strayFiles: ["outside.txt"],
    exitCode: 1,
  };
  const attempt = (outcome_kind: string) => ({ outcome_kind, outcome: outcome_kind });
  const tasks = [
    { id: "a/E01", state: "done", verified: true, commit: a, attempts: [attempt("ok")] },
    { id: "b/E01", state: "done", verified: true, commit: b, attempts: [attempt("transient"), attempt("ok")] },
    { id: "w/E01", state: "pending", why: "asks: Which?", verified: false, commit: null, attempts: [attempt("asked")] },
  ];
  const waiting = [{ task: "w/E01", why: "asks: Which?", command: 'owt task answer w/E01 "…"' }];
  put(join(notes, "check.sh"), CHECK);
  put(join(notes, "expect.json"), JSON.stringify(expectation));
  put(join(notes, "words"), "a/E01 word-a\nb/E01 word-b\nw/E01 word-w\nb/E01 word-b2\n");
  put(join(notes, "report.json"), JSON.stringify({ data: { report: { tasks } } }));
  put(join(notes, "inbox.json"), JSON.stringify({ data: { waiting } }));
  night(notes, {});
  return { dir, repo, notes };
}

function night(notes: string, more: Partial<Night>): void {
  const sound: Night = { seconds: 1, kills: 2, exitCode: 1, killedAgent: true, answered: true, acts: 6, touched: [] };
  put(join(notes, "night.json"), JSON.stringify({ ...sound, ...more }));
}

/** Changes what owt said. */
function change(notes: string, how: (told: Told) => unknown): void {
  const read = (name: string) =>
    JSON.parse(readFileSync(join(notes, name), "utf8")) as { data: Record<string, unknown> };
  const [report, inbox] = [read("report.json"), read("inbox.json")];
  how({ ...(report.data["report"] as Pick<Told, "tasks">), ...(inbox.data as Pick<Told, "waiting">) });
  put(join(notes, "report.json"), JSON.stringify(report));
  put(join(notes, "inbox.json"), JSON.stringify(inbox));
}

/** A merge with the task's trailer at the tip of the run, without a checkout. */
function integrate(repo: string, task: string, files: Record<string, string>): string {
  const tip = runGit(repo, "rev-parse", "owt/runs/r1");
  const tree = treeWith(repo, tip, files);
  const work = runGit(repo, "commit-tree", tree, "-p", tip, "-m", `work on ${task}`);
  const merge = runGit(repo, "commit-tree", tree, "-p", tip, "-p", work, "-m", `Task ${task}\n\nOwt-Task: ${task}`);
  runGit(repo, "update-ref", "refs/heads/owt/runs/r1", merge);
  return merge;
}

/** A merge that is red, and the next one mends it. */
function hideRed(repo: string): void {
  const red = join(repo, "..", "red");
  runGit(repo, "worktree", "add", "-q", "--detach", red, "owt/runs/r1");
  for (const [sum, task] of [
    ["9", "x/E01"],
    ["1", "y/E01"],
  ] as const) {
    put(join(red, "parts", "x.txt"), `sum ${sum}\n1\n`);
    runGit(red, "add", "-A");
    runGit(red, "commit", "-q", "-m", `${task}\n\nOwt-Task: ${task}`);
  }
  runGit(repo, "update-ref", "refs/heads/owt/runs/r1", runGit(red, "rev-parse", "HEAD"));
}

function plainCommit(repo: string): void {
  const tip = runGit(repo, "rev-parse", "owt/runs/r1");
  const commit = runGit(repo, "commit-tree", `${tip}^{tree}`, "-p", tip, "-m", "by hand");
  runGit(repo, "update-ref", "refs/heads/owt/runs/r1", commit);
}

/** A tree with these files beside what a commit has; one in a folder has the folder to itself. */
function treeWith(repo: string, from: string, files: Record<string, string>): string {
  const index = join(repo, "..", "index");
  const env = { ...process.env, GIT_INDEX_FILE: index };
  const git = (args: string[], input = "") =>
    execFileSync("git", args, { cwd: repo, env, input, encoding: "utf8" }).trim();
  git(["read-tree", from]);
  for (const [name, text] of Object.entries(files))
    git(["update-index", "--add", "--cacheinfo", `100644,${git(["hash-object", "-w", "--stdin"], text)},${name}`]);
  const tree = git(["write-tree"]);
  rmSync(index);
  return tree;
}

function loseObject(repo: string): void {
  const oid = runGit(repo, "rev-parse", "owt/runs/r1^2");
  rmSync(join(repo, ".git", "objects", oid.slice(0, 2), oid.slice(2)));
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
