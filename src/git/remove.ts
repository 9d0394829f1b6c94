/** Removes worktrees. The one guard in front of every removal: look, then refuse with reasons or save first; only then take it away. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { lstatIfThere } from "../system/files.ts";
import { discardHalfMade, isBeingMade, isHalfMade, sweepHalfMade } from "./half-made.ts";
import { type Holdings, type InspectOptions, inspectWorktree, type ModuleHoldings } from "./inspect.ts";
import type { Place } from "./git.ts";
import type { Known } from "./known.ts";
import { findPlace, isMainPlace, resolvePath, writtenRoot } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type RescueOptions, type Saved, saveRescue } from "./rescue.ts";
import type { Unsavable } from "./rescue-files.ts";
import { keepSpare } from "./spare.ts";
import { findStranger } from "./stranger.ts";
import { closeTrash, emptyDeadTrash, emptyTrash, moveToTrash, openTrash } from "./trash.ts";
import { type Around, withdrawEntry } from "./withdraw.ts";
import { isLockedByOthers } from "./worktree.ts";

export type RemoveOptions = InspectOptions &
  Around & {
    /** Name, note and time of the rescue, should one be needed. */
    rescue: Omit<RescueOptions, "known" | "builds">;
    /** Save the work it holds and go on, instead of refusing. */
    save?: boolean;
    /** Keep what only by its name is taken for a build too, also where that is all that there is to keep. */
    saveBuilds?: boolean;
    /** Save it though nothing would be lost: its branch goes too, and came home as other commits. */
    saveAnyway?: boolean;
    /** Its files may become those of the next worktree, where they are exactly those of its commit. */
    spare?: boolean;
  };

/** Why a worktree stays. Those in the first group give way to `save`, the others to nothing. */
export type Reason =
  | {
      reason:
        | "dirty"
        | "untracked"
        | "ignored-new"
        | "unmerged"
        | "staged"
        | "commits"
        | "in-progress"
        /** Files inside a submodule, and commits that only this copy of it has. */
        | "submodule-work"
        | "submodule-commits";
      what: string[];
    }
  | { reason: "main" | "locked" | "in-use" | "being-made" | "not-a-worktree" | "stranger"; what: string[] }
  | { reason: Unsavable["refused"]; what: string[] };

const SAVABLE = new Set<Reason["reason"]>([
  "dirty",
  "untracked",
  "ignored-new",
  "unmerged",
  "staged",
  "commits",
  "in-progress",
  "submodule-work",
  "submodule-commits",
]);

/** Whether it is work that can be saved; the other reasons give way to nothing. */
export function isSavable({ reason }: Reason): boolean {
  return SAVABLE.has(reason);
}

export type Removed =
  /** `rescue` is the ref that keeps what it held; null when it held nothing. `emptied` resolves when its files are deleted. */
  ({ removed: true; rescue: string | null; emptied: Promise<void> } & Went) | { removed: false; reasons: Reason[] };

/** Ignored folders that went with a worktree and are kept nowhere, with `/` at their end. */
export type Went = {
  discarded: string[];
  /** Those of them that were to be kept, and are too large, or hold a repository. */
  leftOut: string[];
};

/** Removes a worktree without losing anything it holds. Its branch stays: see `deleteBranchIf`. Commits that only its reflog knows are
 *  always saved. Repeatable: a worktree that is gone already is removed. */
export async function removeWorktree(repo: Repo, path: string, options: RemoveOptions): Promise<Removed> {
  const found = await examine(repo, path, options);
  if ("reasons" in found) return refuse(...found.reasons);
  if (found.held === null) {
    if (found.halfMade === null) return gone(null);
    const discarded = await discardHalfMade(repo, found.halfMade, options.known);
    if (discarded.taken) return gone(discarded.rescue);
    return refuse({ reason: "in-use", what: discarded.inside.map(({ pid, command }) => `${pid} ${command}`) });
  }
  const { held } = found;
  const { known = [], saveBuilds = false } = options;
  const isDropped = held.dropped.length + held.modules.flatMap(({ dropped }) => dropped).length > 0;
  const isKept = options.saveAnyway === true || (saveBuilds && allOf(held, "builds").length > 0);
  let saved: Saved | null = null;
  if (findWork(held).length > 0 || isDropped || isKept) {
    const end = await saveRescue(repo, held, { ...options.rescue, known, builds: saveBuilds });
    if ("refused" in end) return refuse({ reason: end.refused, what: end.paths });
    saved = end;
  }
  const empty = takeAway(repo, held, { ...options, spare: options.spare === true && holdsItsCommitAlone(held) });
  return gone(saved?.ref ?? null, empty, whatWent(held, saved, saveBuilds));
}

function whatWent(held: Holdings, saved: Saved | null, saveBuilds: boolean): Went {
  const builds = allOf(held, "builds");
  const notKept = saved?.leftOut ?? [];
  const lost = saveBuilds ? builds.filter((folder) => notKept.includes(folder)) : builds;
  const discarded = [...new Set([...lost, ...allOf(held, "madeAgain"), ...notKept])];
  return { discarded, leftOut: saveBuilds ? lost : [] };
}

/** Those of its submodules, too. */
function allOf(held: Holdings, what: "builds" | "madeAgain"): string[] {
  return [...held[what], ...held.modules.flatMap((each) => each[what].map((folder) => `${each.path}/${folder}`))];
}

