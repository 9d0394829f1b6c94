/** Moves worktrees of ours: the detached one from one commit to another, a task's back to its HEAD. */
import { OwtError } from "../core/errors.ts";
import { isAncestor } from "./branch.ts";
import { git, type Oid, type Place } from "./git.ts";
import type { Known } from "./known.ts";
import { inspectWorktree } from "./inspect.ts";
import { leaveProgress } from "./mend.ts";
import { type Head, isMainPlace, placeAt, readHead } from "./place.ts";
import type { Repo } from "./repo.ts";
import { type RescueOptions, saveRescue } from "./rescue.ts";
import type { Unsavable } from "./rescue-files.ts";
import { printableNames, shellWord } from "../lib/printable.ts";

/** Puts a worktree that is ours alone exactly at `to`: changed files are reset, and what earlier checks left untracked is
 *  removed, but for `keep` and for what the project ignores (its dependencies and caches). Refuses any other worktree. */
export async function moveDetached(repo: Repo, path: string, to: Oid, keep: readonly string[]): Promise<void> {
  const place = placeAt(repo, path);
  if (isMainPlace(place) || (await readHead(repo, place)).branch !== null) {
    throw new OwtError("internal", `${path} is not a detached worktree of ours`);
  }
  await resetTo(place, to, keep);
}

/** Whether HEAD of a worktree that is ours alone left the commit that it stood at, in words; it is put back there. Branches and commits that were made stay. */
export async function findStrayed(repo: Repo, path: string, at: Oid): Promise<string | null> {
  const place = placeAt(repo, path);
  const { branch, oid } = await readHead(repo, place);
  if (branch === null && oid === at) return null;
  if (isMainPlace(place)) throw new OwtError("internal", `${path} is not a detached worktree of ours`);
  await git(place, ["checkout", "--quiet", "--force", "--detach", at]);
  return branch === null ? `made a commit (${oid?.slice(0, 10)})` : `left it on the branch ${branch}`;
}

/** Where HEAD of a worktree that is ours alone was switched to from the commit that it stood at; null where it still stands there, or has commits more. */
export async function strayedTo(repo: Repo, path: string, at: Oid): Promise<string | null> {
  const head = await readHead(repo, placeAt(repo, path));
  return head.branch ?? (await behind(repo, head, at));
}

/** Where a detached HEAD, or one on its branch, is that does not hold a commit any more; null where it does. */
async function behind(repo: Repo, { oid }: Head, at: Oid): Promise<string | null> {
  return oid !== null && (await isAncestor(repo, at, oid)) ? null : (oid?.slice(0, 10) ?? "nothing");
}

/** Where HEAD of a task's worktree was switched to from its branch; null where it is still there, at or ahead of the commit that it stood at. */
export async function leftBranch(repo: Repo, path: string, { branch, at }: OnBranch): Promise<string | null> {
  const head = await readHead(repo, placeAt(repo, path));
  return head.branch === branch ? behind(repo, head, at) : (head.branch ?? head.oid?.slice(0, 10) ?? "nothing");
}

type OnBranch = { branch: string; at: Oid };

/** Puts a task's worktree on its branch again, and that at `at`, where nothing uncommitted is in the way; what is stays. */
export async function backOnBranch(repo: Repo, path: string, { branch, at }: OnBranch): Promise<void> {
  const place = placeAt(repo, path);
  if (isMainPlace(place))
    throw new OwtError("internal", `${path} is the user's own checkout: nothing is switched there`);
  if ((await readHead(repo, place)).branch !== branch)
    await git(place, ["checkout", "--quiet", "--no-overwrite-ignore", branch], { ok: [0, 1, 128] });
  const head = await readHead(repo, place);
  if (head.branch === branch && (await behind(repo, head, at)) !== null) await moveKeeping(repo, path, at);
}

/** Takes a worktree that is ours alone off the branch that somebody switched it to, and puts it at `to`. What was not committed there is saved first: gives the rescue's ref, null
 *  where nothing was. */
