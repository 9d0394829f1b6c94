/** Whether a run's branch is red by itself. What is merged with such a one is red whatever its task did: it waits, as it is, until the branch has moved on. */
import { type RedCheck, timeOf } from "../core/red-check.ts";
import type { Run } from "../core/run.ts";
import { isAncestor, readRef } from "../git/branch.ts";
import { commitsBetween } from "../git/changes.ts";
import { readTree } from "../git/commit.ts";
import { fastForwardCheckout } from "../git/fast-forward.ts";
import type { Oid } from "../git/git.ts";
import { MapPer } from "../lib/map-per.ts";
import { appendEvent } from "../store/events.ts";
import { readRedTip, writeRedTip } from "../store/red-tip.ts";
import { lastIntegrated, readTasks } from "../store/tasks.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { inTurn, type Waiter } from "./merge-queue.ts";
import { type Strayed, verifyAlone, verifyTip } from "./verify-merged.ts";
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

/** The same of where work began that is red in its own worktree: what the run's branch was there. */
export async function beganRed(engine: Engine, carried: Carried, command: string): Promise<boolean | "interrupted"> {
  const { run, attempt } = carried;
  const tip = attempt.base;
  // A branch that the plan named may be older than the run.
  if (tip !== run.base && (await isAncestor(engine.repo, tip, run.base))) return false;
  if (!(await isDoubtful(engine, run, tip, command))) return false;
  return inTurn(engine, run.id, () =>
    judge(engine, tip, command, (commands) => verifyAlone(engine, carried, { tip, commands })),
  );
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
  const key = JSON.stringify([await readTree(engine.repo, tip), command]);
  const verdict = known.get(key) ?? (await check([command]));
  if (verdict.kind === "interrupted") return "interrupted";
  known.set(key, verdict);
  return verdict.kind === "red";
}

/** Lets a task wait, with its merge still to be made, until the branch is elsewhere. */
export async function waitForTip(engine: Engine, { run, task }: Carried, tip: Oid, check: RedCheck): Promise<void> {
  const before = readRedTip(engine.store, run.id);
  const waiting = before?.tip === tip ? before.tasks : [];
  const green = lastIntegrated(engine.store, run.id) ?? run.base;
  const commits = await commitsBetween(engine.repo, green, tip);
  const tasks = [...new Set([...waiting, task.id])];
  writeRedTip(engine.store, engine.now(), run.id, {
    tip,
    branch: run.branch,
    command: check.command,
    ...timeOf(check),
    commits,
    tasks,
    ...(commits.length === 0 ? { target: run.target } : {}),
  });
}

/** Who waits for a branch that has moved meanwhile waits no longer. */
export async function leaveRedTip(engine: Engine, run: Run): Promise<void> {
  const red = readRedTip(engine.store, run.id);
  if (red === null) return;
  await takeTargetIn(engine, run, red.tip);
  if ((await readRef(engine.repo, `refs/heads/${run.branch}`)) !== red.tip) forget(engine, run);
}

/** Whoever takes a run up looks anew: what was amiss may have been something else than what is on the branch. */
export async function lookAnew(engine: Engine, run: Run): Promise<void> {
  const red = readRedTip(engine.store, run.id);
  if (red === null) return;
  await takeTargetIn(engine, run, red.tip);
  forget(engine, run);
}

function forget(engine: Engine, run: Run): void {
  writeRedTip(engine.store, engine.now(), run.id, null);
}

/** A red branch comes forward to where it is to land, where that has only moved on: what the run began with is mended there. */
async function takeTargetIn(engine: Engine, { id, branch, target }: Run, tip: Oid): Promise<void> {
  const to = await readRef(engine.repo, `refs/heads/${target}`);
  if (to === null || to === tip || !(await fastForwardCheckout(engine.repo, branch, tip, to)).moved) return;
  const text = `${branch} takes in what was committed on ${target} meanwhile; it is at ${to.slice(0, 10)}`;
  appendEvent(engine.store, engine.now(), { run: id }, { kind: "note", text });
}
