/** Which worktrees nobody needs any more, and their removal. What is decided stands in core/cleanup; here is what it is decided from. */
import { existsSync } from "node:fs";
import {
  type CleanupDecision,
  type CleanupWish,
  decideCandidate,
  decideCleanup,
  type Found,
  type Standing,
  type Wanted,
} from "../../core/cleanup.ts";
import { OwtError } from "../../core/errors.ts";
import { readRef } from "../../git/branch.ts";
import { findDamage } from "../../git/damage.ts";
import { git, runShort, type Oid } from "../../git/git.ts";
import { firstCommitOf } from "../../git/last-use.ts";
import { findNearby } from "../../git/moved.ts";
import { findNotFiles, type NotFile } from "../../git/not-files.ts";
import { findPlace, readHead } from "../../git/place.ts";
import { isSavable, type Reason, sweepTrash } from "../../git/remove.ts";
import { readCommit } from "../../git/start-point.ts";
import { howItCame } from "../../git/work-in.ts";
import { readRunPlaces, type RunPlace } from "../../store/attempts.ts";
import { readRuns } from "../../store/runs.ts";
import { readWorktrees, type WorktreeRecord } from "../../store/worktrees.ts";
import { type Engine, integrationWorktree } from "../engine.ts";
import { knownFiles } from "../workspace.ts";
import { lastUsed } from "./last-used.ts";
import { type Listed, listWorktrees } from "./list.ts";
import {
  type Gone,
  homesOf,
  reasonsToStay,
  type RemoveByHand,
  removeByHand,
  type Stays,
  upstreamOf,
} from "./remove.ts";

export type Considered = {
  path: string;
  name: string;
  branch: string | null;
  decision: CleanupDecision;
  /** How its work came home. */
  came: Standing["came"];
  usedAt: number | null;
  /** The run that it belongs to, while that is open. */
  run: string | null;
  /** Commits that are only here; null where nobody looked. */
  unpushed: number | null;
  /** What is in it; empty where nobody looked. */
  reasons: Reason[];
  /** What of it nothing can keep; empty where nobody looked. */
  notFiles: NotFile[];
  /** Why git cannot read it; null where it can, or nobody looked. */
  damage: string | null;
};

/** What a configuration says of it, and what was wished on the command line. */
export function wishOf(engine: Engine, which: CleanupWish["which"], days: number | null): CleanupWish {
  const { worktree, cleanup } = engine.config;
  return {
    which,
    days: days ?? worktree.auto_cleanup_days,
    protectUncommitted: cleanup.protect_uncommitted,
    protectUnpushed: cleanup.protect_unpushed,
  };
}

/** Considers every worktree, also those that plain git made, and touches none. What dead makers left has been cleared (`clearUnmade`). */
export async function planCleanup(engine: Engine, wish: CleanupWish): Promise<Considered[]> {
  const records = readWorktrees(engine.store);
  const runs = readRunPlaces(engine.store);
  const integrating = readRuns(engine.store, "open").map(({ id }) => [integrationWorktree(engine, id), id] as const);
  const owned = new Map<string, string>(integrating);
  for (const [path, { run, isOpen }] of runs) if (isOpen) owned.set(path, run);
  const listed = await listWorktrees(engine);
  const considered = listed.map((each) =>
    consider(engine, each, wish, {
      record: records.get(each.path) ?? null,
      run: owned.get(each.path) ?? null,
      place: runs.get(each.path) ?? null,
    }).catch(async (error: unknown) => {
      // Another process takes it away at this moment.
      if (each.isThere && !existsSync(each.path)) return [];
      const damaged = await asDamaged(engine, each);
      if (damaged === null) throw error;
      return damaged;
    }),
  );
  return (await Promise.all(considered)).flat();
}

/** One that came to harm keeps nobody from judging the others. */
async function asDamaged(engine: Engine, { path, name, branch }: Listed): Promise<Considered | null> {
  const place = findPlace(engine.repo, path);
  const damage = place === null ? null : await findDamage(place);
  if (damage === null) return null;
  const about = { path, name, branch, came: null, usedAt: null, run: null, unpushed: null, reasons: [], notFiles: [] };
  return { ...about, decision: { take: false, why: "unreadable" }, damage: damage.said };
}

type Known = { record: WorktreeRecord | null; run: string | null; place: RunPlace | null };

async function consider(engine: Engine, listed: Listed, wish: CleanupWish, known: Known): Promise<Considered> {
  const { path, name, branch } = listed;
  const usedAt = lastUsed(engine, path, known.record);
  // Who is never a candidate need not be looked at.
  const never = standingOf(listed, { run: known.run, came: "merged", usedAt, mayBeMoved: false });
  const isSettled = !decideCandidate(never, wish, engine.now()).take;
  const homes = isSettled ? [] : await homesOf(engine, path, branch);
  const came = isSettled ? null : await ownWorkCame(engine, branch, homes, known.record);
  const mayBeMoved = !isSettled && (await findMayBeMoved(engine, listed, came, known.record));
  const standing = standingOf(listed, { run: known.run, came, usedAt, mayBeMoved });
  const about = { path, name, branch, came, usedAt, run: known.run, damage: null };
  const candidate = decideCandidate(standing, wish, engine.now());
  if (!candidate.take) return { ...about, decision: candidate, unpushed: null, reasons: [], notFiles: [] };
  const { found, reasons } = await look(engine, listed, came, homes);
  const decision = decideCleanup(candidate.why satisfies Wanted, found, wish);
  const notFiles = decision.take ? findNotFiles(path, knownFiles(engine, path)) : [];
  return { ...about, decision, unpushed: found.unpushed, reasons, notFiles };
}

