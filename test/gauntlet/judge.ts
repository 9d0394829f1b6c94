/** Looks at a night with git and /proc, and at what `owt report` and `owt inbox` said of it (`notes/`), and says what came of each task. It imports nothing
 *  from src/: it must not believe what the program believes.
 *
 *    node test/gauntlet/judge.ts DIR      prints the verdict as JSON; exits with 1 where there is a defect */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Night } from "./night.ts";
import type { Expectation } from "./scene.ts";

export type Row = {
  task: string;
  does: string;
  expected: string;
  happened: string;
  /** What is not as it must be. */
  defects: string[];
};

export type Verdict = {
  rows: Row[];
  /** What is no one task's. */
  defects: string[];
  counts: {
    tasks: number;
    integrated: number;
    parked: number;
    commits: number;
    greenCommits: number;
    words: number;
    lost: number;
    twice: number;
    orphans: number;
  };
};

type Reported = {
  id: string;
  state: string;
  why?: string;
  commit: string | null;
  verified: boolean;
  attempts: { outcome_kind: string | null; outcome: string }[];
  /** Checks of its work that were red and then green on the same tree. */
  flaky: number;
};
type Waiting = { task: string; why: string; command: string };
/** `home` is the commit by which the branch came to hold it: itself, or the merge around several. */
type Merge = { oid: string; home: string; parents: string[]; task: string };

type Evidence = {
  expect: Expectation;
  night: Night;
  tasks: Reported[];
  waiting: Waiting[];
  merges: Merge[];
  /** What agents noted that they had written: task and word, in that order. */
  words: [task: string, word: string][];
  /** Words that some ref reaches, and those that the run's branch reaches. */
  kept: ReadonlySet<string>;
  home: ReadonlySet<string>;
};

/** A process that was told to end by the end of a pipe needs a moment for it. */
const DYING_MS = 3_000;

/** Looks at the night of `dir` once nothing of it should be running any more. */
export async function judge(dir: string, dyingMs: number = DYING_MS): Promise<Verdict> {
  const notes = join(dir, "notes");
  const expect = readJson<Expectation>(join(notes, "expect.json"));
  const orphans = await findProcesses(dir, dyingMs);
  const words = readWords(join(notes, "words"));
  const branch = `owt/runs/${expect.run}`;
  const all = words.map(([, word]) => word);
  const evidence: Evidence = {
    expect,
    night: readJson<Night>(join(notes, "night.json")),
    tasks: readJson<{ data: { report: { tasks: Reported[] } } }>(join(notes, "report.json")).data.report.tasks,
    waiting: readJson<{ data: { waiting: Waiting[] } }>(join(notes, "inbox.json")).data.waiting,
    merges: readMerges(expect, branch),
    words,
    kept: findWords(expect, ["--all"], all),
    home: findWords(expect, [branch], all),
  };
  const { merges, kept, night } = evidence;
  const rows = expect.tasks.map((task) => judgeTask(evidence, task));
  const red = findRed(expect, merges);
  const stood = new Set(merges.map(({ home }) => home)).size;
  const lost = words.filter(([, word]) => !kept.has(word));
  const twice = merges.filter(({ task }, at) => merges.findIndex((each) => each.task === task) !== at);
  const defects = [
    ...judgeNight(night, expect),
    ...judgeBranch(expect, merges),
    ...red,
    ...lost.map(([task, word]) => `lost: ${word} of ${task} is in no ref`),
    ...twice.map(({ task, oid }) => `${task} is integrated twice, at last in ${oid}`),
    ...orphans.map((each) => `orphan process: ${each}`),
    ...findStrayPlaces(expect),
    ...findResidue(expect),
    ...findDamage(expect),
    ...night.touched.map((each) => `the user's checkout: ${each}`),
    ...findStrays(expect, branch),
  ];
  return {
    rows,
    defects,
    counts: {
      tasks: rows.length,
      integrated: new Set(merges.map(({ task }) => task)).size,
      parked: expect.tasks.filter(({ ending }) => ending.is !== "integrated").length,
      commits: stood,
      greenCommits: stood - red.length,
      words: words.length,
      lost: lost.length,
      twice: twice.length,
      orphans: orphans.length,
    },
  };
}

/** Whether a verdict holds no defect. */
export function isSound({ rows, defects }: Verdict): boolean {
  return defects.length === 0 && rows.every((row) => row.defects.length === 0);
}

function judgeTask(evidence: Evidence, task: Expectation["tasks"][number]): Row {
  const { tasks, merges } = evidence;
  const reported = tasks.find(({ id }) => id === task.id);
  const row = { task: task.id, does: task.does, expected: task.ending.is };
  if (!reported) return { ...row, happened: "nothing", defects: ["is not in the report"] };
  const kinds = reported.attempts.map(({ outcome_kind }) => outcome_kind ?? "open");
  const mine = merges.filter((merge) => merge.task === task.id);
  const isHome = task.ending.is === "integrated";
  const defects = [
    ...(isHome ? judgeHome(evidence, reported, mine) : judgeNotHome(evidence, reported, task.ending, mine)),
    ...missing([...kinds, ...Array<string>(reported.flaky).fill("flaky")], task.shows).map(
      (kind) => `did not happen: ${kind}`,
    ),
  ];
  const tries = kinds.length === 0 ? "" : ` (${kinds.join(", ")})`;
  const why = reported.why === undefined || reported.why === "" ? "" : `: ${reported.why.split("\n", 1)[0]}`;
  return { ...row, happened: `${reported.state}${why}${tries}`, defects };
}

