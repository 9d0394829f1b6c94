/** Moves a detached worktree of ours from one commit to another. */
import { OwtError } from "../core/errors.ts";
import { git, type Oid } from "./git.ts";
import { isMainPlace, placeAt, readHead } from "./place.ts";
import type { Repo } from "./repo.ts";

/** Puts a worktree that is ours alone exactly at `to`: changed files are reset, and what earlier checks left untracked is
 *  removed, but for `keep` and for what the project ignores (its dependencies and caches). Refuses any other worktree. */
export async function moveDetached(repo: Repo, path: string, to: Oid, keep: readonly string[]): Promise<void> {
  const place = placeAt(repo, path);
  if (isMainPlace(place) || (await readHead(repo, place)).branch !== null) {
    throw new OwtError("internal", `${path} is not a detached worktree of ours`);
  }
  await git(place, ["reset", "--hard", "--quiet", to]);
  await git(place, ["clean", "-ffdq", ...keep.flatMap((name) => ["-e", `/${name}`])]);
}