/** Whether the files are those of HEAD, nobody is in them, and no submodule or half of a merge is there to be told from. */
function holdsItsCommitAlone(held: Holdings): boolean {
  const { gone, head, processes, modules } = held;
  return !gone && head.oid !== null && findWork(held).length + modules.length === 0 && processes !== "unknown";
}

type Examined = InspectOptions & { save?: boolean };

/** Why {@link removeWorktree} would refuse now; nothing where it would not. Touches nothing. */
export async function whyItStays(repo: Repo, path: string, options: Examined): Promise<Reason[]> {
  const found = await examine(repo, path, options);
  return "reasons" in found ? found.reasons : [];
}

/** What stands at a path: why it stays, or what is to be taken away, which is nothing, something half-made, or a whole worktree. */
async function examine(
  repo: Repo,
  path: string,
  options: Examined,
): Promise<{ reasons: Reason[] } | { held: Holdings } | { held: null; halfMade: Place | null }> {
  const stays = (reason: "not-a-worktree" | "main" | "being-made" | "stranger", what: string) => ({
    reasons: [{ reason, what: [what] }],
  });
  const place = findPlace(repo, path);
  if (place === null) return existsSync(path) ? stays("not-a-worktree", path) : { held: null, halfMade: null };
  if (isMainPlace(place)) return stays("main", place.root);
  if (isBeingMade(place)) return stays("being-made", place.root);
  if (isHalfMade(place)) return { held: null, halfMade: place };
  const stranger = findStranger(repo, place);
  if (stranger !== null) return stays("stranger", stranger.said);
  const held = await inspectWorktree(repo, path, options);
  const reasons = [...findBlockers(held), ...(options.save === true ? [] : findWork(held))];
  return reasons.length > 0 ? { reasons } : { held };
}

/** Deletes what earlier, killed processes had renamed away or left half-made; `known` says which files in a worktree at a path need no saving. Says
 *  how many things it cleared. */
export async function sweepTrash(repo: Repo, known: (path: string) => readonly Known[] = () => []): Promise<number> {
  return (await emptyDeadTrash(repo.commonDir)) + (await sweepHalfMade(repo, known));
}

/** What would be lost; saving it first makes the removal safe. */
function findWork(held: Holdings): Reason[] {
  const reasons: Reason[] = [
    { reason: "dirty", what: held.dirty },
    { reason: "untracked", what: held.untracked },
    { reason: "ignored-new", what: held.ignoredNew },
    { reason: "unmerged", what: held.unmerged },
    { reason: "staged", what: held.staged ? ["the index"] : [] },
    { reason: "commits", what: held.commits },
    { reason: "in-progress", what: held.inProgress === null ? [] : [held.inProgress] },
    { reason: "submodule-work", what: held.modules.flatMap(describeWork) },
    {
      reason: "submodule-commits",
      what: held.modules.flatMap(({ path, commits }) => (commits.length === 0 ? [] : [`${path}: ${commits.length}`])),
    },
  ];
  return reasons.filter(({ what }) => what.length > 0);
}

function describeWork(module: ModuleHoldings): string[] {
  const { path, dirty, untracked, ignoredNew, unmerged, staged, inProgress } = module;
  const files = [...new Set([...dirty, ...untracked, ...ignoredNew, ...unmerged])];
  const what = [
    ...files,
    ...(staged && files.length === 0 ? ["the index"] : []),
    ...(inProgress === null ? [] : [`a ${inProgress}`]),
  ];
  return what.map((each) => `${path}: ${each}`);
}

/** What forbids the removal whether or not it is saved. */
function findBlockers(held: Holdings): Reason[] {
  const inside = held.processes === "unknown" ? [] : held.processes.map(({ pid, command }) => `${pid} ${command}`);
  const reasons: Reason[] = [
    { reason: "locked", what: isLockedByOthers(held.place) ? [held.locked ?? ""] : [] },
    { reason: "in-use", what: inside },
    { reason: "nested-repository", what: held.nested },
  ];
  return reasons.filter(({ what }) => what.length > 0);
}

/** First the files, then git's entry. Killed between them, the next call finds the entry alone and takes it too. */
function takeAway(repo: Repo, { place, head }: Holdings, around: Around & { spare: boolean }): () => Promise<void> {
  const bin = openTrash(place.commonDir);
  const link = findOwnLink(place);
  moveToTrash(bin, place.root, "tree");
  try {
    const entry = withdrawEntry(bin, place.gitDir, around);
    if (link !== null) rmSync(link, { force: true });
    const spent = around.spare ? keepSpare(repo, bin, place, head.oid!) : null;
    return async () => {
      await entry.taken();
      await spent;
      await emptyTrash(bin, around.quiet);
    };
  } catch (error) {
    if (existsSync(join(bin, "tree"))) renameSync(join(bin, "tree"), place.root);
    closeTrash(bin);
    throw error;
  }
}

/** The link that was left where it stood when somebody moved it, and that leads nowhere without it. */
function findOwnLink({ gitDir, root }: Place): string | null {
  const written = writtenRoot(gitDir);
  const isLink = written !== null && lstatIfThere(written)?.isSymbolicLink() === true;
  return isLink && resolvePath(written) === root ? written : null;
}

function gone(
  rescue: string | null,
  empty: () => Promise<void> = async () => {},
  went: Went = { discarded: [], leftOut: [] },
): Removed {
  // A deletion that fails is not a loss of anything; the next sweep tries again.
  return { removed: true, rescue, emptied: empty().catch(() => {}), ...went };
}

function refuse(...reasons: Reason[]): Removed {
  return { removed: false, reasons };
}
