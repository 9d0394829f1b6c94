/** Worktrees whose creation is under way, or whose maker died in it. Nobody has been given such a worktree to work in. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import type { Known } from "./known.ts";
import { type Holdings, inspectWorktree } from "./inspect.ts";
import { INITIALIZING, isOwnerAlive, MAKING } from "./owner.ts";
import { adminIds, isBlank, lockReason, lstatInside, readHead, readText, recordedRoot } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type Inside, processesInside } from "./processes.ts";
import { saveRescue } from "./rescue.ts";
import { MADE_OF } from "./spare.ts";
import { findStranger } from "./stranger.ts";
import { deleteTree, emptyTrash, moveToTrash, openTrash } from "./trash.ts";
import { withdrawEntry } from "./withdraw.ts";

/** A living process is making it. */
export function isBeingMade(place: Place): boolean {
  const maker = makerOf(place);
  return maker !== null && isOwnerAlive(maker);
}

/** Its maker died, or a power cut took the content of an entry of ours that has no files: git's fetch would fail on that for ever. One that has files
 *  is not half-made, it has come to harm (`mend.ts`). */
export function isHalfMade(place: Place): boolean {
  const maker = makerOf(place);
  if (maker !== null) return !isOwnerAlive(maker);
  return basename(place.gitDir).startsWith("owt-") && hasBlankHead(place) && !holdsFiles(place.root);
}

function hasBlankHead({ gitDir }: Place): boolean {
  const head = readText(join(gitDir, "HEAD"));
  return head !== null && isBlank(head);
}

function holdsFiles(root: string): boolean {
  try {
    return root !== "" && readdirSync(root).some((name) => name !== ".git");
  } catch {
    return false;
  }
}

/** The mark of the process that makes it (or takes it away); null for one that is made. */
function makerOf(place: Place): string | null {
  const mark = readText(join(place.gitDir, MAKING));
  if (mark !== null) return mark.trim();
  const reason = lockReason(place);
  return reason?.startsWith(INITIALIZING) === true ? reason.slice(INITIALIZING.length) : null;
}

/** What became of a half-made worktree: taken away, what it held saved under `rescue` where that was somebody's work; or left, since these live in it. */
export type Discarded = { taken: true; rescue: string | null } | { taken: false; inside: Inside[] };

/** One that was being made of another's files may still hold just those. */
async function inspectHalfMade(repo: Repo, place: Place, head: Oid | null, known: readonly Known[]): Promise<Holdings> {
  const held = await inspectWorktree(repo, place.root, { keep: head === null ? [] : [head], known });
  const madeOf = readText(join(place.gitDir, MADE_OF))?.trim();
  if (!madeOf || held.dirty.length + held.unmerged.length === 0) return held;
  writeFileSync(join(place.gitDir, "HEAD"), `${madeOf}\n`);
  return inspectWorktree(repo, place.root, { keep: [madeOf], known });
}

/** More changed files than these are not looked at one by one. */
const MOST_CHANGED = 200;

/** Of changed files, those that no checkout leaves where it is cut off: it leaves a file out, or only its beginning in it. */
async function changedByHand(repo: Repo, place: Place, head: Oid | null, paths: readonly string[]): Promise<string[]> {
  const there = paths.filter((path) => lstatInside(place.root, path) !== null);
  if (there.length === 0 || there.length > MOST_CHANGED || head === null) return there;
  const { stdout } = await git(repo, ["ls-tree", "-z", "--full-tree", head, "--", ...there]);
  const stored = new Map(fieldsOf(stdout).map((line) => [line.slice(line.indexOf("\t") + 1), line.split(/[ \t]/)[2]!]));
  const byHand: string[] = [];
  for (const path of there) if (!(await isBeginning(repo, place, path, stored.get(path)))) byHand.push(path);
  return byHand;
}

