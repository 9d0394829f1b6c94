/** Turns what is to be done into a run in the store, or finds the open run that already does it. */
import { type AgentChoices, layChoices } from "../core/choices.ts";
import { budgetFrom } from "../core/budget-limits.ts";
import { commandList } from "../core/config.ts";
import { OwtError } from "../core/errors.ts";
import type { PlannedTask } from "../core/plan.ts";
import { hasLost, planKeyOf } from "../core/rival.ts";
import type { Run, RunOptions } from "../core/run.ts";
import { timeFrom } from "../core/run-time.ts";
import { parseDuration } from "../lib/duration.ts";
import { readRef } from "../git/branch.ts";
import { removeFromBacklog } from "../store/backlog.ts";
import { nextRunNumber, raiseTakenIds } from "../store/ids.ts";
import { linkRun } from "../store/firings.ts";
import { addTasks, createRun, type NewTask, readRuns, setWish } from "../store/runs.ts";
import { readTasks } from "../store/tasks.ts";
import { wantedProfile } from "../system/config-files.ts";
import { ensureNamedFolder } from "../system/files.ts";
import { thisProcess } from "../system/identity.ts";
import { findProgram } from "../system/programs.ts";
import { programOf } from "../agents/agent.ts";
import { type Base, standingOfRuns } from "./base.ts";
import { setBudget } from "./budget.ts";
import { type Engine, findAgent, worktreeHome } from "./engine.ts";
import { noteParallel } from "./parallel.ts";
import { agentProblems, branchProblems, demoProblems, modeProblems } from "./plan-checks.ts";
import { changesOf, followPlan } from "./refresh.ts";
import { rowsFor } from "./rivals.ts";
import { setTime } from "./run-time.ts";
import { retryTasks } from "./tasks.ts";
import type { Work } from "./work.ts";
import { planError, type WorkRequest } from "./asked-plan.ts";
import { readTakenUp } from "./worktrees/taken-up.ts";

/** What the command line sets for a run; absent means: plan, then configuration. */
export type RunFlags = {
  agent?: string;
  choices: AgentChoices;
  maxParallel?: number;
  budgetUsd?: number;
  maxDurationMs?: number;
  /** The firing of a batch that starts the run. */
  firing?: number;
  again: boolean;
};

/** The run that does this work: the open one of the same plan, brought up to date, or a new one. `null` when nothing is left to do;
 *  `moved` when a run came, ended or landed since the work was prepared: prepare it again, for what is done may be more now. */
export async function ingest(
  engine: Engine,
  work: Work,
  base: Base,
  flags: RunFlags,
): Promise<{ run: Run; isNew: boolean; changed: string[] } | "moved" | null> {
  const options = runOptions(engine, work, flags);
  if (work.chosen.length > 0) checkHome(engine);
  const going = findGoing(engine, work, base, flags.again);
  if (going) {
    const changed = withFlags(going.options, flags);
    const rows = rowsFor(engine, work.chosen, changed.rivals ?? []);
    await checkAgents(engine, rows, changed);
    return engine.store.transaction(() => {
      linkFiring(engine, going.id, flags);
      const taken = goOn(engine, going, rows, { ...changed, verify: options.verify });
      setBudget(engine, going.id, flags.budgetUsd ?? null, flags.firing !== undefined);
      setTime(engine, going.id, flags.maxDurationMs ?? null);
      noteParallel(engine, going.id, going.options.maxParallel, changed.maxParallel);
      return { run: going, isNew: false, changed: taken };
    });
  }
  if (work.chosen.length === 0) return null;
  const rows = rowsFor(engine, work.chosen, work.rivals);
  await checkAgents(engine, rows, options);
  const taken = await branchProblems(engine, specsOf(work), base.commit);
  if (taken.length > 0) throw planError(taken);
  await passTakenRuns(engine);
  return engine.store.transaction(() => {
    const { target, commit, buildsOn } = base;
    // Asked again inside the transaction: the same command, given twice at once, is one run.
    const meanwhile = findGoing(engine, work, base, flags.again);
    if (meanwhile) {
      linkFiring(engine, meanwhile.id, flags);
      return { run: meanwhile, isNew: false, changed: [] };
    }
    const taken = readTakenUp(engine);
    if (standingOfRuns(engine) !== base.seen || work.chosen.some(({ spec }) => taken.has(spec.id))) return "moved";
    const run = createRun(
      engine.store,
      engine.now(),
      { planKind: work.kind, planPath: work.planPath, target, base: commit, buildsOn, options },
      rows,
    );
    linkFiring(engine, run.id, flags);
    for (const task of work.chosen) removeFromBacklog(engine.store, task.spec.id);
    return { run, isNew: true, changed: [] };
  });
}

