/** Brings worktrees up to date with what they follow, or with what they began from. Each remote is asked once. Whatever cannot be done leaves
 *  a worktree exactly as it was. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../../core/errors.ts";
import type { SetupSaid } from "../../core/reuse.ts";
import { nameOf } from "../../core/worktree.ts";
import { isAncestor, readRef } from "../../git/branch.ts";
import { carryOver, keptStash, STASH_REF } from "../../git/carry-over.ts";
import { writeCommit } from "../../git/commit.ts";
import { fetchOnce, fetchRefs, type Fetched } from "../../git/fetch.ts";
import { countApart, findForkLeft, type Followed, readFollowed } from "../../git/followed.ts";
import type { Oid, Place } from "../../git/git.ts";
import { OWN_STEP } from "../../git/last-use.ts";
import { mergeTrees } from "../../git/merge.ts";
import { findPlace, inProgress, isMainPlace, readHead } from "../../git/place.ts";
import { rebaseAside } from "../../git/rebase-aside.ts";
import { listRemotes, readCommit } from "../../git/start-point.ts";
import { readStatus } from "../../git/status.ts";
import { readRunPlaces } from "../../store/attempts.ts";
import { moveBranchStart, noteWorktree, readWorktrees } from "../../store/worktrees.ts";
import { type Engine, worktreeHome } from "../engine.ts";
import { readySubmodules } from "../submodules.ts";
import { leaveHome } from "../tidy.ts";
import { findDamageOf, refuseDamaged } from "./damaged.ts";
import { lastUsed } from "./last-used.ts";
import { finishOne } from "./moves.ts";
import type { Checkout } from "./place.ts";
import { strangerAt } from "./stranger.ts";
import { printableNames, shellWord } from "../../lib/printable.ts";

export type SyncOptions = {
  strategy: "merge" | "rebase";
  /** What is uncommitted is carried over. */
  stash: boolean;
  prune: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
};

export type SyncState =
  | "up-to-date"
  | "updated"
  /** It has commits of its own, and lacks none. */
  | "ahead"
  | "conflicts"
  /** Uncommitted work keeps it as it is. */
  | "dirty"
  /** Untracked files stand where others would come. */
  | "in-the-way"
  /** What it follows was rewritten. */
  | "diverged"
  /** A merge, rebase, … is open. */
  | "in-progress"
  | "detached"
  /** It follows nothing, and no branch is on record that it began from. */
  | "no-base"
  /** An agent of a run works there. */
  | "in-use"
  | "unreachable"
  /** Its files are gone. */
  | "gone"
  /** git would not, or another owt is at it. */
  | "refused";

export type Synced = {
  path: string;
  name: string;
  branch: string | null;
  state: SyncState;
  /** What it was brought up to date with, or compared with; null where there is nothing. */
  with: string | null;
  /** Commits that came in. */
  commits: number;
  files: string[];
  /** What there is to say beside it. */
  notes: string[];
  /** The command that does by hand what was not done. */
  byHand: string | null;
};

/** How long a remote may take, as in the seed of this feature. */
const FETCH_MS = 60_000;

/** One after the other. Throws `interrupted`, between two worktrees or while a remote is asked. */
export async function syncWorktrees(
  engine: Engine,
  wanted: readonly Checkout[],
  options: SyncOptions,
): Promise<Synced[]> {
  const links = new Map<string, Link>();
  for (const each of wanted)
    if (each.branch !== null) links.set(each.path, await readLink(engine, each.path, each.branch));
  const fetched = await fetchAll(engine, [...links.values()], options);
  const all: Synced[] = [];
  for (const each of wanted) {
    refuseIfLeaving(options.signal);
    all.push(
      await syncOrSay(engine, each, () => syncOne(engine, each, links.get(each.path) ?? null, fetched, options)),
    );
  }
  return all;
}

