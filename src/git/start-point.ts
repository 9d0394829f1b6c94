/** What a worktree by hand starts from: a branch that is there, one that only a remote has, a pull request, or a new one. */
import { OwtError } from "../core/errors.ts";
import { branchRef, checkedOutWhere, currentBranch, isAncestor, readRef } from "./branch.ts";
import { fetchRefs } from "./fetch.ts";
import { readFollowed } from "./followed.ts";
import { git, type Oid, type Place } from "./git.ts";
import { findPlace } from "./place.ts";
import type { Repo } from "./repo.ts";
import { remotesOf } from "./usual-repo.ts";

export type StartPoint = {
  branch: string;
  at: Oid;
  /** The branch is to be made. */
  isNew: boolean;
  /** What it is compared and brought up to date with where it has no upstream: a branch, or a commit. Null for one that was there. */
  base: string | null;
  /** What a new branch begins from, as a person would say it: a branch, here or of a remote, `pr:12`, or the revision that was named. Null for one
   *  that was there. */
  from: string | null;
  /** Where `git pull` in it is to pull from; null where that stays as it is. */
  upstream: { remote: string; ref: string } | null;
};

/** What to start from for a word of the command line. `base` names what a new branch starts from; without it, that is the branch we are on.
 *  Throws `usage` where the word cannot be meant, `environment` where a remote cannot be reached. */
export async function findStart(repo: Repo, word: string, base: string | null): Promise<StartPoint> {
  const pull = pullNumber(word);
  if (pull !== null) return await findPull(repo, pull);
  const local = await readRef(repo, branchRef(word));
  if (local !== null) return { branch: word, at: local, isNew: false, base: null, from: null, upstream: null };
  const spelled = await splitRemote(repo, word);
  if (spelled !== null && base !== null) throw isOfRemote(spelled, base);
  const remote =
    base !== null ? null : spelled === null ? await findOnRemotes(repo, word) : await startOfRemote(repo, spelled);
  if (remote !== null) return remote;
  if ((await readRef(repo, `refs/tags/${word}`).catch(() => null)) !== null)
    throw new OwtError("usage", `${word} is a tag, and git would take a branch of that name for it`, {
      hint: `a branch that begins there: owt create from-${word.replaceAll("/", "-")} --base ${word}`,
    });
  const named = base ?? (await ownBranch(repo));
  const meant = await readBase(repo, named);
  if (meant === null)
    throw new OwtError("usage", `${named} is no branch, tag or commit of this repository`, {
      hint: "see which there are: git branch --all",
    });
  return { branch: word, ...meant, isNew: true, upstream: null };
}

/** The commit that a name leads to, seen from this place; null when none does. */
export async function readCommit(place: Place, name: string): Promise<Oid | null> {
  const args = ["rev-parse", "--quiet", "--verify", "--end-of-options", `${name}^{commit}`];
  const { code, stdout } = await git(place, args, { ok: [0, 1, 128] });
  return code === 0 ? stdout.trim() : null;
}

/** What a base means where we are: a branch, here or of a remote, by its name; a pull request and any other revision by its commit, for what `HEAD~1` means is another
 *  thing in every worktree. */
async function readBase(repo: Repo, word: string): Promise<Pick<StartPoint, "at" | "base" | "from"> | null> {
  const pull = pullNumber(word);
  if (pull !== null) {
    const { at } = await fetchPull(repo, pull);
    return { at, base: at, from: `pr:${pull}` };
  }
  // A branch is a commit already, and no tag of the same name is meant.
  const local = await readBranch(repo, word);
  if (local !== null) return { at: local, base: word, from: word };
  // Nor is a branch of this repository that has the name which the remote's has there.
  const spelled = await splitRemote(repo, word);
  if (spelled !== null) return { at: await readOfRemote(repo, spelled), base: word, from: word };
  const place = findPlace(repo, repo.here) ?? repo;
  const at = await readCommit(place, word);
  if (at !== null) {
    const branch = await branchMeant(place, word);
    return { at, base: branch ?? at, from: branch ?? word };
  }
  const remote = isBranchName(word) ? await findOnRemotes(repo, word) : null;
  return remote && { at: remote.at, base: remote.base, from: remote.base };
}

