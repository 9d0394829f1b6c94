/** Checks submodules out in a worktree, and those in them: as `git submodule update --init --recursive` would, but from what is here. The
 *  commits come from the main checkout's own copy of a submodule, from this repository where they are kept, from another worktree, and only
 *  where none of them has one over the network. */
import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { OwtError } from "../core/errors.ts";
import { type Declared, readDeclared } from "./declared-modules.ts";
import { fetchSubmodule } from "./fetch.ts";
import { git, type Oid, type Place } from "./git.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { adminIds, type Head, lstatInside } from "./place.ts";
import type { Repo } from "./repo.ts";
import { isSeed, seedModule } from "./seed-module.ts";
import { readStatus } from "./status.ts";
import { findCheckout, KEPT_BRANCH, readModuleHead } from "./submodules.ts";
import { shellWord } from "../lib/printable.ts";

export type BringOptions = {
  /** Whether a submodule that this repository was never told about (`git submodule init`) is taken from where `.gitmodules` says. Only where
   *  a person asked for the worktree: in a run an agent may have written it. */
  asked: boolean;
  /** What becomes of one that is checked out already. Default: it stays as it is. "ours": nobody works there, so it is put exactly at its
   *  commit. A commit that the checkout came from: where it stands clean and detached at what that one said, it goes along; one that was
   *  not checked out stays so, unless it is new. */
  present?: "ours" | { from: Oid };
  signal?: AbortSignal;
};

/** Where a submodule's commit was found. */
export type Origin = "here" | "checkout" | "kept" | "worktree" | "remote";

export type Brought = {
  /** Those that were checked out or moved, by their path from the worktree's top. */
  done: { path: string; commit: Oid; from: Origin }[];
  /** Those that were not, and what helps; `isThere` where it is checked out at another commit. */
  left: { path: string; isThere: boolean; why: string; hint: string }[];
};

/** Why one submodule stays as it is. It goes no further than {@link Brought}. */
class NotToBeHad extends Error {}

/** How long a submodule may take to come over the network. */
const FETCH_MS = 600_000;
/** Of other worktrees. */
const MOST_NEIGHBOURS = 3;

/** Repeatable. A submodule that cannot be brought is no reason to do without the worktree: it is among `left`. No process where the worktree
 *  has no `.gitmodules`. */
export async function bringSubmodules(repo: Repo, place: Place, commit: Oid, options: BringOptions): Promise<Brought> {
  const brought: Brought = { done: [], left: [] };
  if (!existsSync(join(place.root, ".gitmodules"))) return brought;
  const neighbours = adminIds(repo).map((id) => join(repo.commonDir, "worktrees", id));
  const sources = { main: repo.commonDir, neighbours: neighbours.filter((gitDir) => gitDir !== place.gitDir) };
  await bringAll({ repo, place, commit, prefix: "", sources, options, brought });
  return brought;
}

/** A checkout and its submodules: the repository's, or one of them with those in it. */
type Level = {
  repo: Repo;
  place: Place;
  commit: Oid;
  prefix: string;
  /** Git directories of the same repository in other checkouts. */
  sources: { main: string; neighbours: readonly string[] };
  options: BringOptions;
  brought: Brought;
};

async function bringAll(level: Level): Promise<void> {
  const { place, commit, options, brought, prefix } = level;
  let declared = await readDeclared(place, commit);
  if (options.asked && declared.some(isUntold)) {
    await initialise(level, declared.filter(isUntold));
    declared = await readDeclared(place, commit);
  }
  for (const each of declared) {
    if (each.wanted === "no") continue;
    const path = prefix + each.path;
    try {
      await bringOne(level, each, path);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof OwtError) && !(error instanceof NotToBeHad)) throw error;
      const why = error.message.split("\n").at(-1)!;
      const isThere = findCheckout(place.root, each.path) !== null && hasIndex(level, each);
      brought.left.push({ path, isThere, why, hint: updateCommand(level, each) });
    }
  }
}

