/** What a person does with single tasks: create, cancel, retry, approve, answer. Any process may; the one that
 *  carries the runs sees it in the store. */
import { downstreamOf } from "../core/dag.ts";
import { OwtError } from "../core/errors.ts";
import { keyOf } from "../core/limit.ts";
import { checkBranchName, nearest } from "../core/names.ts";
import { isHeldByTip } from "../core/red-tip.ts";
import { hasLost, planKeyOf } from "../core/rival.ts";
import { FINAL_STATES, type NextStart, stateWords, type Task, withinOf } from "../core/task.ts";
import { few } from "../lib/few.ts";
import { printableName } from "../lib/printable.ts";
import { endAttempt, readAttempts, tidyAgain } from "../store/attempts.ts";
import { addToBacklog, readBacklog, removeFromBacklog } from "../store/backlog.ts";
import { appendEvent } from "../store/events.ts";
import { readRedTip, writeRedTip } from "../store/red-tip.ts";
import { reopenRun, readRuns } from "../store/runs.ts";
import { changeTask, findRivals, findTasks, moveTask, readTask, readTasks } from "../store/tasks.ts";
import { findUnresolved } from "../git/conflicts.ts";
import { endedWithWords } from "./answer.ts";
import { type Engine, findAgent } from "./engine.ts";
import { findTask, rivalsFor } from "./find-task.ts";
import { findMarkersByHand, MARKERS_MEANT } from "./gate.ts";
import { tryNow } from "./governor.ts";
import { handBackDone, refuseElsewhere, refuseGone } from "./hand-back.ts";
import { heldFresh } from "./try-at-once.ts";
import { stopUncarried } from "./uncarried.ts";
import { adHocTask, readPlannedTasks } from "./asked-plan.ts";

export type NewTaskOptions = {
  branch?: string;
  dependsOn: string[];
  verify: string[];
  agent?: string;
  model?: string;
  priority?: "high" | "normal" | "low";
  needsReview?: boolean;
};

/** Writes a task down for the next run and returns its id. */
export async function createTask(engine: Engine, text: string, options: NewTaskOptions): Promise<string> {
  if (!text.trim()) throw new OwtError("usage", "a task needs a text", { hint: 'owt task create "add a login page"' });
  const refused =
    options.branch === undefined
      ? null
      : (checkBranchName(options.branch) ??
        (/^owt(\/|$)/i.test(options.branch) ? "lies under owt/, which owt keeps for its own" : null));
  if (refused)
    throw new OwtError("usage", `the branch ${options.branch} ${refused}`, { hint: "use a name such as feat/login" });
  if (options.agent !== undefined) findAgent(engine, options.agent);
  const { dependsOn, verify } = options;
  await checkDependencies(engine, dependsOn);
  for (let copy = 1; ; copy++) {
    const task = adHocTask(text, 0, {
      dependsOn,
      verify,
      branch: options.branch ?? null,
      agent: options.agent ?? null,
      model: options.model ?? null,
      priority: options.priority ?? "normal",
      needsReview: options.needsReview ?? false,
      source: { file: "owt task create", line: 1 },
    });
    const id = copy === 1 ? task.id : `${task.id}-${copy}`;
    const taken = isInRun(engine, id);
    if (!taken && addToBacklog(engine.store, engine.now(), { ...task, id })) return id;
  }
}

function isInRun({ store }: Engine, id: string): boolean {
  return findTasks(store, id).length > 0 || findRivals(store, id).length > 0;
}

/** What a task waits for has to exist: in the plan, written down, or in a run. */
async function checkDependencies(engine: Engine, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const planned = await readPlannedTasks(engine);
  // A plan with problems is for owt plan to tell; here it could only refuse what it may well hold.
  if (planned === null) return;
  const known = new Set([...planned.map((task) => task.id), ...readBacklog(engine.store).map((task) => task.id)]);
  for (const id of ids) {
    if (known.has(id) || isInRun(engine, id)) continue;
    const inRuns = readRuns(engine.store).flatMap((run) => readTasks(engine.store, run.id).map(({ key }) => key));
    const close = nearest(id, new Set([...known, ...inRuns]));
    throw new OwtError("unknown-name", `there is no task ${id} to depend on`, {
      hint: close.length > 0 ? `did you mean ${close.join(" or ")}?` : "see: owt task list",
    });
  }
}