/** A firing has one run, for ever: whoever comes second with it, because the first was believed dead, starts nothing. */
function linkFiring(engine: Engine, run: string, { firing }: RunFlags): void {
  if (firing === undefined || linkRun(engine.store, firing, run, thisProcess())) return;
  throw new OwtError("wrong-state", "this firing has its run already", { hint: "see: owt batch list" });
}

/** A run never gets the name of a branch that is there: it would go on from whatever stands there. */
async function passTakenRuns(engine: Engine): Promise<void> {
  for (let next = nextRunNumber(engine.store); ; next++) {
    if ((await readRef(engine.repo, `refs/heads/owt/runs/r${next}`)) === null) return;
    raiseTakenIds(engine.store, { runs: next, attempts: 0 });
  }
}

/** Throws `plan` with every agent that nobody set up, every permission mode that no agent takes, every step that the demo agent cannot play and every branch that cannot be had, among the tasks that the work would start. */
export async function checkHere(engine: Engine, work: Work, base: Base, request: WorkRequest): Promise<void> {
  const going = findGoing(engine, work, base, request.again);
  const tasks = going ? readTasks(engine.store, going.id) : [];
  const isGoing = (spec: PlannedTask) => tasks.some((task) => task.key === spec.id && task.spec.branch === spec.branch);
  const specs = specsOf(work);
  const branches = await branchProblems(
    engine,
    specs.filter((spec) => !isGoing(spec)),
    base.commit,
  );
  const modes = modeProblems(engine, { planPath: work.planPath, settings: work.settings, specs });
  const demo = demoProblems(engine, specs, request);
  const problems = [...agentProblems(engine, specs), ...demo, ...modes, ...branches];
  if (problems.length > 0) throw planError(problems);
}

function specsOf(work: Work): PlannedTask[] {
  return work.chosen.map(({ spec }) => spec);
}

function runOptions(engine: Engine, work: Work, flags: RunFlags): RunOptions {
  const { run } = engine.config;
  const { settings } = work;
  const userSets = (key: "max_parallel" | "timeout") =>
    engine.layers.some((layer) => layer.values.run?.[key] !== undefined);
  return {
    agent: flags.agent ?? null,
    maxParallel:
      flags.maxParallel ?? (userSets("max_parallel") ? run.max_parallel : (settings.maxParallel ?? run.max_parallel)),
    timeoutMs: (userSets("timeout") ? undefined : settings.timeoutMs) ?? parseDuration(run.timeout) ?? 1_800_000,
    verify: commandList(run.verify),
    verifyAttempts: run.verify_attempts,
    retries: run.retries,
    checkout: engine.repo.here,
    choices: { plan: settings.choices ?? {}, flags: flags.choices },
    budget: budgetFrom(engine.layers, flags.budgetUsd ?? null),
    budgetUsd: flags.budgetUsd ?? null,
    time: flags.maxDurationMs === undefined ? null : timeFrom(flags.maxDurationMs, engine.now()),
    profile: wantedProfile(engine.env),
    again: flags.again,
    ...(work.rivals.length === 0 ? {} : { rivals: work.rivals }),
  };
}