function isUntold({ wanted, url }: Declared): boolean {
  return wanted === "unknown" || (wanted === "yes" && url === null);
}

function hasIndex({ place }: Level, { name }: Declared): boolean {
  return existsSync(join(place.gitDir, "modules", name, "index"));
}

function updateCommand({ place }: Level, { path }: Declared): string {
  return `git -C ${shellWord(place.root)} submodule update --init --recursive -- ${shellWord(path)}`;
}

/** git works out where relative ones are, and writes that down. Its lock is not waited for, so we wait. */
async function initialise({ repo, place }: Level, declared: readonly Declared[]): Promise<void> {
  const args = ["submodule", "--quiet", "init", "--", ...declared.map(({ path }) => path)];
  await oneAtATime(`${repo.commonDir} init`, async () => {
    for (let tries = 1; tries <= INIT_TRIES; tries++) {
      if ((await git(place, args, { ok: [0, 1, 4, 128, 255] })).code === 0) return;
      await wait(tries * INIT_WAIT_MS);
    }
  });
}

const INIT_TRIES = 8;
const INIT_WAIT_MS = 20;

async function bringOne(level: Level, declared: Declared, path: string): Promise<void> {
  const { repo, place, sources, brought } = level;
  const { name, commit } = declared;
  const gitDir = join(place.gitDir, "modules", name);
  const module: Place = { gitDir, commonDir: gitDir, root: join(place.root, declared.path) };
  const below = {
    main: join(sources.main, "modules", name),
    neighbours: sources.neighbours.map((each) => join(each, "modules", name)).filter(isWhole),
  };
  const found = findCheckout(place.root, declared.path);
  const isThere = found !== null && existsSync(join(found.gitDir, "index"));
  const from = typeof level.options.present === "object" ? level.options.present.from : null;
  const before = from === null ? null : await linkAt(place, from, declared.path);
  if (isThere && (found.gitDir !== gitDir || !(await follow(level, declared, path, module, before)))) return;
  if (!isThere && before !== null) return;
  if (!isThere) {
    const seed = findSeed(repo, below.main, declared.path, path === declared.path);
    if (declared.wanted === "unknown" && seed === null) {
      const hint = `once, in the main checkout: git submodule update --init --recursive -- ${declared.path}`;
      brought.left.push({ path, isThere: false, why: "this repository was not told to have it", hint });
      return;
    }
    claimFolder(place.root, declared.path);
    await seedModule(place, {
      gitDir,
      root: module.root,
      source: seed,
      url: declared.url,
      sha256: repo.objectFormat === "sha256",
    });
    const origin = await checkOut(level, declared, module, seed !== null, below.neighbours);
    brought.done.push({ path, commit, from: origin });
  }
  if (!existsSync(join(module.root, ".gitmodules"))) return;
  const { present, ...options } = level.options;
  const inner = present === "ours" ? { present } : before === null ? {} : { present: { from: before } };
  await bringAll({
    ...level,
    place: module,
    commit,
    prefix: `${path}/`,
    sources: below,
    options: { ...options, ...inner },
  });
}

/** It is checked out, so that its fetch has ended: before that its objects are there, and nothing says which remote has them. */
function isWhole(gitDir: string): boolean {
  return isSeed(gitDir) && existsSync(join(gitDir, "index"));
}

/** The main checkout's own copy: where git keeps it, or, of an old one, in its folder. */
function findSeed(repo: Repo, kept: string, path: string, isTop: boolean): string | null {
  if (isSeed(kept)) return kept;
  const embedded = join(repo.root, path, ".git");
  const isFolder = isTop && lstatInside(repo.root, `${path}/.git`)?.isDirectory() === true;
  return isFolder && isSeed(embedded) ? embedded : null;
}