function judgeHome(evidence: Evidence, reported: Reported, merges: Merge[]): string[] {
  const { words, home } = evidence;
  const last = words.findLast(([task]) => task === reported.id);
  return [
    ...(reported.state === "done" ? [] : [`is ${reported.state}`]),
    ...(reported.verified ? [] : ["is not verified"]),
    ...(merges.length > 0 ? [] : ["no commit of the run's branch has its name"]),
    ...(merges.some(({ home }) => home === reported.commit) ? [] : [`the report names the commit ${reported.commit}`]),
    ...(last === undefined || home.has(last[1]) ? [] : [`its last word ${last[1]} did not come home`]),
    ...(last === undefined ? ["its agent wrote nothing"] : []),
  ];
}

function judgeNotHome(
  { waiting }: Evidence,
  reported: Reported,
  ending: Expectation["tasks"][number]["ending"],
  merges: Merge[],
): string[] {
  if (ending.is === "integrated") return [];
  const state = ending.is === "failed" ? "failed" : ending.is === "skipped" ? "skipped" : "pending";
  const why = reported.why ?? "";
  const shown = waiting.find(({ task }) => task === reported.id);
  const isShown = ending.is === "parked" || ending.is === "failed";
  return [
    ...(reported.state === state ? [] : [`is ${reported.state}`]),
    ...(merges.length === 0 ? [] : ["is in the run's branch"]),
    ...(new RegExp(ending.why).test(why) ? [] : [`says why: ${why || "nothing"}`]),
    ...(isShown && shown === undefined ? ["is not in the inbox"] : []),
    ...(isShown && shown !== undefined && !new RegExp(ending.why).test(shown.why)
      ? [`the inbox says ${shown.why}`]
      : []),
    ...(isShown && shown !== undefined && !new RegExp(ending.command).test(shown.command)
      ? [`the inbox names the command ${shown.command}`]
      : []),
    ...(!isShown && shown !== undefined ? ["is in the inbox, where another one stands for it"] : []),
  ];
}

