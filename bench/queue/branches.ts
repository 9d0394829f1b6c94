/** A repository of many files with branches that are ready to be integrated. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "../place.ts";
import { manyFiles, run } from "../worktrees/measure.ts";

export type Bench = { rounds: number; makePlace: () => Place };

export const COUNT = 20;

/** git's own settings for both sides: what is acknowledged is on the disk. */
export const FSYNC = ["-c", "core.fsync=committed,reference"];

/** A commit to be merged, by branch. Each branch has a file of its own and changes two; those for which `touchesShared` holds also change a line of one file that
 *  all of them know. */
export async function makeBranches(
  place: Place,
  files: number,
  touchesShared: (branch: number) => boolean,
): Promise<{ root: string; base: string; heads: string[] }> {
  const root = await manyFiles(place, files);
  const git = async (cwd: string, ...args: string[]) =>
    (await run("git", args, { cwd, env: place.env, maxBuffer: 1 << 26 })).stdout.trim();
  writeFileSync(join(root, "shared.txt"), Array.from({ length: 400 }, (_, line) => `line ${line}\n`).join(""));
  await git(root, "add", "-A");
  await git(root, "commit", "-q", "-m", "shared");
  const base = await git(root, "rev-parse", "HEAD");
  const work = join(place.home, "work");
  await git(root, "worktree", "add", "-q", "--detach", work);
  const heads: string[] = [];
  for (let branch = 0; branch < COUNT; branch++) {
    await git(work, "checkout", "-q", "-B", `task-${branch}`, base);
    writeFileSync(join(work, `new-${branch}.txt`), `new ${branch}\n`);
    for (const name of [`file-${branch}.txt`, `file-${branch + COUNT}.txt`])
      writeFileSync(join(work, "folder-1", name), `changed by ${branch}\n`);
    if (touchesShared(branch)) {
      const lines = readFileSync(join(work, "shared.txt"), "utf8").split("\n");
      lines[10 + branch * 15] = `line of ${branch}`;
      writeFileSync(join(work, "shared.txt"), lines.join("\n"));
    }
    await git(work, "add", "-A");
    await git(work, "commit", "-q", "-m", `work of ${branch}`);
    heads.push(await git(work, "rev-parse", "HEAD"));
  }
  await git(root, "worktree", "remove", "--force", work);
  return { root, base, heads };
}
