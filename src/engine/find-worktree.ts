/** Which worktree a person means: by its folder's name, its branch, its path, or what is left of these without the project's name. */
import { existsSync } from "node:fs";
import { basename, resolve, sep } from "node:path";
import { OwtError } from "../core/errors.ts";
import { nearestHint } from "../core/names.ts";
import { listWorktrees } from "../git/list-worktrees.ts";
import { resolvePath } from "../git/place.ts";
import type { Engine } from "./engine.ts";

/** A worktree of the repository, whoever made it; the main checkout is one, too. */
export type FoundWorktree = {
  /** Its top, without symbolic links. */
  path: string;
  /** Its folder's name. */
  name: string;
  /** Null when HEAD is detached. */
  branch: string | null;
  isMain: boolean;
};

/** Every worktree whose files are there, the main checkout first. */
export async function readWorktrees(engine: Pick<Engine, "repo">): Promise<FoundWorktree[]> {
  const listed = await listWorktrees(engine.repo);
  return listed.flatMap(({ path, branch, isMain }) => {
    // With a separate git directory git names that one for the main checkout.
    const top = isMain ? engine.repo.root : resolvePath(path);
    return existsSync(top) ? [{ path: top, name: basename(top), branch, isMain }] : [];
  });
}

/** The worktree of that name, or, without one, the one that `cwd` is in. Throws `unknown-name` with the nearest names, or with all that are meant. */
export async function findWorktree(
  engine: Pick<Engine, "repo">,
  word: string | null,
  cwd: string,
): Promise<FoundWorktree> {
  const all = await readWorktrees(engine);
  if (word === null) return all.find(({ path }) => path === engine.repo.here) ?? nowhere(engine);
  const project = basename(engine.repo.root);
  const path = resolvePath(resolve(cwd, word));
  const short = (text: string) => text.replace(/^.*\//, "");
  // What is meant more exactly comes first.
  const ways: ((each: FoundWorktree) => boolean)[] = [
    (each) => word.includes(sep) && each.path === path,
    (each) => each.name === word,
    (each) => each.branch === word,
    (each) => each.name === `${project}-${word}`,
    (each) => each.branch !== null && short(each.branch) === word,
    (each) => each.path === path,
  ];
  for (const way of ways) {
    const meant = all.filter(way);
    if (meant.length === 1) return meant[0]!;
    if (meant.length > 1)
      throw new OwtError("unknown-name", `${word} is the name of ${meant.map((each) => each.path).join(" and of ")}`, {
        hint: "name its branch or its path: git worktree list",
      });
  }
  const known = all.flatMap(({ name, branch }) => [name, ...(branch === null ? [] : [branch])]);
  throw new OwtError("unknown-name", `there is no worktree ${word}`, {
    hint: nearestHint(word, known, "what there is: git worktree list; with a session: owt tmux list"),
  });
}

function nowhere({ repo }: Pick<Engine, "repo">): never {
  throw new OwtError("internal", `${repo.here} is in no worktree of ${repo.root}`);
}
