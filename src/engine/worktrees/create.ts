/** Makes worktrees by hand. What is wished for is written down first, so that whoever comes after a kill can take away what there is of it:
 *  a creation that was not finished leaves no branch, no folder and no session. */
import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../../core/errors.ts";
import { checkBranchName } from "../../core/names.ts";
import { branchRef, checkedOutWhere, listRefs, readRef } from "../../git/branch.ts";
import { excludeFolder } from "../../git/exclude.ts";
import { isOwnerAlive, ownerMark } from "../../git/owner.ts";
import { isBeingMade, isHalfMade } from "../../git/half-made.ts";
import { findPlace, resolvePath } from "../../git/place.ts";
import { findStart, followRemote, type StartPoint } from "../../git/start-point.ts";
import { createWorktree, type CreateRefused, type Worktree } from "../../git/worktree.ts";
import { shellWord } from "../../lib/printable.ts";
import { forgetWorktree, readWorktrees, recordMade, recordMaking } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import { endSessionOf } from "../sessions.ts";
import { followMoved } from "./moved.ts";
import { baseDirectory, worktreePath } from "./place.ts";
import { describeMissing, refuseStranger } from "./stranger.ts";
import { makeReady, type ReadyOptions } from "./ready.ts";
import { lstatIfThere } from "../../system/files.ts";
import { clearUnmade } from "./unmade.ts";

export type CreateOptions = ReadyOptions & {
  /** What a new branch starts from. Default: the branch we are on. */
  base: string | null;
  /** Where it is to stand. Default: as the configuration names it. */
  path: string | null;
  /** What is done last, before it counts as made: its session. When that fails, nothing is left. */
  last: (worktree: { path: string; branch: string }) => Promise<void>;
};

export type Created = {
  path: string;
  branch: string;
  /** False where it was there already, and only what was missing was brought. */
  isNew: boolean;
  /** What its branch is compared with; null where the branch was there. */
  base: string | null;
  /** What a new branch began from, in a person's words; null where the branch was there. */
  from: string | null;
  /** The branch is that of a remote, or of a pull request, under its own name here. */
  isOfRemote: boolean;
};

/** Somebody else makes it at this moment. */
class BeingMade extends OwtError {
  readonly path: string;

  constructor(path: string) {
    super("wrong-state", `another owt is making ${path} right now`, { hint: "see: owt list" });
    this.path = path;
  }
}

/** So long another one's making is waited for, and so often looked at. */
const PATIENCE_MS = 600_000;
const LOOK_MS = 100;

/** Makes the worktree of a branch, of a remote's branch or of a pull request (`pr:12`), ready to work in; where another process makes it, what is missing
 *  behind that. Repeatable. Throws with nothing left behind. */
export async function createByHand(engine: Engine, word: string, options: CreateOptions): Promise<Created> {
  for (const ends = performance.now() + PATIENCE_MS; ;) {
    try {
      return await createNow(engine, word, options);
    } catch (error) {
      // A command of its own setup would wait for itself.
      if (!(error instanceof BeingMade) || engine.env["OWT_WORKTREE"] === error.path) throw error;
      await outlastMaker(engine, error.path, options.signal, ends);
      if (performance.now() >= ends) throw error;
    }
  }
}

async function outlastMaker(engine: Engine, path: string, signal: AbortSignal, ends: number): Promise<void> {
  do {
    if (signal.aborted) throw new OwtError("interrupted", "interrupted");
    await sleep(LOOK_MS);
  } while (performance.now() < ends && isMaking(engine, path));
}

function isMaking({ store, repo }: Engine, path: string): boolean {
  const maker = readWorktrees(store).get(path)?.maker ?? null;
  const place = findPlace(repo, path);
  return (maker !== null && isOwnerAlive(maker)) || (place !== null && isBeingMade(place));
}

