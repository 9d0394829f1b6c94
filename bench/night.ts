/** A night of a real plan in which the provider's usage limit is met twice: how much longer it takes than it must.
 *
 *  First simulated, with a clock of its own: the scheduler's own rules (who is ready, who starts, what a limit holds, who tries it, when) decide,
 *  and nothing else is in the way. This bench imports them: they are what is measured. Then with real processes at 1 : 60 through the built owt:
 *  agents that speak Claude Code's stream, work as long as the trace says, and are refused while a window is closed.
 *
 *  The bound: nobody can work while a window is closed, and what was done before is kept. So it is the earliest time that leaves
 *  max(critical path, work / agents) outside of the windows. Goal of the simulated night: within 5 % of it. Beside the stated night as many others
 *  as wanted, their windows drawn by chance.
 *
 *    npm run bench:night -- [--agents 3] [--nights 1000] [--scale 1000] [--only simulated] [--json]   (scale: milliseconds for a minute) */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type LimitHold, mayTry, meetLimit, type UsageLimit } from "../src/core/limit.ts";
import { decideConsequence } from "../src/core/retry.ts";
import { decideStarts } from "../src/core/schedule.ts";
import type { Task as CoreTask } from "../src/core/task.ts";
import { viewTasks } from "../src/core/view.ts";
import { seededChance } from "../src/lib/chance.ts";
import { quantile } from "../src/lib/quantile.ts";
import { sampleTask } from "../test/rig/samples.ts";
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
const MINUTE = 60_000;
/** How long an API takes to answer whoever tries whether it does again. */
const ANSWER_MS = 5_000;

type Closed = { from: number; to: number };
/** Minutes since the night began. */
const WINDOWS: Closed[] = [
  { from: 25, to: 55 },
  { from: 90, to: 130 },
];

const agents = Number(option("agents", "3"));
const nights = Number(option("nights", "1000"));
const scale = Number(option("scale", "1000"));

if (isThere()) passTheNight();
else console.log(`skipped: the plan and its trace (${DATA}) are not there`);

function passTheNight(): void {
  using place = makePlace();
  const { home, env } = place;
  const root = join(home, "repository");
  const minutes = readTrace();
  layPlan(root, env, minutes);
  const tasks = readPlan(root, env, "demo", minutes, MINUTE);
  const windows = WINDOWS.map(({ from, to }) => ({ from: from * MINUTE, to: to * MINUTE }));
  const stated = measure(tasks, windows, seededChance(1));
  const chance = seededChance(2);
  const others = Array.from({ length: nights }, () => measure(tasks, draw(chance), chance).ratio);
  const simulated = {
    ...stated,
    isMet: stated.ratio <= GOAL,
    p50: quantile(others, 0.5),
    p95: quantile(others, 0.95),
    worst: Math.max(...others),
  };
  const real = option("only", "") === "simulated" ? null : carryOut(root, home, env, tasks, minutes);
  if (flag("json"))
    console.log(JSON.stringify({ goal: GOAL, agents, scale, windows: WINDOWS, simulated, real }, null, 2));
  else tell(tasks.length, simulated, real);
}

function tell(
  count: number,
  simulated: Measured & { isMet: boolean; p50: number; p95: number; worst: number },
  real: Measured | null,
): void {
  const closed = WINDOWS.map(({ from, to }) => `${from} to ${to}`).join(", ");
  const row = (name: string, { boundMs, makespanMs, ratio }: Measured, unit: number) =>
    console.log(
      `  ${name.padEnd(34)} ${(makespanMs / unit).toFixed(1)} min, bound ${(boundMs / unit).toFixed(1)} min: ${ratio.toFixed(3)}`,
    );
  console.log(`${count} tasks, ${agents} agents, closed in the minutes ${closed}:`);
  row("simulated", simulated, MINUTE);
  if (real !== null) row(`real processes, a minute as ${scale} ms`, real, scale);
  console.log(
    `  ${nights} nights with windows by chance, simulated: median ${simulated.p50.toFixed(3)}, p95 ${simulated.p95.toFixed(3)}, worst ${simulated.worst.toFixed(3)}`,
  );
  console.log(`  goal of the simulated night ≤ ${GOAL}: ${simulated.isMet ? "met" : "NOT met"}`);
}

/** Two windows of 20 to 90 minutes, somewhere in the night, one behind the other. */
function draw(chance: () => number): Closed[] {
  const span = (least: number, most: number) => (least + chance() * (most - least)) * MINUTE;
  const first = { from: span(1, 60), to: 0 };
  first.to = first.from + span(20, 90);
  const second = { from: first.to + span(10, 60), to: 0 };
  second.to = second.from + span(20, 90);
  return [first, second];
}

type Measured = { boundMs: number; makespanMs: number; ratio: number };