/** The choices of a run that goes on, with those of the command that goes on with it laid over them. */
function withFlags(options: RunOptions, flags: RunFlags): RunOptions {
  const { plan, flags: before } = options.choices;
  return {
    ...options,
    // Who does the tasks was said with the rivals.
    ...(flags.agent === undefined || options.rivals !== undefined ? {} : { agent: flags.agent }),
    ...(flags.maxParallel === undefined ? {} : { maxParallel: flags.maxParallel }),
    choices: { plan, flags: layChoices(before, flags.choices) },
  };
}

/** The open run that already does this work. */
export function findGoing(engine: Engine, work: Work, base: Base, again: boolean): Run | undefined {
  // What repeats goes on with a repetition, and never with the run that it repeats.
  return findOpen(engine, work, base).find(
    (run) => (!again || run.options.again === true) && sharesTasks(engine, run, work),
  );
}

/** The open runs of this plan, whether or not there is something left to do in it. */
export function findOpen({ store }: Engine, { planPath, kind }: Work, { target }: Base): Run[] {
  return readRuns(store, "open").filter(
    (run) => run.planPath === planPath && run.planKind === kind && run.target === target,
  );
}

function sharesTasks(engine: Engine, run: Run, work: Work): boolean {
  const keys = new Set(readTasks(engine.store, run.id).map(planKeyOf));
  return work.chosen.length === 0 ? false : work.chosen.some((task) => keys.has(task.spec.id));
}

/** The same command again goes on with the open run: tasks that nobody finished follow the plan, new ones join. Returns the keys of both. */
function goOn(engine: Engine, run: Run, rows: readonly NewTask[], options: RunOptions): string[] {
  return engine.store.transaction(() => {
    const known = new Set(readTasks(engine.store, run.id).map(planKeyOf));
    // First, so that a task which is there may wait for one that comes in now.
    const joining = rows.filter((task) => !known.has(task.spec.id));
    addTasks(engine.store, engine.now(), run.id, joining);
    const planned = rows.map((each) => each.spec);
    const changed = followPlan(engine, run, changesOf(engine, readTasks(engine.store, run.id), planned), options);
    // What was cancelled is chosen where it was asked for again; rivals that lost were not wished away.
    const chosen = new Set(planned.map(({ id }) => id));
    const cancelled = readTasks(engine.store, run.id).filter(
      (each) => each.state === "cancelled" && !hasLost(each) && chosen.has(planKeyOf(each)),
    );
    const wanted = retryTasks(engine, cancelled);
    for (const { spec } of rows) removeFromBacklog(engine.store, spec.id);
    setWish(engine.store, engine.now(), run.id, null);
    return [...new Set([...changed, ...wanted, ...joining.map((task) => task.spec.id)])];
  });
}

/** The folder that the worktrees are to stand in can be made, before anything starts. */
function checkHome(engine: Engine): void {
  const hint = "name another folder: [run] worktree_directory in .worktreerc";
  ensureNamedFolder(worktreeHome(engine), "worktrees cannot be made", hint);
}

/** Every agent that the work asks for exists, before anything starts. */
async function checkAgents(engine: Engine, tasks: readonly NewTask[], options: RunOptions): Promise<void> {
  const names = new Set(
    tasks.map((task) => task.rival?.agent ?? options.agent ?? task.spec.agent ?? engine.config.agent.default),
  );
  for (const name of names) {
    const agent = findAgent(engine, name);
    const file = programOf(agent);
    if (findProgram(file, engine.env)) continue;
    throw new OwtError("environment", `the agent ${name} needs the program ${file}, which is not on the PATH`, {
      hint:
        agent.about.install === null
          ? `install it, or set [agent.${name}] command`
          : `install it (${agent.about.install}), or try: --agent demo`,
    });
  }
}
