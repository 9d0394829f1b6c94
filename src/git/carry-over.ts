/** Moves a checkout from one commit to another together with what is uncommitted in it. Nothing is set aside from the files for a moment: what
 *  the result will be is worked out in the object store first, and where it has a conflict nothing is touched. Then the files are
 *  led from what they are to what they will be, by a git that refuses to overwrite a file which changed meanwhile.
 *
 *  A kill in between leaves a note of what was going on, and a stash under a ref of the worktree's own. {@link finishMove} leads it to an end. */
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { removeFile, writeFileAtomically } from "../system/files.ts";
import { readParents } from "./branch.ts";
import { DEFAULT_IDENTITY, readTree, writeCommit } from "./commit.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { mergeTrees } from "./merge.ts";
import { findObstacles } from "./obstacles.ts";
import { isOwnerAlive, ownerMark } from "./owner.ts";
import { lstatInside, readHead } from "./place.ts";
import type { Repo } from "./repo.ts";

/** A move that is under way, with everything that is needed to lead it to either end. */
export type Move = {
  owner: string;
  from: Oid;
  to: Oid;
  /** A stash as git makes them; null where nothing was uncommitted. */
  stash: Oid | null;
  /** Trees of the files and of the index, before and after. */
  files: { before: Oid; after: Oid };
  index: { before: Oid; after: Oid };
  /** How the step is called in the reflog. */
  reason: string;
};

export type NotMoved =
  /** What is uncommitted and what comes in are about the same lines. */
  | { stays: "conflicts"; files: string[] }
  /** Files that are in nobody's history stand where others would come. */
  | { stays: "in-the-way"; files: string[] }
  /** An earlier stash of ours is still kept there. */
  | { stays: "kept-stash" }
  /** git cannot set it aside, or something changed while we looked. */
  | { stays: "refused"; said: string };

/** Where the stash of a worktree is kept; a ref of the worktree itself, which goes into the rescue when that is removed. */
export const STASH_REF = "refs/worktree/owt/stash";

/** Moves a checkout from the commit that it stands at. The caller has made sure that no merge or the like is open there. */
export async function carryOver(
  repo: Repo,
  place: Place,
  step: { from: Oid; to: Oid; reason: string },
): Promise<{ moved: true } | NotMoved> {
  const move = await planMove(repo, place, step);
  if ("stays" in move) return move;
  await beginMove(place, move);
  const said = await lead(place, move);
  if (said !== null) return { stays: "refused", said };
  await endMove(place);
  return { moved: true };
}

/** What the move will do; it has not begun. */
export async function planMove(
  repo: Repo,
  place: Place,
  { from, to, reason }: { from: Oid; to: Oid; reason: string },
): Promise<Move | NotMoved> {
  const stashed = await stash(place);
  if ("said" in stashed) return { stays: "refused", said: stashed.said };
  const { oid } = stashed;
  if (oid !== null && (await keptStash(place)) !== null) return { stays: "kept-stash" };
  const [base, target] = await Promise.all([readTree(repo, from), readTree(repo, to)]);
  const before = oid === null ? base : await readTree(repo, oid);
  const staged = oid === null ? base : await readTree(repo, (await readParents(repo, oid))[1]!);
  const after = await mergeOn(repo, place, base, target, before);
  if (typeof after !== "string") return { stays: "conflicts", files: after.files };
  const inTheWay = await findObstacles(place, from, to);
  if (inTheWay.length > 0) return { stays: "in-the-way", files: inTheWay };
  const index = await mergeOn(repo, place, base, target, staged);
  return {
    owner: ownerMark(),
    from,
    to,
    stash: oid,
    files: { before, after },
    // Staged lines that conflict where the files do not: nothing is staged then, and the files hold it all.
    index: { before: staged, after: typeof index === "string" ? index : target },
    reason,
  };
}

/** Notes the move, so that whoever comes after a kill can lead it to an end. */
export async function beginMove(place: Place, move: Move): Promise<void> {
  if (move.stash !== null)
    await git(place, ["update-ref", STASH_REF, move.stash, "0".repeat(move.stash.length)], { durable: true });
  writeFileAtomically(noteOf(place), JSON.stringify(move), { durable: true });
}

/** The steps in their order; each leaves the worktree as {@link finishMove} understands it. */
export const MOVE_STEPS: readonly ((place: Place, move: Move) => Promise<void>)[] = [
  // The files are what the index says now, so that git can tell whether somebody else writes them.
  (place, { files }) => setIndex(place, files.before),
  async (place, { files }) => void (await git(place, ["read-tree", "-m", "-u", files.before, files.after])),
  async (place, { from, to, reason }) =>
    void (await git(place, ["update-ref", "-m", reason, "HEAD", to, from], { durable: true })),
  (place, { index }) => setIndex(place, index.after),
];

/** Takes the steps; where one is refused, all are taken back, and what git said comes back. */
async function lead(place: Place, move: Move): Promise<string | null> {
  let taken = 0;
  try {
    for (const step of MOVE_STEPS) {
      await step(place, move);
      taken += 1;
    }
    return null;
  } catch (error) {
    // The branch has moved: what is left is the index.
    if (taken > 2) throw error;
    if (taken > 1) await git(place, ["read-tree", "-m", "-u", move.files.after, move.files.before]);
    await setIndex(place, move.index.before);
    await endMove(place);
    return error instanceof Error ? error.message : String(error);
  }
}

async function endMove(place: Place): Promise<void> {
  removeFile(noteOf(place));
  if ((await keptStash(place)) !== null) await git(place, ["update-ref", "-d", STASH_REF]);
}

