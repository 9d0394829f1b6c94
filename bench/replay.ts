/** A real plan with its real durations, carried out by the built owt: 23 tasks that took one agent 234 minutes, with three agents that sleep as long,
 *  scaled. Goal: makespan ≤ 1.05 × max(critical path, work / agents) + the overhead of one task, as bench/overhead shows it in the same run.
 *
 *  The estimates are taken from the real durations and reach `owt run` the way a plan says them: as `estimated_tokens` in the front matter of its
 *  files. Beside it, worked out from the task times that this run measured (overhead included): the same in waves, each waiting for the whole one
 *  before; one after the other; and without estimates, the longest path counted in tasks. The plan and its trace lie in ../shared/data beside the
 *  repository; without them there is nothing to replay, which is said.
 *
 *    npm run bench:replay -- [--scale 1000] [--agents 3] [--rounds 1] [--json]     (scale: milliseconds for a minute) */
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { flag, makePlace, option, OWT } from "./place.ts";
import {
  DATA,
  isThere,
  layPlan,
  longestPath,
  pathsBelow,
  readPlan,
  readTrace,
  type Task,
  writeDurations,
} from "./real-plan.ts";

const GOAL = 1.05;
const OVERHEAD = new URL("overhead.ts", import.meta.url).pathname;
const OVERHEAD_TASKS = 20;

type Measured = { makespanMs: number; wallMs: number; taskMs: Map<string, number> };

const scale = Number(option("scale", "1000"));
const agents = Number(option("agents", "3"));
const rounds = Number(option("rounds", "1"));

if (isThere()) await replay();
else console.log(`skipped: the plan and its trace (${DATA}) are not there`);

async function replay(): Promise<void> {
  using place = makePlace();
  const { home, env } = place;
  const perTaskMs = measureOverhead();
  const results = [];
  for (let round = 0; round < rounds; round++)
    results.push(runOnce(join(home, `round-${round}`), home, env, perTaskMs));
  const middle = results.toSorted((a, b) => a.makespanMs - b.makespanMs)[Math.floor(results.length / 2)]!;
  if (flag("json")) console.log(JSON.stringify({ goal: GOAL, scale, agents, rounds, ...middle }, null, 2));
  else tell(middle);
}

function runOnce(root: string, home: string, env: NodeJS.ProcessEnv, perTaskMs: number) {
  const minutes = readTrace();
  makeRepository(root, home, env, minutes);
  const tasks = readPlan(root, env, "sleeper", minutes, scale);
  const measured = runOwt(root, env);
  const work = tasks.reduce((sum, { ms }) => sum + ms, 0);
  const bound = Math.max(longestPath(tasks), work / agents);
  const asMeasured = tasks.map((task) => ({ ...task, ms: measured.taskMs.get(task.id)! }));
  return {
    tasks: tasks.length,
    perTaskMs,
    boundMs: bound,
    makespanMs: measured.makespanMs,
    wallMs: measured.wallMs,
    ratio: measured.makespanMs / bound,
    isMet: measured.makespanMs <= GOAL * bound + perTaskMs,
    wavesMs: inWaves(asMeasured),
    sequentialMs: asMeasured.reduce((sum, { ms }) => sum + ms, 0),
    withoutEstimatesMs: listed(asMeasured, pathsBelow(tasks.map((task) => ({ ...task, ms: 1 })))),
    idealMs: listed(tasks, pathsBelow(tasks)),
    idealWavesMs: inWaves(tasks),
  };
}

function tell(seen: ReturnType<typeof runOnce>): void {
  const row = (name: string, ms: number) =>
    console.log(`  ${name.padEnd(58)} ${(ms / scale).toFixed(1).padStart(6)} min  ${(ms / seen.boundMs).toFixed(3)}`);
  console.log(
    `${seen.tasks} tasks, ${agents} agents, a minute as ${scale} ms, ${rounds} ${rounds === 1 ? "round" : "rounds"}; over the bound:`,
  );
  row("bound: max(critical path, work / agents)", seen.boundMs);
  row("longest expected path first, without any overhead (calculated)", seen.idealMs);
  row("owt run, first start to last integration", seen.makespanMs);
  row("owt run, the whole command", seen.wallMs);
  row("without estimates (calculated from the times of this run)", seen.withoutEstimatesMs);
  row("in waves (calculated from the times of this run)", seen.wavesMs);
  row("in waves without any overhead (calculated)", seen.idealWavesMs);
  row("one after the other (the sum of this run)", seen.sequentialMs);
  const allowed = GOAL * seen.boundMs + seen.perTaskMs;
  console.log(
    `  overhead of a task (bench/overhead, ${OVERHEAD_TASKS} tasks): ${seen.perTaskMs.toFixed(0)} ms; goal ≤ ${GOAL} × bound + that = ` +
      `${(allowed / scale).toFixed(1)} min (${(allowed / seen.boundMs).toFixed(3)}): ${seen.isMet ? "met" : "NOT met"}`,
  );
}

