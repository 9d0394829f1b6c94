/** Judges a finished repository of the crash harness by git and /proc alone. Imports nothing of `src/`: what it judges must not judge
 *  itself. Run as `node test/crash/verdict.ts DIR`; prints the verdict as JSON and exits with 1 on any defect. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Expectation } from "./scenario.ts";

export type Verdict = {
  /** Tasks without a merge on the run's branch. */
  lost: string[];
  /** Tasks with more than one. */
  twice: string[];
  wrongContent: string[];
  orphanProcesses: string[];
  orphanWorktrees: string[];
  orphanBranches: string[];
  /** Whatever else is not as it must be: locks, staging, trash, fsck, the user's checkout. */
  other: string[];
  /** How often each task's agent began its first turn. */
  starts: Record<string, number>;
  /** How often each task's agent played its first turn to the end. */
  ends: Record<string, number>;
  /** Not judged: saved work, and what the killed left in the temporary folder. */
  rescues: number;
  litter: number;
};

/** A process that was told to end by the end of a pipe needs a moment for it. */
const DYING_MS = 3_000;

/** Looks at the repository of `dir` once its run has ended and nothing of it should be left running. */
export async function judge(dir: string, dyingMs: number = DYING_MS): Promise<Verdict> {
  const expect = JSON.parse(readFileSync(join(dir, "expect.json"), "utf8")) as Expectation;
  const orphanProcesses = await findProcesses(dir, dyingMs);
  const branches = lines(git(expect, "for-each-ref", "--format=%(refname:short)", "refs/heads/"));
  const runBranch = branches.find((name) => name.startsWith("owt/runs/"));
  const tip = runBranch ?? expect.target;
  const merges = readMerges(expect, tip);
  const rescues = lines(git(expect, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/owt/rescue/"));
  return {
    lost: expect.tasks.filter((task) => !merges.tasks.includes(task)),
    twice: [...new Set(merges.tasks.filter((task, at) => merges.tasks.indexOf(task) !== at))],
    wrongContent: wrongContent(expect, tip),
    orphanProcesses,
    orphanWorktrees: findWorktrees(expect),
    orphanBranches: branches.filter((name) => name !== expect.target && name !== runBranch),
    other: [
      ...merges.strange,
      ...findUnchecked(expect, merges.trees),
      ...findResidue(expect),
      ...findDamage(expect),
      ...findTouched(expect),
      ...(expect.kept ?? [])
        .filter((name) => !rescues.some((each) => each.startsWith(name)))
        .map((name) => `nothing is saved as ${name}…`),
    ],
    starts: countLog(expect, "start"),
    ends: countLog(expect, "end"),
    rescues: rescues.length,
    litter: namesIn(expect.tmp).length,
  };
}

/** Whether a verdict holds no defect. Agent starts are judged by the harness, which knows what it killed. */
export function isSound(verdict: Verdict): boolean {
  const { lost, twice, wrongContent, orphanProcesses, orphanWorktrees, orphanBranches, other } = verdict;
  return [lost, twice, wrongContent, orphanProcesses, orphanWorktrees, orphanBranches, other].every(
    (found) => found.length === 0,
  );
}

/** The integration merges: each commit of the run's first-parent line must be one, with the trailer of its task, or a merge around several, which lie one
 *  upon the other between its two parents. `trees` are those that the branch stood at. */
function readMerges(expect: Expectation, tip: string): { tasks: string[]; trees: string[]; strange: string[] } {
  const rows = readLine(expect, `${expect.base}..${tip}`);
  const groups = rows.filter((row) => row.group !== "" && row.task === "" && row.parents.length === 2);
  const inside = groups.flatMap(({ parents }) => readLine(expect, parents.join("..")));
  const isMerge = ({ parents, task }: Merge) => parents.length === 2 && task !== "";
  const strange = [...rows.filter((row) => !groups.includes(row)), ...inside].filter((row) => !isMerge(row));
  const torn = groups.filter(({ parents: [, last = ""], tree }) => readLine(expect, `${last}^!`)[0]?.tree !== tree);
  return {
    tasks: rows.flatMap((row) =>
      groups.includes(row)
        ? readLine(expect, row.parents.join("..")).map(({ task }) => task)
        : row.task === ""
          ? []
          : [row.task],
    ),
    trees: rows.filter((row) => isMerge(row) || groups.includes(row)).map(({ tree }) => tree),
    strange: [
      ...strange.map(({ oid }) => `${oid} on ${tip} is no integration of a task`),
      ...torn.map(({ oid }) => `${oid} on ${tip} has another tree than the merges in it`),
    ],
  };
}

type Merge = { oid: string; parents: string[]; tree: string; task: string; group: string };

/** The first-parent line of a range. */
function readLine(expect: Expectation, range: string): Merge[] {
  const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;
  const format = `--format=${["%H", "%P", "%T", trailer("Owt-Task"), trailer("Owt-Group")].join("%x09")}`;
  return lines(git(expect, "log", "--first-parent", format, range)).map((row) => {
    const [oid = "", parents = "", tree = "", task = "", group = ""] = row.split("\t");
    return { oid, parents: parents.split(" ").filter(Boolean), tree, task, group };
  });
}

/** Each tree that was integrated was seen green, and no check looked at a tree that was somebody's work under way. */
function findUnchecked(expect: Expectation, trees: string[]): string[] {
  const log = lines(existsSync(expect.checks) ? readFileSync(expect.checks, "utf8") : "");
  return [
    ...trees.filter((tree) => !log.includes(`green ${tree}`)).map((tree) => `the tree ${tree} was never seen green`),
    ...log.filter((line) => !/^green [0-9a-f]+$/.test(line)),
  ];
}

function wrongContent(expect: Expectation, tip: string): string[] {
  const there = lines(git(expect, "ls-tree", "-r", "--name-only", tip));
  const wrong = Object.entries(expect.files).filter(([path, text]) => git(expect, "show", `${tip}:${path}`) !== text);
  return [
    ...wrong.map(([path]) => `${path} is not what its task wrote`),
    ...expect.never.filter((path) => there.includes(path)).map((path) => `${path} was committed`),
  ];
}

function findWorktrees(expect: Expectation): string[] {
  const listed = lines(git(expect, "worktree", "list", "--porcelain")).filter((line) => line.startsWith("worktree "));
  const linked = listed.map((line) => line.slice("worktree ".length)).filter((path) => path !== expect.repo);
  const files = namesIn(expect.worktrees).map((name) => join(expect.worktrees, name));
  const entries = namesIn(join(expect.repo, ".git", "worktrees")).map((name) => `.git/worktrees/${name}`);
  return [...new Set([...linked, ...files, ...entries])];
}

/** What creation, removal and setup keep for themselves while they are under way, and locks that nobody holds any more. */
function findResidue(expect: Expectation): string[] {
  const gitDir = join(expect.repo, ".git");
  const kept = ["staging", "trash", "setup"].flatMap((folder) =>
    namesIn(join(gitDir, "owt", folder)).map((name) => `.git/owt/${folder}/${name} is left`),
  );
  const all = readdirSync(gitDir, { recursive: true }).map(String);
  return [...kept, ...all.filter((path) => path.endsWith(".lock")).map((path) => `.git/${path} is a stale lock`)];
}

function findDamage(expect: Expectation): string[] {
  const fsck = run(expect.repo, ["fsck", "--full", "--strict", "--no-dangling", "--no-progress"]);
  return fsck.status === 0 && fsck.stderr === "" ? [] : [`git fsck: ${fsck.stdout}${fsck.stderr}`.trim()];
}

/** The user's own checkout and branch. */
function findTouched(expect: Expectation): string[] {
  const touched: string[] = [];
  const head = git(expect, "symbolic-ref", "HEAD").trim();
  if (head !== `refs/heads/${expect.target}`) touched.push(`the user's HEAD is ${head}`);
  const at = git(expect, "rev-parse", expect.target).trim();
  if (at !== expect.base) touched.push(`${expect.target} moved to ${at}`);
  const status = git(expect, "status", "--porcelain");
  if (status !== "") touched.push(`the user's checkout is not clean: ${status}`);
  return touched;
}

/** Every process whose folder, environment or arguments lie in `dir`, after those that are about to end had their moment. */
async function findProcesses(dir: string, dyingMs: number): Promise<string[]> {
  const ends = Date.now() + dyingMs;
  for (;;) {
    const found = namesIn("/proc")
      .filter((name) => /^\d+$/.test(name) && !isOurLine(Number(name)) && belongsTo(name, dir))
      .map((pid) => `${pid} ${readProc(pid, "cmdline").replaceAll("\0", " ").trim()}`);
    if (found.length === 0 || Date.now() > ends) return found;
    await sleep(20);
  }
}

function belongsTo(pid: string, dir: string): boolean {
  const state = readProc(pid, "stat").split(") ").at(-1)?.[0];
  if (state === undefined || state === "Z" || state === "X") return false;
  const cwd = linkOf(`/proc/${pid}/cwd`);
  const words = `${readProc(pid, "cmdline")}\0${readProc(pid, "environ")}`;
  return cwd === dir || cwd.startsWith(dir + sep) || words.includes(dir + sep);
}

/** We and those who started us have the folder's name in our arguments. */
function isOurLine(pid: number): boolean {
  for (let each = process.pid; each > 1;) {
    if (each === pid) return true;
    each = Number(readProc(String(each), "stat").split(") ").at(-1)?.split(" ")[1] ?? 0);
  }
  return false;
}

function countLog(expect: Expectation, what: string): Record<string, number> {
  const counts: Record<string, number> = {};
  const log = existsSync(expect.starts) ? readFileSync(expect.starts, "utf8") : "";
  for (const line of log.split("\n")) {
    const [task = "", word] = line.split(" ");
    if (word === what) counts[task] = (counts[task] ?? 0) + 1;
  }
  return counts;
}

function git(expect: Expectation, ...args: string[]): string {
  return run(expect.repo, args).stdout;
}

function run(cwd: string, args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  return spawnSync("git", ["--no-optional-locks", ...args], { cwd, env, encoding: "utf8" });
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

if (import.meta.main) {
  const verdict = await judge(process.argv[2]!);
  console.log(JSON.stringify(verdict, null, 2));
  process.exitCode = isSound(verdict) ? 0 : 1;
}
