/** How much room the files of a commit take once they are checked out. */
import { fieldsOf, git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";

/** What file systems give room in. */
const BLOCK_BYTES = 4_096;

/** The bytes that the files of a commit take on a disk. What filters make larger (Git LFS), and what is in submodules, is not in it. */
export async function checkoutBytes(repo: Repo, commit: Oid): Promise<number> {
  const { stdout } = await git(repo, ["ls-tree", "-r", "-z", "--full-tree", "--format=%(objectsize)", commit]);
  const blocks = fieldsOf(stdout).map((size) => Math.ceil((Number(size) || 0) / BLOCK_BYTES));
  return blocks.reduce((sum, each) => sum + each, 0) * BLOCK_BYTES;
}
