/** Which worktrees `owt cleanup` takes away, and why the others stay. */

/** What is known of a worktree before anybody looks into its files. */
export type Standing = {
  isMain: boolean;
  /** The command was called in it. */
  isHere: boolean;
  isBeingMade: boolean;
  /** Somebody locked it. */
  isLocked: boolean;
  /** The open run that it belongs to. */
  run: string | null;
  /** Its files are there. */
  isThere: boolean;
  /** They are not, and something says that they may be elsewhere and in use: an agent lives, they were found, or its branch has work that is nowhere else. */
  mayBeMoved: boolean;
  /** How the work of its branch came home; null where it has not, and where there never was any. */
  came: "merged" | "squashed" | "rebased" | "copied" | null;
  /** When somebody last did something there, in epoch milliseconds; null where nothing tells. */
  usedAt: number | null;
};

/** What was found in it. */
export type Found = {
  /** Files, staged changes, an open merge: what is in no commit. */
  uncommitted: boolean;
  /** Commits that neither its upstream, nor its base, nor the project's own branch has. */
  unpushed: number;
  /** Programs work in it. */
  inUse: boolean;
  /** It holds what cannot be saved, such as another repository. */
  unsavable: boolean;
};

export type CleanupWish = {
  /** `usual` are those that are stale, those whose work came home, and those whose files are gone. */
  which: "usual" | "merged" | "all";
  /** After so many days without use one is stale. */
  days: number;
  protectUncommitted: boolean;
  protectUnpushed: boolean;
};

/** Why one is to go. */
export type Wanted = "gone" | "merged" | "stale" | "all";

/** Why one stays. */
export type Stay =
  | "main"
  | "here"
  | "being-made"
  | "run"
  | "locked"
  /** Its files are gone from their place, and may be elsewhere: git could not find it again. */
  | "moved"
  /** git cannot read it: nobody can say what it holds. */
  | "unreadable"
  | "not-merged"
  | "recent"
  | "in-use"
  | "unsavable"
  | "uncommitted"
  | "unpushed";

export type CleanupDecision =
  /** `saves`: it holds something that is kept for `owt restore` first. */
  { take: true; why: Wanted; saves: ("uncommitted" | "unpushed")[] } | { take: false; why: Stay };

/** One day. */
export const DAY_MS = 86_400_000;

/** Whether one is to go at all, as far as that can be said without looking into it. Some are never: where somebody is, or has a right. */
export function decideCandidate(
  standing: Standing,
  wish: CleanupWish,
  now: number,
): { take: true; why: Wanted } | { take: false; why: Stay } {
  const never = whyNever(standing);
  if (never !== null) return { take: false, why: never };
  if (standing.mayBeMoved) return { take: false, why: "moved" };
  if (standing.came !== null) return { take: true, why: "merged" };
  if (wish.which === "merged") return { take: false, why: "not-merged" };
  if (!standing.isThere) return { take: true, why: "gone" };
  if (isStale(standing.usedAt, wish.days, now)) return { take: true, why: "stale" };
  return wish.which === "all" ? { take: true, why: "all" } : { take: false, why: "recent" };
}

/** The same once it is known what is in it: what is protected stays; what is not, is saved first. */
export function decideCleanup(why: Wanted, found: Found, wish: CleanupWish): CleanupDecision {
  if (found.inUse) return { take: false, why: "in-use" };
  if (found.unsavable) return { take: false, why: "unsavable" };
  if (found.uncommitted && wish.protectUncommitted) return { take: false, why: "uncommitted" };
  if (found.unpushed > 0 && wish.protectUnpushed) return { take: false, why: "unpushed" };
  const saves: ("uncommitted" | "unpushed")[] = [];
  if (found.uncommitted) saves.push("uncommitted");
  if (found.unpushed > 0) saves.push("unpushed");
  return { take: true, why, saves };
}

function whyNever(standing: Standing): Stay | null {
  if (standing.isMain) return "main";
  if (standing.isHere) return "here";
  if (standing.isBeingMade) return "being-made";
  if (standing.run !== null) return "run";
  return standing.isLocked ? "locked" : null;
}

/** What nothing is known of is not stale. */
function isStale(usedAt: number | null, days: number, now: number): boolean {
  return usedAt !== null && now - usedAt >= days * DAY_MS;
}
