/** A real plan with its real durations, for benchmarks: 23 tasks that took one agent 234 minutes. Its estimates are taken from the durations, and reach
 *  owt the way a plan says them, as `estimated_tokens`. It lies in ../shared/data beside the repository, and is never part of it. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OWT } from "./place.ts";

export const DATA: string = new URL("../../shared/data/bo4e-rust", import.meta.url).pathname;

export type Task = { id: string; needs: string[]; ms: number };

export function isThere(): boolean {
  return existsSync(join(DATA, "trace.json"));
}

/** How many minutes each task took. */
export function readTrace(): Map<string, number> {
  const trace = JSON.parse(readFileSync(join(DATA, "trace.json"), "utf8")) as Record<string, { minutes: number }>;
  return new Map(Object.entries(trace).map(([id, { minutes }]) => [id, minutes]));
}

/** A repository with the plan as it stands, but not done yet and with its estimates. */
export function layPlan(root: string, env: NodeJS.ProcessEnv, minutes: ReadonlyMap<string, number>): void {
  mkdirSync(root, { recursive: true });
  cpSync(join(DATA, "docs"), join(root, "docs"), { recursive: true });
  const rows = JSON.parse(readFileSync(join(DATA, "trace.json"), "utf8")) as Record<string, { file: string }>;
  for (const [id, { file }] of Object.entries(rows)) {
    const text = readFileSync(join(root, file), "utf8");
    // 10,000 tokens a minute: only the proportions count.
    const estimate = `status: not_started\nestimated_tokens: ${Math.round(minutes.get(id)! * 10_000)}`;
    writeFileSync(join(root, file), text.replace(/^status: complete$/m, estimate));
  }
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["commit", "-q", "-m", "start"],
  ])
    execFileSync("git", args, { cwd: root, env });
}

/** `durations/TASK` below `home`: the seconds that it is to take, with a minute as `scale` milliseconds. */
export function writeDurations(home: string, minutes: ReadonlyMap<string, number>, scale: number): void {
  for (const [id, each] of minutes) {
    const place = join(home, "durations", id);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, ((each * scale) / 1_000).toFixed(3));
  }
}

/** What owt itself says waits for what. */
export function readPlan(
  root: string,
  env: NodeJS.ProcessEnv,
  agent: string,
  minutes: ReadonlyMap<string, number>,
  scale: number,
): Task[] {
  const said = execFileSync(process.execPath, [OWT, "plan", "--agent", agent, "--json"], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  const { data } = JSON.parse(said) as { data: { tasks: { id: string; needs: string[]; state: string }[] } };
  if (data.tasks.length !== minutes.size || data.tasks.some(({ state }) => state !== "to-run"))
    throw new Error("the plan was not read as it should");
  return data.tasks.map(({ id, needs }) => ({ id, needs, ms: minutes.get(id)! * scale }));
}

export function longestPath(tasks: readonly Task[]): number {
  return Math.max(...pathsBelow(tasks).values());
}

/** The longest path that begins with each task. */
export function pathsBelow(tasks: readonly Task[]): Map<string, number> {
  const below = new Map<string, number>();
  const walk = (task: Task): number => {
    const known = below.get(task.id);
    if (known !== undefined) return known;
    const next = tasks.filter(({ needs }) => needs.includes(task.id)).map(walk);
    below.set(task.id, task.ms + Math.max(0, ...next));
    return below.get(task.id)!;
  };
  for (const task of tasks) walk(task);
  return below;
}
