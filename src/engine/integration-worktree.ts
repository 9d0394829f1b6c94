/** The worktree of a run in which nobody works: merged work is checked there. */
import { existsSync, lstatSync, renameSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import type { Oid } from "../git/git.ts";
import { clearStaleLocks } from "../git/locks.ts";
import { mendEntry } from "../git/mend.ts";
import { detachAgain, moveDetached } from "../git/move.ts";
import { findPlace, foldersIn, privateTips, readHead } from "../git/place.ts";
import { removeWorktree } from "../git/remove.ts";
import { noteStanding } from "../git/standing.ts";
import { createWorktree, type CreateRefused, type Worktree } from "../git/worktree.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readLaunch } from "../system/launch.ts";
import { noteInterrupted, stopSoon } from "./check.ts";
import { attemptDir, type Engine, integrationWorktree } from "./engine.ts";
import { bringEnvironmentFiles, environmentFiles } from "./environment-files.ts";
import { readySubmodules } from "./submodules.ts";
import { inRoomFor } from "./worktree-room.ts";
import { forgetSetup, knownFiles } from "./workspace.ts";

/** The run's own worktree, detached at a commit, with its environment files. */
export async function standAt(engine: Engine, run: string, commit: string): Promise<string> {
  const path = integrationWorktree(engine, run);
  const mended = await mendEntry(engine.repo, path, { detached: commit });
  await leaveBranch(engine, run, path, commit);
  const made = await makeAt(engine, run, path, commit);
  if ("refused" in made) {
    throw new OwtError("environment", `the integration worktree ${path} cannot be made (${made.refused})`, {
      hint: `move away what is at ${path}, then: owt resume`,
    });
  }
  if (made.isNew) forgetSetup(engine, path);
  // Only we work here, and no git of an earlier owt is left: a lock is one that a power cut left.
  if (!made.isNew) await clearStaleLocks(engine.repo, made.gitDir, { branches: [] });
  if (!made.isNew) await moveDetached(engine.repo, path, commit, environmentFiles(engine));
  // What a setup brought before the machine went down may be in pieces.
  if (mended !== null) forgetSetup(engine, path);
  bringEnvironmentFiles(engine, path);
  if (mended !== null) noteStanding(mended);
  const place = findPlace(engine.repo, path);
  if (place) await readySubmodules(engine, place, commit, { asked: false, present: "ours" });
  return path;
}

/** It is ours: where its files are gone, its entry goes too, and what else stands there is put beside it. */
async function makeAt(engine: Engine, run: string, path: string, commit: Oid): Promise<Worktree | CreateRefused> {
  if (!isAnythingAt(path)) await clearEntry(engine, run, path);
  const create = () =>
    inRoomFor(engine, { path, commit, isLast: true }, () => createWorktree(engine.repo, { path, base: commit }));
  const made = await create();
  if (!("refused" in made) || made.refused !== "path-exists") return made;
  if (isAnythingAt(path)) {
    const aside = `${path}-aside-${engine.now()}`;
    renameSync(path, aside);
    const text = `what stood at ${path}, where merged work is checked, is at ${aside} now`;
    appendEvent(engine.store, engine.now(), { run }, { kind: "note", text });
    await clearEntry(engine, run, path);
  }
  return create();
}

/** Also a link that leads nowhere. */
function isAnythingAt(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Commits that only this entry names are saved. */
async function clearEntry(engine: Engine, run: string, path: string): Promise<void> {
  if (findPlace(engine.repo, path) === null) return;
  const rescue = { id: `${run}-check-${engine.now()}`, note: `what ${path} was at, whose files are gone` };
  const tried = await triedMerges(engine, run, path);
  const removed = await removeWorktree(engine.repo, path, {
    keep: [`refs/heads/owt/runs/${run}`, ...tried],
    known: knownFiles(engine, path),
    unwanted: tried,
    save: true,
    rescue: { ...rescue, at: engine.now() },
  });
  if (removed.removed && removed.rescue !== null)
    appendEvent(engine.store, engine.now(), { run }, { kind: "rescued", rescue: rescue.id, what: rescue.note });
}

/** A check may have switched it to a branch. What it left there is put aside. */
async function leaveBranch(engine: Engine, run: string, path: string, commit: string): Promise<void> {
  if (!existsSync(path) || findPlace(engine.repo, path) === null) return;
  const id = `${run}-check-${engine.now()}`;
  const rescue = { id, note: `what a check left in ${path}, on a branch that it switched to`, at: engine.now() };
  const ref = await detachAgain(engine.repo, path, commit, environmentFiles(engine), rescue);
  if (ref === null) return;
  appendEvent(engine.store, engine.now(), { run }, { kind: "rescued", rescue: id, what: rescue.note });
}

/** Where the checks of merged work have their executions: in the folder of the first of the attempts whose work it is. */
export function mergeCheckDir(engine: Engine, attempt: number, candidate: string): string {
  return join(attemptDir(engine, attempt), `${CHECKS}${candidate.slice(0, NAMED)}`);
}

/** Where the checks of what is about to land have theirs; each time anew. */
export function landingCheckDir(engine: Engine, run: string, candidate: string): string {
  return join(landings(engine), `${run}-${candidate.slice(0, NAMED)}-${engine.now()}`);
}

function landings({ repo }: Engine): string {
  return join(repo.commonDir, "owt", "landings");
}

/** Those of a run, of earlier processes of ours too: the folder, and how the commit begins that was checked. */
function landingChecks(engine: Engine, run: string): { dir: string; candidate: string }[] {
  return foldersIn(landings(engine)).flatMap((name) => {
    const [, id, candidate] = /^(.+)-([0-9a-f]+)-\d+$/.exec(name) ?? [];
    return id === run ? [{ dir: join(landings(engine), name), candidate: candidate! }] : [];
  });
}

const CHECKS = "merge-";
/** So much of a commit's name is in that of its folder. */
const NAMED = 12;

/** Merges that were made to be checked, by earlier processes of ours too, and that only the worktree at `path` still names: nobody wants them back. */
export async function triedMerges(engine: Engine, run: string, path: string): Promise<Oid[]> {
  const place = findPlace(engine.repo, path);
  if (place === null) return [...engine.redMerges];
  const names = readAttemptsOfRun(engine.store, run).flatMap(({ id }) => foldersIn(attemptDir(engine, id)));
  const tried = new Set([
    ...names.filter((name) => name.startsWith(CHECKS)).map((name) => name.slice(CHECKS.length).slice(0, NAMED)),
    ...landingChecks(engine, run).map(({ candidate }) => candidate),
  ]);
  const { oid: head } = await readHead(engine.repo, place);
  const found = [...privateTips(place), ...(head === null ? [] : [head])];
  return [...engine.redMerges, ...found.filter((oid) => tried.has(oid.slice(0, NAMED)))];
}

const swept = new WeakMap<Engine, Set<string>>();

/** Ends checks of merged work that an earlier process of ours left running: the worktree is about to be moved under them. Once for each run. */
export async function endEarlierChecks(engine: Engine, run: string): Promise<void> {
  const done = swept.get(engine) ?? new Set<string>();
  swept.set(engine, done);
  if (done.has(run)) return;
  const running = readAttemptsOfRun(engine.store, run)
    .map(({ id }) => attemptDir(engine, id))
    .flatMap((dir) =>
      foldersIn(dir)
        .filter((name) => name.startsWith(CHECKS))
        .map((name) => join(dir, name)),
    );
  await endChecks(engine, running);
  done.add(run);
}

/** The same of what an earlier process was about to land; whoever asks is the only one that lands. True where the worktree is left of such a one. */
export async function endEarlierLandings(engine: Engine, run: string): Promise<boolean> {
  const dirs = landingChecks(engine, run).map(({ dir }) => dir);
  await endChecks(engine, dirs);
  return dirs.length > 0 && existsSync(integrationWorktree(engine, run));
}

/** `dirs` hold the folders of the executions. */
async function endChecks(engine: Engine, dirs: readonly string[]): Promise<void> {
  const running = dirs
    .flatMap((dir) => foldersIn(dir).map((name) => join(dir, name)))
    .filter((dir) => readLaunch(dir).kind === "alive");
  for (const dir of running) noteInterrupted(dir);
  await Promise.all(running.map((dir) => stopSoon(engine, dir)));
}
