/** What a start of owt costs beside a bare `node -e 0`: CPU time (user and system, of the whole process tree), summed over twenty starts
 *  of each, A B A B …. Status and plan look at a repository with 1,000 tasks, which owt itself took in. Beside it what an installation
 *  brings: the size of the tarball, the packages, their install scripts.
 *
 *    npm run bench:startup -- [--starts 20] [--tasks 1000] [--done] [--only status,--version] [--json]
 *
 *  `--done` has an agent that does nothing carry out all of the tasks first; without it they are pending in a stopped run. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { flag, makePlace, median, option, OWT } from "./place.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** Goals are ratios to bare Node; null is a figure without a goal. */
const COMMANDS: { args: string[]; goal: number | null }[] = [
  { args: ["--version"], goal: 1.35 },
  { args: ["--help"], goal: null },
  { args: ["status"], goal: 2 },
  { args: ["plan"], goal: null },
  { args: ["run", "--dry-run", "--yes", "t0"], goal: null },
];
const TARBALL_GOAL = 3_000_000;
const PACKAGES_GOAL = 10;

type Sample = { cpuMs: number; wallMs: number };

const starts = Number(option("starts", "20"));
const tasks = Number(option("tasks", "1000"));
const only = option("only", "");
using place = makePlace();
const { home, env } = place;
const repository = join(home, "repository");

await seed();
const results = COMMANDS.filter(({ args }) => only === "" || only.split(",").includes(args[0]!)).map(compare);
const packed = only === "" ? weigh() : null;
if (flag("json")) console.log(JSON.stringify({ starts, tasks, results, packed }, null, 2));
const missed = results.filter(({ goal, ratio }) => goal !== null && ratio > goal);
for (const { command, ratio, goal } of missed)
  console.log(`${command}: ${ratio.toFixed(2)} is above the goal of ${goal}`);