export async function detachAgain(
  repo: Repo,
  path: string,
  to: Oid,
  known: readonly string[],
  rescue: Omit<RescueOptions, "known">,
): Promise<string | null> {
  const place = placeAt(repo, path);
  const { branch } = await readHead(repo, place);
  if (branch === null) return null;
  if (isMainPlace(place)) throw new OwtError("internal", `${path} is not a detached worktree of ours`);
  const held = await inspectWorktree(repo, path, { keep: [`refs/heads/${branch}`], known });
  const paths = [...held.dirty, ...held.unmerged, ...held.untracked];
  const saved = paths.length > 0 ? await saveRescue(repo, held, { ...rescue, known }) : null;
  if (saved !== null && "refused" in saved)
    throw new OwtError(
      "would-lose-work",
      `${path} cannot be saved: ${saved.refused} (${printableNames(saved.paths)})`,
      {
        hint: `look, and keep what is wanted elsewhere: git -C ${shellWord(path)} status --ignored`,
      },
    );
  await git(place, ["checkout", "--quiet", "--force", "--detach", to]);
  return saved?.ref ?? null;
}

/** Puts a task's worktree back at its HEAD, but for `keep` and what the project ignores; everything it held is saved first. Gives the
 *  rescue's ref. For a merge of ours that was cut off: it leaves changed files and nothing that says why. */
export async function moveBack(
  repo: Repo,
  path: string,
  keep: readonly string[],
  rescue: Omit<RescueOptions, "known">,
): Promise<string> {
  const place = placeAt(repo, path);
  if (isMainPlace(place)) throw new OwtError("internal", `${path} is the user's own checkout: nothing is reset there`);
  const saved = await saveRescue(repo, await inspectWorktree(repo, path, { keep: [], known: keep }), {
    ...rescue,
    known: keep,
  });
  if ("refused" in saved)
    throw new OwtError(
      "would-lose-work",
      `${path} cannot be saved: ${saved.refused} (${printableNames(saved.paths)})`,
      {
        hint: `look, and keep what is wanted elsewhere: git -C ${shellWord(path)} status --ignored`,
      },
    );
  await resetTo(place, "HEAD", keep);
  return saved.ref;
}

/** Puts the branch that a task's worktree is on, and its files, at `to`. False where something uncommitted is in the way, or there is no such commit: nothing was changed then. */
export async function moveKeeping(repo: Repo, path: string, to: Oid): Promise<boolean> {
  const place = placeAt(repo, path);
  if (isMainPlace(place)) throw new OwtError("internal", `${path} is the user's own checkout: nothing is reset there`);
  return (await git(place, ["reset", "--keep", "--quiet", to], { ok: [0, 1, 128] })).code === 0;
}

/** What was uncommitted in a worktree, and the ref that keeps it. */
export type PutAside = { ref: string; paths: string[] };

/** Puts a task's worktree back at the end of its branch or wherever else its HEAD is, every file by its content. What was uncommitted is saved first, and `note` is called then, before anything is changed; null where nothing was. `keep` stays as it is;
 *  so does what the project ignores, of which `known` needs no saving. */
export async function putAside(
  repo: Repo,
  path: string,
  branch: string,
  { keep, known }: { keep: readonly string[]; known: readonly Known[] },
  rescue: Omit<RescueOptions, "known">,
  note: (aside: { ref: string | null; paths: string[] }) => void,
): Promise<PutAside | null | Unsavable> {
  const place = placeAt(repo, path);
  if (isMainPlace(place))
    throw new OwtError("internal", `${path} is the user's own checkout: nothing is put aside there`);
  const held = await inspectWorktree(repo, path, { keep: [`refs/heads/${branch}`], known });
  const paths = [...new Set([...held.dirty, ...held.unmerged, ...held.untracked])].filter(
    (each) => !keep.includes(each),
  );
  const isClean = paths.length + held.nested.length === 0 && !held.staged && held.inProgress === null;
  const saved = isClean ? null : await saveRescue(repo, held, { ...rescue, known });
  if (saved !== null && "refused" in saved) return saved;
  note({ ref: saved?.ref ?? null, paths });
  await leaveProgress(place, branch);
  await resetTo(place, "HEAD", keep);
  return saved === null ? null : { ref: saved.ref, paths };
}

/** All callers have made sure that nothing here is anybody's: a detached worktree of ours, or one that was saved. */
async function resetTo(place: Place, to: string, keep: readonly string[]): Promise<void> {
  await git(place, ["reset", "--hard", "--quiet", to]);
  await git(place, ["clean", "-ffdq", ...keep.flatMap((name) => ["-e", `/${name}`])]);
}