/** One that came to harm keeps no other from it. */
async function syncOrSay(engine: Engine, { path, branch }: Checkout, sync: () => Promise<Synced>): Promise<Synced> {
  const name = nameOf({ path, branch });
  try {
    return await sync();
  } catch (error) {
    const isGits = error instanceof OwtError && error.code === "tool-failed";
    const damaged = isGits ? await findDamageOf(engine, { path, branch }) : null;
    if (damaged === null) throw error;
    const { message, hint = null } = refuseDamaged(damaged, `owt sync ${shellWord(name)}`);
    const nothing = { with: null, commits: 0, files: [] };
    return { path, name, branch, state: "refused", ...nothing, notes: [message], byHand: hint };
  }
}

/** What a branch can be brought up to date with. */
type Link = {
  upstream: Followed | null;
  base: {
    name: string;
    ref: string;
    /** The remote that it comes from, or of the branch that it follows. */ remote: string | null;
    follows: string | null;
  } | null;
};

async function readLink(engine: Engine, path: string, branch: string): Promise<Link> {
  const { repo } = engine;
  const upstream = await readFollowed(repo, branch);
  const name = readWorktrees(engine.store).get(path)?.base ?? null;
  if (name === null || name === branch) return { upstream, base: null };
  if ((await readRefSafely(engine, `refs/heads/${name}`)) !== null) {
    const follows = await readFollowed(repo, name);
    const isRemote = follows !== null && follows.tracking !== null && follows.remote !== ".";
    const remote = isRemote ? follows.remote : null;
    return { upstream, base: { name, ref: `refs/heads/${name}`, remote, follows: isRemote ? follows.tracking : null } };
  }
  const remote = (await listRemotes(repo)).find((each) => name.startsWith(`${each}/`)) ?? null;
  return { upstream, base: remote === null ? null : { name, ref: `refs/remotes/${name}`, remote, follows: null } };
}

async function readRefSafely({ repo }: Engine, ref: string): Promise<Oid | null> {
  return readRef(repo, ref).catch(() => null);
}

