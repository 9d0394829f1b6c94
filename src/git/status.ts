/** What a worktree holds beside its commit, as git sees it: one `git status`, parsed. */
import { git, type Oid, type Place } from "./git.ts";
import { fieldsOf } from "./git.ts";

/** A path whose index entry or file differs from HEAD. `x` compares index with HEAD, `y` the file with the index; `.` is "same". `isLink` is said of a submodule. */
export type Change = { path: string; x: string; y: string; headOid: Oid; indexOid: Oid; isLink: boolean };

/** A path that a merge left open. `ours` and `theirs` are null where that side has deleted it. */
export type Unmerged = { path: string; ours: Oid | null; theirs: Oid | null };

export type Status = {
  changes: Change[];
  unmerged: Unmerged[];
  /** A name that ends in `/` is a repository of its own. */
  untracked: string[];
  /** Ignored files, and whole directories (ending in `/`) where a pattern ignores the directory. */
  ignored: string[];
};

/** Reads the status of a worktree without taking its index lock. With `links`, a submodule whose HEAD moved is a change; what is dirty
 *  inside one never is: to look there, git would have to run in it. */
export async function readStatus(
  place: Place,
  options: { ignored?: boolean; links?: boolean; index?: string } = {},
): Promise<Status> {
  const args = ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"];
  if (options.links === true) args.push("--ignore-submodules=dirty");
  if (options.ignored === true) args.push("--ignored=matching");
  const { stdout } = await git(place, args, options.index === undefined ? {} : { index: options.index });
  return parseStatus(stdout);
}

/** Those of these paths that are in the worktree's index. */
export async function listTracked(place: Place, paths: readonly string[]): Promise<string[]> {
  const { stdout } = await git(place, ["--literal-pathspecs", "ls-files", "-z", "--", ...paths]);
  return fieldsOf(stdout);
}

/** Parses `status --porcelain=v2 -z --no-renames`. */
function parseStatus(stdout: string): Status {
  const status: Status = { changes: [], unmerged: [], untracked: [], ignored: [] };
  for (const line of fieldsOf(stdout)) {
    if (line.startsWith("? ")) status.untracked.push(line.slice(2));
    else if (line.startsWith("! ")) status.ignored.push(line.slice(2));
    else if (line.startsWith("1 ")) status.changes.push(parseChange(line));
    else if (line.startsWith("u ")) status.unmerged.push(parseUnmerged(line));
  }
  return status;
}

/** `1 XY sub mH mI mW hH hI path` */
function parseChange(line: string): Change {
  const fields = splitFields(line, 8);
  const [, xy, sub] = fields;
  const isLink = sub!.startsWith("S");
  return { x: xy![0]!, y: xy![1]!, headOid: fields[6]!, indexOid: fields[7]!, path: fields[8]!, isLink };
}

/** `u XY sub m1 m2 m3 mW h1 h2 h3 path` */
function parseUnmerged(line: string): Unmerged {
  const fields = splitFields(line, 10);
  const side = (oid: string): Oid | null => (/^0+$/.test(oid) ? null : oid);
  return { ours: side(fields[8]!), theirs: side(fields[9]!), path: fields[10]! };
}

/** The first `count` words and the rest, which is a path and may contain spaces. */
function splitFields(line: string, count: number): string[] {
  const words = line.split(" ");
  return [...words.slice(0, count), words.slice(count).join(" ")];
}
