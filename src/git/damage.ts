/** Worktrees whose own files of git's, HEAD and the index, came to harm: by a power cut, a full disk, a hand that slipped. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { git, type Place } from "./git.ts";
import { branchIn } from "./place.ts";

export type Damage = {
  /** What is wrong, as git says it. */
  said: string;
  /** The file that came to harm, as far as that can be told; null where git says something else of the worktree. */
  part: "HEAD" | "index" | null;
};

/** Why git cannot read a worktree; null where it can. One short process, whatever the size of the worktree. */
export async function findDamage(place: Place): Promise<Damage | null> {
  // Reads HEAD and the whole index, and names nothing.
  const { code, stderr } = await git(place, ["ls-files", "--", ":(top,literal).git"], { ok: [0, 128] });
  if (code === 0) return null;
  const said = /^fatal: (.*)$/m.exec(stderr)?.[1] ?? stderr.trim();
  if (said.includes(join(place.gitDir, "index"))) return { said, part: "index" };
  const head = join(place.gitDir, "HEAD");
  return { said, part: !existsSync(head) || branchIn(place.gitDir) === null ? "HEAD" : null };
}