function measure(tasks: readonly Task[], windows: readonly Closed[], chance: () => number): Measured {
  const boundMs = boundOf(tasks, windows);
  const makespanMs = simulate(tasks, windows, chance);
  return { boundMs, makespanMs, ratio: makespanMs / boundMs };
}

/** The earliest time that leaves enough outside of the windows. */
function boundOf(tasks: readonly Task[], windows: readonly Closed[]): number {
  const work = tasks.reduce((sum, { ms }) => sum + ms, 0);
  let end = Math.max(longestPath(tasks), work / agents);
  for (const { from, to } of windows) if (from < end) end += to - from;
  return end;
}

/** An attempt at work: what it still has to do, and since when. */
type Running = { attempt: number; since: number };

/** Plays the night through with the rules of the scheduler and of the governor. Gives the time of the last end. */
function simulate(plan: readonly Task[], windows: readonly Closed[], chance: () => number): number {
  const tasks = plan.map(({ id, needs }, order) => sampleTask(id, { id: order + 1, order, needs }));
  const left = new Map(plan.map(({ id, ms }) => [id, ms]));
  const below = pathsBelow(plan);
  const running = new Map<string, Running>();
  let limit: UsageLimit | null = null;
  let attempts = 0;
  const isClosed = (now: number) => windows.find(({ from, to }) => from <= now && now < to);
  const change = (key: string, values: Partial<CoreTask>) => {
    const at = tasks.findIndex((task) => task.key === key);
    tasks[at] = { ...tasks[at]!, ...values };
  };
  for (let now = 0; ;) {
    // Who has come to their end, or calls while the window is closed.
    for (const [key, { attempt, since }] of running) {
      const still = left.get(key)! - (now - since);
      if (still <= 0) {
        running.delete(key);
        change(key, { state: "done" });
        if (limit?.probe === attempt) limit = null;
        continue;
      }
      const closed = isClosed(now);
      if (closed) {
        running.delete(key);
        left.set(key, still);
        limit = meetLimit(limit, { credential: "it", agent: "claude" }, closed.to, now, chance());
        const outcome = { kind: "limit" as const, resetsAt: closed.to };
        const task = tasks.find((each) => each.key === key)!;
        const then = decideConsequence(
          task,
          { id: attempt, agent: "claude" },
          outcome,
          { retries: 2 },
          { limit, endedByUs: false, diedBefore: false, restarts: [], restartPauseMs: 0 },
          now,
          chance(),
        );
        if (then.do !== "park") throw new Error("a limit does not park its task");
        change(key, { state: "pending", park: then.park, next: then.next, notBefore: then.notBefore });
      } else if (limit?.probe === attempt && now - since >= ANSWER_MS) {
        // The API has answered: what waited goes on.
        limit = null;
        for (const task of tasks) if (task.park?.for === "limit") change(task.key, { park: null, notBefore: null });
      }
    }
    if (tasks.every(({ state }) => state === "done")) return now;
    for (let started = true; started;) {
      started = false;
      const hold: UsageLimit | null = limit;
      const holding = hold === null ? null : (): LimitHold => ({ ...hold, probe: hold.probe === null ? null : "it" });
      const views = viewTasks(tasks, () => "claude", now, { limitOf: holding });
      const ready = views
        .filter(({ standing }) => standing === "ready")
        .map(({ task }) => ({
          id: task.key,
          priority: "normal" as const,
          pathBelow: below.get(task.key)!,
          order: task.order,
        }));
      const [key] = decideStarts({ ready, running: running.size }, { maxParallel: agents });
      if (key === undefined) continue;
      const attempt = ++attempts;
      if (limit !== null && mayTry(limit, now)) limit = { ...limit, probe: attempt };
      running.set(key, { attempt, since: now });
      change(key, { state: "running", park: null, notBefore: null, startedAt: now });
      started = true;
    }
    now = soonest(now, { running, left, limit, windows, tasks });
  }
}

/** When something happens next. */
function soonest(
  now: number,
  seen: {
    running: ReadonlyMap<string, Running>;
    left: ReadonlyMap<string, number>;
    limit: UsageLimit | null;
    windows: readonly Closed[];
    tasks: readonly CoreTask[];
  },
): number {
  const { running, left, limit, windows, tasks } = seen;
  const ends = [...running].map(([key, { since }]) => since + left.get(key)!);
  const calls = running.size === 0 ? [] : windows.map(({ from }) => from);
  const probe = [...running.values()]
    .filter(({ attempt }) => attempt === limit?.probe)
    .map(({ since }) => since + ANSWER_MS);
  const waits = tasks.flatMap(({ state, notBefore }) => (state === "pending" && notBefore !== null ? [notBefore] : []));
  const next = Math.min(...[...ends, ...calls, ...probe, ...waits, limit?.until ?? Infinity].filter((at) => at > now));
  // Behind a closed window's start nobody runs any more; who starts inside of one calls at once.
  return running.size > 0 && windows.some(({ from, to }) => from <= now && now < to) ? now + 1 : next;
}