/** The task that a cancellation would mean; null for one that is only written down. */
export function findCancelled(engine: Engine, key: string, run?: string): Task | null {
  if (run === undefined && readBacklog(engine.store).some((each) => each.id === key)) return null;
  return findTask(engine, key, { run, fits: (each) => !FINAL_STATES.has(each.state) });
}

/** Cancels a task. One that runs is stopped by the process that carries it, or here where nobody does; what it made is saved. One that
 *  failed is not told of any more. `cancelled` is false while the process that carries it still has to obey. */
export async function cancelTask(engine: Engine, key: string, run?: string): Promise<{ cancelled: boolean }> {
  if (run === undefined && removeFromBacklog(engine.store, key)) return { cancelled: true };
  const task = findTask(engine, key, { run, fits: (each) => !FINAL_STATES.has(each.state) });
  if (task.state === "cancelled") return { cancelled: true };
  if (task.state === "done") throw wrongState(task, "it is integrated already", "undo its merge with git revert");
  engine.store.transaction(() => {
    const now = engine.now();
    if (["pending", "skipped", "failed"].includes(task.state)) {
      moveTask(engine.store, now, task, "cancelled", { reason: "cancelled", endedAt: now, park: null });
      // Its place was kept to go on in.
      tidyAgain(engine.store, task.id);
    } else {
      changeTask(engine.store, task.id, { cancelWish: true });
      appendEvent(engine.store, now, { run: task.run, task: task.id }, { kind: "note", text: "cancel was asked for" });
    }
  });
  await stopUncarried(engine, "aborted", (attempt) => attempt.task === task.id);
  return { cancelled: readTask(engine.store, task.id)?.state === "cancelled" };
}

/** The tasks that a retry means: the one named, or without a name every failed one of the newest run that has any. */
export function findRetries(engine: Engine, key: string | undefined, run?: string): { run: string; tasks: Task[] } {
  const rivals = key === undefined ? [] : rivalsFor(engine, key, run);
  const again = rivals.filter(mayRetry);
  if (again.length > 0) return { run: again[0]!.run, tasks: again };
  if (key !== undefined) {
    const fits = (each: Task) => each.state === "failed" || each.park !== null || isHeld(engine, each);
    const task = findTask(engine, key, { run, fits });
    if (hasLost(task)) throw wrongState(task, task.rival!.end!.why, "what it did is saved: owt restore");
    if (!mayRetry(task) && !isHeld(engine, task)) throw wrongState(task, stateWords(task.state), insteadOfRetry(task));
    return { run: task.run, tasks: [task] };
  }
  for (const each of readRuns(engine.store).toReversed()) {
    const tasks = readTasks(engine.store, each.id).filter((task) => task.state === "failed");
    if (tasks.length > 0) return { run: each.id, tasks };
  }
  throw new OwtError("wrong-state", "no run has a failed task", { hint: "see: owt status" });
}

/** Puts tasks back to the start, and with them those that were skipped because of them. Returns the keys that will run. */
export function retryTasks(engine: Engine, tasks: readonly Task[]): string[] {
  return [...new Set(tasks.flatMap((task) => retry(engine, task)))];
}

/** Puts back to the start what was skipped because of a task that somebody takes up again, and opens its run. */
export function restartSkipped(engine: Engine, task: Task): void {
  for (const each of skippedBelow(readTasks(engine.store, task.run), planKeyOf(task))) restart(engine, each);
  reopenRun(engine.store, task.run);
}

function skippedBelow(tasks: readonly Task[], key: string): Task[] {
  const below = downstreamOf(
    tasks.map((each) => ({ id: planKeyOf(each), needs: each.needs })),
    [key],
  );
  return tasks.filter((each) => each.state === "skipped" && below.has(planKeyOf(each)));
}

/** What to do about a task that cannot be tried again as it stands. */
function insteadOfRetry({ key, run, state }: Task): string {
  switch (state) {
    case "review":
      return `take it: owt task approve ${key}; or have it done anew: owt task cancel ${key}, then owt task retry ${key}`;
    case "done":
      return `do it once more: owt run --again ${key}`;
    case "pending":
      return `it needs no retry; why it waits: owt status ${key}; go on: owt resume ${run}`;
    default:
      return `let it end: owt logs -f ${key}; or stop it first: owt task cancel ${key}`;
  }
}

