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
import { printable } from "../lib/printable.ts";
import { readAttempt } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { changeTask, readTask } from "../store/tasks.ts";
import { processesIn } from "../tmux/session.ts";
import type { Engine } from "./engine.ts";
import { findMarkersByHand, MARKERS_MEANT } from "./gate.ts";
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
 *  elsewhere; `wrong-state` where git cannot read it. */
export async function refuseUnfit(engine: Engine, task: Task): Promise<void> {
  const unfit = await findUnfit(engine, task);
  if (unfit !== null) throw unfit;
}

/** Why a task that a person has cannot be given back as done right now, in words: its work is not fit to be taken in, or something still runs in its session.
 *  Null where it can. */
export async function whyNotDone(engine: Engine, task: Task): Promise<string | null> {
  const unfit = await findUnfit(engine, task);
  if (unfit !== null) return unfit.message.replace(`${task.key}: `, "");
  const found = await sessionByHand(engine, task);
  return found?.isBusy === true ? `${whatRuns(found.standing)} there` : null;
}

/** What works in a session that is to be left: its agent, else the programs of its panes. */
export function whatRuns({ session, pane }: SessionStanding): string {
  if (pane !== null && pane.dead === null) return `${pane.agent} still runs`;
  const names = session.panes.filter(({ dead }) => dead === null).map(({ command }) => printable(command));
  return `something still runs (${names.join(", ")})`;
}

async function findUnfit(engine: Engine, task: Task): Promise<OwtError | null> {
  const { key, park, next } = task;
  const attempt = park?.for === "hand" && next.kind !== "fresh" ? readAttempt(engine.store, next.from) : null;
  if (attempt === null) return null;
  const { worktree, branch, base } = attempt;
  const damaged = await findDamageOf(engine, { path: worktree, branch });
  if (damaged !== null) return refuseDamaged(damaged, `owt task approve ${key}`);
  const unfit = (why: string, hint: string) =>
    new OwtError("needs-person", `${key}: ${why}`, { hint: `${hint}, then: owt task approve ${key}` });
  const open = (await findUnresolved(engine.repo, worktree)).map(({ path }) => path);
  if (open.length > 0)
    return unfit(`conflicts in ${open.join(", ")} of ${worktree}`, "resolve them there and git add them");
  const place = findPlace(engine.repo, worktree);
  if (place === null || !existsSync(worktree)) return null;
  const left = await findMarkersByHand(engine, task, worktree);
  if (left !== null) return unfit(left, `decide them there (${MARKERS_MEANT})`);
  const head = await readHead(engine.repo, place);
  if (inProgress(place) === "rebase")
    return unfit(`a rebase is under way in ${worktree}`, "finish it: git rebase --continue");
  if (head.branch !== branch) return unfit(`${worktree} is not on ${branch} any more`, `go back: git switch ${branch}`);
  const { changes, untracked, unmerged } = await readStatus(place, { links: true });
  if (changes.length + untracked.length + unmerged.length > 0 || head.oid === null) return null;
  if ((await readTree(engine.repo, head.oid)) !== (await readTree(engine.repo, base))) return null;
  return new OwtError("needs-person", `${key}: nothing was changed in ${worktree}`, {
    hint: `do it, or let its agent go on: owt task retry ${key}; or give it up: owt task cancel ${key}`,
  });
}