/** The same night through the built owt. */
function carryOut(
  root: string,
  home: string,
  env: NodeJS.ProcessEnv,
  tasks: readonly Task[],
  minutes: ReadonlyMap<string, number>,
): Measured {
  writeDurations(home, minutes, scale);
  const windows = WINDOWS.map(({ from, to }) => ({ from: from * scale, to: to * scale }));
  const program = join(home, "works-by-the-clock");
  writeFileSync(program, `#!${process.execPath}\n(${workByTheClock})(${JSON.stringify({ home, windows })});\n`, {
    mode: 0o755,
  });
  writeFileSync(join(home, "config", "open-orchestrator", "config.toml"), `[agent.claude]\ncommand = ["${program}"]\n`);
  const words = ["run", "--yes", "--parallel", String(agents), "--agent", "claude", "--plain"];
  const login = { ...env, CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-nobody" };
  const ran = spawnSync(process.execPath, [OWT, ...words], { cwd: root, env: login, encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`owt ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
  const merges = execFileSync("git", ["rev-list", "--count", "--merges", "--first-parent", "main..owt/runs/r1"], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  if (Number(merges) !== tasks.length) throw new Error(`${merges} of ${tasks.length} tasks came home`);
  const db = new DatabaseSync(join(root, ".git/owt/state.db"), { readOnly: true });
  const row = db.prepare("select max(ended_at) - min(started_at) as took from task").get()!;
  db.close();
  const boundMs = boundOf(
    tasks.map((task) => ({ ...task, ms: (task.ms / MINUTE) * scale })),
    windows,
  );
  const makespanMs = Number(row["took"]);
  return { boundMs, makespanMs, ratio: makespanMs / boundMs };
}

/** Runs by itself: speaks Claude Code's stream; what it did before a limit it need not do again. The night begins with the first one. */
function workByTheClock({ home, windows }: { home: string; windows: Closed[] }): void {
  const fs = process.getBuiltinModule("node:fs");
  const path = process.getBuiltinModule("node:path");
  const tell = (value: object) => fs.writeSync(1, `${JSON.stringify(value)}\n`);
  const task = process.env["OWT_TASK"]!;
  const session = process.argv[process.argv.findIndex((word) => word === "--resume" || word === "--session-id") + 1]!;
  fs.readFileSync(0);
  const clock = path.join(home, "night-began");
  try {
    // On a whole second: a reset is told in seconds.
    fs.writeFileSync(clock, String(Math.ceil(Date.now() / 1_000) * 1_000), { flag: "wx" });
  } catch {
    // Somebody was first.
  }
  const began = Number(fs.readFileSync(clock, "utf8"));
  const conversation = path.join(process.env["HOME"]!, ".claude/projects/night");
  fs.mkdirSync(conversation, { recursive: true });
  fs.appendFileSync(path.join(conversation, `${session}.jsonl`), "");
  tell({ type: "system", subtype: "init", session_id: session, tools: ["Bash"], permissionMode: "acceptEdits" });
  const result = { type: "result", num_turns: 1, session_id: session, permission_denials: [], total_cost_usd: 0 };
  const leftFile = path.join(home, "durations", task);
  let left = Number(fs.readFileSync(leftFile, "utf8")) * 1_000;
  let at = Date.now();
  const isOpen = () => windows.every(({ from, to }) => at - began < from || at - began >= to);
  if (isOpen())
    tell({
      type: "assistant",
      session_id: session,
      message: { id: `m${at}`, model: "claude-opus-5-5", content: [{ type: "text", text: "I go on." }] },
    });
  const timer = setInterval(() => {
    left -= Date.now() - at;
    at = Date.now();
    const closed = windows.find(({ from, to }) => at - began >= from && at - began < to);
    if (closed === undefined && left > 0) return;
    clearInterval(timer);
    if (closed === undefined) {
      fs.writeFileSync(`${task.replaceAll("/", "-")}.txt`, "done\n");
      tell({ ...result, subtype: "success", is_error: false, result: "Done." });
      return;
    }
    fs.writeFileSync(leftFile, (left / 1_000).toFixed(3));
    const resetsAt = (began + closed.to) / 1_000;
    tell({ type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt, rateLimitType: "five_hour" } });
    tell({
      ...result,
      subtype: "error_during_execution",
      is_error: true,
      errors: ["usage_limit_reached"],
      api_error_status: 429,
    });
    process.exitCode = 1;
  }, 10);
}
