/** What a worktree is brought up to date with: the branch that it follows, or what it began from. Each remote is asked once. */
import { OwtError } from "../../core/errors.ts";
import { isAncestor, readRef } from "../../git/branch.ts";
import { fetchOnce, fetchRefs, type Fetched } from "../../git/fetch.ts";
import { type Followed, readFollowed } from "../../git/followed.ts";
import type { Oid } from "../../git/git.ts";
import { listRemotes, readCommit } from "../../git/start-point.ts";
import { readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";

/** How long a remote may take, as in the seed of this feature. */
const FETCH_MS = 60_000;

/** What a branch can be brought up to date with. */
export type Link = {
  upstream: Followed | null;
  base: {
    name: string;
    ref: string;
    /** The remote that it comes from, or of the branch that it follows. */ remote: string | null;
    follows: string | null;
  } | null;
  /** What it began from, where that is no branch any more. */
  gone: string | null;
};

/** What that branch follows, and what its worktree began from, as far as they are there. */
export async function readLink(engine: Engine, path: string, branch: string): Promise<Link> {
  const { repo } = engine;
  const upstream = await readFollowed(repo, branch);
  const name = readWorktrees(engine.store).get(path)?.base ?? null;
  if (name === null || name === branch) return { upstream, base: null, gone: null };
  if ((await readRefSafely(engine, `refs/heads/${name}`)) !== null) {
    const follows = await readFollowed(repo, name);
    const isRemote = follows !== null && follows.tracking !== null && follows.remote !== ".";
    const remote = isRemote ? follows.remote : null;
    const base = { name, ref: `refs/heads/${name}`, remote, follows: isRemote ? follows.tracking : null };
    return { upstream, base, gone: null };
  }
  const remote = (await listRemotes(repo)).find((each) => name.startsWith(`${each}/`)) ?? null;
  if (remote === null) return { upstream, base: null, gone: name };
  return { upstream, base: { name, ref: `refs/remotes/${name}`, remote, follows: null }, gone: null };
}

async function readRefSafely({ repo }: Engine, ref: string): Promise<Oid | null> {
  return readRef(repo, ref).catch(() => null);
}

/** Each remote is asked once, for all. Answers by remote, and by remote and ref of what no fetch is configured for. */
export async function fetchAll(
  engine: Engine,
  links: readonly Link[],
  { prune, signal: leave }: { prune: boolean; signal: AbortSignal },
): Promise<Map<string, Fetched>> {
  const { repo } = engine;
  const known = new Set(await listRemotes(repo));
  const remotes = new Set<string>();
  const single = new Map<string, Followed>();
  for (const { upstream, base } of links) {
    if (upstream !== null && upstream.tracking === null) single.set(keyOf(upstream), upstream);
    for (const remote of [upstream?.tracking == null ? null : upstream.remote, base?.remote ?? null])
      if (remote !== null && known.has(remote)) remotes.add(remote);
  }
  const fetched = new Map<string, Fetched>();
  const asked = (ask: (signal: AbortSignal) => Promise<Fetched>) => askRemote(ask, leave);
  for (const remote of remotes)
    fetched.set(remote, await asked((signal) => fetchOnce(repo, remote, { prune, signal })));
  for (const [key, { remote, merge }] of single) {
    if (!known.has(remote)) continue;
    fetched.set(key, await asked((signal) => fetchRefs(repo, remote, [`+${merge}:${keptAs(merge)}`], { signal })));
  }
  return fetched;
}

const keyOf = ({ remote, merge }: Followed) => `${remote} ${merge}`;

/** Where a ref is kept that no fetch is configured for: `refs/pull/7/head` as `owt create pr:7` keeps it. */
function keptAs(merge: string): string {
  const pull = /^refs\/(?:pull|merge-requests)\/(\d+)\/head$/.exec(merge)?.[1];
  return pull === undefined ? `refs/owt/followed/${merge.replace(/^refs\//, "")}` : `refs/owt/pulls/${pull}`;
}

async function askRemote(ask: (signal: AbortSignal) => Promise<Fetched>, leave: AbortSignal): Promise<Fetched> {
  const late = AbortSignal.timeout(FETCH_MS);
  try {
    return await ask(AbortSignal.any([leave, late]));
  } catch (error) {
    refuseIfLeaving(leave);
    if (late.aborted) return { fetched: false, said: `no answer within ${FETCH_MS / 1_000} s` };
    throw error;
  }
}

/** Where it was found, and what there is to say of it. */
export type Source = {
  name: string | null;
  at: Oid | null;
  /** The full name of the ref that it was read from. */
  ref: string | null;
  /** The branch follows it: what was taken out of it was not meant to stay. */
  isUpstream: boolean;
  notes: string[];
  isUnreachable: boolean;
};

/** Its upstream; where it has none, or none any more, what it began from: that branch, or what that follows where it is further on. */
export async function findSource(
  engine: Engine,
  { upstream, base, gone }: Link,
  fetched: ReadonlyMap<string, Fetched>,
): Promise<Source> {
  const { repo } = engine;
  const notes: string[] = [];
  const none = { at: null, ref: null, isUpstream: false, notes, isUnreachable: false };
  if (upstream !== null) {
    const answer = fetched.get(upstream.tracking === null ? keyOf(upstream) : upstream.remote);
    const name = shortName(
      upstream.tracking ?? `${upstream.remote}/${upstream.merge.replace(/^refs\/(heads\/)?/, "")}`,
    );
    if (answer?.fetched === false)
      return { ...none, name, isUnreachable: true, notes: [unreachable(upstream.remote, answer.said)] };
    const ref = upstream.tracking ?? keptAs(upstream.merge);
    const at = await readCommit(repo, ref);
    if (at !== null) return { ...none, name, at, ref, isUpstream: true };
    notes.push(`${name}, which it follows, is gone`);
  }
  if (base === null) return { ...none, name: gone };
  const at = await readCommit(repo, base.ref);
  const answer = base.remote === null ? undefined : fetched.get(base.remote);
  const isLocal = base.ref.startsWith("refs/heads/");
  if (answer?.fetched === false) {
    notes.push(unreachable(base.remote!, answer.said));
    if (!isLocal) return { ...none, name: base.name, isUnreachable: true };
  } else if (base.follows !== null) {
    const further = await readCommit(repo, base.follows);
    if (further !== null && (at === null || (await isAncestor(repo, at, further)))) {
      const isSame = further === at;
      const ref = isSame ? base.ref : base.follows;
      return { ...none, name: shortName(ref), at: further, ref };
    }
  }
  return { ...none, name: base.name, at, ref: base.ref };
}

function shortName(ref: string): string {
  return ref.replace(/^refs\/(heads|remotes)\//, "");
}

function unreachable(remote: string, said: string): string {
  // What ssh said stands in front of git's, and behind that git's own advice.
  const lines = said.split("\n").map((line) => line.replace(/^(fatal|error): /, "").trim());
  const told = lines.filter((line) => line !== "" && !/^(Please make sure|and the repository exists)/.test(line));
  return `${remote} cannot be reached: ${told.join("; ")}`;
}

/** What git takes it for: it knows no name of a remote's ref that is kept in one of ours. */
export function wordFor({ name, ref }: Source): string | null {
  return ref?.startsWith("refs/owt/") === true ? ref : name;
}

/** Throws `interrupted` where somebody wants to leave. */
export function refuseIfLeaving(leave: AbortSignal): void {
  if (leave.aborted) throw new OwtError("interrupted", "interrupted", { hint: "again: owt sync" });
}
