/** Whether an agent, or a person, resolved a conflict by throwing a side away, or mended a red check by undoing what others did: it is asked once whether that is meant, and what stays lost is told. */
import { ruleFor } from "../core/conflict-rules.ts";
import type { LostChange } from "../core/lost-change.ts";
import { isMended, type NextStart, type Resolved } from "../core/task.ts";
import { isAncestor } from "../git/branch.ts";
import { forkOf } from "../git/changes.ts";
import type { Oid } from "../git/git.ts";
import { tasksThatChanged } from "../git/integrations.ts";
import { findLostSides } from "../git/lost-side.ts";
import { readLost } from "../store/run-words.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { firstHead } from "./own-work.ts";

/** The merge that this turn was to resolve; null where it was none. */
export function resolvedIn(next: NextStart): Resolved | null {
  if (next.kind === "conflict") return { files: next.files, ours: next.ours, theirs: next.theirs };
  return next.kind === "resume" || next.kind === "by-hand" ? (next.resolved ?? null) : null;
}

/** The merge that this turn was to resolve, or to mend where the work of others made its own red; null where it was neither. */
export function broughtTogether(engine: Engine, { task: { next }, attempt }: Carried): Resolved | null {
  const resolved = resolvedIn(next);
  const onto = next.kind === "repair" ? next.onto : null;
  const theirs = onto ?? (resolved !== null && isMended(resolved) ? resolved.theirs : null);
  if (theirs === null) return resolved;
  // What came in with an earlier repair of this conversation is others' work, too.
  const ours = firstHead(engine, attempt);
  return ours === null ? null : { files: [], ours, theirs };
}

/** What is lost in `head`; nothing where the merge was given up. What a rule of the configuration would settle for one side is nobody's loss. */
export async function findLost(
  { repo, config, store }: Engine,
  { task }: Carried,
  { files, ours, theirs }: Resolved,
  head: Oid,
): Promise<LostChange[]> {
  if (!(await isAncestor(repo, theirs, head))) return [];
  const rules = config.conflicts ?? {};
  const found = (await findLostSides(repo, { ours, theirs, head })).filter(({ path }) => ruleFor(path, rules) === null);
  const lost = isMended({ files }) ? found.filter(({ side }) => side === "theirs") : found;
  if (lost.length === 0) return [];
  const fork = await forkOf(repo, ours, theirs);
  const changes = await Promise.all(
    lost.map(async ({ path, side, ...rest }) => {
      const isOwn = side === "ours";
      return { path, isOwn, of: isOwn ? [] : await tasksThatChanged(repo, fork, theirs, path), ...rest };
    }),
  );
  if (!isMended({ files })) return changes;
  // What an earlier turn meant to lose is not asked about again.
  const told = readLost(store, task.run).get(task.id) ?? [];
  return changes.filter(({ path, isOwn }) => !told.some((each) => each.path === path && each.isOwn === isOwn));
}
