/** Whether an agent, or a person, resolved a conflict by throwing a side away: it is asked once whether that is meant, and what stays lost is told. */
import { ruleFor } from "../core/conflict-rules.ts";
import type { LostChange } from "../core/lost-change.ts";
import type { NextStart, Resolved } from "../core/task.ts";
import { isAncestor } from "../git/branch.ts";
import { forkOf } from "../git/changes.ts";
import type { Oid } from "../git/git.ts";
import { tasksThatChanged } from "../git/integrations.ts";
import { findLostSides } from "../git/lost-side.ts";
import type { Engine } from "./engine.ts";

/** The merge that this turn was to resolve; null where it was none. */
export function resolvedIn(next: NextStart): Resolved | null {
  if (next.kind === "conflict") return { files: next.files, ours: next.ours, theirs: next.theirs };
  return next.kind === "resume" || next.kind === "by-hand" ? (next.resolved ?? null) : null;
}

/** What is lost in `head`; nothing where the merge was given up. What a rule of the configuration would settle for one side is nobody's loss. */
export async function findLost({ repo, config }: Engine, { ours, theirs }: Resolved, head: Oid): Promise<LostChange[]> {
  if (!(await isAncestor(repo, theirs, head))) return [];
  const rules = config.conflicts ?? {};
  const lost = (await findLostSides(repo, { ours, theirs, head })).filter(({ path }) => ruleFor(path, rules) === null);
  if (lost.length === 0) return [];
  const fork = await forkOf(repo, ours, theirs);
  return Promise.all(
    lost.map(async ({ path, side, ...rest }) => {
      const isOwn = side === "ours";
      return { path, isOwn, of: isOwn ? [] : await tasksThatChanged(repo, fork, theirs, path), ...rest };
    }),
  );
}