function pullNumber(word: string): number | null {
  const number = /^(?:pr|mr):(\d+)$/.exec(word)?.[1];
  return number === undefined ? null : Number(number);
}

/** Where a branch of this repository stands; null also for what cannot be its name. */
async function readBranch(repo: Repo, name: string): Promise<Oid | null> {
  return readRef(repo, `refs/heads/${name}`).catch(() => null);
}

/** The branch that a word such as `HEAD`, `@{-1}` or `origin` stands for: `x`, or `origin/x`; null where it is none. */
async function branchMeant(place: Place, word: string): Promise<string | null> {
  const args = ["rev-parse", "--symbolic-full-name", "--end-of-options", word];
  const { stdout } = await git(place, args, { ok: [0, 1, 128] });
  return /^refs\/(?:heads|remotes)\/(\S+)$/m.exec(stdout)?.[1] ?? null;
}

async function ownBranch(repo: Repo): Promise<string> {
  const branch = await currentBranch(repo);
  if (branch !== null) return branch;
  throw new OwtError("usage", "HEAD is detached here, so there is no branch to start from", {
    hint: "say what to start from: --base <branch>",
  });
}

/** A branch of a remote by its whole name, `origin/x`. */
type Spelled = { remote: string; branch: string };

/** A word that begins with the name of a remote means a branch of that remote; null for any other, and for what stands for another commit
 *  (`origin/HEAD`, `origin/x~1`). */
async function splitRemote(repo: Repo, word: string): Promise<Spelled | null> {
  const remotes = await listRemotes(repo);
  const [remote] = remotes.filter((name) => word.startsWith(`${name}/`)).toSorted((a, b) => b.length - a.length);
  if (remote === undefined) return null;
  const branch = word.slice(remote.length + 1);
  return isBranchName(branch) ? { remote, branch } : null;
}

function isBranchName(word: string): boolean {
  try {
    return branchRef(word) !== "";
  } catch {
    return false;
  }
}

/** Where a remote's branch stands, as far as it was fetched; else it is fetched now. Throws `usage` where the remote has none, `environment` where it
 *  cannot be asked: another branch of that name is never taken for it. */
async function readOfRemote(repo: Repo, spelled: Spelled): Promise<Oid> {
  const { remote, branch } = spelled;
  return (await readRef(repo, `refs/remotes/${remote}/${branch}`)) ?? (await fetchBranch(repo, spelled));
}

/** A branch of a remote under its own name here. One that has that name already serves where it holds what the remote's does, or follows it and is
 *  checked out, so that the same can be said again. */
async function startOfRemote(repo: Repo, spelled: Spelled): Promise<StartPoint> {
  const { remote, branch } = spelled;
  const local = await readRef(repo, branchRef(branch));
  const followed = local === null ? null : await readFollowed(repo, branch);
  const isFollowing = followed?.remote === remote && followed.merge === branchRef(branch);
  if (local !== null && isFollowing && (await checkedOutWhere(repo, branch)) !== null) return isThere(branch, local);
  const at = await readOfRemote(repo, spelled);
  if (local === null) return beginsAt({ ...spelled, at });
  if (await isAncestor(repo, at, local)) return isThere(branch, local);
  throw new OwtError("wrong-state", `${branch} is a branch here, too, and lacks commits of ${remote}/${branch}`, {
    hint: `the one here: owt create ${branch}; the remote's under a new name: owt create ${branch}-2 --base ${remote}/${branch}`,
  });
}

function isThere(branch: string, at: Oid): StartPoint {
  return { branch, at, isNew: false, base: null, from: null, upstream: null };
}

/** A new branch that follows the remote's of that name. */
function beginsAt({ remote, branch, at }: Spelled & { at: Oid }): StartPoint {
  const base = `${remote}/${branch}`;
  return { branch, at, isNew: true, base, from: base, upstream: { remote, ref: branchRef(branch) } };
}

/** A branch that only remotes have, as far as it was fetched; null where none has. */
async function findOnRemotes(repo: Repo, branch: string): Promise<StartPoint | null> {
  const holders: { remote: string; at: Oid }[] = [];
  for (const remote of await listRemotes(repo)) {
    const at = await readRef(repo, `refs/remotes/${remote}/${branch}`);
    if (at !== null) holders.push({ remote, at });
  }
  const holder = holders.length === 1 ? holders[0] : holders.find(({ remote }) => remote === "origin");
  if (holder === undefined && holders.length > 1)
    throw new OwtError("usage", `${branch} is on ${holders.map(({ remote }) => remote).join(" and ")}`, {
      hint: `say which: ${holders[0]!.remote}/${branch}`,
    });
  return holder === undefined ? null : beginsAt({ ...holder, branch });
}