type Seen = Pick<Standing, "run" | "came" | "usedAt" | "mayBeMoved">;

function standingOf(listed: Listed, seen: Seen): Standing {
  const { isMain, isHere, isBeingMade, isThere, locked } = listed;
  return { isMain, isHere, isBeingMade, isLocked: locked !== null, isThere, ...seen };
}

/** Whether the files of one that is not where git looks for it may be elsewhere. Without its entry, git could not find it there. */
async function findMayBeMoved(
  engine: Engine,
  { path, branch, isThere, agent, state }: Listed,
  came: Standing["came"],
  record: WorktreeRecord | null,
): Promise<boolean> {
  if (isThere) return false;
  if (agent !== null && state !== "none" && state !== "ended") return true;
  const place = findPlace(engine.repo, path);
  if (place !== null && findNearby(place) !== null) return true;
  const tip = branch === null || came !== null ? null : await readRef(engine.repo, branch);
  return tip !== null && tip !== beginningOf(engine, branch!, record);
}

/** How the work of a branch came home. One that still stands where it began never had any. */
async function ownWorkCame(
  engine: Engine,
  branch: string | null,
  homes: Oid[],
  record: WorktreeRecord | null,
): Promise<Standing["came"]> {
  const tip = branch === null ? null : await readRef(engine.repo, branch);
  if (branch === null || tip === null) return null;
  const began = beginningOf(engine, branch, record);
  // That of a pull request holds what others did before it was made here.
  if (tip === began && !isOfOthers(record)) return null;
  const came = await howItCame(engine.repo, tip, homes);
  if (came === "same") return began === null ? null : "merged";
  return came;
}

function beginningOf({ repo }: Engine, branch: string, record: WorktreeRecord | null): Oid | null {
  return record?.ownsBranchAt ?? firstCommitOf(repo, branch);
}

function isOfOthers(record: WorktreeRecord | null): boolean {
  return record !== null && record.ownsBranchAt !== null && record.base === null;
}

async function look(
  engine: Engine,
  { path, branch, isThere }: Listed,
  came: Standing["came"],
  homes: readonly Oid[],
): Promise<{ found: Found; reasons: Reason[] }> {
  const keep = branch === null ? homes : [`refs/heads/${branch}`];
  const reasons = await reasonsToStay(engine, path, { keep, known: knownFiles(engine, path) });
  const own = came === null && isThere ? await countUnpushed(engine, path, branch, homes) : 0;
  const found: Found = {
    uncommitted: reasons.some((each) => isSavable(each) && !isCommits(each.reason)),
    unpushed: Math.max(own, reasons.filter(({ reason }) => isCommits(reason)).flatMap(({ what }) => what).length),
    inUse: reasons.some(({ reason }) => reason === "in-use"),
    unsavable: reasons.some((each) => !isSavable(each) && each.reason !== "in-use"),
  };
  return { found, reasons };
}

function isCommits(reason: Reason["reason"]): boolean {
  return reason === "commits" || reason === "submodule-commits";
}

/** Commits that neither a remote's branch of this name, nor the base, nor the project's own branch has; also where there is no upstream. */
async function countUnpushed(
  engine: Engine,
  path: string,
  branch: string | null,
  homes: readonly Oid[],
): Promise<number> {
  const { repo } = engine;
  const place = findPlace(repo, path);
  const head = place === null ? null : (await readHead(repo, place)).oid;
  if (head === null) return 0;
  const upstreams = branch === null ? [] : await upstreamOf(engine, branch);
  const followed = (await Promise.all(upstreams.map((name) => readCommit(repo, name)))).filter((oid) => oid !== null);
  const sameName = branch === null ? [] : [`--glob=refs/remotes/*/${branch.replaceAll(/[*?[\\]/g, "\\$&")}`];
  const args = ["rev-list", "--count", head, "--not", ...followed, ...homes, ...sameName, "--"];
  return Number((await git(repo, args)).stdout.trim());
}

/** How much disk each folder takes, in bytes; null where that cannot be told. */
export async function measureFolders(paths: readonly string[]): Promise<Map<string, number | null>> {
  const sizes = paths.map(async (path) => {
    const said = await runShort("du", "-sk", "--", path).catch(() => null);
    const kilobytes = /^(\d+)\s/.exec(said?.stdout ?? "")?.[1];
    return [path, kilobytes === undefined ? null : Number(kilobytes) * 1_024] as const;
  });
  return new Map(await Promise.all(sizes));
}

/** Takes away what was decided to go. Each is looked at once more by the guard in front of every removal: what changed meanwhile stays. */
export async function carryOutCleanup(
  engine: Engine,
  considered: readonly Considered[],
  { signal, ...tellers }: { signal: AbortSignal } & Pick<RemoveByHand, "tell" | "onWait">,
): Promise<Map<string, Gone | Stays>> {
  const ends = new Map<string, Gone | Stays>();
  for (const { path, branch, decision } of considered) {
    if (!decision.take) continue;
    if (signal.aborted) throw new OwtError("interrupted", "interrupted", { hint: "again: owt cleanup --yes" });
    const saves = new Set(decision.saves);
    const save = (reason: Reason["reason"]) => saves.has(isCommits(reason) ? "unpushed" : "uncommitted");
    const end = await removeByHand(engine, { path, branch }, { save, saveAnyway: saves.has("unpushed"), ...tellers });
    ends.set(path, end);
  }
  await sweepTrash(engine.repo, (path) => knownFiles(engine, path));
  return ends;
}
