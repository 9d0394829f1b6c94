/** The git processes that a killed owt leaves behind. They go on to their end, which is good for their locks; but a `reset` or `merge`
 *  that comes late would change a worktree under the hands of whoever carries the runs now. */
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../core/errors.ts";
import { environmentOf, listPids } from "../system/processes.ts";
import { GIT_OWNER } from "./git.ts";
import { isOwnerAlive } from "./owner.ts";
import { endLeftPrograms } from "./patience.ts";
import type { Repo } from "./repo.ts";

const LOOK_MS = 20;
const LONGEST_MS = 120_000;

/** Waits until every git of this repository whose owt is dead has ended. Without /proc there is nobody to be seen, and nothing is waited for.
 *  Throws `interrupted` once `leave` aborts. */
export async function outlastDeadGit(
  repo: Repo,
  { longestMs = LONGEST_MS, leave }: { longestMs?: number; leave?: AbortSignal } = {},
): Promise<void> {
  for (const ends = performance.now() + longestMs; ; await sleep(LOOK_MS)) {
    const left = findDeadGit(repo.commonDir);
    if (left.length === 0) return;
    endLeftPrograms(left);
    if (leave?.aborted) throw new OwtError("interrupted", "interrupted; git of an earlier owt still works here");
    if (performance.now() < ends) continue;
    throw new OwtError("environment", `git of an earlier owt still works in ${repo.root}: ${left.join(", ")}`, {
      hint: `look at it: ps -fp ${left.join(",")}; end it, then: owt resume`,
    });
  }
}

function findDeadGit(commonDir: string): number[] {
  const ours = [`GIT_COMMON_DIR=${commonDir}`, `GIT_DIR=${commonDir}`];
  return listPids().flatMap((pid) => {
    const env = environmentOf(pid);
    const owner = env.find((variable) => variable.startsWith(`${GIT_OWNER}=`))?.slice(GIT_OWNER.length + 1);
    const isLeft = owner !== undefined && ours.some((variable) => env.includes(variable)) && !isOwnerAlive(owner);
    return isLeft ? [pid] : [];
  });
}