async function createNow(engine: Engine, word: string, options: CreateOptions): Promise<Created> {
  const { repo } = engine;
  await followMoved(engine);
  await refuseName(engine, word);
  const { start, there, wanted, path } = await aimAt(engine, word, options);
  if (there !== null) refuseStranger(engine, { path: there, branch: start.branch });
  if (start.isNew) await refuseNested(engine, start.branch);
  if (there !== null && options.path !== null && path !== resolvePath(wanted))
    throw new OwtError("wrong-state", `${start.branch} is checked out at ${there} already`, {
      hint: `go there: owt switch ${start.branch}`,
    });
  if (path === repo.root) throw isMainCheckout(start.branch, path, there !== null);
  return existsSync(path) && there !== null
    ? await complete(engine, start, path, options)
    : await make(engine, start, path, options);
}

type Aim = {
  start: StartPoint;
  /** Where its branch is checked out; null where nowhere. */
  there: string | null;
  /** Where it would stand if that were nowhere. */
  wanted: string;
  path: string;
};

/** What is to be made, and where. A branch that only a dead maker's half-made worktree has is none that was there: it goes first, or the new one would forget
 *  what it began from. */
async function aimAt(engine: Engine, word: string, options: CreateOptions): Promise<Aim> {
  const aim = await look(engine, word, options);
  return (await clearInTheWay(engine, aim)) ? await look(engine, word, options) : aim;
}

async function look(engine: Engine, word: string, options: CreateOptions): Promise<Aim> {
  const { repo } = engine;
  const start = await findStart(repo, word, options.base);
  const there = start.isNew ? null : await checkedOutWhere(repo, start.branch);
  const wanted = options.path === null ? worktreePath(engine, start.branch) : resolve(repo.here, options.path);
  return { start, there, wanted, path: there ?? resolvePath(wanted) };
}

/** Whether something was half-made at that place, or of that branch, and its maker died. */
async function clearInTheWay(engine: Engine, { start, path }: Aim): Promise<boolean> {
  const left = [...readWorktrees(engine.store).values()].filter(
    (each) => each.maker !== null && !isOwnerAlive(each.maker) && (each.path === path || each.branch === start.branch),
  );
  for (const each of left) await clearUnmade(engine, each.path);
  return left.length > 0;
}

/** A branch that is there may have any name that git takes. */
async function refuseName({ repo }: Engine, word: string): Promise<void> {
  const problem = /^(?:pr|mr):\d+$/.test(word) ? null : checkBranchName(word);
  if (problem === null) return;
  if ((await readRef(repo, word).catch(() => null)) !== null) return;
  throw new OwtError("usage", `${JSON.stringify(word)} is no name for a branch: it ${problem}`, {
    hint: "for example: owt create feature/login",
  });
}

/** git keeps branches as files and folders: where one is called `a`, none can be called `a/b`. */
async function refuseNested({ repo }: Engine, branch: string): Promise<void> {
  const parts = branch.split("/");
  const above = parts.slice(1).map((_, at) => branchRef(parts.slice(0, at + 1).join("/")));
  const aboves = await Promise.all(above.map((ref) => readRef(repo, ref)));
  const other = above[aboves.findIndex((at) => at !== null)] ?? (await listRefs(repo, [`${branchRef(branch)}/`]))[0];
  if (other === undefined) return;
  const name = other.replace("refs/heads/", "");
  const free = branch.includes("/") ? branch.replaceAll("/", "-") : `${branch}-2`;
  throw new OwtError("usage", `${branch} cannot be a branch beside ${name}: git takes only one of the two`, {
    hint: `another name: owt create ${free}; or rename that one: git branch -m ${name} <name>`,
  });
}

/** It is there; what is missing in it is brought. */
async function complete(engine: Engine, start: StartPoint, path: string, options: CreateOptions): Promise<Created> {
  const maker = readWorktrees(engine.store).get(path)?.maker ?? null;
  if (maker !== null && isOwnerAlive(maker)) throw new BeingMade(path);
  await makeReady(engine, path, { ...options, isNew: false, branch: start.branch });
  await options.last({ path, branch: start.branch });
  return { path, branch: start.branch, isNew: false, base: null, from: null, isOfRemote: false };
}

