/** Worktrees whose creation is under way, or whose maker died in it. Nobody has been given such a worktree to work in. */
import { readdirSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { git, type Oid, type Place } from "./git.ts";
import type { Known } from "./known.ts";
import { type Holdings, inspectWorktree } from "./inspect.ts";
import { INITIALIZING, isOwnerAlive, MAKING } from "./owner.ts";
import { adminIds, lockReason, readHead, readText, recordedRoot } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type Inside, processesInside } from "./processes.ts";
import { saveRescue } from "./rescue.ts";
import { MADE_OF } from "./spare.ts";
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

/** What a cut leaves of a short file: nothing, or zeros. */
export function isBlank(text: string): boolean {
  return text.replaceAll("\0", "").trim() === "";
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

/** Clears a half-made worktree away; should somebody have worked in it all the same, that is saved first. One in which a program runs stays: what that
 *  writes afterwards would be lost. `known` are files that need no saving. */
export async function discardHalfMade(repo: Repo, place: Place, known: readonly Known[] = []): Promise<Discarded> {
  let rescue: string | null = null;
  const inside = place.root === "" ? [] : processesInside(place.root);
  if (inside !== "unknown" && inside.length > 0) return { taken: false, inside };
  if (place.root !== "" && !hasBlankHead(place)) {
    const head = (await readHead(repo, place)).oid;
    const held = await inspectHalfMade(repo, place, head, known);
    const { dirty, untracked, ignoredNew, nested, dropped, modules } = held;
    const inside = modules.flatMap((each) => [each.dirty, each.untracked, each.ignoredNew, each.commits, each.dropped]);
    const isWork = [dirty, untracked, ignoredNew, nested, dropped, ...inside].some((found) => found.length > 0);
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

/** Whether a commit is in no branch, tag or rescue. */
async function isLoose(repo: Repo, commit: Oid): Promise<boolean> {
  const kept = ["heads", "remotes", "tags", "owt"].map((folder) => `--glob=refs/${folder}`);
  const { stdout } = await git(repo, ["rev-list", "--ignore-missing", "--max-count=1", commit, "--not", ...kept]);
  return stdout !== "";
}

/** Clears what dead processes left: entries they were staging, and worktrees they were making. Says how many. */
export async function sweepHalfMade(repo: Repo): Promise<number> {
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
    if ((await discardHalfMade(repo, place)).taken) swept++;
  }
  return swept;
}
