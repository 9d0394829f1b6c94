/** Takes a worktree by hand away, and its branch where its work has come home. The one guard in front of every removal stands in git/remove. */
import { existsSync, rmdirSync, rmSync } from "node:fs";
import { dirname, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../../core/errors.ts";
import { KEY_VARIABLE } from "../../core/session-name.ts";
import { IN_THE_MIDDLE } from "../../core/session-state.ts";
import { slug } from "../../core/names.ts";
import { nameOf, wordOf } from "../../core/worktree.ts";
import { defaultBranch, deleteBranchIf, readRef } from "../../git/branch.ts";
import { git, type Oid } from "../../git/git.ts";
import { findNotFiles, type NotFile } from "../../git/not-files.ts";
import { findPlace } from "../../git/place.ts";
import { isSavable, type Reason, removeWorktree, whyItStays } from "../../git/remove.ts";
import { readCommit } from "../../git/start-point.ts";
import { type Came, howItCame } from "../../git/work-in.ts";
import { readRunPlaces } from "../../store/attempts.ts";
import { forgetWorktree, readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import { keepChangedEnvironment } from "../environment-files.ts";
import { leaveWorktree } from "../hooks.ts";
import { forgetSetup, knownFiles } from "../workspace.ts";
import type { Session } from "../../tmux/list.ts";
import { processesIn, workersIn } from "../../tmux/session.ts";
import { endSessionOf } from "../sessions.ts";
import { asOneRemover } from "./one-at-a-time.ts";
import { type Checkout, baseDirectory } from "./place.ts";
import { setupDir } from "./ready.ts";
import { readStates } from "./state.ts";

export type Gone = {
  path: string;
  branch: string | null;
  /** How the branch's work came home, so that the branch went too; null where it stays. */
  came: Came | null;
  /** What `owt restore` brings back. */
  rescue: string | null;
  /** Environment files that were changed, kept under that name. */
  environment: string[];
  /** Ignored folders that went with it and are kept nowhere. */
  discarded: string[];
  /** Those of them that were to be kept. */
  leftOut: string[];
  /** What went with it, and nothing can keep. */
  notFiles: NotFile[];
  /** Another process has taken it away meanwhile. */
  already?: true;
};

/** `notFiles`: what nothing could keep, were it taken away. */
export type Stays = { path: string; branch: string | null; reasons: Reason[]; notFiles: NotFile[] };

export type RemoveByHand = {
  /** Whether what is not safe may be kept for `owt restore`, instead of being refused: all of it, or some. */
  save: boolean | ((reason: Reason["reason"]) => boolean);
  /** Keep it though nothing would be lost. */
  saveAnyway?: boolean;
  /** Hears of a hook that failed. */
  tell: (text: string) => void;
  /** Hears what is waited for, where somebody looks on. */
  onWait?: (text: string) => void;
};

/** Removes a worktree with nothing lost: what is not safe is refused, or with `save` kept for `owt restore` first. Any number of processes may do this
 *  at once: who comes too late hears that it is gone. Throws `interrupted` where its hook was stopped: it is whole then. */
export async function removeByHand(engine: Engine, worktree: Checkout, options: RemoveByHand): Promise<Gone | Stays> {
  const { path, branch } = worktree;
  const wasThere = existsSync(path);
  const isGone = () => !existsSync(path) && (wasThere || findPlace(engine.repo, path) === null);
  const already: Gone = {
    path,
    branch,
    came: null,
    rescue: null,
    environment: [],
    discarded: [],
    leftOut: [],
    notFiles: [],
    already: true,
  };
  if (isGone()) return already;
  try {
    const end = await asOneRemover(engine, path, () => removeOne(engine, worktree, options, isGone));
    // What was seen of files that were just going is nothing.
    return end === null || ("reasons" in end && isGone()) ? already : end;
  } catch (error) {
    if (isGone()) return already;
    throw error;
  }
}

/** How work comes home as other commits: its own are then nowhere else. */
const COPIED = new Set<Came>(["squashed", "rebased", "copied"]);

/** Null where it is gone before it is taken away. */
async function removeOne(
  engine: Engine,
  { path, branch }: Checkout,
  options: RemoveByHand,
  isGone: () => boolean,
): Promise<Gone | Stays | null> {
  if (isGone()) return null;
  const { repo, store } = engine;
  const tips = await homesOf(engine, path, branch);
  const tip = branch === null ? null : await readRef(repo, branch);
  const came = tip === null ? null : await howItCame(repo, tip, tips);
  const held = {
    // The branch stays, or goes only where its work is elsewhere too.
    keep: branch === null ? tips : [`refs/heads/${branch}`],
    known: knownFiles(engine, path),
  };
  const record = readWorktrees(store).get(path);
  const { save } = options;
  let found = await reasonsToStay(engine, path, held);
  const keeping = () =>
    found.filter((each) => !isSavable(each) || !(typeof save === "boolean" ? save : save(each.reason)));
  const stays = (reasons: Reason[]) => ({ path, branch, reasons, notFiles: findNotFiles(path, held.known) });
  if (keeping().length > 0) return stays(keeping());
  await endSessionOf(engine, path);
  if (await leaveByHand(engine, { path, branch }, options)) {
    if (isGone()) return null;
    // A hook may have left something.
    held.known = knownFiles(engine, path);
    found = await reasonsToStay(engine, path, held);
    if (keeping().length > 0) return stays(keeping());
  }
  const id = `${slug(nameOf({ path, branch }))}-${engine.now().toString(36)}`;
  const kept = await keepChangedEnvironment(engine, path, id);
  if (isGone()) return null;
  const notFiles = findNotFiles(path, held.known);
  const removed = await removeWorktree(repo, path, {
    ...held,
    save: save === true || found.length > 0,
    saveBuilds: found.length > 0 || save === true,
    saveAnyway: options.saveAnyway === true || (came !== null && COPIED.has(came)),
    rescue: {
      id,
      note: `the worktree ${nameOf({ path, branch })}, taken away`,
      at: engine.now(),
      ...(record === undefined
        ? {}
        : { record: { base: record.base, began: record.ownsBranchAt, doing: record.note } }),
    },
  });
  if (!removed.removed) return { path, branch, reasons: removed.reasons, notFiles };
  await removed.emptied;
  leaveBaseDirectory(engine, path);
  forgetSetup(engine, path);
  rmSync(setupDir(engine, path), { recursive: true, force: true });
  forgetWorktree(store, path);
  const isHome = came !== null && (await deleteBranchIf(repo, branch!, tip!, [tip!])) === "deleted";
  const isSaved = removed.rescue !== null || kept.length > 0;
  const { discarded, leftOut } = removed;
  return {
    path,
    branch,
    came: isHome ? came : null,
    rescue: isSaved ? id : null,
    environment: kept,
    discarded,
    leftOut,
    notFiles,
  };
}

/** No attempt of a task has such a number, and no worktree that is made at the same time. */
const LEAVING = Number.MIN_SAFE_INTEGER;

/** Runs the hook of one that goes; whether there is one. What it ran is forgotten: a repeated call runs it anew. */
async function leaveByHand(engine: Engine, worktree: Checkout, { tell, onWait }: RemoveByHand): Promise<boolean> {
  const { path } = worktree;
  const dir = setupDir(engine, path);
  const place = { attempt: LEAVING, dir, worktree: path };
  const left = await leaveWorktree(engine, { ...place, ...(onWait === undefined ? {} : { onWait }) });
  if (left === null) return false;
  rmSync(dir, { recursive: true, force: true });
  if (left.interrupted)
    throw new OwtError("interrupted", `interrupted while [hooks] pre_remove ran; ${path} stays as it is`, {
      hint: `again: owt delete ${wordOf(worktree)}`,
    });
  if (left.trouble !== null) tell(left.trouble);
  return true;
}

/** With the last worktree in it goes the folder that is for worktrees alone, where it lies in the main checkout. */
function leaveBaseDirectory(engine: Engine, path: string): void {
  const home = baseDirectory(engine);
  if (dirname(path) !== home || !home.startsWith(engine.repo.root + sep)) return;
  try {
    rmdirSync(home);
  } catch {
    // Something else is in it.
  }
}

/** Why a worktree stays, as {@link removeByHand} sees it: of its session, idle shells and an agent that waits are in nobody's way; what else runs
 *  there is, and so is an agent in the middle of something, and somebody who looks at it. */
export async function reasonsToStay(
  engine: Engine,
  path: string,
  held: Parameters<typeof whyItStays>[2],
): Promise<Reason[]> {
  const reasons = await whyItStays(engine.repo, path, held);
  const standing = (await readStates(engine)).get(path);
  if (standing === undefined) return reasons;
  if (standing.session.key !== null && engine.env[KEY_VARIABLE] === standing.session.key)
    return [...reasons, { reason: "in-use", what: ["you are in its session"] }];
  if (IN_THE_MIDDLE.has(standing.state))
    return [...reasons, { reason: "in-use", what: [`${standing.pane?.agent} is at work (owt tmux kill)`] }];
  if (standing.session.clients.length > 0)
    return [...reasons, { reason: "in-use", what: ["somebody looks at its session"] }];
  const own = new Set(processesIn(standing.session));
  const isOwn = (line: string) => own.has(Number.parseInt(line, 10));
  const strangers = reasons
    .filter(({ reason }) => reason === "in-use")
    .flatMap(({ what }) => what.filter((line) => !isOwn(line)));
  const working = (await readWorkers(standing.session)).map(({ pid, command }) => `${pid} ${command}`);
  const what = [...working, ...strangers];
  return [
    ...reasons.filter(({ reason }) => reason !== "in-use"),
    ...(what.length === 0 ? [] : [{ reason: "in-use" as const, what }]),
  ];
}

/** How often, and how long between, a session is looked at: what a shell runs as it starts, and for its prompt, is over then. */
const LOOKS = 10;
const LOOK_MS = 100;

async function readWorkers(session: Session): Promise<ReturnType<typeof workersIn>> {
  for (let looks = 1; ; looks++) {
    const found = workersIn(session);
    if (found.length === 0 || looks === LOOKS) return found;
    await sleep(LOOK_MS);
  }
}

/** Commits in which the work of a branch counts as home: its base, the project's own branch, and what those follow; of a run's worktree, also
 *  the run's branch and its target. */
export async function homesOf(engine: Engine, path: string, branch: string | null): Promise<Oid[]> {
  const { repo, store } = engine;
  const base = readWorktrees(store).get(path)?.base ?? null;
  const run = readRunPlaces(store).get(path);
  const all = [base, await defaultBranch(repo), run?.branch, run?.target];
  const names = all.filter((name) => typeof name === "string" && name !== branch) as string[];
  const followed = await Promise.all(names.map((name) => upstreamOf(engine, name)));
  const tips = await Promise.all([...names, ...followed.flat()].map((name) => readCommit(repo, name)));
  return [...new Set(tips.filter((oid) => oid !== null))];
}

/** The remote branch that a branch follows; none, or one that is there. */
export async function upstreamOf({ repo }: Engine, branch: string): Promise<string[]> {
  const args = ["for-each-ref", "--format=%(upstream)", `refs/heads/${branch}`];
  return (await git(repo, args)).stdout.split("\n").filter(Boolean);
}
