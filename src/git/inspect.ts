/** Looks at what a worktree holds before anything is done to it. Nothing here changes the worktree. */
import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { OwtError } from "../core/errors.ts";
import { isKept, notNear, readRef } from "./branch.ts";
import { readTree } from "./commit.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { oidBytes, readSpecialEntries, type SpecialEntries } from "./index-file.ts";
import { holdsUnknown, type Kind, type Known } from "./known.ts";
import { ownerMark } from "./owner.ts";
import {
  type Head,
  inProgress,
  type InProgress,
  lockReason,
  lstatInside,
  placeAt,
  privateTips,
  readHead,
  unreadableBranch,
} from "./place.ts";
import { type Inside, processesInside } from "./processes.ts";
import type { Repo } from "./repo.ts";
import { readStatus, type Status } from "./status.ts";
import { findCheckout, moduleDirs, readModuleHead } from "./submodules.ts";
import { findUnpublished } from "./unpublished.ts";

export type InspectOptions = {
  /** Refs or commits that count as a safe home for commits. Name the task's own branch here if it stays. */
  keep: readonly string[];
  /** Ignored files and directories that we brought or that are made again (env files, `node_modules`). */
  known?: readonly Known[];
  /** The caller saw, a moment ago and with everything that worked there ended, that the files are exactly those of this commit. */
  seenClean?: Oid;
  /** Commits that the caller made only to try them, and that nobody wants: they need no home. */
  unwanted?: readonly Oid[];
};

/** What would have to be saved, and what forbids touching the worktree. */
export type Holdings = {
  place: Place;
  head: Head;
  /** Its files are gone; only what git has on record is left. */
  gone: boolean;
  /** Tracked files that differ from HEAD, also those that an agent told git to overlook. */
  dirty: string[];
  untracked: string[];
  /** Ignored files, or directories ending in `/`, that hold something not in `known`. */
  ignoredNew: string[];
  /** Ignored folders, with `/` at the end, that are known as what tools make again. */
  madeAgain: string[];
  /** The same, known by nothing but their names. */
  builds: string[];
  unmerged: string[];
  /** The index differs from HEAD. */
  staged: boolean;
  /** Repositories inside the worktree that are no submodules of it, and files where one would be. No commit can hold them. */
  nested: string[];
  /** Its submodules, those in them too, with what would go with them. */
  modules: ModuleHoldings[];
  /** Commits of HEAD that no kept ref contains, and whose patch none contains either. */
  commits: Oid[];
  /** Commits that only this worktree's reflog or state names (amended away, made detached), reachable from no ref. */
  dropped: Oid[];
  /** The lock's reason; null when it is not locked. */
  locked: string | null;
  inProgress: InProgress | null;
  processes: Inside[] | "unknown";
};

/** A submodule's own repository in a worktree: it lies in the worktree's git directory, and goes with that. */
export type ModuleHoldings = Omit<Holdings, "modules" | "locked" | "processes"> & {
  /** From the worktree's top; the module's name where it is not checked out. */
  path: string;
};

/** Reads everything that a removal has to know. Throws `wrong-state` when the repository has no worktree at `path`. */
export async function inspectWorktree(repo: Repo, path: string, options: InspectOptions): Promise<Holdings> {
  const place = placeAt(repo, path);
  const gone = !existsSync(place.root);
  const nameBytes = oidBytes(repo);
  const head = await readHead(repo, place);
  if (head.oid === null) refuseUnreadable(place);
  const isSeenClean =
    options.seenClean !== undefined && options.seenClean === head.oid && !gone && !hidesSomething(place, nameBytes);
  const files = gone ? null : isSeenClean ? NO_FILES : await readFiles(place, options.known ?? [], nameBytes);
  const [commits, dropped] = await Promise.all([
    unkept(repo, head, options.keep),
    findDropped(repo, place, head, options.unwanted ?? []),
  ]);
  const { checkouts, ...held } = files ?? { ...NO_FILES, staged: await isStaged(repo, place, head) };
  const modules = existsSync(join(place.gitDir, "modules"))
    ? await inspectModules(repo, {
        place,
        counterpart: repo.commonDir,
        checkouts,
        // What we brought is at the worktree's own top.
        known: (options.known ?? []).filter((each) => typeof each !== "string"),
        nameBytes,
      })
    : [];
  return {
    place,
    head,
    gone,
    ...held,
    nested: [...held.nested, ...modules.flatMap((each) => each.nested.map((path) => `${each.path}/${path}`))],
    modules,
    commits,
    dropped,
    locked: lockReason(place),
    inProgress: inProgress(place),
    processes: gone ? [] : processesInside(place.root, options.seenClean === undefined ? 0 : LOOK_HOLDS_MS),
  };
}