async function isBeginning(repo: Repo, { root }: Place, path: string, stored: Oid | undefined): Promise<boolean> {
  if (stored === undefined || lstatInside(root, path)?.isFile() !== true) return false;
  const whole = (await repo.live.contents(stored))?.content;
  const found = readFileSync(join(root, path));
  return whole !== undefined && whole.subarray(0, found.length).equals(found);
}

/** Clears a half-made worktree away; should somebody have worked in it all the same, that is saved first. One in which a program runs stays: what that
 *  writes afterwards would be lost. `known` are files that need no saving. */
export async function discardHalfMade(repo: Repo, entry: Place, known: readonly Known[] = []): Promise<Discarded> {
  const place = standsElse(repo, entry) ? { ...entry, root: "" } : entry;
  let rescue: string | null = null;
  const inside = place.root === "" ? [] : processesInside(place.root);
  if (inside !== "unknown" && inside.length > 0) return { taken: false, inside };
  if (place.root !== "" && !hasBlankHead(place)) {
    const head = (await readHead(repo, place)).oid;
    const held = await inspectHalfMade(repo, place, head, known);
    const { dirty, untracked, ignoredNew, nested, dropped, modules } = held;
    const inside = modules.flatMap((each) => [each.dirty, each.untracked, each.ignoredNew, each.commits, each.dropped]);
    const changed = await changedByHand(repo, place, held.head.oid, dirty);
    const isWork = [changed, untracked, ignoredNew, nested, dropped, ...inside].some((found) => found.length > 0);
    if (isWork || (head !== null && (await isLoose(repo, head)))) {
      const saved = await saveRescue(repo, held, {
        id: basename(place.gitDir),
        note: "its creation was interrupted",
        at: Date.now(),
        known,
      });
      if ("refused" in saved) {
        throw new OwtError(
          "would-lose-work",
          `${place.root} is half-made and holds files that cannot be saved: ${saved.refused}`,
          {
            hint: `look into it, then delete it: ${place.root}`,
          },
        );
      }
      rescue = saved.ref;
    }
  }
  const bin = openTrash(repo.commonDir);
  try {
    if (place.root !== "") moveToTrash(bin, place.root, "tree");
    await withdrawEntry(bin, place.gitDir).taken();
  } finally {
    await emptyTrash(bin);
  }
  return { taken: true, rescue };
}

/** Whether at its place stands what is certainly nothing of it: then there is only the entry to clear. One that was just begun has no `.git` file yet. */
function standsElse(repo: Repo, place: Place): boolean {
  return place.root !== "" && findStranger(repo, place)?.command === null;
}

/** Whether a commit is in no branch, tag or rescue. */
async function isLoose(repo: Repo, commit: Oid): Promise<boolean> {
  const kept = ["heads", "remotes", "tags", "owt"].map((folder) => `--glob=refs/${folder}`);
  const { stdout } = await git(repo, ["rev-list", "--ignore-missing", "--max-count=1", commit, "--not", ...kept]);
  return stdout !== "";
}

/** Clears what dead processes left: entries they were staging, and worktrees they were making. `known` says which files in one at a path need no
 *  saving. Says how many. */
export async function sweepHalfMade(repo: Repo, known: (path: string) => readonly Known[]): Promise<number> {
  let swept = 0;
  const staging = join(repo.commonDir, "owt", "staging");
  for (const name of await readdir(staging).catch(() => [])) {
    if (isOwnerAlive(name)) continue;
    await deleteTree(join(staging, name));
    swept++;
  }
  for (const id of adminIds(repo)) {
    const gitDir = join(repo.commonDir, "worktrees", id);
    // After a power cut an entry may not say where its files are: then there is only the entry to clear.
    const place = { gitDir, commonDir: repo.commonDir, root: recordedRoot(gitDir) ?? "" };
    if (!isHalfMade(place)) continue;
    if ((await discardHalfMade(repo, place, known(place.root))).taken) swept++;
  }
  return swept;
}
