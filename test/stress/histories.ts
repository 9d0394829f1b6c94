/** Random histories (edits, new files, deletes, renames of files and folders, modes, links, attributes, submodules, branches upon branches, branches that took the trunk in) are
 *  brought home by the very git verbs that the merge queue uses, in groups of random size. `history-judge.ts` says whether that is what `git merge` gives.
 *
 *    npm run histories -- [--count 200] [--seed N]     exits with 1 on any defect */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { moveRef } from "../../src/git/branch.ts";
import { DEFAULT_IDENTITY } from "../../src/git/commit.ts";
import { closeChain, mergeOnto } from "../../src/git/merge-chain.ts";
import { openRepo, type Repo } from "../../src/git/repo.ts";
import { type Dice, dice } from "../crash/dice.ts";
import { git, judgeHistory, must, type Told } from "./history-judge.ts";

export type Histories = { count: number; merges: number; groups: number; conflicts: number; defects: string[] };

/** Plays so many histories, each in a repository of its own. */
export async function playHistories(options: { count: number; seed: number }): Promise<Histories> {
  const sum: Histories = { count: options.count, merges: 0, groups: 0, conflicts: 0, defects: [] };
  // Durability is not what is looked at here: in memory it takes half the time.
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const below = realpathSync(mkdtempSync(join(place, "owt-histories-")));
  try {
    for (let number = 0; number < options.count; number++) {
      const folder = join(below, String(number));
      const history = makeHistory(folder, dice(options.seed * 1_000 + number));
      const told = await bringHome(history, sum);
      const defects = judgeHistory(history.root, folder, history.base, told);
      sum.defects.push(...defects.map((each) => `seed ${options.seed}, history ${number}: ${each}`));
      rmSync(folder, { recursive: true, force: true });
    }
  } finally {
    rmSync(below, { recursive: true, force: true });
  }
  return sum;
}

type History = { root: string; work: string; base: string; heads: string[]; chance: Dice };

const FOLDERS = ["", "src", "src/deep", "docs", "lib"];
/** How a folder's files are merged, where attributes say so. */
const DRIVERS = ["merge=union", "-merge", "merge=text"];
const NAMES = ["a", "b", "c", "d", "e", "f", "g"];

function makeHistory(folder: string, chance: Dice): History {
  const root = join(folder, "repo");
  mkdirSync(root, { recursive: true });
  must(git(root, "init", "-q", "-b", "main"));
  must(git(root, "config", "user.name", "Ann User"));
  must(git(root, "config", "user.email", "ann@example.com"));
  for (const each of FOLDERS) for (const name of NAMES) put(join(root, each, `${name}.txt`), textOf(`${each}/${name}`));
  put(join(root, "list.txt"), "start\n");
  symlinkSync("a.txt", join(root, "link"));
  put(join(root, ".gitmodules"), '[submodule "mod"]\n\tpath = mod\n\turl = ./mod\n');
  commit(root, "start", moduleAt(0));
  const base = must(git(root, "rev-parse", "HEAD"));
  const work = join(folder, "work");
  must(git(root, "worktree", "add", "-q", "--detach", work, base));
  const heads: string[] = [];
  for (let branch = chance.between(3, 7); branch > 0; branch--) {
    // Some go on from the work of another, as one task does from what it needs.
    const from = heads.length > 0 && chance.chance(0.2) ? heads[chance.between(0, heads.length - 1)]! : base;
    must(git(work, "checkout", "-q", "-f", "--detach", from));
    if (chance.chance(0.3)) setAttributes(work, "", chance);
    // What all add a line to is where attributes tell.
    if (chance.chance(0.5)) appendFileSync(join(work, "list.txt"), `${chance.between(0, 99)}\n`);
    for (let step = chance.between(1, 2); step > 0; step--) change(work, chance);
    heads.push(must(git(work, "rev-parse", "HEAD")));
  }
  return { root, work, base, heads, chance };
}

/** Some of the branches wait; those that come together are closed by one merge. Now and then one takes in what is there before it waits. */
async function bringHome({ root, work, base, heads, chance }: History, sum: Histories): Promise<Told[]> {
  const repo = await openRepo(root);
  const told: Told[] = [];
  const waiting = heads.toSorted(() => chance.roll() - 0.5);
  let tip = base;
  must(git(root, "branch", "owt/runs/r1", base));
  while (waiting.length > 0) {
    if (chance.chance(0.3)) waiting[0] = takeIn(work, waiting[0]!, tip);
    const group = waiting.splice(0, chance.between(1, 4));
    const { last, members, later } = await chain(repo, { root, tip, group }, told);
    waiting.unshift(...later);
    const message = `Bring in ${members}\n\nOwt-Group: ${members}`;
    const candidate = await closeChain(repo, tip, last, { message, identity: DEFAULT_IDENTITY });
    if (!(await moveRef(repo, "refs/heads/owt/runs/r1", tip, candidate))) throw new Error("the branch moved");
    tip = candidate;
    told.push({ stands: tip });
    sum.merges += members;
    if (members > 1) sum.groups++;
  }
  sum.conflicts += told.filter((each) => "head" in each && each.came === "to-conflict").length;
  await repo.close();
  return told;
}