async function make(engine: Engine, start: StartPoint, path: string, options: CreateOptions): Promise<Created> {
  const { repo, store } = engine;
  refuseInGit(engine, start, path);
  freePlace(engine, start, path);
  const home = baseDirectory(engine);
  await excludeFolder(repo, options.path === null && home !== repo.root ? home : path);
  const fresh = {
    path,
    branch: start.branch,
    base: start.base,
    maker: ownerMark(),
    ownsBranchAt: start.isNew ? start.at : null,
  };
  if (recordMaking(store, engine.now(), fresh, isOwnerAlive) !== null) throw new BeingMade(path);
  const like = findPlace(repo, repo.here);
  let isOurs = false;
  const begun = engine.now();
  try {
    const made = await createWorktree(repo, {
      path,
      base: start.at,
      branch: start.branch,
      ...(like !== null && { like }),
      finish: async () => {
        isOurs = true;
        await makeReady(engine, path, { ...options, isNew: true, branch: start.branch });
        await options.last({ path, branch: start.branch });
      },
    });
    if ("refused" in made) throw describeRefusal(start, made);
    if (start.upstream !== null && start.isNew) await followRemote(repo, start.branch, start.upstream);
    recordMade(store, path);
    return describe(made, start);
  } catch (error) {
    // Until there was a worktree of ours, a session there is somebody else's; and what is left of an earlier worktree may still work.
    if (isOurs) await endSessionOf(engine, path, begun);
    forgetWorktree(store, path);
    throw error;
  }
}

/** git's own folder is no place for files: its tools take them for its own, and `git gc` may take them away. */
function refuseInGit({ repo }: Engine, { branch }: StartPoint, path: string): void {
  if (!`${path}/`.startsWith(`${repo.commonDir}/`)) return;
  throw new OwtError("usage", `${path} lies in git's own folder, ${repo.commonDir}`, {
    hint: `stand it elsewhere: owt create ${shellWord(branch)}`,
  });
}

/** Nothing may be written down for a place where something else stands, or what is on record of that would be lost: neither a folder, nor git's entry of a
 *  worktree that is not there, which may have been moved. */
function freePlace({ repo }: Engine, start: StartPoint, path: string): void {
  const place = findPlace(repo, path);
  if (place !== null && isBeingMade(place)) throw new BeingMade(path);
  if (lstatIfThere(path) !== undefined) {
    if (place !== null ? isHalfMade(place) : mayBeFree(path)) return;
    throw describeRefusal(start, { refused: "path-exists", path });
  }
  if (place === null || isHalfMade(place)) return;
  throw describeMissing(place);
}

/** An empty folder, or one with what a killed creation leaves; that is looked at more closely when it is made use of. */
function mayBeFree(path: string): boolean {
  try {
    return readdirSync(path).every((name) => name === ".git");
  } catch {
    return false;
  }
}

function isMainCheckout(branch: string, path: string, isItsBranch: boolean): OwtError {
  if (isItsBranch)
    return new OwtError("wrong-state", `${branch} is checked out in the main checkout, ${path}`, {
      hint: `name a new branch: owt create <branch> --base ${branch}`,
    });
  return new OwtError("wrong-state", `${path} is the main checkout`, {
    hint: `stand it elsewhere: owt create ${branch}`,
  });
}

function describe(made: Worktree, { branch, base, from, isNew, upstream }: StartPoint): Created {
  return { path: made.path, branch, isNew: made.isNew, base, from, isOfRemote: isNew && upstream !== null };
}

function describeRefusal({ branch }: StartPoint, refused: CreateRefused): OwtError {
  switch (refused.refused) {
    case "being-made":
      return new BeingMade(refused.path);
    case "checked-out":
      return new OwtError("wrong-state", `${branch} is checked out at ${refused.path}`, { hint: "see: owt list" });
    case "branch-exists":
      return new OwtError("wrong-state", `${branch} was made by somebody else at this moment`, {
        hint: `once more: owt create ${branch}`,
      });
    case "path-exists":
      return new OwtError("wrong-state", `${refused.path} is there already, and is no worktree of ${branch}`, {
        hint: `stand it elsewhere: owt create ${branch} --path FOLDER`,
      });
  }
}
