/** How many lines a task has added and removed: of its commits, or of its worktree as it stands now. Read only, and without a lock. */
import { statSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fieldsOf, git, type Oid, type Place } from "./git.ts";
import { findPlace } from "./place.ts";
import type { Repo } from "./repo.ts";

export type LineCount = { added: number; removed: number };

/** New files that are not in the index are counted by ourselves, so many of them and none larger than this. */
const MAX_NEW_FILES = 200;
const MAX_NEW_BYTES = 1024 * 1024;

/** Neither a program nor a filter that the repository names is run for it. */
const DIFF = ["diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"];

/** The lines between two commits. */
export async function countBetween(repo: Repo, from: Oid, to: Oid): Promise<LineCount> {
  return sumUp((await git(repo, [...DIFF, from, to, "--"])).stdout);
}

/** A binary file has no lines: it counts as a page of them. */
const LINES_OF_BINARY = 50;

/** How large the change between two commits is: lines added and removed, and files. A moved file counts in full, a binary one as 50 lines. */
export async function sizeBetween(repo: Repo, from: Oid, to: Oid): Promise<{ lines: number; files: number }> {
  const fields = fieldsOf((await git(repo, [...DIFF, from, to, "--"])).stdout);
  const linesOf = (field: string) => {
    const [added, removed] = field.split("\t", 2);
    return added === "-" ? LINES_OF_BINARY : Number(added) + Number(removed);
  };
  return { lines: fields.reduce((sum, field) => sum + linesOf(field), 0), files: fields.length };
}

/** The lines between a commit and the files of a worktree, new files included; null where the worktree is gone or git cannot tell now. */
export async function countInWorktree(repo: Repo, worktree: string, from: Oid): Promise<LineCount | null> {
  const place = findPlace(repo, worktree);
  if (place === null) return null;
  try {
    const [changed, others] = await Promise.all([
      git(place, [...DIFF, from, "--"]),
      git(place, ["ls-files", "--others", "--exclude-standard", "-z"]),
    ]);
    const { added, removed } = sumUp(changed.stdout);
    return { added: added + linesOfNew(place, fieldsOf(others.stdout)), removed };
  } catch {
    // An agent moves under our feet; the next look tells.
    return null;
  }
}

/** `added TAB removed TAB path` each; binary files have dashes. */
function sumUp(stdout: string): LineCount {
  const counts = { added: 0, removed: 0 };
  for (const field of fieldsOf(stdout)) {
    const [added, removed] = field.split("\t", 2).map(Number);
    counts.added += added || 0;
    counts.removed += removed || 0;
  }
  return counts;
}

function linesOfNew(place: Place, paths: string[]): number {
  let lines = 0;
  for (const path of paths.slice(0, MAX_NEW_FILES)) lines += linesOf(join(place.root, path));
  return lines;
}

function linesOf(path: string): number {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > MAX_NEW_BYTES) return 0;
    const bytes = readFileSync(path);
    // What git takes for binary has no lines.
    if (bytes.subarray(0, 8_000).includes(0)) return 0;
    return bytes.toString("latin1").split("\n").length - (bytes.at(-1) === 10 || bytes.length === 0 ? 1 : 0);
  } catch {
    return 0;
  }
}