/** What is taken for a branch without a commit would be told to hold none. */
function refuseUnreadable(place: Place): void {
  const file = unreadableBranch(place);
  if (file === null) return;
  throw new OwtError(
    "wrong-state",
    `git cannot read ${place.root}: the branch that it is on names no commit: ${file}`,
    {
      hint: "mend it, with its files as they are: owt doctor --fix",
    },
  );
}

/** Who goes by what was seen a moment ago, does so here too. */
const LOOK_HOLDS_MS = 100;

/** A reflog names a commit for each step: following HEAD down this far sees an ordinary task's whole history. */
const REFLOG_READS = 64;

type Files = Pick<
  Holdings,
  "dirty" | "untracked" | "ignoredNew" | "madeAgain" | "builds" | "unmerged" | "staged" | "nested"
> & {
  /** Submodules that are checked out. */
  checkouts: { path: string; module: Place }[];
};
const NO_FILES: Files = {
  dirty: [],
  untracked: [],
  ignoredNew: [],
  madeAgain: [],
  builds: [],
  unmerged: [],
  staged: false,
  nested: [],
  checkouts: [],
};

/** A checkout, its submodules as its index has them, and the git directory of the same repository in the main checkout. */
type Above = {
  place: Place;
  counterpart: string;
  checkouts: Files["checkouts"];
  known: readonly Known[];
  nameBytes: number;
};

async function inspectModules(repo: Repo, above: Above): Promise<ModuleHoldings[]> {
  const { place, counterpart, checkouts } = above;
  const top = join(place.gitDir, "modules");
  const all: ModuleHoldings[] = [];
  for (const gitDir of moduleDirs(top)) {
    const name = relative(top, gitDir);
    const checkout = checkouts.find(({ module }) => module.gitDir === gitDir);
    const module = checkout?.module ?? { gitDir, commonDir: gitDir, root: gitDir };
    all.push(...(await inspectModule(repo, above, join(counterpart, "modules", name), checkout?.path ?? name, module)));
  }
  return all;
}

async function inspectModule(
  repo: Repo,
  { checkouts: around, known, nameBytes }: Above,
  counterpart: string,
  path: string,
  module: Place,
): Promise<ModuleHoldings[]> {
  const gone = !around.some((each) => each.module === module);
  try {
    const { checkouts, ...files } = gone ? NO_FILES : await readFiles(module, known, nameBytes);
    const held: ModuleHoldings = {
      path,
      place: module,
      head: await readModuleHead(module),
      gone,
      ...files,
      ...(await findUnpublished(repo, module, counterpart)),
      inProgress: inProgress(module),
    };
    const inner = await inspectModules(repo, { place: module, counterpart, checkouts, known, nameBytes });
    return [held, ...inner.map((each) => ({ ...each, path: `${path}/${each.path}` }))];
  } catch (error) {
    if (!(error instanceof OwtError) || error.code !== "tool-failed") throw error;
    // What cannot be looked into is left alone.
    const head = { branch: null, oid: null };
    const { checkouts: _, ...files } = NO_FILES;
    return [{ path, place: module, head, gone, ...files, nested: ["."], commits: [], dropped: [], inProgress: null }];
  }
}

async function readFiles(place: Place, known: readonly Known[], nameBytes: number): Promise<Files> {
  // A worktree whose creation was interrupted has no index yet: it is compared with HEAD through one of our own.
  const isHalfMade = !existsSync(join(place.gitDir, "index"));
  if (!isHalfMade) {
    // A submodule that stands elsewhere than its link says is a change that nobody committed.
    const links = existsSync(join(place.gitDir, "modules"));
    const [status, special] = await Promise.all([
      readStatus(place, { ignored: true, links }),
      readSpecial(place, nameBytes),
    ]);
    return sortFiles(place, status, special, known);
  }
  const index = join(place.gitDir, `index.owt-${ownerMark()}`);
  try {
    await git(place, ["read-tree", "HEAD"], { index, ok: [0, 128] });
    const status = await readStatus(place, { ignored: true, index });
    // What the checkout did not get to is not a deletion.
    status.changes = status.changes.filter(({ y }) => y !== "D");
    return sortFiles(place, status, { overlooked: [], links: [] }, known);
  } finally {
    await rm(index, { force: true });
  }
}

/** What `status` would have been silent about is not seen either. */
function hidesSomething(place: Place, nameBytes: number): boolean {
  const special = readSpecialEntries(join(place.gitDir, "index"), nameBytes);
  return special === null || special.overlooked.length + special.links.length > 0;
}

type Special = SpecialEntries;

