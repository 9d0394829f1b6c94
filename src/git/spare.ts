/** A worktree that is removed and holds nothing but its commit is spared for a moment: the next one is made of its files, and only what differs
 *  is written (a tenth to a fifth of a checkout of 20,000 files, half of one of fifty). Everything of git's own record is made anew; what is taken over are the
 *  files and their index, and those only where nobody could tell them from a fresh checkout. */
import {
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { advanceFiles } from "./advance-files.ts";
import { git, type Oid, type Place } from "./git.ts";
import { oidBytes, readIndexEntries } from "./index-file.ts";
import type { Repo } from "./repo.ts";
import { keepsBytes } from "./usual-repo.ts";

const { S_IFLNK, S_IFMT, S_IFREG } = constants;

/** Files of a removed worktree, in the bin `bin` as `tree`, their index beside them. */
type Spare = { bin: string; commit: Oid; spent: () => void };

/** How many are kept, and how long (ms): each takes as much room as a checkout. */
const MOST = 4;
const KEPT_MS = 10_000;

const spares = new WeakMap<Repo, Spare[]>();

/** Names the commit of the files that a worktree is being made of, in its git directory, while it is. */
export const MADE_OF = "owt-made-of";

/** Keeps what a removal has put into `bin`: the files of a worktree that were exactly those of `commit` when it was taken away. Resolves when the
 *  bin may be emptied: they were used, or nobody wants them any more. */
export function keepSpare(repo: Repo, bin: string, { gitDir }: Place, commit: Oid): Promise<void> {
  try {
    if (!existsSync(join(bin, "tree"))) return Promise.resolve();
    renameSync(join(gitDir, "index"), join(bin, "index"));
  } catch {
    return Promise.resolve();
  }
  const kept = spares.get(repo) ?? [];
  spares.set(repo, kept);
  return new Promise((resolve) => {
    const timer = setTimeout(() => giveUp(spare), KEPT_MS).unref();
    const spent = () => {
      clearTimeout(timer);
      resolve();
    };
    const spare = { bin, commit, spent };
    const giveUp = (old: Spare) => {
      const at = kept.indexOf(old);
      if (at !== -1) kept.splice(at, 1)[0]!.spent();
    };
    kept.push(spare);
    if (kept.length > MOST) giveUp(kept[0]!);
  });
}

/** Nobody wants them any more. */
export function dropSpares(repo: Repo): void {
  for (const { spent } of spares.get(repo)?.splice(0) ?? []) spent();
}

/** Fills a new worktree, which holds its `.git` file alone, with the files of its HEAD by way of a spare. False where there is none that fits:
 *  then it is as it was. */
export async function fillFromSpare(repo: Repo, place: Place): Promise<boolean> {
  const spare = spares.get(repo)?.pop();
  if (spare === undefined) return false;
  try {
    const index = join(spare.bin, "index");
    if (isConverted(repo, index) || !(await isPristine(repo, spare, index))) return false;
    if (!moveIn(place, spare)) return false;
    if (await advance(repo, place, spare)) return true;
    moveOut(place, spare);
    return false;
  } finally {
    spare.spent();
  }
}

/** Brings files and index from the spare's commit to the worktree's own. */
async function advance(repo: Repo, place: Place, { commit }: Spare): Promise<boolean> {
  if (await advanceFiles(repo, place, commit)) {
    rmSync(join(place.gitDir, MADE_OF));
    return true;
  }
  const args = ["read-tree", "-m", "-u", "--no-sparse-checkout", commit, "HEAD"];
  const { code } = await git(place, args, { ok: [0, 1, 128] });
  if (code !== 0 || isConverted(repo, join(place.gitDir, "index"))) return false;
  rmSync(join(place.gitDir, MADE_OF));
  return true;
}

/** Whether attributes or settings convert what is checked out: what somebody wrote there may be other bytes than git would write, and no change all the same. */
function isConverted(repo: Repo, index: string): boolean {
  return !keepsBytes(repo.commonDir) || readFileSync(index).includes(".gitattributes");
}

/** The directory of the worktree becomes that of the spare: its `.git` file goes over, and an empty directory gives way to a rename. False where
 *  it was not empty. The index comes last: without one, what is not there yet is not taken for deleted. */
function moveIn({ gitDir, root }: Place, { bin, commit }: Spare): boolean {
  const tree = join(bin, "tree");
  writeFileSync(join(gitDir, MADE_OF), `${commit}\n`);
  renameSync(join(root, ".git"), join(tree, ".git"));
  try {
    renameSync(tree, root);
  } catch {
    renameSync(join(tree, ".git"), join(root, ".git"));
    rmSync(join(gitDir, MADE_OF));
    return false;
  }
  renameSync(join(bin, "index"), join(gitDir, "index"));
  return true;
}

function moveOut({ gitDir, root }: Place, { bin }: Spare): void {
  const failed = join(bin, "failed");
  renameSync(root, failed);
  mkdirSync(root);
  renameSync(join(failed, ".git"), join(root, ".git"));
  for (const name of ["index", "index.lock", MADE_OF]) rmSync(join(gitDir, name), { force: true });
}

/** Whether a spare holds the files of its index and nothing else, not so much as an empty folder, all with the permissions of new ones. That
 *  their content is the index's was seen when it was removed. */
async function isPristine(repo: Repo, { bin }: Spare, index: string): Promise<boolean> {
  const entries = readIndexEntries(index, oidBytes(repo), Infinity);
  if (entries === null) return false;
  const modes = new Map(entries.map(({ mode, name }) => [name.toString("latin1"), mode]));
  // The permissions of a directory that was just made.
  const wanted: Wanted = { modes, usual: statSync(bin).mode & PERMISSIONS };
  const top = Buffer.from(join(bin, "tree")).toString("latin1");
  return (await countFitting(top, "", wanted)) === modes.size;
}

/** `modes` by path; all paths here are bytes, as latin1. */
type Wanted = { modes: Map<string, string>; usual: number };

const PERMISSIONS = 0o7777;

/** After so many files of one folder everybody else has a turn. */
const AT_ONCE = 500;

/** How many files are in a folder and below it; NaN where something does not fit. */
async function countFitting(top: string, folder: string, wanted: Wanted): Promise<number> {
  const bytes = Buffer.from(`${top}/${folder}`, "latin1");
  if ((lstatSync(bytes).mode & PERMISSIONS) !== wanted.usual) return NaN;
  let count = 0;
  for (const entry of readdirSync(bytes, { withFileTypes: true, encoding: "latin1" })) {
    const path = folder + entry.name;
    if (path === ".git") continue;
    if (entry.isDirectory()) count += (await countFitting(top, `${path}/`, wanted)) || NaN;
    else if (isAsNew(lstatSync(Buffer.from(`${top}/${path}`, "latin1")), wanted.modes.get(path), wanted.usual)) count++;
    else return NaN;
    if (count % AT_ONCE === 0) await setImmediate();
  }
  return count;
}

function isAsNew({ mode, nlink }: Stats, wanted: string | undefined, usual: number): boolean {
  if (nlink !== 1) return false;
  switch (wanted) {
    case "100644":
      return mode === (S_IFREG | (usual & 0o666));
    case "100755":
      return mode === (S_IFREG | (usual & 0o777));
    case "120000":
      return (mode & S_IFMT) === S_IFLNK;
    default:
      return false;
  }
}