/** An empty folder of the worktree's own; git makes one with the checkout. Never through a symbolic link. */
function claimFolder(root: string, path: string): void {
  let full = root;
  for (const part of path.split("/")) {
    full = join(full, part);
    const stat = lstatSync(full, { throwIfNoEntry: false });
    if (stat === undefined) mkdirSync(full);
    else if (!stat.isDirectory()) throw new NotToBeHad(`something else is at ${full}`);
  }
  if (readdirSync(full).some((name) => name !== ".git")) {
    // Files of ours that were cut off stand beside a `.git`; anything else is somebody's.
    if (existsSync(join(full, ".git"))) return;
    throw new NotToBeHad(`files are in the way in ${full}`);
  }
}

/** From the nearest place that has the commit. */
async function checkOut(
  { repo, options }: Level,
  declared: Declared,
  module: Place,
  isSeeded: boolean,
  neighbours: readonly string[],
): Promise<Origin> {
  const { commit } = declared;
  writeFileSync(join(module.root, ".git"), `gitdir: ${relative(module.root, module.gitDir)}\n`);
  if (isSeeded && (await standModule(module, commit))) return "checkout";
  if ((await takeKept(repo, module, commit)) && (await standModule(module, commit))) return "kept";
  if (!isSeeded && (await standModule(module, commit))) return "here";
  for (const neighbour of neighbours.slice(0, MOST_NEIGHBOURS)) {
    if ((await takeFrom(module, neighbour, ...borrow(commit), ...REMOTES)) && (await standModule(module, commit)))
      return "worktree";
  }
  await fetchCommit(declared, module, isSeeded, options.signal);
  if (await standModule(module, commit)) return "remote";
  throw new NotToBeHad(`${commit.slice(0, 12)} is not to be had`);
}

/** Puts an empty folder at a commit; false where the submodule does not have it. `update-ref` refuses a commit that is not there, and the
 *  index is what is written last. */
async function standModule(module: Place, commit: Oid): Promise<boolean> {
  try {
    await git(module, ["read-tree", "--reset", "-u", "--no-sparse-checkout", commit], {
      before: ["update-ref", "--no-deref", "-m", "owt: checkout", "HEAD", commit],
    });
    return true;
  } catch (error) {
    if (!(error instanceof OwtError) || error.code !== "tool-failed") throw error;
    // It is there: then it is something else that went wrong.
    if (await hasCommit(module, commit)) throw error;
    return false;
  }
}

/** Whether a submodule that is checked out has a commit, or gets it from where it is kept, or from its remote. */
export async function findAnywhere(repo: Repo, module: Place, commit: Oid): Promise<boolean> {
  if ((await hasCommit(module, commit)) || (await takeKept(repo, module, commit))) return true;
  await fetchSubmodule(module, "origin", [], AbortSignal.timeout(FETCH_MS)).catch(() => null);
  return hasCommit(module, commit);
}

/** Whether a submodule has a commit already. */
async function hasCommit(module: Place, commit: Oid): Promise<boolean> {
  return (await git(module, ["cat-file", "-e", `${commit}^{commit}`], { ok: [0, 1, 128] })).code === 0;
}

/** Commits that only this repository has: those of earlier tasks, and of worktrees that are gone. */
async function takeKept(repo: Repo, module: Place, commit: Oid): Promise<boolean> {
  if ((await repo.live.info(commit))?.type !== "commit") return false;
  return takeFrom(module, repo.commonDir, `+${commit}:refs/heads/${KEPT_BRANCH}`);
}

/** From another copy on this machine: that it is there does not say that any remote has it. */
function borrow(commit: Oid): string[] {
  return [`+${commit}:refs/owt/borrowed/${commit}`];
}

/** What remotes had when the other copy was last fetched. Nothing is taken back to what was before. */
const REMOTES = ["refs/remotes/*:refs/remotes/*", "refs/owt/brought/*:refs/owt/brought/*"];

/** git checks every object that it takes in. */
async function takeFrom(module: Place, source: string, ...specs: string[]): Promise<boolean> {
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"];
  const args = ["-c", "protocol.version=2", ...fetch, "--upload-pack=git-upload-pack", "--", source, ...specs];
  // 1 is said where a ref of remotes is further on here; the rest has come.
  return [0, 1].includes((await git(module, args, { ok: [0, 1, 128] })).code);
}