function isOfRemote({ remote, branch }: Spelled, base: string): OwtError {
  return new OwtError(
    "usage",
    `${remote}/${branch} means a branch of the remote ${remote}, which begins from nothing`,
    {
      hint: `another name for the new one: owt create ${branch} --base ${base}; or the remote's: owt create ${remote}/${branch}`,
    },
  );
}

/** A branch of a remote that was named and that nobody has fetched yet. */
async function fetchBranch(repo: Repo, { remote, branch }: Spelled): Promise<Oid> {
  const kept = `refs/remotes/${remote}/${branch}`;
  const fetched = await fetchRefs(repo, remote, [`+${branchRef(branch)}:${kept}`]);
  const at = fetched.fetched ? await readRef(repo, kept) : null;
  if (fetched.fetched && at !== null) return at;
  const said = fetched.fetched ? "it brought nothing" : fetched.said;
  const isMissing = /couldn't find remote ref/i.test(said);
  const why = isMissing
    ? `${remote} has no branch ${branch}`
    : `${remote} could not be asked for ${branch}: ${said.split("\n")[0]}`;
  const local = (await readRef(repo, branchRef(branch))) === null ? "" : `; the branch of that name here is: ${branch}`;
  throw new OwtError(isMissing ? "usage" : "environment", why, {
    hint: `${isMissing ? `look: git ls-remote --heads ${remote}` : `try: git fetch ${remote}`}${local}`,
  });
}

/** The names of the remotes, `origin` first. */
export async function listRemotes(repo: Repo): Promise<string[]> {
  const names = remotesOf(repo.commonDir) ?? (await git(repo, ["remote"])).stdout.split("\n").filter(Boolean);
  return names.toSorted((a, b) => Number(b === "origin") - Number(a === "origin"));
}

/** The branch of a pull request: made at what is proposed, and following it. */
async function findPull(repo: Repo, number: number): Promise<StartPoint> {
  const branch = `pr/${number}`;
  const { at, remote, ref } = await fetchPull(repo, number);
  const local = await readRef(repo, branchRef(branch));
  const from = local === null ? `pr:${number}` : null;
  return { branch, at: local ?? at, isNew: local === null, base: null, from, upstream: { remote, ref } };
}

/** What a pull or merge request proposes. GitHub and GitLab offer every one as a ref; forks need no remote of their own for it. */
async function fetchPull(repo: Repo, number: number): Promise<{ at: Oid; remote: string; ref: string }> {
  const [remote] = await listRemotes(repo);
  if (remote === undefined)
    throw new OwtError("usage", `pr:${number} needs a remote, and this repository has none`, {
      hint: "add one: git remote add origin <url>",
    });
  const kept = `refs/owt/pulls/${number}`;
  const said: string[] = [];
  for (const ref of [`refs/pull/${number}/head`, `refs/merge-requests/${number}/head`]) {
    const fetched = await fetchRefs(repo, remote, [`+${ref}:${kept}`]);
    if (fetched.fetched) return { at: (await readRef(repo, kept))!, remote, ref };
    said.push(fetched.said);
  }
  const isMissing = said.every((text) => /couldn't find remote ref/i.test(text));
  const why = isMissing ? `${remote} has no pull or merge request ${number}` : (said.at(-1)?.split("\n")[0] ?? "");
  throw new OwtError("environment", isMissing ? why : `${remote} could not be asked for ${number}: ${why}`, {
    hint: `look: git ls-remote ${remote} 'refs/pull/*/head' 'refs/merge-requests/*/head'`,
  });
}

/** Has a branch follow a ref of a remote, as `git pull` and `git status` understand it. */
export async function followRemote(repo: Repo, branch: string, { remote, ref }: { remote: string; ref: string }) {
  await git(repo, ["config", `branch.${branch}.remote`, remote]);
  await git(repo, ["config", `branch.${branch}.merge`, ref]);
}
