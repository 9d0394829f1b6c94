/** A person gives back a task that they took over by hand (`take-over.ts`). Two agents never work in one worktree: what goes on in its session is
 *  ended before. */
import { existsSync } from "node:fs";
import { SPOOL_VARIABLE } from "../agents/agent.ts";
import { OwtError } from "../core/errors.ts";
import type { Attempt } from "../core/attempt.ts";
import { doneByHand } from "../core/take-over.ts";
import type { Task } from "../core/task.ts";
import { checkedOutWhere, readRef } from "../git/branch.ts";
import { findUnresolved } from "../git/conflicts.ts";
import type { Place } from "../git/git.ts";
import { findPlace, inProgress, readHead } from "../git/place.ts";
import { readStatus } from "../git/status.ts";
import { printable, printableNames, shellWord } from "../lib/printable.ts";
import { readAttempt, readAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { readRun } from "../store/runs.ts";
import { changeTask, readTask } from "../store/tasks.ts";
import { processesIn } from "../tmux/session.ts";
import type { Engine } from "./engine.ts";
import { findMarkersByHand, MARKERS_MEANT } from "./gate.ts";
import { headBefore, holdsOwnWork } from "./own-work.ts";
import { findDamageOf, refuseDamaged } from "./worktrees/damaged.ts";
import { readStates, type SessionStanding } from "./worktrees/state.ts";

/** The session of a task that a person has, where something works in it that would be ended with it: its agent, or what a shell runs. */
export async function sessionByHand(
  engine: Engine,
  { park, next }: Pick<Task, "park" | "next">,
): Promise<{ standing: SessionStanding; isBusy: boolean } | null> {
  if (park?.for !== "hand") return null;
  const states = await readStates(engine);
  const standing = states.get(park.worktree) ?? states.get((await movedTo(engine, next)) ?? "");
  if (standing === undefined) return null;
  const live = standing.session.panes.filter(({ dead }) => dead === null);
  const hasAgent = live.some(({ agent }) => agent !== null);
  return { standing, isBusy: hasAgent || processesIn(standing.session).length > live.length };
}

/** Where the worktree of a task stands that a person moved: its branch is checked out there. */
async function movedTo(engine: Engine, next: Task["next"]): Promise<string | null> {
  const attempt = next.kind === "fresh" ? null : readAttempt(engine.store, next.from);
  return attempt === null ? null : checkedOutWhere(engine.repo, attempt.branch);
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

/** Throws `needs-person` where nothing is left of work that a person was to look at or to mend: its branch is gone or holds none of it, and no file in its
 *  worktree is changed. */
export async function refuseGone(engine: Engine, task: Task): Promise<void> {
  const attempt = attemptToGiveBack(engine, task);
  if (!attempt) return;
  const { worktree, branch } = attempt;
  const head = await readRef(engine.repo, `refs/heads/${branch}`);
  const before = headBefore(engine, attempt);
  const back = before === null ? "" : `bring it back: git branch -f ${branch} ${before}; or `;
  const gone = (why: string, again: string) =>
    new OwtError("needs-person", `${task.key} (${task.run}): ${why}`, {
      hint: `${again}give it up: owt task cancel ${task.key}`,
    });
  if (head === null) throw gone(`the branch ${branch} is gone`, back);
  // What changed nothing, since its work was there already, is as it was collected.
  if (task.state === "review" && head === attempt.head) return;
  if (await holdsOwnWork(engine, { run: readRun(engine.store, task.run)!, attempt }, { head })) return;
  const place = existsSync(worktree) ? findPlace(engine.repo, worktree) : null;
  if (place === null) throw gone(`nothing of its work is on ${branch} any more`, back);
  if ((await holdsChanges(place)) || inProgress(place) !== null) return;
  const reset = before === null ? "" : `bring it back: git -C ${shellWord(worktree)} reset --keep ${before}; or `;
  throw gone(`nothing of its work is in ${worktree} any more`, reset);
}

/** Throws `needs-person` where the worktree of work that is to be approved has left its branch: what was committed there since would not be taken. */
export async function refuseElsewhere(engine: Engine, task: Task): Promise<void> {
  const attempt = attemptToGiveBack(engine, task);
  const place = attempt && existsSync(attempt.worktree) ? findPlace(engine.repo, attempt.worktree) : null;
  if (!attempt || place === null) return;
  const elsewhere = await findElsewhere(engine, place, attempt);
  if (elsewhere === null) return;
  const { why, hint } = elsewhere;
  throw new OwtError("needs-person", `${task.key}: ${why}`, { hint: `${hint}, then: owt task approve ${task.key}` });
}

/** Whose work a person looks at or mends: that from which the task goes on, else its last. */
function attemptToGiveBack({ store }: Engine, { id, state, next }: Task): Attempt | null | undefined {
  const from = state === "review" || next.kind === "fresh" ? null : next.from;
  return from === null ? readAttempts(store, id).at(-1) : readAttempt(store, from);
}

async function findElsewhere(
  { repo }: Engine,
  place: Place,
  { worktree, branch }: Pick<Attempt, "worktree" | "branch">,
): Promise<{ why: string; hint: string } | null> {
  if (inProgress(place) === "rebase")
    return { why: `a rebase is under way in ${worktree}`, hint: "finish it: git rebase --continue" };
  const head = await readHead(repo, place);
  if (head.branch === branch) return null;
  const where = head.branch ?? `no branch, at ${head.oid?.slice(0, 10) ?? "nothing"}`;
  const git = `git -C ${shellWord(worktree)}`;
  const back = (await readRef(repo, `refs/heads/${branch}`)) === null ? `switch -c ${branch}` : `switch ${branch}`;
  const along = head.oid === null || back.includes("-c") ? "" : ` && ${git} merge ${head.oid.slice(0, 10)}`;
  return {
    why: `${worktree} is not on ${branch} any more, but on ${where}`,
    hint: `take what is there along: ${git} ${back}${along}`,
  };
}

/** Whether anything in a worktree is not committed. */
async function holdsChanges(place: Place): Promise<boolean> {
  const { changes, untracked, unmerged } = await readStatus(place, { links: true });
  return changes.length + untracked.length + unmerged.length > 0;
}

async function findUnfit(engine: Engine, task: Task): Promise<OwtError | null> {
  const { key, park, next } = task;
  const attempt = park?.for === "hand" && next.kind !== "fresh" ? readAttempt(engine.store, next.from) : null;
  if (attempt === null) return null;
  const { worktree, branch } = attempt;
  const damaged = await findDamageOf(engine, { path: worktree, branch });
  if (damaged !== null) return refuseDamaged(damaged, `owt task approve ${key}`);
  const unfit = (why: string, hint: string) =>
    new OwtError("needs-person", `${key}: ${why}`, { hint: `${hint}, then: owt task approve ${key}` });
  const open = (await findUnresolved(engine.repo, worktree)).map(({ path }) => path);
  if (open.length > 0)
    return unfit(`conflicts in ${printableNames(open)} of ${worktree}`, "resolve them there and git add them");
  const place = findPlace(engine.repo, worktree);
  if (place === null || !existsSync(worktree)) return null;
  const left = await findMarkersByHand(engine, task, worktree);
  if (left !== null) return unfit(left, `decide them there (${MARKERS_MEANT})`);
  const elsewhere = await findElsewhere(engine, place, attempt);
  if (elsewhere !== null) return unfit(elsewhere.why, elsewhere.hint);
  const head = await readHead(engine.repo, place);
  if ((await holdsChanges(place)) || head.oid === null) return null;
  if (await holdsOwnWork(engine, { run: readRun(engine.store, task.run)!, attempt }, { head: head.oid })) return null;
  return new OwtError("needs-person", `${key}: nothing was changed in ${worktree}`, {
    hint: `do it, or let its agent go on: owt task retry ${key}; or give it up: owt task cancel ${key}`,
  });
}
