/** Where every task of a run stands and why it waits, derived once for every face. Pure. */
import { describeAstray } from "./astray.ts";
import { heldBy, type Holds, isUsedUp, NO_HOLDS } from "./budget.ts";
import { describeLevel } from "./budget-words.ts";
import { type HeldMerges, NOTHING_HELD } from "./held-merges.ts";
import { describeOutage, type LimitHold, mayTry } from "./limit.ts";
import type { HeldApart } from "./overlap.ts";
import { describePark, waitsForPerson } from "./park.ts";
import { describeRedTip, isHeldByTip } from "./red-tip.ts";
import { describeBehind, type WaitsBehind } from "./resolving.ts";
import { isDue } from "./retry.ts";
import { contestsIn, onePerTask } from "./rival.ts";
import { concerns, type Shortage, startOf } from "./room.ts";
import { describeTimeOver } from "./run-time.ts";
import { type BareTask, FINAL_STATES, type NextStart, type Task, turnOf } from "./task.ts";
import { few } from "../lib/few.ts";

type Standing =
  | "ready"
  /** Waits for other tasks. */
  | "blocked"
  /** Waits for a person. */
  | "waits-for-person"
  /** Waits for a time: a limit's reset, a pause between tries, what running tasks leave of a budget. */
  | "waits-for-time"
  /** Waits until a budget is raised, or the run is given more time. */
  | "waits-for-budget"
  /** Could start, but for memory, room on the disk, or a worktree; it goes on by itself. */
  | "waits-for-room"
  | "working"
  | "done"
  | "failed"
  | "skipped"
  | "cancelled";

export type TaskView<T extends BareTask = Task> = {
  task: T;
  standing: Standing;
  /** Why it stands there, in words; empty when there is nothing to say. */
  why: string;
  /** Keys of the tasks that it waits for. */
  waitsFor: string[];
  /** It waits for a person as others of its run do: for its branch to be mended, or put right. */
  withRun?: "red" | "astray";
  /** Of one that waits for a time: when that is (epoch ms), where it is known. */
  until?: number;
};

/** What a view is worked out from, beside the task itself. */
type Around<T> = {
  byKey: ReadonlyMap<string, T>;
  /** The rivals for each task of which none has won. */
  contests: ReadonlyMap<string, T[]>;
  /** The task that met the refused login which this one would meet too. */
  loginOf: (task: T) => BareTask | undefined;
  /** What a budget keeps back. */
  holds: Holds;
  /** Null where no limit is known at all. */
  limitOf: ((task: T) => LimitHold | null) | null;
  shortage: Shortage | null;
  /** Which tasks let others go first. */
  apart: ReadonlyMap<number, HeldApart>;
  merges: HeldMerges;
  now: number;
};

/** Refused logins: the tasks of all open runs, and what tells the credential of an agent from others. */
export type Logins = { tasks: readonly BareTask[]; credentialOf: (agent: string) => string };

/** What is known around the tasks of a run; what is left out holds nothing back. */
export type Known<T> = {
  /** What a budget keeps back. */
  holds?: Holds;
  logins?: Logins;
  /** The usage limit that keeps back an agent with this task; null where no limit is known at all. */
  limitOf?: ((agent: string, task: T) => LimitHold | null) | null;
  shortage?: Shortage | null;
  apart?: readonly HeldApart[];
  merges?: HeldMerges;
};

/** The view of each task, in plan order. `now` is epoch milliseconds. */
export function viewTasks<T extends BareTask>(
  tasks: readonly T[],
  agentOf: (task: T) => string,
  now: number,
  known: Known<T> = {},
): TaskView<T>[] {
  const { holds = NO_HOLDS, limitOf = null, shortage = null, merges = NOTHING_HELD } = known;
  const { logins = { tasks, credentialOf: (agent: string) => agent } } = known;
  const around = {
    byKey: new Map(tasks.map((task) => [task.key, task])),
    contests: contestsIn(tasks),
    loginOf: findRefusedLogin(logins, agentOf),
    holds,
    // Where nothing is limited nobody is asked which agent it is: that may have to be read.
    limitOf: limitOf === null ? null : (task: T) => limitOf(agentOf(task), task),
    shortage,
    apart: new Map(known.apart?.map((each) => [each.task, each])),
    merges,
    now,
  };
  return tasks.map((task) => viewTask(task, around));
}

/** Which task met what another would meet too, a refused login or an agent that dies at once; one of its own run before others. Nothing is looked up where
 *  none did. */
export function findRefusedLogin<T extends BareTask>(
  { tasks, credentialOf }: Logins,
  agentOf: (task: T) => string,
): (task: T) => BareTask | undefined {
  const refused: { task: BareTask; credential: string }[] = [];
  const broken: BareTask[] = [];
  for (const task of tasks) {
    if (task.state !== "pending") continue;
    if (task.park?.for === "login")
      refused.push({ task, credential: task.park.credential ?? credentialOf(task.park.agent) });
    else if (task.park?.for === "agent") broken.push(task);
  }
  if (refused.length === 0 && broken.length === 0) return () => undefined;
  return (task) => {
    const agent = agentOf(task);
    const credential = refused.length === 0 ? null : credentialOf(agent);
    const same = [
      ...refused.filter((each) => each.credential === credential).map((each) => each.task),
      ...broken.filter(({ park }) => park?.for === "agent" && park.agent === agent),
    ];
    return same.find((each) => each.run === task.run) ?? same[0];
  };
}

