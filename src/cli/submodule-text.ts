/** Commits of submodules that only this repository has, in words. */
import type { Unpublished } from "../git/submodules.ts";
import { printableName, shellWord } from "../lib/printable.ts";

/** Where such a commit is, and the way to hand it on; a text of lines that each begin with a line break. */
export function renderUnpublished({ path: written, commit, ref }: Unpublished): string {
  const path = shellWord(written);
  const say = `\n${printableName(written)} points at ${commit.slice(0, 10)}, which no remote has; before others can use it, push it:`;
  return `${say}\n  git -C ${path} fetch "$(git rev-parse --path-format=absolute --git-common-dir)" ${ref} && git -C ${path} push origin FETCH_HEAD:refs/heads/<branch>`;
}
