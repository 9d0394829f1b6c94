/** Finds out what there is to do: the plan, the tasks written down by hand, and what of both is done already. Read only. */
import { createHash } from "node:crypto";
import { OwtError } from "../core/errors.ts";
import { nearestHint } from "../core/names.ts";
import type { Plan, PlannedTask, PlanSettings, Problem } from "../core/plan.ts";
import { upstreamOf } from "../core/dag.ts";
import { planKeyOf, type RivalChoice } from "../core/rival.ts";
import { startOrder } from "../core/schedule.ts";
import { isAncestor } from "../git/branch.ts";
import { readRuns } from "../store/runs.ts";
import { readCancelledTasks, readDoneTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { Estimates } from "./estimates.ts";
import { viewRun } from "./view.ts";
import { heldByTakenUp, readTakenUp } from "./worktrees/taken-up.ts";
import { adHocTask, unknownTask, type WorkRequest } from "./asked-plan.ts";

export type Work = {
  kind: Plan["kind"];
  planPath: string;
  settings: PlanSettings;
  /** All tasks there are, in plan order. */
  all: PlannedTask[];
  /** Tasks to be done now; what each needs among them stands in `needs`. */
  chosen: { spec: PlannedTask; hash: string; needs: string[] }[];
  /** Why a task counts as done. */
  done: Map<string, string>;
  /** What would be chosen and is left alone, because somebody has it, or what it needs, by hand. */
  held: ReturnType<typeof heldByTakenUp>;
  /** What was not asked for by name and is left alone, because it was cancelled or needs what was: why. */
  leftOut: Map<string, string>;
  /** What of an open run nothing of ours makes go on, where it leaves a slot nothing to begin. */
  stuck: string[];
  ignored: Plan["ignored"];
  warnings: Problem[];
  /** Agents that are each to do every task; none: one does it. */
  rivals: RivalChoice[];
  /** What each task is expected to take. */
  estimates: Estimates;
};

/** Chooses from plan and backlog (`plan`: as they were read). `base` is the commit the run would start from: what it holds is done.
 *  Throws `plan` with every problem at once, `unknown-name` for a task that does not exist, `usage` for a task whose upstreams are not done. */
export async function readWork(engine: Engine, request: WorkRequest, base: string, plan: Plan): Promise<Work> {
  const done = await findDone(engine, plan.tasks, base, request.again);
  const needs = new Map(plan.tasks.map((task) => [task.id, [...task.dependsOn, ...task.implied]]));
  const choices = { plan: plan.settings.choices ?? {}, flags: request.choices ?? {} };
  const estimates = new Estimates(engine, { agent: request.agent ?? null, choices });
  const named = nameTasks(plan.tasks, request);
  const leftOut = findLeftOut(engine, plan.tasks, named, done, needs);
  const going = request.slot === true ? readGoing(engine, plan) : null;
  const open = choose(plan.tasks, request, { named, leftOut, done, needs, estimates, going });
  const held = heldByTakenUp(open, needs, readTakenUp(engine));
  const wanted = new Set([...open].filter((id) => !held.has(id)));
  const chosen = plan.tasks
    .filter((task) => wanted.has(task.id))
    .map((spec) => ({ spec, hash: hashTask(spec), needs: (needs.get(spec.id) ?? []).filter((id) => wanted.has(id)) }));
  return {
    kind: plan.kind,
    planPath: plan.path,
    settings: plan.settings,
    all: plan.tasks,
    chosen,
    done,
    held,
    leftOut,
    stuck: open.size === 0 && going !== null ? [...going.stuck] : [],
    ignored: plan.ignored,
    warnings: plan.warnings,
    rivals: [],
    estimates,
  };
}

/** What a task asks for; equal hash and done means: not again. */
export function hashTask(task: PlannedTask): string {
  const asked = [task.id, task.title, task.content, task.verify, task.touches];
  return createHash("sha256").update(JSON.stringify(asked)).digest("hex");
}

/** A task is done when its file says so, or when an earlier run integrated exactly this content and `base` holds it. */
async function findDone(
  engine: Engine,
  tasks: PlannedTask[],
  base: string,
  again: boolean,
): Promise<Map<string, string>> {
  const done = new Map<string, string>();
  if (again) return done;
  const integrated = new Map(readDoneTasks(engine.store).map((task) => [`${task.key} ${task.hash}`, task.commit]));
  for (const task of tasks) {
    const commit = integrated.get(`${task.id} ${hashTask(task)}`);
    if (task.status === "complete") done.set(task.id, `${task.source.file} says complete`);
    else if (commit && (await isAncestor(engine.repo, commit, base)))
      done.set(task.id, `integrated as ${commit.slice(0, 10)}`);
  }
  return done;
}

/** Cancelled once is cancelled until it is named, retried, or asks for something else. What is written down by hand anew is asked for by that. */
function findLeftOut(
  engine: Engine,
  tasks: PlannedTask[],
  { ids, explicit }: Named,
  done: ReadonlyMap<string, string>,
  needs: ReadonlyMap<string, readonly string[]>,
): Map<string, string> {
  const leftOut = new Map<string, string>();
  const cancelled = new Map(readCancelledTasks(engine.store).map(({ key, hash }) => [key, hash]));
  if (cancelled.size === 0) return leftOut;
  const isOpen = (id: string) => ids.has(id) && !explicit.has(id) && !done.has(id);
  for (const task of tasks) {
    const isPlanned = !task.source.file.startsWith("owt ");
    if (isPlanned && isOpen(task.id) && cancelled.get(task.id) === hashTask(task))
      leftOut.set(task.id, "was cancelled");
  }
  for (let before = -1; before < leftOut.size;) {
    before = leftOut.size;
    for (const { id } of tasks) {
      const upstream = (needs.get(id) ?? []).find((each) => leftOut.has(each));
      if (upstream !== undefined && isOpen(id) && !leftOut.has(id)) leftOut.set(id, `needs ${upstream}`);
    }
  }
  return leftOut;
}

/** `explicit`: by name, and not as one of many. */
type Named = { ids: Set<string>; explicit: Set<string> };

type Choice = {
  named: Named;
  leftOut: ReadonlyMap<string, string>;
  done: Map<string, string>;
  needs: Map<string, string[]>;
  estimates: Estimates;
  going: Going | null;
};

function choose(
  tasks: PlannedTask[],
  request: WorkRequest,
  { named, leftOut, done, needs, estimates, going }: Choice,
): Set<string> {
  const open = new Set([...named.ids].filter((id) => !done.has(id) && !leftOut.has(id)));
  const nodes = tasks.map((task) => ({ id: task.id, needs: needs.get(task.id) ?? [] }));
  const missing = [
    ...upstreamOf(
      nodes.map((node) => ({ ...node, needs: done.has(node.id) ? [] : node.needs })),
      open,
    ),
  ].filter((id) => !done.has(id) && !open.has(id));
  if (missing.length > 0 && !request.withUpstreams) {
    throw new OwtError(
      "usage",
      `${[...open].join(", ")} ${open.size === 1 ? "needs" : "need"} work that is not done: ${missing.join(", ")}`,
      {
        hint: `run those too: owt run ${[...open].join(" ")} --with-upstreams`,
      },
    );
  }
  for (const id of missing) open.add(id);
  if (request.count === null) return open;
  if (going === null) return firstToStart(tasks, open, needs, estimates, request.count);
  const behind = upstreamIsIn(going.stuck, needs);
  const free = new Set([...open].filter((id) => !going.settled.has(id) && !behind(id)));
  const begun = firstToStart(tasks, free, needs, estimates, request.count);
  // The run goes on as a whole.
  return begun.size === 0 ? begun : begun.union(open.intersection(going.members));
}

/** The open runs of a plan: which tasks are in them, which of these are over or under way, and which wait for a person or failed (`stuck`). */
type Going = { members: Set<string>; settled: Set<string>; stuck: Set<string> };

function readGoing(engine: Engine, plan: Plan): Going {
  const going: Going = { members: new Set(), settled: new Set(), stuck: new Set() };
  for (const run of readRuns(engine.store, "open")) {
    if (run.planPath !== plan.path || run.planKind !== plan.kind) continue;
    for (const { task, standing } of viewRun(engine, run)) {
      const id = planKeyOf(task);
      going.members.add(id);
      if (!CAN_GO.has(standing)) going.settled.add(id);
      const isOwn = task.park?.for === "budget" && task.park.scope === "task";
      if (standing === "waits-for-person" || (standing === "waits-for-budget" && isOwn)) {
        going.settled.add(id);
        going.stuck.add(id);
      } else if (standing === "failed") going.stuck.add(id);
    }
  }
  return going;
}

/** Standings from which a task goes on as soon as somebody carries its run, in the time and with the budget of a new slot. */
const CAN_GO: ReadonlySet<string> = new Set([
  "ready",
  "blocked",
  "waits-for-time",
  "waits-for-room",
  "waits-for-budget",
]);

/** Whether a task needs one of these, be it through others. */
function upstreamIsIn(
  these: ReadonlySet<string>,
  needs: ReadonlyMap<string, readonly string[]>,
): (id: string) => boolean {
  const known = new Map<string, boolean>();
  const isBehind = (id: string): boolean => {
    const found = known.get(id) ?? (needs.get(id) ?? []).some((each) => these.has(each) || isBehind(each));
    known.set(id, found);
    return found;
  };
  return isBehind;
}

function nameTasks(tasks: PlannedTask[], request: WorkRequest): Named {
  const ids = tasks.map((task) => task.id);
  const all = request.tasks.length === 0 && request.texts.length === 0 && request.module === null;
  if (all) return { ids: new Set(ids), explicit: new Set() };
  const named = new Set<string>();
  for (const wanted of request.tasks) {
    const id = ids.find((each) => each === wanted) ?? ids.find((each) => each.toLowerCase() === wanted.toLowerCase());
    if (!id) throw unknownTask(wanted, ids, request.from, modulesOf(tasks));
    named.add(id);
  }
  for (const text of request.texts) named.add(adHocTask(text, 0).id);
  const explicit = new Set(named);
  if (request.module !== null) {
    const inModule = tasks.filter((task) => task.module === request.module);
    if (inModule.length === 0) throw unknownModule(request.module, tasks);
    for (const task of inModule) named.add(task.id);
  }
  return { ids: named, explicit };
}

/** The first tasks in the order in which they start. */
function firstToStart(
  tasks: PlannedTask[],
  open: Set<string>,
  needs: Map<string, string[]>,
  estimates: Estimates,
  count: number,
): Set<string> {
  const starts = tasks
    .filter(({ id }) => open.has(id))
    .map((task) => ({ ...task, needs: needs.get(task.id) ?? [], weight: estimates.of(task).duration.p50 }));
  return new Set(startOrder(starts).slice(0, count));
}

function modulesOf(tasks: readonly PlannedTask[]): string[] {
  return [...new Set(tasks.flatMap((task) => task.module ?? []))];
}

function unknownModule(module: string, tasks: PlannedTask[]): OwtError {
  const known = modulesOf(tasks);
  return new OwtError("unknown-name", `there is no module named ${module}`, {
    hint: nearestHint(module, known, `modules: ${known.join(", ") || "none"}; see: owt plan`),
  });
}
