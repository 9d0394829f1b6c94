/** What this repository's git leaves out of account, by a file of its own that nobody commits. */
import { appendFileSync, mkdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { git } from "./git.ts";
import { readText } from "./place.ts";
import type { Repo } from "./repo.ts";

/** A folder with worktrees in the main checkout is none of its new files. One that lies elsewhere, or is ignored already, is left as it is. */
export async function excludeFolder(repo: Repo, folder: string): Promise<void> {
  if (!folder.startsWith(repo.root + sep)) return;
  const name = `${relative(repo.root, folder)}/`;
  if ((await git(repo, ["--no-literal-pathspecs", "check-ignore", "-q", "--", `./${name}`], { ok: [0, 1] })).code === 0)
    return;
  const file = join(repo.commonDir, "info", "exclude");
  mkdirSync(join(repo.commonDir, "info"), { recursive: true });
  const before = readText(file) ?? "";
  // As gitignore(5) wants it written.
  const pattern = `/${name.replaceAll(/[\\*?[]/g, String.raw`\$&`)}`;
  // Ignored, and yet not: what is tracked in it counts.
  if (before.split("\n").includes(pattern)) return;
  appendFileSync(file, `${before === "" || before.endsWith("\n") ? "" : "\n"}${pattern}\n`);
}
