/** How a worktree stands, in the figures that a list shows: one `git status`, and one `rev-list` where its branch follows nothing. */
import { git, type Oid, type Place } from "./git.ts";
import { findDirtySubmodules } from "./submodules.ts";

export type BranchStatus = {
  head: Oid | null;
  branch: string | null;
  /** `origin/x`; null where the branch follows nothing. */
  upstream: string | null;
  /** Commits that the upstream, or else the base, lacks, and that it has beyond ours; null where there is neither, or it is gone. */
  ahead: number | null;
  behind: number | null;
  /** The base that it would be compared with is no branch or commit any more. */
  lacksBase?: true;
  /** Tracked files that differ from the commit (a submodule with work in it is one), open conflicts, and untracked files. */
  changed: number;
  conflicts: number;
  untracked: number;
};

/** Reads how a worktree stands, without its index lock. `base` is what a branch without an upstream is compared with. */
export async function readBranchStatus(place: Place, base: string | null): Promise<BranchStatus> {
  const args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"];
  const { links, ...status } = parse((await git(place, args)).stdout);
  // One that stands elsewhere is counted already.
  status.changed += new Set((await findDirtySubmodules(place)).filter((path) => !links.includes(path))).size;
  if (status.ahead !== null || base === null || status.head === null) return status;
  const counted = await git(place, ["rev-list", "--left-right", "--count", `${base}...${status.head}`, "--"], {
    ok: [0, 128],
  });
  if (counted.code !== 0) {
    const found = await git(place, ["rev-parse", "--quiet", "--verify", `${base}^{commit}`], { ok: [0, 1, 128] });
    return found.code === 1 ? { ...status, lacksBase: true } : status;
  }
  const [behind, ahead] = counted.stdout.trim().split("\t").map(Number);
  return { ...status, ahead: ahead!, behind: behind! };
}

/** `links`: submodules among what changed. */
function parse(stdout: string): BranchStatus & { links: string[] } {
  const status: BranchStatus & { links: string[] } = {
    links: [],
    head: null,
    branch: null,
    upstream: null,
    ahead: null,
    behind: null,
    changed: 0,
    conflicts: 0,
    untracked: 0,
  };
  const fields = stdout.split("\0");
  for (let at = 0; at < fields.length; at++) {
    const field = fields[at]!;
    if (field.startsWith("# ")) takeHeader(status, field.slice(2));
    else if (field.startsWith("u ")) status.conflicts += 1;
    else if (field.startsWith("? ")) status.untracked += 1;
    else if (field.startsWith("1 ")) {
      status.changed += 1;
      // `1 XY sub mH mI mW hH hI path`
      if (field.startsWith("S", 5)) status.links.push(field.split(" ").slice(8).join(" "));
    } else if (field.startsWith("2 ")) {
      status.changed += 1;
      // The name before the renaming stands in a field of its own.
      at += 1;
    }
  }
  return status;
}

function takeHeader(status: BranchStatus, line: string): void {
  const [key, ...words] = line.split(" ");
  const value = words.join(" ");
  if (key === "branch.oid" && value !== "(initial)") status.head = value;
  if (key === "branch.head" && value !== "(detached)") status.branch = value;
  if (key === "branch.upstream") status.upstream = value;
  const counts = key === "branch.ab" ? /^\+(\d+) -(\d+)$/.exec(value) : null;
  if (counts) {
    status.ahead = Number(counts[1]);
    status.behind = Number(counts[2]);
  }
}
