/** Worktrees that git cannot read any more: what is wrong with each, and the way that mends it with its files left as they are. */
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { OwtError } from "../../core/errors.ts";
import { type Named, nameOf } from "../../core/worktree.ts";
import { type Damage, findDamage, findLostEntry, findLostLink, findSilentRoots } from "../../git/damage.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { mendDamaged } from "../../git/mend.ts";
import { findPlace } from "../../git/place.ts";
import { statIfThere } from "../../system/files.ts";
import { readAttempts } from "../../store/attempts.ts";
import { readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import { taskAt } from "../task-at.ts";

/** `branch` is the one on record where git cannot tell. */
export type Damaged = Named & Damage;

/** What is wrong with one worktree; null where git can read it, or its files are gone, or in their place stands a file. */
export async function findDamageOf(engine: Engine, { path, branch }: Named): Promise<Damaged | null> {
  if (statIfThere(path)?.isDirectory() !== true) return null;
  const onRecord = branch ?? branchOnRecord(engine, path);
  const place = findPlace(engine.repo, path);
  const damage = place === null ? findLostEntry(engine.repo, path, onRecord !== null) : await findDamage(place);
  return damage && { path, branch: onRecord, ...damage };
}

function branchOnRecord(engine: Engine, path: string): string | null {
  const task = taskAt(engine, path);
  const attempt = task && readAttempts(engine.store, task.id).findLast(({ worktree }) => worktree === path);
  return attempt?.branch ?? readWorktrees(engine.store).get(path)?.branch ?? null;
}

/** The damaged worktree that a word may mean which git no longer knows by that name; null where there is none. */
export async function findLost(engine: Engine, word: string): Promise<Damaged | null> {
  const bare = word.replace(/\/+$/, "");
  const isMeant = ({ path, branch }: Named) =>
    [branch, branch?.split("/").at(-1), basename(path), path].some((name) => name === bare);
  const onRecord = [...readWorktrees(engine.store).values()].filter(isMeant).map(({ path }) => path);
  const silent = findSilentRoots(engine.repo).filter((path) => isMeant({ path, branch: null }));
  for (const path of new Set([...onRecord, resolve(engine.repo.here, bare), ...silent])) {
    const damaged = await findDamageOf(engine, { path, branch: null });
    if (damaged !== null) return damaged;
  }
  return null;
}

/** All of them, also those that git has no entry of any more. */
export async function findAllDamaged(engine: Engine): Promise<Damaged[]> {
  const known = await listCheckouts(engine.repo);
  const all = [...known, ...findAllLost(engine, known)];
  const found = all.map(async (each) => (await findDamageOf(engine, each)) ?? findUnlinked(engine, each));
  return (await Promise.all(found)).filter((each) => each !== null);
}

/** Those that `known` lacks since git has no entry of them any more, or one that does not say where it stands. */
export function findAllLost(
  { repo, store }: Pick<Engine, "repo" | "store">,
  known: readonly Pick<Named, "path">[],
): Named[] {
  const records = readWorktrees(store);
  const isKnown = new Set(known.map(({ path }) => path));
  const paths = new Set([...records.keys(), ...findSilentRoots(repo)].filter((path) => !isKnown.has(path)));
  return [...paths].flatMap((path) => {
    const record = records.get(path);
    const isLost = existsSync(path) && findLostEntry(repo, path, record !== undefined) !== null;
    return isLost ? [{ path, branch: record?.branch ?? null }] : [];
  });
}

/** One that owt reads by what git has on record, and in which no other git finds its repository. */
export function findUnlinked({ repo }: Pick<Engine, "repo">, { path, branch }: Named): Damaged | null {
  const place = findPlace(repo, path);
  const damage = place === null ? null : findLostLink(repo, place);
  return damage && { path, branch, ...damage };
}

/** Mends one; false where nobody can say which branch or commit it was on. */
export async function mendWorktree(engine: Engine, { path, branch }: Damaged): Promise<boolean> {
  return (await mendDamaged(engine.repo, path, branch)) !== null;
}

/** Does something with a worktree; where git fails at it because the worktree came to harm, the error says that, and `next` what to give again once it is mended. */
export async function orRefuseDamaged<T>(
  engine: Engine,
  worktree: Named,
  next: string,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof OwtError) || error.code !== "tool-failed") throw error;
    const damaged = await findDamageOf(engine, worktree);
    throw damaged === null ? error : refuseDamaged(damaged, next);
  }
}

/** Why nothing is done with it, and what helps. `next` is the command to give behind that. */
export function refuseDamaged(damaged: Damaged, next?: string): OwtError {
  const then = next === undefined ? "" : `; then: ${next}`;
  return new OwtError("wrong-state", `git cannot read ${nameOf(damaged)} (${damaged.path}): ${damaged.said}`, {
    hint: `mend it, with its files as they are: owt doctor --fix${then}`,
  });
}