/** What of `wanted` is not in `found`, each as often as it is wanted. What ends while the disk is full is told as that, whatever it was. */
function missing(found: readonly string[], wanted: readonly string[]): string[] {
  const rest = [...found];
  const lacking = wanted.filter((each) => {
    const at = rest.findIndex((kind) => each.split("|").includes(kind));
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return lacking.slice(rest.filter((each) => each === "disk_full").length);
}

/** Whether the night was one at all. */
function judgeNight(night: Night, expect: Expectation): string[] {
  return [
    ...(night.exitCode === expect.exitCode ? [] : [`owt ended with ${night.exitCode}, not with ${expect.exitCode}`]),
    ...(night.kills === 2 ? [] : [`did not happen: owt was killed ${night.kills} times`]),
    ...(night.killedAgent ? [] : ["did not happen: no agent was killed"]),
    ...(night.answered ? [] : ["did not happen: no question was answered"]),
    ...(night.acts >= 6 ? [] : [`did not happen: the user did ${night.acts} of 6 things`]),
  ];
}

/** The integrations in the run's branch, the oldest first: those of its first-parent line, and those that a merge around several took in. */
function readMerges(expect: Expectation, branch: string): Merge[] {
  return readLine(expect, `${expect.base}..${branch}`).flatMap((row) => {
    const [before = "", last = ""] = row.parents;
    const inside = row.isGroup ? readLine(expect, `${before}..${last}`) : [row];
    return inside.map((merge) => ({ ...merge, home: row.oid }));
  });
}

/** A first-parent line, the oldest first. */
function readLine(expect: Expectation, range: string): (Omit<Merge, "home"> & { isGroup: boolean })[] {
  const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;
  const format = `--format=${["%H", "%P", trailer("Owt-Task"), trailer("Owt-Group")].join("%x09")}`;
  return lines(git(expect, "log", "--first-parent", "--reverse", format, range)).map((row) => {
    const [oid = "", parents = "", task = "", group = ""] = row.split("\t");
    return { oid, parents: parents.split(" "), task, isGroup: group !== "" && task === "" };
  });
}

/** Each commit is the integration of a task that there is. */
function judgeBranch(expect: Expectation, merges: readonly Merge[]): string[] {
  const ids = new Set(expect.tasks.map(({ id }) => id));
  return merges
    .filter(({ parents, task }) => parents.length !== 2 || !ids.has(task))
    .map(({ oid, task }) => `${oid} is no integration of one task (${task || "no trailer"})`);
}

/** Checks every commit that the run's branch stood at, each in a checkout of a clone. */
function findRed(expect: Expectation, merges: readonly Merge[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "owt-gauntlet-judge-"));
  try {
    const place = join(folder, "clone");
    run(folder, ["git", "clone", "--quiet", "--shared", "--no-checkout", "--", expect.repo, place]);
    const stood = new Map(merges.map(({ home, task }) => [home, task]));
    return [...stood].flatMap(([oid, task]) => {
      const moved = run(place, ["git", "checkout", "--quiet", "--detach", "--force", oid]);
      run(place, ["git", "clean", "-ffdxq"]);
      if (moved.status !== 0) return [`${oid} (${task}) cannot be checked out: ${moved.stderr.trim()}`];
      const checked = run(place, ["sh", expect.check]);
      return checked.status === 0 ? [] : [`${oid} (${task}) is red: ${checked.stdout.trim()}`];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readWords(path: string): [string, string][] {
  return lines(readFileSync(path, "utf8")).map((line) => line.split(" ", 2) as [string, string]);
}

/** The words that stand in any file of any commit that these revisions reach. */
function findWords(expect: Expectation, revisions: string[], words: readonly string[]): ReadonlySet<string> {
  const listed = git(expect, "rev-list", "--objects", "--no-object-names", ...revisions, "--");
  const options = { cwd: expect.repo, input: listed, maxBuffer: 2 ** 30 };
  const { stdout } = spawnSync("git", ["cat-file", "--batch"], { ...options, env: cleanEnv() });
  return new Set(words.filter((word) => stdout.includes(`${word}\n`)));
}

/** What waits or failed may keep one worktree and its branch; the run has its own while it is open. */
function findStrayPlaces(expect: Expectation): string[] {
  const names = expect.tasks
    .filter(({ ending }) => ending.is === "parked" || ending.is === "failed")
    .map(({ id }) => ({ slug: id.toLowerCase().replaceAll("/", "-"), places: 0, branches: 0 }));
  const strays: string[] = [];
  const ownerOf = (name: string, number: RegExp) =>
    names.find(({ slug }) => name.startsWith(slug) && number.test(name.slice(slug.length)));
  for (const path of listPlaces(expect)) {
    const owner = ownerOf(basename(path), /^-\d+$/);
    if (path === join(expect.worktrees, expect.run)) continue;
    if (owner === undefined || ++owner.places > 1) strays.push(`stray worktree ${path}`);
  }
  for (const name of lines(git(expect, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/"))) {
    if ([expect.target, `owt/runs/${expect.run}`, ...expect.ownBranches].includes(name)) continue;
    const owner = name.startsWith("owt/tasks/") ? ownerOf(name.slice("owt/tasks/".length), /^\/\d+$/) : undefined;
    if (owner === undefined || ++owner.branches > 1) strays.push(`stray branch ${name}`);
  }
  return strays;
}

/** Worktrees that git knows, or that stand where worktrees do. */
function listPlaces(expect: Expectation): string[] {
  const listed = lines(git(expect, "worktree", "list", "--porcelain")).filter((line) => line.startsWith("worktree "));
  const linked = listed.map((line) => line.slice("worktree ".length)).filter((path) => path !== expect.repo);
  return [...new Set([...linked, ...namesIn(expect.worktrees).map((name) => join(expect.worktrees, name))])];
}

/** What an agent wrote into the user's checkout is there still, and in no commit. */
function findStrays(expect: Expectation, branch: string): string[] {
  const held = lines(git(expect, "ls-tree", "-r", "--name-only", branch));
  return expect.strayFiles
    .filter((path) => !existsSync(join(expect.repo, path)))
    .map((path) => `${path}, which an agent wrote into the user's checkout, is gone`)
    .concat(held.filter((path) => path.endsWith("-red.txt")).map((path) => `${path} of another place was committed`));
}

function findResidue(expect: Expectation): string[] {
  const gitDir = join(expect.repo, ".git");
  const kept = ["staging", "trash", "setup"].flatMap((folder) =>
    namesIn(join(gitDir, "owt", folder)).map((name) => `.git/owt/${folder}/${name} is left`),
  );
  const all = readdirSync(gitDir, { recursive: true }).map(String);
  return [...kept, ...all.filter((path) => path.endsWith(".lock")).map((path) => `.git/${path} is a stale lock`)];
}

function findDamage(expect: Expectation): string[] {
  const fsck = run(expect.repo, ["git", "fsck", "--full", "--strict", "--no-dangling", "--no-progress"]);
  return fsck.status === 0 && fsck.stderr === "" ? [] : [`git fsck: ${fsck.stdout}${fsck.stderr}`.trim()];
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

function git(expect: Expectation, ...args: string[]): string {
  return run(expect.repo, ["git", "--no-optional-locks", ...args]).stdout;
}

function run(
  cwd: string,
  [program = "", ...args]: string[],
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, args, { cwd, env: cleanEnv(), encoding: "utf8", maxBuffer: 2 ** 28 });
}

function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, "utf8")) as T;
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
