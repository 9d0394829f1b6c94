/** Has a merge in the object store go by the attributes of the commit that it is made upon, as `git merge` does where that is checked out: which driver merges
 *  a file, what counts as text. git 2.39 can read attributes from working files only. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { changedFiles } from "./changed-paths.ts";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { placeAt, readHead } from "./place.ts";
import type { Repo } from "./repo.ts";

const NAME = ".gitattributes";

/** Works in a place whose attributes are those of a commit: the worktree itself where nothing of them differs there, else a folder that holds them alone. */
export async function withAttributesOf<T>(
  repo: Repo,
  commit: Oid,
  worktree: string,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const place = placeAt(repo, worktree);
  const head = (await readHead(repo, place)).oid;
  if (head !== null && (await hasSameAttributes(repo, head, commit))) return work(place);
  const root = mkdtempSync(join(tmpdir(), "owt-attributes-"));
  try {
    await layOut(place, commit, root);
    return await work({ ...place, root });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function hasSameAttributes(repo: Repo, one: Oid, other: Oid): Promise<boolean> {
  return !(await changedFiles(repo, one, other, Infinity)).some(isAttributes);
}

function isAttributes(path: string): boolean {
  return path === NAME || path.endsWith(`/${NAME}`);
}

async function layOut(place: Place, commit: Oid, root: string): Promise<void> {
  const { stdout } = await git(place, ["ls-tree", "-r", "-z", "--full-tree", commit]);
  for (const field of fieldsOf(stdout)) {
    const at = field.indexOf("\t");
    const path = field.slice(at + 1);
    const [mode = "", , oid = ""] = field.slice(0, at).split(" ");
    // A link is none for git either. Of a folder whose name is no text the way cannot be told here.
    if (!isAttributes(path) || !mode.startsWith("100") || path.includes("\uFFFD")) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), (await git(place, ["cat-file", "blob", oid])).stdout);
  }
}