export type Finished =
  /** There was nothing to finish. */
  | "nothing"
  /** All is as it was before the move, or as it was to be after it. */
  | "back"
  | "forward"
  /** Whoever moves it is alive. */
  | "busy"
  /** Somebody has worked there since, so it is left as it is. */
  | "left";

/** Leads a move that a kill cut off to one of its ends: back while the branch has not moved, else forward. Nothing is written over but what the
 *  move itself wrote. */
export async function finishMove(repo: Repo, place: Place): Promise<Finished> {
  const move = readNote(place);
  if (move === null) return "nothing";
  if (isOwnerAlive(move.owner)) return "busy";
  const head = (await readHead(repo, place)).oid;
  const isForward = head === move.to;
  const wanted = isForward ? move.files.after : move.files.before;
  const wrong = head === move.to || head === move.from ? await findHalfDone(place, move, wanted) : null;
  if (wrong === null) {
    // The stash, where there is one, stays under its ref.
    removeFile(noteOf(place));
    return "left";
  }
  await setIndex(place, wanted);
  if (wrong.write.length > 0)
    await git(place, ["checkout-index", "-f", "-q", "-z", "--stdin"], { input: wrong.write.join("\0") });
  for (const path of wrong.remove) await rm(join(place.root, path), { force: true });
  await setIndex(place, isForward ? move.index.after : move.index.before);
  await endMove(place);
  return isForward ? "forward" : "back";
}

/** The stash that is kept in a worktree; null where there is none. */
export async function keptStash(place: Place): Promise<Oid | null> {
  const { stdout } = await git(place, ["rev-parse", "--quiet", "--verify", STASH_REF], { ok: [0, 1, 128] });
  return stdout.trim() || null;
}

/** Whether a move of a worktree is noted, under way or cut off. */
export function isMoveNoted(place: Pick<Place, "gitDir">): boolean {
  return existsSync(noteOf(place));
}

/** Which files have yet to become as `wanted` has them; null where one is neither as before nor as after, or something else is staged. */
async function findHalfDone(
  place: Place,
  move: Move,
  wanted: Oid,
): Promise<{ write: string[]; remove: string[] } | null> {
  const { before, after } = move.files;
  const staged = await git(place, ["write-tree"], { ok: [0, 128] });
  if (![before, after, move.index.before, move.index.after].includes(staged.stdout.trim())) return null;
  const { stdout } = await git(place, ["diff-tree", "-r", "-z", "--no-renames", "--name-status", before, after]);
  const fields = fieldsOf(stdout);
  const [unlikeBefore, unlikeAfter] = [await filesUnlike(place, before), await filesUnlike(place, after)];
  const wrong: { write: string[]; remove: string[] } = { write: [], remove: [] };
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [status, path] = [fields[at]!, fields[at + 1]!];
    const isThere = lstatInside(place.root, path) !== null;
    const isBefore = status === "A" ? !isThere : !unlikeBefore.has(path);
    const isAfter = status === "D" ? !isThere : !unlikeAfter.has(path);
    if (!isBefore && !isAfter) return null;
    if (wanted === before ? isBefore : isAfter) continue;
    (status === (wanted === before ? "A" : "D") ? wrong.remove : wrong.write).push(path);
  }
  return wrong;
}

/** Files of a tree that are not in the worktree as the tree has them. */
async function filesUnlike(place: Place, tree: Oid): Promise<Set<string>> {
  const index = join(place.gitDir, `index.owt-${ownerMark()}`);
  try {
    await git(place, ["read-tree", tree], { index });
    await git(place, ["update-index", "-q", "--refresh"], { index, ok: [0, 1] });
    return new Set(fieldsOf((await git(place, ["diff-files", "--name-only", "-z"], { index })).stdout));
  } finally {
    await rm(index, { force: true });
  }
}

/** Sets the index without touching a file; entries that stay the same keep what git knows of their files. */
async function setIndex(place: Place, tree: Oid): Promise<void> {
  // `-i`: whether the files are like it is no question here.
  await git(place, ["read-tree", "-m", "-i", tree]);
  await git(place, ["update-index", "-q", "--refresh"], { ok: [0, 1] });
}

/** What is uncommitted, as a stash that is under no ref; null where nothing is. Files and index stay as they are. */
async function stash(place: Place): Promise<{ oid: Oid | null } | { said: string }> {
  const made = await git(place, ["stash", "create", "owt"], {
    identity: DEFAULT_IDENTITY,
    durable: true,
    ok: [0, 1, 128],
  });
  if (made.code !== 0) return { said: (made.stderr || made.stdout).trim() || "git stash create says no, and not why" };
  return { oid: made.stdout.trim() || null };
}

/** The tree that holds what two sides made of a third. */
async function mergeOn(
  repo: Repo,
  place: Place,
  base: Oid,
  ours: Oid,
  theirs: Oid,
): Promise<Oid | { files: string[] }> {
  if (theirs === base || theirs === ours) return ours;
  if (ours === base) return theirs;
  const commit = (tree: Oid, parents: Oid[]) =>
    writeCommit(repo, { tree, parents, message: "owt", identity: DEFAULT_IDENTITY });
  const root = await commit(base, []);
  const merged = await mergeTrees(repo, await commit(ours, [root]), await commit(theirs, [root]), place.root);
  if ("tree" in merged) return merged.tree;
  return { files: "files" in merged ? merged.files : [] };
}

function noteOf(place: Pick<Place, "gitDir">): string {
  return join(place.gitDir, "owt-move");
}

function readNote(place: Place): Move | null {
  if (!isMoveNoted(place)) return null;
  try {
    return JSON.parse(readFileSync(noteOf(place), "utf8")) as Move;
  } catch {
    // Cut off by a power cut: nothing was done yet.
    return null;
  }
}
