/** Random changes of a worktree, as an agent might make them: for what has to be what git makes of it, whatever was changed. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";

export type Change<K> = { path: string; kind: K; text: string };

const PARTS = ["a", "b", "b.txt", "b-c", "ä ö", "-x", ".github", "c\n", "out", "nnnnnnnnn"];
const path = fc.array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

/** A change of one of these kinds at one of a few paths, which get in each other's way as often as not. Other kinds than ours are for the test to carry out. */
export function changeOf<K extends string>(...kinds: K[]): fc.Arbitrary<Change<K>> {
  return fc.record({ path, kind: fc.constantFrom(...kinds), text: fc.string({ maxLength: 9 }) });
}

/** Files for such changes to meet. */
export const CHANGED_FILES = { "a/b/c": "1", "b.txt": "2", "b-c/a": "3", ".github/x": "4" };

/** A file where a folder would be, or the other way round, is taken out of the way. Of a kind that is not known here a file is written. */
export function makeChange(root: string, { path: name, kind, text }: Change<string>): void {
  const full = join(root, name);
  for (let above = dirname(name); above !== "."; above = dirname(above)) removeFile(join(root, above));
  rmSync(full, { recursive: true, force: true });
  if (kind === "remove") return;
  mkdirSync(kind === "folder" ? full : dirname(full), { recursive: true });
  if (kind === "folder") return;
  if (kind === "link") symlinkSync(`to ${text}`.replaceAll("\0", ""), full);
  else writeFileSync(full, text);
  if (kind === "run") chmodSync(full, 0o755);
}

function removeFile(file: string): void {
  try {
    rmSync(file);
  } catch {
    // A folder, or nothing.
  }
}
