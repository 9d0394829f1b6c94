/** Brings worktrees up to date with what they follow, or with what they began from. Whatever cannot be done leaves
 *  a worktree exactly as it was. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../../core/errors.ts";
import type { SetupSaid } from "../../core/reuse.ts";
import { nameOf } from "../../core/worktree.ts";
import { carryOver, keptStash, STASH_REF } from "../../git/carry-over.ts";
import { writeCommit } from "../../git/commit.ts";
import type { Fetched } from "../../git/fetch.ts";
import { countApart, findForkLeft } from "../../git/followed.ts";
import type { Oid, Place } from "../../git/git.ts";
import { OWN_STEP } from "../../git/last-use.ts";
import { mergeTrees } from "../../git/merge.ts";
import { findPlace, inProgress, isMainPlace, readHead } from "../../git/place.ts";
import { rebaseAside } from "../../git/rebase-aside.ts";
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
import { fetchAll, findSource, type Link, readLink, refuseIfLeaving, type Source, wordFor } from "./sync-source.ts";
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

/** How it ended, with what there is to say beside what was said already. */
type End = (state: SyncState, more?: Partial<Synced>) => Synced;

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
  const end: End = (state, { notes = [], ...more } = {}) => ({
    ...synced,
    state,
    ...more,
    notes: [...synced.notes, ...notes],
  });
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
  if (what !== null) return end("in-progress", { notes: [`a ${what} is open`] });
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

type Task = { place: Place; branch: string; head: Oid; source: Source & { at: Oid } };

async function bringUp(
  engine: Engine,
  { place, branch, head, source }: Task,
  options: SyncOptions,
  end: End,
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
  const work = await readWork(place, branch, options.stash);
  if ("keeps" in work) return end("dirty", work.keeps);
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
    return end("updated", { commits: behind, notes });
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
      return end("dirty", { files: work.dirty });
    case "refused":
      return end("refused", { notes: [moved.said.split("\n")[0]!] });
  }
}

/** What is uncommitted there and goes along, or what keeps the worktree as it is. */
async function readWork(
  place: Place,
  branch: string,
  stash: boolean,
): Promise<{ dirty: string[] } | { keeps: { files: string[]; byHand: string; notes?: string[] } }> {
  const path = shellWord(place.root);
  const again = `then: owt sync ${branch}`;
  const status = await readStatus(place, { links: existsSync(join(place.root, ".gitmodules")) });
  const open = status.unmerged.map((each) => each.path);
  if (open.length > 0) {
    const byHand = `settle them, git -C ${path} add -- ${open.map(shellWord).join(" ")}, commit; ${again}`;
    return { keeps: { files: open, byHand, notes: [`conflicts are open in ${printableNames(open)}`] } };
  }
  // What is staged of a submodule nobody can carry over; where it only stands elsewhere, that is left to it.
  const staged = status.changes.filter(({ isLink, x }) => isLink && x !== ".").map((change) => change.path);
  const changes = status.changes.filter((change) => !change.isLink);
  const dirty = changes.map((change) => change.path);
  const kept = staged.length > 0 ? staged : !stash || isMainPlace(place) ? dirty : [];
  if (kept.length > 0) return { keeps: { files: kept, byHand: `commit what is in ${place.root}, ${again}` } };
  // git cannot set aside what is only meant to be added.
  const meant = changes.filter(({ x, y }) => x === "." && y === "A").map((change) => change.path);
  if (meant.length === 0) return { dirty };
  const byHand = `git -C ${path} add -- ${meant.map(shellWord).join(" ")}; ${again}`;
  const notes = [`git add --intent-to-add was said of ${printableNames(meant)}`];
  return { keeps: { files: meant, byHand, notes } };
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