function stands<T extends BareTask>(task: T, standing: Standing, why: string, waitsFor: string[] = []): TaskView<T> {
  return { task, standing, why, waitsFor };
}

function standsUntil<T extends BareTask>(task: T, until: number, why: string): TaskView<T> {
  return { ...stands(task, "waits-for-time", why), until };
}

function standsWithRun<T extends BareTask>(task: T, withRun: "red" | "astray", why: string): TaskView<T> {
  return { ...stands(task, "waits-for-person", why), withRun };
}

function viewTask<T extends BareTask>(task: T, around: Around<T>): TaskView<T> {
  switch (task.state) {
    case "pending":
      return viewPending(task, around);
    case "review":
      return task.approved
        ? stands(task, "working", "approved")
        : stands(task, "waits-for-person", "waits for approval");
    case "contest":
      return viewContest(task, around.contests);
    case "integrating":
      if (around.merges.astray !== null) return standsWithRun(task, "astray", describeAstray(around.merges.astray));
      if (isHeldByTip(around.merges.red, task)) return standsWithRun(task, "red", describeRedTip(around.merges.red!));
      return viewMerge(task, around.merges.behind);
    case "running":
    case "verifying":
      return stands(task, "working", task.state);
    case "done":
      return stands(task, "done", task.verified ? "" : "unverified");
    case "failed":
    case "skipped":
    case "cancelled":
      return stands(task, task.state, task.reason ?? "");
    default: {
      const never: never = task.state;
      return never;
    }
  }
}

function viewMerge<T extends BareTask>(task: T, waiting: readonly WaitsBehind[]): TaskView<T> {
  const behind = waiting.find((each) => each.task === task.id);
  if (behind === undefined) return stands(task, "working", task.state);
  return stands(task, "blocked", describeBehind(behind), [behind.behind]);
}

/** Whom a person took over is waited for, as everything is that waits for a person. */
function viewContest<T extends BareTask>(task: T, contests: ReadonlyMap<string, T[]>): TaskView<T> {
  const rivals = contests.get(task.rival?.of ?? task.key) ?? [];
  const taken = rivals.filter(({ state, park }) => state === "pending" && park?.for === "hand").map(({ key }) => key);
  if (taken.length === 0) return stands(task, "working", "waits for its rivals");
  return stands(task, "blocked", `waits for ${few(taken)}, taken over by hand`, taken);
}

function viewPending<T extends BareTask>(task: T, around: Around<T>): TaskView<T> {
  const { byKey, contests, loginOf, holds, limitOf, shortage, apart, merges, now } = around;
  if (task.park && waitsForPerson(task.park)) return stands(task, "waits-for-person", describePark(task.park));
  if (task.park?.for === "budget" && task.park.until === null)
    return stands(task, "waits-for-budget", describePark(task.park));
  const open = task.needs.filter((key) => byKey.get(key)?.state !== "done");
  if (open.length > 0) {
    const rows = open.flatMap((key) => contests.get(key)?.map((each) => each.key) ?? [key]);
    return stands(task, "blocked", `waits for ${few(open)}`, rows);
  }
  if (merges.astray !== null) return standsWithRun(task, "astray", describeAstray(merges.astray));
  if (holds.timeOver != null && !COMES_HOME.has(turnOf(task.next).kind))
    return stands(task, "waits-for-budget", describeTimeOver(holds.timeOver));
  const login = loginOf(task);
  if (login?.park?.for === "login" || login?.park?.for === "agent") {
    const isHere = login.run === task.run;
    const what = login.park.for === "login" ? `the login of ${login.park.agent}` : `${login.park.agent} to work`;
    const why = `waits for ${what} (see ${login.key}${isHere ? "" : ` of ${login.run}`})`;
    return isHere ? stands(task, "blocked", why, [login.key]) : stands(task, "waits-for-person", why);
  }
  const limit = task.next.kind === "by-hand" ? null : (limitOf?.(task) ?? null);
  // What it was parked for is another agent's limit now, or nobody's.
  const fellOver = task.park?.for === "limit" && limitOf !== null && limit === null;
  if (task.notBefore !== null && !isDue(task, now) && !fellOver) {
    const until = new Date(task.notBefore).toISOString();
    return standsUntil(task, task.notBefore, task.park ? describePark(task.park) : `tries again at ${until}`);
  }
  const waitsFor = limit === null ? null : describeLimit(limit, now);
  if (limit !== null && waitsFor !== null)
    return limit.probe === null ? standsUntil(task, limit.until, waitsFor) : stands(task, "waits-for-time", waitsFor);
  // What a person did themselves costs nothing.
  const level = task.next.kind === "by-hand" ? null : heldBy(holds, task);
  if (level) {
    // What is only kept for what runs comes free by itself.
    const standing = level.scope === "day" || !isUsedUp(level) ? "waits-for-time" : "waits-for-budget";
    const why = `waits for the budget: ${describeLevel(level)}`;
    const isOfDay = level.scope === "day" && isUsedUp(level);
    return isOfDay ? standsUntil(task, holds.dayEnds, why) : stands(task, standing, why);
  }
  if (shortage !== null && concerns(shortage, startOf(task))) return stands(task, "waits-for-room", shortage.why);
  const held = apart.get(task.id);
  if (held !== undefined) return stands(task, "ready", describeApart(held, byKey.get(held.behind)));
  const goesOn = task.next.kind !== "fresh" && task.startedAt !== null;
  return stands(task, "ready", goesOn ? "goes on where it stopped" : "");
}

