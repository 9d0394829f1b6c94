/** Files that git was told not to look at (`update-index --assume-unchanged`, `--skip-worktree`) and that somebody changed all the same: `git status` says nothing of them. */
import { join } from "node:path";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { copyIndex, oidBytes, readSpecialEntries } from "./index-file.ts";
import { lstatInside } from "./place.ts";
import type { Repo } from "./repo.ts";
import { emptyTrash, openTrash } from "./trash.ts";

const MARKS = ["assume-unchanged", "skip-worktree"] as const;

/** `marks`: what git was told of it. */
export type Overlooked = { path: string; marks: (typeof MARKS)[number][] };

/** Those among them that a checkout of `to` would write or delete in a worktree at `from`. What a sparse checkout leaves out is not there, and none of them. */
export async function findOverlooked(repo: Repo, place: Place, from: Oid, to: Oid): Promise<Overlooked[]> {
  if (readSpecialEntries(join(place.gitDir, "index"), oidBytes(repo))?.overlooked.length === 0) return [];
  const { stdout } = await git(place, ["diff-tree", "-r", "-z", "--no-renames", "--name-only", from, to]);
  const written = new Set(fieldsOf(stdout));
  const marked = (await listMarked(place)).filter(
    ({ path }) => written.has(path) && lstatInside(place.root, path) !== null,
  );
  if (marked.length === 0) return [];
  const changed = await changedWithout(place, marked);
  return marked.filter(({ path }) => changed.has(path));
}

/** `h path`, `S path`, `s path`: a small letter is assume-unchanged, an S skip-worktree. */
async function listMarked(place: Place): Promise<Overlooked[]> {
  const { stdout } = await git(place, ["ls-files", "-v", "-z"]);
  return fieldsOf(stdout).flatMap((line) => {
    const [tag = "", path] = [line.slice(0, 1), line.slice(2)];
    const marks = MARKS.filter((mark) => (mark === "skip-worktree" ? /s/i : /[a-z]/).test(tag));
    return marks.length === 0 ? [] : [{ path, marks }];
  });
}

/** Those of these that differ from the index, as one without their marks tells. */
async function changedWithout(place: Place, marked: readonly Overlooked[]): Promise<Set<string>> {
  const bin = openTrash(place.commonDir);
  try {
    const index = join(bin, "index-looked-at");
    copyIndex(join(place.gitDir, "index"), index);
    const input = marked.map(({ path }) => `${path}\0`).join("");
    for (const mark of MARKS) await git(place, ["update-index", `--no-${mark}`, "-z", "--stdin"], { index, input });
    await git(place, ["update-index", "-q", "--refresh"], { index, ok: [0, 1] });
    return new Set(fieldsOf((await git(place, ["diff-files", "-z", "--name-only"], { index })).stdout));
  } finally {
    await emptyTrash(bin);
  }
}
