/** Twenty tasks of one run whose own checks end at the same moment; merged work is checked by a command that takes as long as it is told. From that moment until
 *  the last task is home. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { option, OWT, type Place } from "../place.ts";
import { type Figure, figure, run } from "../worktrees/measure.ts";
import { type Bench, COUNT } from "./branches.ts";

/** As many as owt takes together unless it is told otherwise. */
const GROUP = 8;

export async function measureChecks({ rounds, makePlace }: Bench): Promise<Figure[]> {
  const checkMs = Number(option("check", "1000"));
  const together: number[] = [];
  const alone: number[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    together.push(await comeHome(makePlace, GROUP, checkMs));
    alone.push(await comeHome(makePlace, 1, checkMs));
  }
  // The first is home with its own check: its merge leads to the tree that was green.
  const needed = Math.ceil((COUNT - 1) / GROUP);
  const times = (count: number) => [`${count} checks of ${checkMs} ms`, [count * checkMs]] as const;
  return [
    figure(`${COUNT} tasks that wait at once, ${GROUP} checked together`, together, times(needed), 1.3),
    figure(`the same one by one`, alone, times(COUNT - 1), null),
    figure(`${COUNT} tasks that wait at once, ${GROUP} checked together`, together, ["one by one", alone], null),
  ];
}

async function comeHome(makePlace: Bench["makePlace"], group: number, checkMs: number): Promise<number> {
  using place = makePlace();
  const root = makeRepository(place, group, checkMs);
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["commit", "-q", "-m", "start"],
  ])
    await run("git", args, { cwd: root, env: place.env });
  // Whoever has the lock holds all checks of single tasks: nobody looks again and again.
  const gate = spawn("flock", [join(place.home, "gate"), "sh", "-c", "echo held; read -r _"], {
    env: place.env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(gate.stdout, "data");
  const approve = [OWT, "config", "approve", "--yes"];
  await run(process.execPath, approve, { cwd: root, env: place.env });
  const owt = spawn(
    process.execPath,
    [OWT, "run", "--yes", "--plain", "--parallel", String(COUNT), "--agent", "noop"],
    {
      cwd: root,
      env: place.env,
      stdio: "ignore",
    },
  );
  const ended = once(owt, "exit");
  const store = join(root, ".git/owt/state.db");
  while (count(store, "select count(*) as n from task where state = 'verifying'") < COUNT) {
    if (owt.exitCode !== null) throw new Error(`owt ended with ${owt.exitCode}`);
    await sleep(50);
  }
  const began = Date.now();
  gate.stdin.end("\n");
  const [code] = (await ended) as [number];
  if (code !== 0) throw new Error(`owt ended with ${code}`);
  return count(store, "select max(at) as n from event where kind = 'task-integrated'") - began;
}

function makeRepository({ home, env }: Place, group: number, checkMs: number): string {
  const root = join(home, "shop");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  const features = Array.from({ length: COUNT }, (_, n) => ({ id: `t${n}`, name: `t${n}`, depends_on: [] }));
  writeFileSync(join(root, "feature_list.json"), JSON.stringify({ features }));
  // The run's own worktree is named after the run.
  const check = `case "$PWD" in */r1) sleep ${checkMs / 1_000};; *) flock -s "${join(home, "gate")}" true;; esac`;
  writeFileSync(join(root, ".worktreerc"), `[run]\nmerge_group = ${group}\nverify = ${JSON.stringify(check)}\n`);
  const noop = join(home, "noop");
  writeFileSync(noop, '#!/bin/sh\ncat >/dev/null\necho done > "out-$OWT_TASK.txt"\n', { mode: 0o755 });
  const config = `[agent.noop]\nkind = "command"\ncommand = ["${noop}"]\n`;
  writeFileSync(join(env["XDG_CONFIG_HOME"]!, "open-orchestrator", "config.toml"), config);
  return root;
}

/** One figure of the store; 0 while there is none. */
function count(path: string, sql: string): number {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      return Number(db.prepare(sql).get()?.["n"] ?? 0);
    } finally {
      db.close();
    }
  } catch {
    return 0;
  }
}