/** As a group of the queue: who conflicts with the tip is out, who conflicts with another of the group is tried again. */
async function chain(
  repo: Repo,
  { root, tip, group }: { root: string; tip: string; group: readonly string[] },
  told: Told[],
): Promise<{ last: string; members: number; later: string[] }> {
  let last = tip;
  let members = 0;
  const later: string[] = [];
  for (const head of group) {
    const merge = { head, worktree: root, message: `merge ${head}\n\nOwt-Task: ${head}` };
    const link = await mergeOnto(repo, last, merge, DEFAULT_IDENTITY);
    told.push({ head, came: "commit" in link ? "in" : "to-conflict" });
    if ("commit" in link) {
      last = link.commit;
      members++;
    } else if (members > 0) later.push(head);
  }
  return { last, members, later };
}

/** The branch with a merge of the run's branch in it, where that meets no conflict. */
function takeIn(work: string, head: string, tip: string): string {
  must(git(work, "checkout", "-q", "-f", "--detach", head));
  if (git(work, "merge", "-q", "--no-edit", tip).status === 0) return must(git(work, "rev-parse", "HEAD"));
  git(work, "merge", "--abort");
  must(git(work, "reset", "-q", "--hard"));
  return head;
}

/** One commit with a few changes of any kind. */
function change(work: string, chance: Dice): void {
  let module: string | null = null;
  for (let each = chance.between(1, 2); each > 0; each--) {
    const files = filesIn(work);
    const file = files[chance.between(0, files.length - 1)];
    const pick = () => join(FOLDERS[chance.between(0, FOLDERS.length - 1)]!, `new-${chance.between(0, 5)}.txt`);
    const kind = chance.between(0, 10);
    if (kind === 10) setAttributes(work, FOLDERS[chance.between(0, FOLDERS.length - 1)]!, chance);
    else if (file === undefined || kind === 0) put(join(work, pick()), textOf(String(chance.roll())));
    else if (kind <= 3) edit(join(work, file), chance);
    else if (kind === 4) rmSync(join(work, file));
    else if (kind <= 6) move(work, file, pick(), chance);
    else if (kind === 7) chmodSync(join(work, file), chance.chance(0.5) ? 0o755 : 0o644);
    else if (kind === 8) moveFolder(work, chance);
    else if (chance.chance(0.5)) module = moduleAt(chance.between(1, 3));
    else {
      rmSync(join(work, "link"), { force: true });
      symlinkSync(chance.chance(0.5) ? "src/b.txt" : "docs", join(work, "link"));
    }
  }
  commit(work, "work", module);
}

function setAttributes(work: string, folder: string, chance: Dice): void {
  put(join(work, folder, ".gitattributes"), `*.txt ${DRIVERS[chance.between(0, DRIVERS.length - 1)]!}\n`);
}

function edit(path: string, chance: Dice): void {
  const lines = readFileSync(path, "utf8").split("\n");
  lines[chance.between(0, lines.length - 1)] = `changed ${chance.between(0, 99)}`;
  writeFileSync(path, lines.join("\n"));
}

function move(work: string, file: string, to: string, chance: Dice): void {
  if (file === to) return;
  mkdirSync(dirname(join(work, to)), { recursive: true });
  renameSync(join(work, file), join(work, to));
  if (chance.chance(0.4)) edit(join(work, to), chance);
}

/** A whole folder takes another name, or the place of one that is there. */
function moveFolder(work: string, chance: Dice): void {
  const from = FOLDERS[chance.between(1, FOLDERS.length - 1)]!;
  const to = `${from}-${chance.between(0, 1)}`;
  if (
    filesIn(work).some((path) => path.startsWith(`${to}/`)) ||
    !filesIn(work).some((path) => path.startsWith(`${from}/`))
  )
    return;
  renameSync(join(work, from), join(work, to));
}

function commit(cwd: string, message: string, module: string | null): void {
  must(git(cwd, "add", "-A"));
  if (module !== null) must(git(cwd, "update-index", "--add", "--cacheinfo", `160000,${module},mod`));
  must(git(cwd, "commit", "-q", "--allow-empty", "-m", message));
}

/** A commit of the submodule, which nobody has here. */
function moduleAt(version: number): string {
  return String(version + 1).repeat(40);
}

/** The regular files of a worktree. */
function filesIn(work: string): string[] {
  return readdirSync(work, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith(".git"))
    .map((entry) => join(entry.parentPath, entry.name).slice(work.length + 1))
    .toSorted();
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function textOf(what: string): string {
  return Array.from({ length: 12 }, (_, line) => `line ${line} of ${what}\n`).join("");
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "200" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  });
  const sum = await playHistories({ count: Number(values.count), seed: Number(values.seed) });
  const { count, merges, groups, conflicts, defects } = sum;
  console.log(`${count} histories (seed ${values.seed}): ${merges} merges, ${groups} groups, ${conflicts} conflicts`);
  console.log(defects.length === 0 ? "each is what git merge gives" : defects.join("\n"));
  process.exitCode = defects.length > 0 ? 1 : 0;
}