function describeApart({ behind, path }: HeldApart, other: BareTask | undefined): string {
  const isComingHome = other?.state === "verifying" || other?.state === "integrating";
  const what = isComingHome
    ? `begins when ${behind}, which is nearly done, is in`
    : `others go first while ${behind} is at work`;
  return `${what}: both touch ${path}`;
}

/** Why a limit that another task met keeps one back; null where it may be the one that tries whether it is over. */
function describeLimit(limit: LimitHold, now: number): string | null {
  const { agent, until, isGuess, probe, outage } = limit;
  if (outage !== undefined) {
    if (probe !== null) return `waits for ${probe}, which tries whether the API of ${agent} can be reached again`;
    return mayTry(limit, now) ? null : describeOutage({ agent, reason: outage }, until);
  }
  if (probe !== null) return `waits for ${probe}, which tries whether the usage limit of ${agent} is over`;
  if (mayTry(limit, now)) return null;
  const at = new Date(until).toISOString();
  return isGuess
    ? `waits for a usage limit of ${agent}; no reset known; next try at ${at}`
    : `waits for a usage limit of ${agent} until ${at}`;
}

/** What the last attempt at a task left to do before its work is home: it goes on when the time of the run is over. */
const COMES_HOME = new Set<NextStart["kind"]>(["repair", "conflict", "by-hand"]);

/** Whether nothing will happen to these tasks any more unless a person does something. */
export function isSettled(views: readonly TaskView[]): boolean {
  const waits = new Set<Standing>(["waits-for-person", "waits-for-budget"]);
  const settled = new Set<Standing>([...waits, "done", "failed", "skipped", "cancelled"]);
  const waiting = new Set(views.filter((view) => waits.has(view.standing)).map((view) => view.task.key));
  // A task that is blocked only through one that waits for a person waits for that person too.
  for (let grew = true; grew;) {
    grew = false;
    for (const view of views) {
      if (view.standing !== "blocked" || waiting.has(view.task.key)) continue;
      if (view.waitsFor.some((key) => waiting.has(key))) {
        waiting.add(view.task.key);
        grew = true;
      }
    }
  }
  return views.every((view) => settled.has(view.standing) || waiting.has(view.task.key));
}

/** Pending tasks whose upstream failed, was skipped or was cancelled, with the reason: they cannot run any more. */
export function findSkips(tasks: readonly Task[]): { task: Task; reason: string }[] {
  const deadNeeds = deadNeedsAmong(tasks);
  return tasks.flatMap((task) => {
    const lost = task.state === "pending" ? deadNeeds(task) : [];
    return lost.length > 0 ? [{ task, reason: `needs ${few(lost)}` }] : [];
  });
}

/** Skipped tasks of which nothing they need is dead any more. */
export function findRevived(tasks: readonly Task[]): Task[] {
  const deadNeeds = deadNeedsAmong(tasks);
  return tasks.filter((task) => task.state === "skipped" && deadNeeds(task).length === 0);
}

/** Final states that bring nothing to what waits for them. */
const DEAD = new Set<Task["state"]>(["failed", "skipped", "cancelled"]);

function deadNeedsAmong(tasks: readonly Task[]): (task: Task) => string[] {
  const dead = new Set(tasks.filter((task) => DEAD.has(task.state)).map((task) => task.key));
  // Nobody has done a task yet that all its rivals have given up.
  for (const [id, rivals] of contestsIn(tasks)) if (rivals.every(({ state }) => DEAD.has(state))) dead.add(id);
  return (task) => task.needs.filter((key) => dead.has(key));
}

/** How many tasks ended in which way; one that has rivals is one. */
export function countFinal(tasks: readonly Task[]): Record<"done" | "failed" | "skipped" | "cancelled", number> {
  const counts = { done: 0, failed: 0, skipped: 0, cancelled: 0 };
  for (const task of onePerTask(tasks, (each) => each))
    if (FINAL_STATES.has(task.state)) counts[task.state as keyof typeof counts]++;
  return counts;
}

/** Whether nothing goes on before somebody or something makes room: when that will be nobody can tell. */
export function waitsForRoomAlone(views: readonly Pick<TaskView, "standing">[]): boolean {
  const stands = new Set(views.map(({ standing }) => standing));
  return stands.has("waits-for-room") && !stands.has("working");
}