/** A repository whose store holds the tasks, made through the command line: an agent that does nothing, or a run that is stopped at once. */
async function seed(): Promise<void> {
  const done = flag("done");
  mkdirSync(repository, { recursive: true });
  const agent = join(home, "agent");
  writeFileSync(agent, `#!/bin/sh\n${done ? 'cat >/dev/null; echo > "$OWT_TASK"' : "exec sleep 1000"}\n`, {
    mode: 0o755,
  });
  writeFileSync(
    join(home, "config", "open-orchestrator", "config.toml"),
    `[agent.nobody]\nkind = "command"\ncommand = ["${agent}"]\n`,
  );
  const features = Array.from({ length: tasks }, (_, n) => ({
    id: `t${n}`,
    name: `Task number ${n}`,
    description: `What task ${n} is about, in a sentence or two. It names what to build and how to tell that it works.`,
    depends_on: n < 10 ? [] : [`t${n - 10}`],
  }));
  writeFileSync(join(repository, "feature_list.json"), JSON.stringify({ features }));
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["commit", "-q", "-m", "start"],
  ])
    execFileSync("git", args, { cwd: repository, env });
  const run = spawn(process.execPath, [OWT, "run", "--yes", "--agent", "nobody", "--parallel", done ? "4" : "1"], {
    cwd: repository,
    env,
  });
  let said = "";
  let isStopped = done;
  const listen = (chunk: Buffer) => {
    said += chunk.toString();
    // Once an agent has started everything is in the store. A second signal would be a second Ctrl-C.
    if (isStopped || !said.includes("started")) return;
    isStopped = run.kill("SIGINT");
  };
  run.stdout.on("data", listen);
  run.stderr.on("data", listen);
  const code = await new Promise<number | null>((resolve) => run.once("close", resolve));
  if (code !== (done ? 0 : 130)) throw new Error(`the seeding run ended with ${code}: ${said}`);
  const status = execFileSync(process.execPath, [OWT, "status", "--json"], {
    cwd: repository,
    env,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const { data } = JSON.parse(status) as { data: { runs: { tasks: unknown[] }[] } };
  if (data.runs[0]?.tasks.length !== tasks) throw new Error("the tasks are not in the store");
}

function compare({ args, goal }: (typeof COMMANDS)[number]) {
  const bare: Sample[] = [];
  const owt: Sample[] = [];
  // The first start of a command fills the compile cache.
  start([OWT, ...args]);
  for (let n = 0; n < starts; n++) {
    bare.push(start(["-e", "0"]));
    owt.push(start([OWT, ...args]));
  }
  const cpu = { bare: sum(bare.map((each) => each.cpuMs)), owt: sum(owt.map((each) => each.cpuMs)) };
  const wall = { bare: median(bare.map((each) => each.wallMs)), owt: median(owt.map((each) => each.wallMs)) };
  const command = `owt ${args.join(" ")}`;
  const ratio = cpu.owt / cpu.bare;
  console.log(
    `${command}: CPU of ${starts} starts ${cpu.owt.toFixed(0)} ms, bare Node ${cpu.bare.toFixed(0)} ms, ratio ${ratio.toFixed(2)}` +
      `${goal === null ? "" : ` (goal ${goal})`}; wall of one ${wall.owt.toFixed(0)} and ${wall.bare.toFixed(0)} ms`,
  );
  return { command, goal, ratio, cpu, wall };
}

/** One start, with the CPU time of all its children that it waited for. */
function start(args: string[]): Sample {
  const began = process.hrtime.bigint();
  const timed = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null';
  const ran = spawnSync("/bin/bash", ["-c", timed, "time", process.execPath, ...args], {
    cwd: repository,
    env,
    encoding: "utf8",
  });
  const wallMs = Number(process.hrtime.bigint() - began) / 1e6;
  const cpu = /([\d.]+) ([\d.]+)\s*$/.exec(ran.stderr);
  if (ran.status !== 0 || !cpu) throw new Error(`${args.join(" ")} ended with ${ran.status}: ${ran.stderr}`);
  return { wallMs, cpuMs: (Number(cpu[1]) + Number(cpu[2])) * 1000 };
}

/** Packs the tarball, installs it into an empty folder and looks at what came. */
function weigh() {
  const npm = (cwd: string, ...args: string[]) =>
    execFileSync("npm", args, { cwd, encoding: "utf8", env: { ...process.env, npm_config_update_notifier: "false" } });
  const target = join(home, "installed");
  mkdirSync(target);
  const [packed] = JSON.parse(npm(ROOT, "pack", "--json", "--ignore-scripts", "--pack-destination", home)) as {
    filename: string;
    size: number;
    unpackedSize: number;
  }[];
  if (!packed) throw new Error("npm packed nothing");
  npm(
    target,
    "install",
    "--prefix",
    target,
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--engine-strict=false",
    join(home, packed.filename),
  );
  const lock = JSON.parse(npm(target, "ls", "--all", "--json", "--long")) as {
    dependencies?: Record<string, Installed>;
  };
  const installed = Object.values(lock.dependencies ?? {}).flatMap(flatten);
  const scripts = installed.filter((each) =>
    ["preinstall", "install", "postinstall"].some((name) => each.scripts?.[name]),
  );
  console.log(
    `tarball: ${packed.size} bytes (goal ${TARBALL_GOAL}), ${packed.unpackedSize} unpacked; ` +
      `${installed.length} package(s) installed (goal ${PACKAGES_GOAL}), ${scripts.length} with an install script (goal 0)`,
  );
  return { size: packed.size, unpackedSize: packed.unpackedSize, packages: installed.length, scripts: scripts.length };
}

type Installed = { scripts?: Record<string, string>; dependencies?: Record<string, Installed> };

function flatten(each: Installed): Installed[] {
  return [each, ...Object.values(each.dependencies ?? {}).flatMap(flatten)];
}

function sum(values: number[]): number {
  return values.reduce((all, each) => all + each, 0);
}