function mayRetry(task: Task): boolean {
  return ["failed", "cancelled", "skipped"].includes(task.state) || (task.state === "pending" && task.park !== null);
}

/** Whether its merge waits for the run's branch to be mended, which it may be that is to mend it, or a limit that others met keeps it back. */
function isHeld(engine: Engine, task: Task): boolean {
  return isHeldByTip(readRedTip(engine.store, task.run), task) || heldFresh(engine, task).length > 0;
}

function retry(engine: Engine, task: Task): string[] {
  return engine.store.transaction(() => {
    const tasks = readTasks(engine.store, task.run);
    const skipped = skippedBelow(tasks, planKeyOf(task));
    const upstreams =
      task.state === "skipped"
        ? tasks.filter((each) => task.needs.includes(planKeyOf(each)) && each.state === "failed")
        : [];
    const again = [task, ...skipped, ...upstreams.filter((each) => each.id !== task.id)];
    for (const each of again.filter((one) => mayRetry(one) || isHeld(engine, one))) restart(engine, each);
    reopenRun(engine.store, task.run);
    return [...new Set(again.map((each) => each.key))];
  });
}

/** What it comes to this time is merged as if nothing had waited. */
function leaveHeld(engine: Engine, { id, run }: Task): void {
  const red = readRedTip(engine.store, run);
  if (red === null || !red.tasks.includes(id)) return;
  for (const attempt of readAttempts(engine.store, id)) endAttempt(engine.store, engine.now(), attempt, STOPPED);
  writeRedTip(engine.store, engine.now(), run, { ...red, tasks: red.tasks.filter((each) => each !== id) });
}

const STOPPED = { kind: "stopped" } as const;

function restart(engine: Engine, task: Task): void {
  const now = engine.now();
  const held = heldFresh(engine, task);
  for (const limit of held) tryNow(engine, keyOf(limit));
  leaveHeld(engine, task);
  // A task that only lacked a login or a permission, or that a person gives back, goes on in its conversation; any other starts anew.
  const goesOn =
    task.park?.for === "login" ||
    task.park?.for === "permission" ||
    task.park?.for === "limit" ||
    task.park?.for === "retry" ||
    task.park?.for === "agent" ||
    task.park?.for === "git" ||
    task.park?.for === "hand" ||
    task.park?.for === "budget";
  const next: NextStart = goesOn || held.length > 0 ? task.next : { kind: "fresh" };
  // Who asks for it knows that the limit is over, or wants to know.
  if (task.park?.for === "limit" && task.park.credential !== undefined) tryNow(engine, task.park.credential);
  // What was kept of earlier tries, to be looked at or worked on, is saved and cleared away.
  if (next.kind === "fresh") tidyAgain(engine.store, task.id);
  const change = {
    park: null,
    // It is the one that tries it.
    notBefore: held.length > 0 ? now : null,
    next,
    failures: 0,
    repairs: 0,
    conflicts: 0,
    reason: null,
    endedAt: null,
    cancelWish: false,
  };
  if (task.state === "pending") {
    changeTask(engine.store, task.id, change);
    appendEvent(engine.store, now, { run: task.run, task: task.id }, { kind: "task-next", next });
  } else {
    moveTask(engine.store, now, task, "pending", change);
  }
}

/** Approves reviewed work, or says that a conflict was resolved by hand in the task's worktree. Returns its run. Throws `needs-person` where
 *  that still has open conflicts. */
export async function approveTask(engine: Engine, key: string, run?: string): Promise<string> {
  const task = findTask(engine, key, { run, fits: waitsForApproval });
  if (await handBackDone(engine, task)) return task.run;
  if (task.state === "pending" && (task.park?.for === "conflict" || task.park?.for === "red"))
    await refuseUnresolved(engine, task, task.park.worktree);
  if (waitsForApproval(task)) {
    await refuseElsewhere(engine, task);
    await refuseGone(engine, task);
  }
  const now = engine.now();
  const about = { run: task.run, task: task.id };
  engine.store.transaction(() => {
    if (task.state === "review") {
      changeTask(engine.store, task.id, { approved: true });
      appendEvent(engine.store, now, about, { kind: "note", text: "approved" });
    } else if (task.state === "pending" && (task.park?.for === "conflict" || task.park?.for === "red")) {
      changeTask(engine.store, task.id, { park: null });
      appendEvent(engine.store, now, about, { kind: "task-next", next: task.next });
    } else {
      throw wrongState(
        task,
        `${stateWords(task.state)}; it waits for no approval`,
        "what waits for a person: owt inbox",
      );
    }
  });
  return task.run;
}