/** First what its remote has on branches, then the commit itself: not every server gives that. */
async function fetchCommit(
  { commit, url, shallow }: Declared,
  module: Place,
  isSeeded: boolean,
  leave: AbortSignal | undefined,
): Promise<void> {
  if (url === null && !isSeeded) throw new NotToBeHad("nothing is configured to fetch it from");
  const late = AbortSignal.timeout(FETCH_MS);
  const signal = leave === undefined ? late : AbortSignal.any([leave, late]);
  const exact = `+${commit}:refs/owt/brought/${commit}`;
  const isShallow = shallow && !isSeeded;
  const ways = isShallow ? [["--depth=1", exact], []] : [[], [exact]];
  let said = "";
  for (const way of ways) {
    let fetched;
    try {
      fetched = await fetchSubmodule(module, "origin", way, signal);
    } catch (error) {
      leave?.throwIfAborted();
      if (!late.aborted) throw error;
      throw new NotToBeHad(`no answer within ${FETCH_MS / 1_000} s`);
    }
    if (await hasCommit(module, commit)) return;
    said = fetched.fetched ? said : fetched.said;
  }
  const why = said.split("\n").findLast((line) => /^(fatal|error): /.test(line)) ?? said.split("\n")[0];
  throw new NotToBeHad(why || `its remote does not have ${commit.slice(0, 12)}`);
}

/** One that is checked out already goes along where it may. False where it is not at its commit afterwards, so that what is in it is not
 *  looked at either. */
async function follow(
  level: Level,
  declared: Declared,
  path: string,
  module: Place,
  before: Oid | null,
): Promise<boolean> {
  const { options, brought } = level;
  const { commit } = declared;
  const head = await readModuleHead(module);
  if (options.present === "ours") {
    await git(module, ["reset", "--hard", "--quiet"]);
    await git(module, ["clean", "-ffdq"]);
  }
  if (head.oid === commit && (head.branch === null || options.present !== "ours")) return true;
  if (options.present === undefined) return false;
  if (options.present !== "ours") {
    // Where its link did not move, it is as somebody left it.
    if (before === commit) return false;
    const stays = await whyNotMoved(declared, module, head, before);
    if (stays !== null) {
      brought.left.push({ path, isThere: true, why: stays, hint: updateCommand(level, declared) });
      return false;
    }
  }
  const from = await findCommit(level, declared, module);
  const reset = options.present === "ours" ? ["--reset", "-u"] : ["-m", "-u", "HEAD"];
  await git(module, ["read-tree", ...reset, commit]);
  await git(module, ["update-ref", "--no-deref", "-m", "owt: checkout", "HEAD", commit]);
  brought.done.push({ path, commit, from });
  return true;
}

async function findCommit({ repo, sources, options }: Level, declared: Declared, module: Place): Promise<Origin> {
  const { commit, name } = declared;
  if (await hasCommit(module, commit)) return "here";
  const main = join(sources.main, "modules", name);
  if (isSeed(main) && (await takeFrom(module, main, ...borrow(commit), ...REMOTES))) return "checkout";
  if (await takeKept(repo, module, commit)) return "kept";
  await fetchCommit(declared, module, false, options.signal);
  return "remote";
}

async function linkAt(place: Place, commit: Oid, path: string): Promise<Oid | null> {
  const { stdout } = await git(place, ["ls-tree", "-z", "--full-tree", commit, "--", path]);
  return /^160000 commit ([0-9a-f]+)\t/.exec(stdout)?.[1] ?? null;
}

async function whyNotMoved(
  { update }: Declared,
  module: Place,
  head: Head,
  before: Oid | null,
): Promise<string | null> {
  if (update !== "checkout") return `submodule.${update} is how it is updated`;
  if (head.branch !== null) return `it is on its branch ${head.branch}`;
  if (head.oid !== before) return "it stands at another commit than the one that was recorded";
  const { changes, unmerged } = await readStatus(module);
  return changes.length + unmerged.length > 0 ? "it holds uncommitted changes" : null;
}
