/** A person gives back a task that they took over by hand (`take-over.ts`). Two agents never work in one worktree: what goes on in its session is
 *  ended before. */
import { existsSync } from "node:fs";
import { SPOOL_VARIABLE } from "../agents/agent.ts";
import { OwtError } from "../core/errors.ts";
import { doneByHand } from "../core/take-over.ts";
import type { Task } from "../core/task.ts";
import { readTree } from "../git/commit.ts";
import { findUnresolved } from "../git/conflicts.ts";
import { findPlace, inProgress, readHead } from "../git/place.ts";
import { readStatus } from "../git/status.ts";
import { readAttempt } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { changeTask, readTask } from "../store/tasks.ts";
import { processesIn } from "../tmux/session.ts";
import type { Engine } from "./engine.ts";
import { findDamageOf, refuseDamaged } from "./worktrees/damaged.ts";
import { readStates, type SessionStanding } from "./worktrees/state.ts";

/** The session of a task that a person has, where something works in it that would be ended with it: its agent, or what a shell runs. */
export async function sessionByHand(
  engine: Engine,
  { park }: Pick<Task, "park">,
): Promise<{ standing: SessionStanding; isBusy: boolean } | null> {
  if (park?.for !== "hand") return null;
  const standing = (await readStates(engine)).get(park.worktree);
  if (standing === undefined) return null;
  const live = standing.session.panes.filter(({ dead }) => dead === null);
  const hasAgent = live.some(({ agent }) => agent !== null);
  return { standing, isBusy: hasAgent || processesIn(standing.session).length > live.length };
}

/** Who has a task is a person: their agent does not end the time in which they look at what it does. */
export function refuseAgents({ env }: Pick<Engine, "env">, { key, park }: Pick<Task, "key" | "park">): void {
  if (park?.for !== "hand" || !(env[SPOOL_VARIABLE] || env["CLAUDECODE"])) return;
  throw new OwtError("wrong-state", `${key} was taken over by a person, and a person gives it back`, {
    hint: `in a terminal of your own: owt task approve ${key}`,
  });
}

/** Gives back a task whose work is done: it is collected, checked and integrated as an agent's would be. Throws as {@link refuseUnfit} does. False
 *  where the task was not taken over. */
export async function handBackDone(engine: Engine, task: Task): Promise<boolean> {
  const next = doneByHand(task);
  if (next === null || next.kind !== "by-hand") return false;
  refuseAgents(engine, task);
  await refuseUnfit(engine, task);
  engine.store.transaction(() => {
    if (readTask(engine.store, task.id)?.park?.for !== "hand") return;
    changeTask(engine.store, task.id, { park: null, next, approved: true });
    appendEvent(engine.store, engine.now(), { run: task.run, task: task.id }, { kind: "task-next", next });
  });
  return true;
}

/** Throws `needs-person` where the worktree of a task that was taken over is not fit to be taken in: nothing was done, a merge is open, or HEAD is
 *  elsewhere. */
export async function refuseUnfit(engine: Engine, { key, park, next }: Task): Promise<void> {
  const attempt = park?.for === "hand" && next.kind !== "fresh" ? readAttempt(engine.store, next.from) : null;
  if (attempt === null) return;
  const { worktree, branch, base } = attempt;
  const refuse = (why: string, hint: string): never => {
    throw new OwtError("needs-person", `${key}: ${why}`, { hint: `${hint}, then: owt task approve ${key}` });
  };
  const damaged = await findDamageOf(engine, { path: worktree, branch });
  if (damaged !== null) throw refuseDamaged(damaged, `owt task approve ${key}`);
  const open = (await findUnresolved(engine.repo, worktree)).map(({ path }) => path);
  if (open.length > 0) refuse(`conflicts in ${open.join(", ")} of ${worktree}`, "resolve them there and git add them");
  const place = findPlace(engine.repo, worktree);
  if (place === null || !existsSync(worktree)) return;
  const head = await readHead(engine.repo, place);
  if (inProgress(place) === "rebase")
    refuse(`a rebase is under way in ${worktree}`, "finish it: git rebase --continue");
  if (head.branch !== branch) refuse(`${worktree} is not on ${branch} any more`, `go back: git switch ${branch}`);
  const { changes, untracked, unmerged } = await readStatus(place, { links: true });
  if (changes.length + untracked.length + unmerged.length > 0 || head.oid === null) return;
  if ((await readTree(engine.repo, head.oid)) !== (await readTree(engine.repo, base))) return;
  throw new OwtError("needs-person", `${key}: nothing was changed in ${worktree}`, {
    hint: `do it, or let its agent go on: owt task retry ${key}; or give it up: owt task cancel ${key}`,
  });
}
