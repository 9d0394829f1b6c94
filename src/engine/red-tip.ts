/** Whether a run's branch is red by itself. What is merged with such a one is red whatever its task did: it waits, as it is, until the branch has moved on. */
import type { Attempt } from "../core/attempt.ts";
import { type RedCheck, timeOf } from "../core/red-check.ts";
import { type Culprit, type RedTip, waitsForTip } from "../core/red-tip.ts";
import type { Run } from "../core/run.ts";
import { checkedOutThere, createBranch, isAncestor, readRef } from "../git/branch.ts";
import { commitsBetween } from "../git/changes.ts";
import { readTree } from "../git/commit.ts";
import { fastForwardCheckout } from "../git/fast-forward.ts";
import type { Oid } from "../git/git.ts";
import { MapPer } from "../lib/map-per.ts";
import { appendEvent } from "../store/events.ts";
import { endAttempt, readOpenAttempts } from "../store/attempts.ts";
import { readRedTip, writeRedTip } from "../store/red-tip.ts";
import { setRunBase } from "../store/runs.ts";
import { lastIntegrated, moveTask, readTask, readTasks } from "../store/tasks.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { inTurn, type Waiter } from "./merge-queue.ts";
import { isTakenOut } from "./taken-out.ts";
import type { Strayed } from "./strayed.ts";
import { verifyAlone, verifyTip } from "./verify-merged.ts";
import type { Verdict } from "./verify.ts";

/** What was said of branches alone, by tree and command. */
const verdicts = new MapPer<Engine, string, Verdict | Strayed>();

/** Whether the branch at `tip` fails a command that merged work of this group failed: for each tip that is asked once. Whoever asks has the turn in the queue. */
export async function isTipRed(
  engine: Engine,
  group: readonly Waiter[],
  { tip, command }: { tip: Oid; command: string },
): Promise<boolean | "interrupted"> {
  const { run } = group[0]!.carried;
  if (!(await isDoubtful(engine, run, tip, command))) return false;
  return judge(engine, tip, command, (commands) => verifyTip(engine, group, { tip, commands }));
}

/** The same of where work began that is red in its own worktree: what the run's branch was there. `mended`: the branch has moved on since, and is green. */
export async function beganRed(
  engine: Engine,
  carried: Carried,
  command: string,
): Promise<boolean | "mended" | "interrupted"> {
  const { run, attempt } = carried;
  const began = await isRedWhereItBegan(engine, carried, command);
  if (began !== true) return began;
  const tip = await readRef(engine.repo, `refs/heads/${run.branch}`);
  if (tip === null || tip === attempt.base) return true;
  const still = await isRedAt(engine, carried, tip, command);
  return still === false ? "mended" : still;
}

/** Whether a command fails where work began, as that was. */
export async function isRedWhereItBegan(
  engine: Engine,
  carried: Carried,
  command: string,
): Promise<boolean | "interrupted"> {
  const { run, attempt } = carried;
  // A branch that the plan named may be older than the run.
  if (attempt.base !== run.base && (await isAncestor(engine.repo, attempt.base, run.base))) return false;
  return isRedAt(engine, carried, attempt.base, command);
}

async function isRedAt(engine: Engine, carried: Carried, tip: Oid, command: string): Promise<boolean | "interrupted"> {
  const { run } = carried;
  if (!(await isDoubtful(engine, run, tip, command))) return false;
  return inTurn(engine, run.id, () => judgeAlone(engine, carried, tip, command));
}

function judgeAlone(engine: Engine, carried: Carried, tip: Oid, command: string): Promise<boolean | "interrupted"> {
  return judge(engine, tip, command, (commands) => verifyAlone(engine, carried, { tip, commands }));
}

/** Which of these commands fails at a commit, as far as this process has seen: work upon it is red with that command at the first look. */
export async function findKnownRed(
  engine: Engine,
  commit: Oid,
  commands: readonly string[],
): Promise<string | undefined> {
  const known = verdicts.of(engine);
  if (known.size === 0) return undefined;
  const tree = await readTree(engine.repo, commit);
  return commands.find((command) => known.get(verdictKey(tree, command))?.kind === "red");
}

function verdictKey(tree: Oid, command: string): string {
  return JSON.stringify([tree, command]);
}

/** Whether nobody has seen it green yet, and the command is one that the branch has to pass without any task's own work. */
async function isDoubtful(engine: Engine, run: Run, tip: Oid, command: string): Promise<boolean> {
  const tasks = readTasks(engine.store, run.id);
  const isOfTask = tasks.some(({ spec }) => spec.verify.includes(command)) && !run.options.verify.includes(command);
  return !isOfTask && !tasks.some(({ commit }) => commit === tip);
}

async function judge(
  engine: Engine,
  tip: Oid,
  command: string,
  check: (commands: string[]) => Promise<Verdict | Strayed>,
): Promise<boolean | "interrupted"> {
  const known = verdicts.of(engine);
  const key = verdictKey(await readTree(engine.repo, tip), command);
  const verdict = known.get(key) ?? (await check([command]));
  if (verdict.kind === "interrupted") return "interrupted";
  known.set(key, verdict);
  return verdict.kind === "red";
}

/** Lets a task wait, with its merge still to be made, until the branch is elsewhere. Whoever asks has the turn in the queue. */
export async function waitForTip(engine: Engine, carried: Carried, tip: Oid, check: RedCheck): Promise<void> {
  const { run, task } = carried;
  const before = readRedTip(engine.store, run.id);
  const waiting = before?.tip === tip ? before.tasks : [];
  const commits = await findCulprits(engine, carried, tip, check.command);
  const tasks = [...new Set([...waiting, task.id])];
  writeRedTip(engine.store, engine.now(), run.id, {
    tip,
    branch: run.branch,
    command: check.command,
    ...timeOf(check),
    commits,
    tasks,
    ...(commits.length === 0 ? { target: run.target, began: run.base } : {}),
  });
}

