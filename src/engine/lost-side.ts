/** Whether an agent, or a person, resolved a conflict by throwing a side away, or mended a red check by undoing what others did: it is asked once whether that is meant, and what stays lost is told. */
import { begunAnewWith, broughtTogetherBefore } from "../core/conversation.ts";
import { ruleFor } from "../core/conflict-rules.ts";
import type { LostChange } from "../core/lost-change.ts";
import { isMended, type NextStart, turnOf } from "../core/task.ts";
import type { Resolved } from "../core/resolved.ts";
import { isAncestor } from "../git/branch.ts";
import { changedSinceFork, forkOf } from "../git/changes.ts";
import { writeCommit } from "../git/commit.ts";
import type { Oid } from "../git/git.ts";
import { tasksThatChanged } from "../git/integrations.ts";
import { findLostSides, findUndone, type Lost } from "../git/lost-side.ts";
import { mergePartly } from "../git/merge.ts";
import type { Repo } from "../git/repo.ts";
import { readAttempts } from "../store/attempts.ts";
import { readLost } from "../store/run-words.ts";
import type { Carried } from "./attempt-moves.ts";
import { isBegunAnew } from "./clash.ts";
import type { Engine } from "./engine.ts";
import { firstHead, workBeforeMending } from "./own-work.ts";
import { trunkOf } from "./run-tip.ts";

/** The merge that this turn was to resolve; null where it was none. */
export function resolvedIn(start: NextStart): Resolved | null {
  const next = turnOf(start);
  if (next.kind === "conflict") return { files: next.files, ours: next.ours, theirs: next.theirs };
  return next.kind === "resume" || next.kind === "by-hand" ? (next.resolved ?? null) : null;
}

/** `isLater`: its conflict was resolved in an earlier turn, or its work is done anew. */
type ToCompare = Resolved & { isLater?: true };

/** What this turn was to bring together, be it a merge to resolve, or to mend where the work of others made its own red, or what an earlier turn had to; null where there is
 *  nothing. */
export function broughtTogether(engine: Engine, carried: Carried): ToCompare | null {
  const { task, attempt } = carried;
  const next = turnOf(task.next);
  const resolved = resolvedIn(next);
  if (resolved !== null && (resolved.isAnew === true || !isMended(resolved))) return resolved;
  const theirs = next.kind === "repair" ? next.onto : (resolved?.theirs ?? null);
  const attempts = readAttempts(engine.store, task.id);
  const anew = isBegunAnew(task) ? begunAnewWith(attempts, attempt.id) : null;
  if (anew !== null) return { ...anew, theirs: theirs ?? anew.theirs, isLater: true };
  if (theirs !== null) {
    // What came in with an earlier repair of this conversation is others' work, too.
    const ours = firstHead(engine, attempt);
    return ours === null ? null : { files: [], ours, theirs };
  }
  const before = broughtTogetherBefore(attempts, attempt.id);
  return before === null ? null : { ...before, isLater: true };
}

/** What is lost in `work`, or in what it comes to with the other side where it was not merged with that: of the files in which the two conflict still nothing. What a rule of
 *  the configuration would settle for one side is nobody's loss. */
export async function findLost(engine: Engine, carried: Carried, merge: ToCompare, work: Oid): Promise<LostChange[]> {
  const { repo, config, store } = engine;
  const { task } = carried;
  const { ours, theirs } = merge;
  const rules = config.conflicts ?? {};
  const lost = (await lostIn(engine, carried, merge, work)).filter(({ path }) => ruleFor(path, rules) === null);
  if (lost.length === 0) return [];
  const fork = await forkOf(repo, ours, theirs);
  const changes = await Promise.all(
    lost.map(async ({ path, side, ...rest }) => {
      const isOwn = side === "ours";
      return { path, isOwn, of: isOwn ? [] : await tasksThatChanged(repo, fork, theirs, path), ...rest };
    }),
  );
  if (!isMended(merge) && !merge.isLater) return changes;
  // What an earlier turn meant to lose is not asked about again.
  const told = readLost(store, task.run).get(task.id) ?? [];
  return changes.filter(({ path, isOwn }) => !told.some((each) => each.path === path && each.isOwn === isOwn));
}

/** Who did not merge the other side may have taken over what it has by now, with which the side as it was would only conflict. */
async function lostIn(engine: Engine, carried: Carried, merge: ToCompare, work: Oid): Promise<Lost[]> {
  const { repo } = engine;
  const { theirs } = merge;
  if (await isAncestor(repo, theirs, work)) return lostBy(engine, carried, merge, work);
  const tip = await trunkOf(engine, carried.run);
  const later = tip !== theirs && (await isAncestor(repo, theirs, tip)) ? [tip] : [];
  const lost: Lost[] = [];
  for (const other of [theirs, ...later]) {
    const found = await lostBehind(engine, carried, { ...merge, theirs: other }, work);
    lost.push(...found.filter(({ path, side }) => !lost.some((each) => each.path === path && each.side === side)));
  }
  return lost;
}

/** What is lost in work as it comes in behind the other side. */
async function lostBehind(engine: Engine, carried: Carried, merge: ToCompare, work: Oid): Promise<Lost[]> {
  const { repo } = engine;
  const { theirs } = merge;
  const merged = await mergePartly(repo, theirs, work, carried.attempt.worktree);
  if ("unrelated" in merged) return [];
  const { tree, files } = merged;
  const message = "Compared with both sides of a conflict";
  const identity = await engine.identity();
  const head = await writeCommit(repo, { tree, parents: [theirs, work], message, identity });
  return (await lostBy(engine, carried, merge, head)).filter(({ path }) => !files.includes(path));
}

async function lostBy(engine: Engine, { attempt }: Carried, merge: ToCompare, head: Oid): Promise<Lost[]> {
  const { repo } = engine;
  const { ours, theirs } = merge;
  const lost = await findLostSides(repo, { ours, theirs, head });
  if (!isMended(merge) && (merge.isAnew || merge.isLater)) return thoseAskedFor(repo, merge, head, lost);
  if (!isMended(merge)) {
    // What it did elsewhere than in the conflict was not to be decided in this turn.
    const undone = await findUndone(repo, { ours, theirs, head });
    return [
      ...lost,
      ...undone.filter(({ path, side }) => !lost.some((each) => each.path === path && each.side === side)),
    ];
  }
  // What it did before its check was red with theirs was its own to undo.
  const own = await workBeforeMending(engine, attempt, theirs);
  const undone = own === null ? [] : await findUndone(repo, { ours: own, theirs, head });
  return [...lost.filter(({ side }) => side === "theirs"), ...undone];
}

/** What is done anew may be done in another way, of which something has to be there. */
async function thoseAskedFor(repo: Repo, merge: Resolved, head: Oid, lost: Lost[]): Promise<Lost[]> {
  if (!merge.isAnew) return lost;
  const changed = new Set((await changedSinceFork(repo, merge.theirs, head)).paths);
  return lost.filter(({ path, side }) => merge.files.includes(path) && (side === "theirs" || !changed.has(path)));
}