/** Whether a word of approval is what a task waits for. */
export function waitsForApproval({ state, park }: Task): boolean {
  return state === "review" || park?.for === "conflict" || park?.for === "red" || park?.for === "hand";
}

async function refuseUnresolved(engine: Engine, task: Task, worktree: string): Promise<void> {
  const open = await findUnresolved(engine.repo, worktree);
  if (open.length === 0) {
    const left = await findMarkersByHand(engine, task, worktree);
    if (left === null) return;
    throw new OwtError("needs-person", `${task.key} (${task.run}): ${left}`, {
      hint: `decide them there (${MARKERS_MEANT}), then: owt task approve ${task.key}`,
    });
  }
  const files = few(
    open.map(({ path, reason }) => `${printableName(path)}${reason === "unmerged" ? "" : " (conflict markers)"}`),
  );
  throw new OwtError("needs-person", `${task.key} (${task.run}): not resolved yet in ${worktree}: ${files}`, {
    hint: `resolve it there and git add it, then: owt task approve ${task.key}`,
  });
}

/** Answers the question a task asked, or the words with which it ended without work; its conversation goes on with the answer. Returns its
 *  run. */
export function answerTask(engine: Engine, key: string, text: string, run?: string): string {
  const task = findTask(engine, key, { run, fits: (each) => waitsForAnswer(each) || endedWithWords(engine, each) });
  giveAnswer(engine, task, text);
  return task.run;
}

/** Whether its agent can be told something. Words to one that a person has taken over give it back: its agent goes on with them. */
export function waitsForAnswer({ park }: { park: Task["park"] }): boolean {
  return park?.for === "answer" || park?.for === "hand";
}

function giveAnswer(engine: Engine, task: Task, text: string): void {
  if (endedWithWords(engine, task)) {
    const last = readAttempts(engine.store, task.id).at(-1)!;
    const question = last.outcome?.kind === "nothing_done" ? last.outcome.said : "";
    const answers = [...task.answers, { question, answer: text }];
    engine.store.transaction(() => {
      retry(engine, task);
      changeTask(engine.store, task.id, { next: { kind: "answer", from: last.id, text }, answers });
      appendEvent(engine.store, engine.now(), { run: task.run, task: task.id }, { kind: "task-answered", text });
    });
    return;
  }
  if (task.state === "pending" && task.next.kind === "answer" && task.park?.for !== "hand") {
    correctAnswer(engine, task, task.next, text);
    return;
  }
  const { park, next: before } = task;
  if (task.state !== "pending" || !park || !("from" in before) || !waitsForAnswer(task))
    throw wrongState(task, whyNoAnswer(task), "what waits for a person: owt inbox");
  const question = park.for === "answer" ? park.question : park.for === "hand" ? (park.asked ?? "") : "";
  const next: NextStart = { kind: "answer", from: before.from, text, ...withinOf(before) };
  const answers = [...task.answers, { question, answer: text }];
  engine.store.transaction(() => {
    changeTask(engine.store, task.id, { park: null, next, answers });
    appendEvent(engine.store, engine.now(), { run: task.run, task: task.id }, { kind: "task-answered", text });
  });
}

/** An answer that is still to be given (or given once more) can be another one. */
function correctAnswer(engine: Engine, task: Task, next: NextStart & { kind: "answer" }, text: string): void {
  const before = task.answers.at(-1);
  const answers = [...task.answers.slice(0, -1), { question: before?.question ?? "", answer: text }];
  engine.store.transaction(() => {
    changeTask(engine.store, task.id, { next: { ...next, text }, answers });
    appendEvent(engine.store, engine.now(), { run: task.run, task: task.id }, { kind: "task-answered", text });
  });
}

function whyNoAnswer({ answers, state, park }: Task): string {
  const last = answers.at(-1);
  if (last === undefined || park !== null) return "it asked nothing";
  const asIs = state === "pending" ? "it will be told so" : stateWords(state);
  return `it was answered already (${last.answer.split("\n", 1)[0]}), and ${asIs}`;
}

function wrongState(task: Task, why: string, hint: string): OwtError {
  return new OwtError("wrong-state", `${task.key} (${task.run}): ${why}`, { hint });
}