/** Each remote is asked once, for all. Answers by remote, and by remote and ref of what no fetch is configured for. */
async function fetchAll(engine: Engine, links: readonly Link[], options: SyncOptions): Promise<Map<string, Fetched>> {
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
  const asked = (ask: (signal: AbortSignal) => Promise<Fetched>) => askRemote(ask, options.signal);
  for (const remote of remotes)
    fetched.set(remote, await asked((signal) => fetchOnce(repo, remote, { prune: options.prune, signal })));
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

function refuseIfLeaving(leave: AbortSignal): void {
  if (leave.aborted) throw new OwtError("interrupted", "interrupted", { hint: "again: owt sync" });
}

async function syncOne(
  engine: Engine,
  { path, branch }: Checkout,
  link: Link | null,
  fetched: ReadonlyMap<string, Fetched>,
  options: SyncOptions,
): Promise<Synced> {
  const { repo } = engine;
  const synced: Synced = {
    path,
    name: nameOf({ path, branch }),
    branch,
    state: "up-to-date",
    with: null,
    commits: 0,
    files: [],
    notes: [],
    byHand: null,
  };
  const end = (state: SyncState, more: Partial<Synced> = {}): Synced => ({ ...synced, state, ...more });
  const stranger = strangerAt(engine, { path, branch });
  if (stranger !== null) return end("refused", { notes: [stranger.message], byHand: stranger.hint ?? null });
  const place = existsSync(path) ? findPlace(repo, path) : null;
  if (place === null) return end("gone", { byHand: `owt delete ${synced.name}` });
  const run = readRunPlaces(engine.store).get(path);
  if (run?.isOpen === true) return end("in-use", { notes: [`${run.key} of ${run.run} has it`] });
  const given = await giveBack(engine, place);
  synced.notes.push(...given.notes);
  if (given.isBusy) return end("refused");
  const what = inProgress(place);
  if (what !== null) return end("in-progress", { notes: [...synced.notes, `a ${what} is open`] });
  if (branch === null || link === null) return end("detached");
  const source = await findSource(engine, link, fetched);
  synced.notes.push(...source.notes);
  if (source.at === null)
    return end(source.isUnreachable ? "unreachable" : "no-base", {
      with: source.name,
      ...(source.isUnreachable ? {} : { byHand: `git -C ${shellWord(path)} branch --set-upstream-to <branch>` }),
    });
  synced.with = source.name;
  const head = (await readHead(repo, place)).oid;
  if (head === null) return end("no-base");
  return bringUp(engine, { place, branch, head, source: { ...source, at: source.at } }, options, end);
}

type Source = {
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
async function findSource(
  engine: Engine,
  { upstream, base }: Link,
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
  if (base === null) return { ...none, name: null };
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

type Task = { place: Place; branch: string; head: Oid; source: Source & { at: Oid } };

async function bringUp(
  engine: Engine,
  { place, branch, head, source }: Task,
  options: SyncOptions,
  end: (state: SyncState, more?: Partial<Synced>) => Synced,
): Promise<Synced> {
  const { repo } = engine;
  const path = place.root;
  const { ahead, behind } = await countApart(repo, head, source.at);
  if (behind === 0) return end(ahead > 0 ? "ahead" : "up-to-date");
  const fork = source.ref === null || !source.isUpstream ? null : await findForkLeft(repo, source.ref, head);
  if (fork !== null)
    return end("diverged", {
      byHand: `git -C ${shellWord(path)} rebase --onto ${wordFor(source)} ${fork.slice(0, 12)}`,
    });
  const status = await readStatus(place, { links: existsSync(join(path, ".gitmodules")) });
  const open = status.unmerged.map((each) => each.path);
  if (open.length > 0) {
    const byHand = `settle them, git -C ${shellWord(path)} add -- ${open.map(shellWord).join(" ")}, commit; then: owt sync ${branch}`;
    const all = end("dirty", { files: open, byHand });
    return { ...all, notes: [...all.notes, `conflicts are open in ${printableNames(open)}`] };
  }
  // What is staged of a submodule nobody can carry over; where it only stands elsewhere, that is left to it.
  const links = status.changes.filter((change) => change.isLink);
  const staged = links.filter(({ x }) => x !== ".").map((change) => change.path);
  if (staged.length > 0)
    return end("dirty", { files: staged, byHand: `commit what is in ${path}, then: owt sync ${branch}` });
  status.changes = status.changes.filter((change) => !change.isLink);
  const dirty = status.changes.map((change) => change.path);
  if (dirty.length > 0 && (!options.stash || isMainPlace(place)))
    return end("dirty", { files: dirty, byHand: `commit what is in ${path}, then: owt sync ${branch}` });
  // git cannot set aside what is only meant to be added.
  const meant = status.changes.filter(({ x, y }) => x === "." && y === "A").map((change) => change.path);
  if (meant.length > 0) {
    const byHand = `git -C ${shellWord(path)} add -- ${meant.map(shellWord).join(" ")}; then: owt sync ${branch}`;
    const all = end("dirty", { files: meant, byHand });
    return { ...all, notes: [...all.notes, `git add --intent-to-add was said of ${printableNames(meant)}`] };
  }
  const target = ahead === 0 ? { commit: source.at } : await combine(engine, { place, branch, head, source }, options);
  if ("files" in target)
    return end("conflicts", {
      files: target.files,
      byHand: `git -C ${shellWord(path)} ${options.strategy} ${wordFor(source)}`,
    });
  if ("unrelated" in target)
    return end("diverged", {
      byHand: `git -C ${shellWord(path)} merge --allow-unrelated-histories ${wordFor(source)}`,
    });
  const from = lastUsed(engine, path, readWorktrees(engine.store).get(path) ?? null);
  const moved = await carryOver(repo, place, {
    from: head,
    to: target.commit,
    reason: `${OWN_STEP} sync: ${source.name}`,
  });
  if ("moved" in moved) {
    rememberUse(engine, { path, branch }, from);
    if (ahead === 0) moveBranchStart(engine.store, path, head, target.commit);
    const notes = await takeSubmodules(engine, place, { from: head, to: target.commit }, options.signal);
    const all = end("updated", { commits: behind });
    return { ...all, notes: [...all.notes, ...notes] };
  }
  switch (moved.stays) {
    case "conflicts":
      return end("dirty", {
        files: moved.files,
        byHand: `commit what is in ${path}, then: owt sync ${branch}`,
      });
    case "in-the-way":
      return end("in-the-way", { files: moved.files, byHand: `move them away, then: owt sync ${branch}` });
    case "kept-stash":
      return end("dirty", { files: dirty });
    case "refused":
      return end("refused", { notes: [moved.said.split("\n")[0]!] });
  }
}

/** What git takes it for: it knows no name of a remote's ref that is kept in one of ours. */
function wordFor({ name, ref }: Source): string | null {
  return ref?.startsWith("refs/owt/") === true ? ref : name;
}

/** Submodules go along where nobody works in them; what stays, and why, is told. In the main checkout nothing new is checked out. */
async function takeSubmodules(
  engine: Engine,
  place: Place,
  { from, to }: { from: Oid; to: Oid },
  signal: AbortSignal,
): Promise<string[]> {
  const notes: string[] = [];
  const tell = (said: SetupSaid) => {
    if (said.level === "submodules")
      notes.push(
        `submodule${said.done.length === 1 ? "" : "s"} ${said.done.map(({ path }) => path).join(", ")} went along`,
      );
    if (said.level === "warning") notes.push(said.text);
  };
  try {
    await readySubmodules(engine, place, to, { asked: !isMainPlace(place), present: { from }, signal, tell });
  } catch (error) {
    refuseIfLeaving(signal);
    throw error;
  }
  return notes;
}

/** Both sides in one: merged in the object store, or rebased where nobody looks. */
async function combine(
  engine: Engine,
  { place, branch, head, source }: Task,
  { strategy }: SyncOptions,
): Promise<{ commit: Oid } | { files: string[] } | { unrelated: true }> {
  const { repo } = engine;
  if (strategy === "rebase") {
    const path = join(worktreeHome(engine), `rebase-${process.pid}`);
    const rebased = await rebaseAside(repo, { head, onto: source.at, path });
    leaveHome(engine);
    return rebased;
  }
  const merged = await mergeTrees(repo, head, source.at, place.root);
  if (!("tree" in merged)) return merged;
  const isRemote = source.ref?.startsWith("refs/heads/") !== true;
  const message = `Merge ${isRemote ? "remote-tracking branch" : "branch"} '${source.name}' into ${branch}\n`;
  const identity = await engine.identity();
  return { commit: await writeCommit(repo, { tree: merged.tree, parents: [head, source.at], message, identity }) };
}

/** Being brought up to date is no use: what nobody recorded is recorded as used when it last was. */
function rememberUse(engine: Engine, worktree: Checkout, usedAt: number | null): void {
  if (readWorktrees(engine.store).has(worktree.path)) return;
  noteWorktree(engine.store, usedAt ?? engine.now(), worktree);
}

/** Finishes what a killed sync left, and says where something is that it could not give back. */
async function giveBack(engine: Engine, place: Place): Promise<{ notes: string[]; isBusy: boolean }> {
  const finished = await finishOne(engine, place);
  if (finished === "busy") return { notes: ["another owt brings it up to date right now"], isBusy: true };
  const notes = finished === "back" || finished === "forward" ? ["a sync that was cut off was brought to its end"] : [];
  if ((await keptStash(place)) !== null) notes.push(describeKept(place));
  return { notes, isBusy: false };
}

function describeKept({ root }: Place): string {
  return `what was uncommitted when a sync was cut off is kept: git -C ${shellWord(root)} stash apply --index ${STASH_REF}; then forget it: git -C ${shellWord(root)} update-ref -d ${STASH_REF}`;
}