/** Index entries that `status` is silent about: marked skip-worktree or assume-unchanged, and submodules. */
async function readSpecial(place: Place, nameBytes: number): Promise<Special> {
  const read = readSpecialEntries(join(place.gitDir, "index"), nameBytes);
  if (read !== null)
    return { ...read, overlooked: read.overlooked.filter((path) => lstatInside(place.root, path) !== null) };
  const special: Special = { overlooked: [], links: [] };
  const { stdout } = await git(place, ["ls-files", "-v", "-s", "-z"]);
  for (const line of fieldsOf(stdout)) {
    const isLink = line.startsWith("160000 ", 2);
    if (!isLink && line.startsWith("H ")) continue;
    const path = line.slice(line.indexOf("\t") + 1);
    if (isLink) special.links.push(path);
    else if (/^[Sa-z] /.test(line) && lstatInside(place.root, path) !== null) special.overlooked.push(path);
  }
  return special;
}

function sortFiles(place: Place, status: Status, special: Special, known: readonly Known[]): Files {
  const changed = status.changes.map(({ path }) => path);
  const links = special.links.filter((path) => holdsAnything(join(place.root, path)));
  const clones = status.untracked.filter((path) => path.endsWith("/"));
  const checkouts = [...links, ...clones].flatMap((path) => {
    const module = findCheckout(place.root, path.replace(/\/$/, ""));
    const isOurs = module?.gitDir.startsWith(join(place.gitDir, "modules") + sep) === true;
    return isOurs ? [{ path, module }] : [];
  });
  const isCheckout = new Set(checkouts.map(({ path }) => path));
  const kinds: Kind[] = [];
  const ignoredNew = status.ignored.filter((path) => holdsUnknown(place.root, path, known, kinds));
  const of = (kind: Kind["kind"]) => [
    ...new Set(kinds.filter((each) => each.kind === kind).map(({ folder }) => folder)),
  ];
  return {
    dirty: [...new Set([...changed, ...special.overlooked])],
    untracked: status.untracked.filter((path) => !path.endsWith("/")),
    ignoredNew,
    madeAgain: of("tools"),
    builds: of("build"),
    unmerged: status.unmerged.map(({ path }) => path),
    staged: status.unmerged.length > 0 || status.changes.some(({ x }) => x !== "."),
    nested: [...links, ...clones].filter((path) => !isCheckout.has(path)),
    checkouts: checkouts.map(({ path, module }) => ({ path: path.replace(/\/$/, ""), module })),
  };
}

/** A submodule that is checked out, or files written where one would be: `status` tells of neither. */
function holdsAnything(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch {
    return false;
  }
}

async function isStaged(repo: Repo, place: Place, head: Head): Promise<boolean> {
  if (!existsSync(join(place.gitDir, "index"))) return false;
  const tree = await git({ ...place, root: place.gitDir }, ["write-tree"], { ok: [0, 128] });
  return tree.code !== 0 || head.oid === null || tree.stdout.trim() !== (await readTree(repo, head.oid));
}

async function unkept(repo: Repo, head: Head, keep: readonly string[]): Promise<Oid[]> {
  if (head.oid === null) return [];
  const tips: Oid[] = [];
  for (const name of keep) {
    const oid = /^[0-9a-f]{40,64}$/.test(name) ? name : await readRef(repo, name);
    if (oid !== null) tips.push(oid);
  }
  if (await isKept(repo, head.oid, tips)) return [];
  const listed = await git(repo, ["rev-list", head.oid, "--not", ...tips]);
  const commits = new Set(listed.stdout.split("\n").filter(Boolean));
  for (const tip of tips) {
    const { stdout } = await git(repo, ["cherry", tip, head.oid]);
    for (const [, oid] of stdout.matchAll(/^- ([0-9a-f]+)$/gm)) commits.delete(oid!);
  }
  return [...commits];
}

/** Ordinarily everything the reflog names lies right below HEAD, and no process is needed to see it. */
async function findDropped(repo: Repo, place: Place, head: Head, unwanted: readonly Oid[]): Promise<Oid[]> {
  let tips = privateTips(place).filter((oid) => !unwanted.includes(oid));
  if (head.oid !== null) tips = await notNear(repo, tips, head.oid, REFLOG_READS);
  const commits: Oid[] = [];
  for (const oid of tips) if ((await repo.live.info(oid))?.type === "commit") commits.push(oid);
  if (commits.length === 0) return [];
  const except = head.oid === null ? [] : [`^${head.oid}`];
  // A ref that names nothing keeps nothing, and nobody from being judged.
  const { stdout } = await git(repo, ["rev-list", "--ignore-missing", "--stdin", "--not", "--all"], {
    input: `${[...commits, ...except].join("\n")}\n`,
  });
  const unreachable = new Set(stdout.split("\n").filter(Boolean));
  const lost = commits.filter((oid) => unreachable.has(oid));
  if (lost.length < 2) return lost;
  const independent = await git(repo, ["merge-base", "--independent", ...lost]);
  return independent.stdout.split("\n").filter(Boolean);
}