/** What came onto the branch since it was green; nothing where the run began red. */
async function findCulprits(engine: Engine, carried: Carried, tip: Oid, command: string): Promise<Culprit[]> {
  const { run } = carried;
  const last = lastIntegrated(engine.store, run.id);
  const later = await commitsBetween(engine.repo, last ?? run.base, tip);
  const beganSo = last === null && later.length > 0 && (await judgeAlone(engine, carried, run.base, command)) === true;
  return beganSo ? [] : later;
}

/** Runs whose branch was red when somebody looked last: it is looked at again before anything is merged with it. */
const doubts = new MapPer<Engine, string, true>();

/** Who waits for a branch that has moved meanwhile waits no longer. True where the run begins elsewhere from now on. */
export async function leaveRedTip(engine: Engine, run: Run): Promise<boolean> {
  const red = readRedTip(engine.store, run.id);
  if (red === null) return false;
  if (await takeTargetIn(engine, run, red)) return true;
  if ((await readRef(engine.repo, `refs/heads/${run.branch}`)) !== red.tip) forget(engine, run);
  return false;
}

/** Whoever takes a run up looks anew: what was amiss may have been something else than what is on the branch. */
export function lookAnew(engine: Engine, run: Run): void {
  const red = readRedTip(engine.store, run.id);
  if (red === null) return;
  // Nobody asks for that command any more.
  if (!run.options.verify.includes(red.command)) forget(engine, run);
  else doubts.of(engine).set(run.id, true);
}

/** Of the merges that wait for a branch to be mended, the one that goes on to find out whether it is; null where nobody has to. */
export function findLooker(engine: Engine, run: Run, red: RedTip | null, attempts: readonly Attempt[]): Attempt | null {
  if (!doubts.of(engine).has(run.id)) return null;
  return attempts.find((attempt) => waitsForTip(red, attempt) && attempt.outcome === null) ?? null;
}

/** Before a turn in the queue: where a branch that was red is red still, those that wait for it leave again, with this one check of it. Gives who is left. */
export async function lookAtTip(engine: Engine, waiters: readonly Waiter[]): Promise<Waiter[] | "interrupted"> {
  const { run } = waiters[0]!.carried;
  const red = readRedTip(engine.store, run.id);
  const held = waiters.filter(({ carried }) => waitsForTip(red, carried.attempt));
  if (red === null || held.length === 0 || !doubts.of(engine).has(run.id)) return [...waiters];
  const { tip, command } = red;
  const verdict = await verifyTip(engine, held, { tip, commands: [command], knownRed: command });
  if (verdict.kind === "interrupted") return "interrupted";
  doubts.of(engine).delete(run.id);
  if (verdict.kind !== "red") {
    forget(engine, run);
    return [...waiters];
  }
  verdicts.of(engine).set(verdictKey(await readTree(engine.repo, tip), command), verdict);
  const tasks = red.tasks.filter((id) => readTask(engine.store, id)?.state === "integrating");
  writeRedTip(engine.store, engine.now(), run.id, { ...red, tasks });
  for (const waiter of held) waiter.settle("leave");
  return waiters.filter((waiter) => !held.includes(waiter));
}

function forget(engine: Engine, run: Run): void {
  doubts.of(engine).delete(run.id);
  writeRedTip(engine.store, engine.now(), run.id, null);
}

/** A red branch comes forward to where it is to land, where that has only moved on: what the run began with is mended there. True where it began anew instead. */
async function takeTargetIn(engine: Engine, run: Run, red: RedTip): Promise<boolean> {
  const { id, branch, target } = run;
  const to = await readRef(engine.repo, `refs/heads/${target}`);
  if (to === null || to === red.tip) return false;
  if (!(await fastForwardCheckout(engine.repo, branch, red.tip, to)).moved) return beginAnew(engine, run, red, to);
  appendEvent(engine.store, engine.now(), { run: id }, { kind: "target-taken-in", branch, target, tip: to });
  return false;
}

/** The target has no more of what the run began with, and nothing came in yet: the run begins where the target is now, and with it those that waited. What they
 *  did holds what was taken out of the target; it is saved. */
async function beginAnew(engine: Engine, run: Run, red: RedTip, to: Oid): Promise<boolean> {
  const { repo, store } = engine;
  if (red.tip !== run.base || lastIntegrated(store, run.id) !== null) return false;
  const open = readOpenAttempts(store).filter((attempt) => attempt.run === run.id && attempt.outcome === null);
  if (!open.every((attempt) => waitsForTip(red, attempt))) return false;
  if (!(await isTakenOut(engine, run, to)) || (await checkedOutThere(repo, run.branch)) !== null) return false;
  // Whoever comes in between makes it again where the run is said to begin.
  await repo.live.updateRefs([{ ref: `refs/heads/${run.branch}`, from: red.tip, to: null }]);
  store.transaction(() => {
    setRunBase(store, run.id, to);
    for (const attempt of open) {
      const task = readTask(store, attempt.task);
      if (task === null || !endAttempt(store, engine.now(), attempt, { kind: "stopped" })) continue;
      const change = { next: { kind: "fresh" }, repairs: 0, conflicts: 0, approved: false } as const;
      moveTask(store, engine.now(), task, "pending", change);
    }
    const text = `${run.target} does not hold ${run.base.slice(0, 10)} any more, where ${run.id} began; it begins anew at ${to.slice(0, 10)}`;
    appendEvent(store, engine.now(), { run: run.id }, { kind: "note", text });
    forget(engine, run);
  });
  await createBranch(repo, run.branch, to);
  return true;
}