/** Wall time of a no-op task among others, four at a time. */
function measureOverhead(): number {
  const args = [OVERHEAD, "--tasks", String(OVERHEAD_TASKS), "--rounds", "3", "--json"];
  const said = tryAgain(() =>
    execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
  );
  const { results } = JSON.parse(said.slice(said.indexOf("{"), said.lastIndexOf("}") + 1)) as {
    results: { owt: { wallMs: number }[] }[];
  };
  const walls = results[0]!.owt.map(({ wallMs }) => wallMs).sort((a, b) => a - b);
  return walls[Math.floor(walls.length / 2)]! / OVERHEAD_TASKS;
}

/** The script that bench/overhead measures beside owt meets git's own worktree race now and then. */
function tryAgain<T>(body: () => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return body();
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** The plan, and the program that stands for an agent. */
function makeRepository(
  root: string,
  home: string,
  env: NodeJS.ProcessEnv,
  minutes: ReadonlyMap<string, number>,
): void {
  layPlan(root, env, minutes);
  writeDurations(home, minutes, scale);
  const program = join(home, "sleeper");
  writeFileSync(
    program,
    `#!/bin/sh\ncat >/dev/null\nsleep "$(cat "${join(home, "durations")}/$OWT_TASK")"\necho done > "$(echo "$OWT_TASK" | tr / -).txt"\n`,
    { mode: 0o755 },
  );
  writeFileSync(
    join(home, "config", "open-orchestrator", "config.toml"),
    `[agent.sleeper]\nkind = "command"\ncommand = ["${program}"]\n`,
  );
}

function runOwt(root: string, env: NodeJS.ProcessEnv): Measured {
  const began = performance.now();
  const ran = spawnSync(process.execPath, [OWT, "run", "--yes", "--parallel", String(agents), "--agent", "sleeper"], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  const wallMs = performance.now() - began;
  if (ran.status !== 0) throw new Error(`owt ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
  const merged = execFileSync("git", ["ls-tree", "--name-only", "owt/runs/r1"], { cwd: root, env, encoding: "utf8" });
  const came = merged.split("\n").filter((name) => name.endsWith(".txt")).length;
  const db = new DatabaseSync(join(root, ".git/owt/state.db"), { readOnly: true });
  const rows = db.prepare("select key, started_at, ended_at from task where state = 'done'").all();
  db.close();
  const times = rows.map((row) => [String(row["key"]), Number(row["started_at"]), Number(row["ended_at"])] as const);
  if (
    came !== times.length ||
    came !==
      readdirSync(join(root, "docs/plans"), { recursive: true }).filter((name) => /epic-[^/]*\.md$/.test(String(name)))
        .length
  )
    throw new Error("owt did not bring everything home");
  return {
    wallMs,
    makespanMs: Math.max(...times.map(([, , end]) => end)) - Math.min(...times.map(([, start]) => start)),
    taskMs: new Map(times.map(([id, start, end]) => [id, end - start])),
  };
}

/** List scheduling: whenever one of the agents is free, the ready task of the largest weight starts; of equals the first in the plan. */
function listed(tasks: readonly Task[], weights: ReadonlyMap<string, number>): number {
  const ends = new Map<string, number>();
  const running = new Map<string, number>();
  const begun = new Set<string>();
  for (let now = 0; ;) {
    const ready = tasks.filter(
      ({ id, needs }) => !begun.has(id) && needs.every((need) => (ends.get(need) ?? Infinity) <= now),
    );
    ready.sort((a, b) => weights.get(b.id)! - weights.get(a.id)!);
    for (const task of ready.slice(0, agents - running.size)) {
      begun.add(task.id);
      running.set(task.id, now + task.ms);
    }
    if (running.size === 0) return now;
    now = Math.min(...running.values());
    for (const [id, end] of running) {
      if (end > now) continue;
      ends.set(id, end);
      running.delete(id);
    }
  }
}

/** Each wave waits for the whole one before. */
function inWaves(tasks: readonly Task[]): number {
  const depth = pathsAbove(tasks);
  const waves = Map.groupBy(tasks, ({ id }) => depth.get(id)!);
  return [...waves.values()].reduce(
    (sum, wave) =>
      sum +
      listed(
        wave.map((task) => ({ ...task, needs: [] })),
        new Map(wave.map(({ id }) => [id, 0])),
      ),
    0,
  );
}

/** How many tasks come before each, along the longest way. */
function pathsAbove(tasks: readonly Task[]): Map<string, number> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const depth = new Map<string, number>();
  const walk = (id: string): number => {
    const known = depth.get(id) ?? Math.max(0, ...byId.get(id)!.needs.map((need) => walk(need) + 1));
    depth.set(id, known);
    return known;
  };
  for (const { id } of tasks) walk(id);
  return depth;
}
