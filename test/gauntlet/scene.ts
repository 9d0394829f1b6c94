/** The repository of one night: a check that really checks, a plan, the programs of its agents, and what the judge is told of it. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Dice } from "../crash/dice.ts";
import type { RealClaude } from "./real.ts";
import { type Ending, FLAKY_EVERY, gauntletTasks, type GauntletTask, renderTask } from "./tasks.ts";

/** Written to `notes/expect.json`, which with the files beside it is all that the judge knows. */
export type Expectation = {
  repo: string;
  /** Where the worktrees stand. */
  worktrees: string;
  run: string;
  target: string;
  /** Where the run began. */
  base: string;
  /** The check of a tree, on its own. */
  check: string;
  tasks: { id: string; does: string; ending: Ending; shows: string[] }[];
  /** Branches of the user's, and those that agents make for themselves. */
  ownBranches: string[];
  /** Files that an agent leaves in the user's checkout. */
  strayFiles: string[];
  /** What `owt run` has to end with. */
  exitCode: number;
};

export type Scene = {
  /** Everything of this night lies below; each process of it names this folder. */
  dir: string;
  notes: string;
  repo: string;
  env: NodeJS.ProcessEnv;
  expectation: Expectation;
};

export type SceneOptions = {
  dir: string;
  /** Shared by all nights. */
  cache: string;
  floodMb: number;
  /** Whether `dir/disk` is a disk of its own that may be filled. */
  isSmallDisk: boolean;
  dice: Dice;
  real: RealClaude | null;
};

const ENTRY = new URL("../../bin/owt.js", import.meta.url).pathname;
const SCRIPTED = new URL("scripted.mjs", import.meta.url).pathname;

/** How the built command is started. */
export const OWT = [process.execPath, ENTRY] as const;

/** Short times, so that a night takes a minute. */
const CONFIG = `[run]
verify = "sh check.sh"
verify_attempts = 3
retries = 2
max_parallel = 5
timeout = "90s"
hung_after = "6s"
result_grace = "2s"
grace = "1s"
restart_pause = "1s"
log_head_mb = 1
log_tail_mb = 2

[budget]
task_usd = 2

[resources]
attempt_memory = "64 MiB"

[notifications]
desktop = false

[agent]
default = "demo"

[agent.claude]
command = ["scripted-claude"]

[agent.expired]
kind = "claude"
command = ["scripted-claude"]
env = { CLAUDE_CONFIG_DIR = "LOGIN" }
`;

/** Each part is the sum of its numbers, and what is used is defined: two trees that are right can make one that is not, without a conflict. */
const CHECK = `set -eu
for part in parts/*.txt; do
  [ -e "$part" ] || continue
  awk '$1 == "sum" { want = $2 } /^[0-9]+$/ { is += $1 } END { if (is != want) { print FILENAME ": says " want ", is " is; exit 1 } }' "$part"
done
for use in uses/*.txt; do
  name=$(sed -n 's/^use //p' "$use")
  grep -qx "define $name" lib/names.txt || { echo "$use: $name is not defined"; exit 1; }
done
if grep -rn '^<<<<<<< ' --include='*.txt' .; then exit 1; fi
`;

const FLAKY = `n=$(cat NOTES/flaky 2>/dev/null || echo 0)
echo $((n + 1)) >NOTES/flaky
if [ $((n % EVERY)) = 0 ]; then echo "the network was away"; exit 1; fi
`;

/** A tool that goes on until its agent is killed. */
const HOLD = `: >NOTES/real-to-be-killed
while :; do perl -e 'select(undef, undef, undef, 0.2)'; done
`;

/** Writes lines and a word that stands nowhere else, and notes the word once it is written. */
const PUT = `#!/bin/sh
set -eu
path=$1
shift
word="word-$(dirname "$OWT_TASK")-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \\n')"
mkdir -p "$(dirname "$path")"
{ for line; do printf '%s\\n' "$line"; done; echo "$word"; } >"$path"
echo "$OWT_TASK $word" >>NOTES/words
`;

/** The same below what others wrote there. */
const ADD = `#!/bin/sh
set -eu
there=$(grep -vx "by nobody" "$1" || true)
if [ -n "$there" ]; then put "$1" "$there" "$2"; else put "$1" "$2"; fi
`;

/** For an agent whose model is a script, which would not see that there was no room. */
const INSIST = `#!/bin/sh
until put "$@"; do sleep 0.2; done
`;

/** Writes a part that is wrong so many times, and right from then on. */
const MEND = `#!/bin/sh
set -eu
count="NOTES/mended-$(dirname "$OWT_TASK")"
n=$(cat "$count" 2>/dev/null || echo 0)
if [ "$n" -lt "$1" ]; then put "$2" "sum 7" 1 2 3; else put "$2" "sum 6" 1 2 3; fi
echo $((n + 1)) >"$count"
`;

/** Waits until another agent has begun, or its work is integrated; \`here begun\` says that this one has begun. Goes on without it in the end: then what
 *  was to happen does not, and the judge says so. */
const AWAIT = `#!/bin/sh
if [ "$1" = here ]; then : >"NOTES/begun-$(dirname "$OWT_TASK")"; exit 0; fi
for _ in $(seq 150); do
  if [ "$1" = begun ] && [ -e "NOTES/begun-$2" ]; then exit 0; fi
  if [ "$1" = integrated ] && git log --first-parent --format=%B owt/runs/r1 | grep -qx "Owt-Task: $2/E01"; then exit 0; fi
  sleep 0.2
done
`;

/** In sessions of their own, without a parent, and without the marks of their environment. */
const DAEMONS = `#!/bin/sh
live='while :; do sleep 1; done'
setsid sh -c "$live" "NOTES/daemon" >/dev/null 2>&1 </dev/null &
(cd / && env -i PATH="$PATH" setsid sh -c '(sh -c "$1" "$0" &) &' "NOTES/daemon" "$live" >/dev/null 2>&1 </dev/null)
perl -MPOSIX -e 'exit if fork; POSIX::setsid(); exit if fork; $0 = "NOTES/daemon"; close $_ for *STDIN, *STDOUT, *STDERR; sleep 3600'
`;

/** Makes the repository, with private XDG folders, and approves its commands. */
export function makeScene({ dir, cache, floodMb, isSmallDisk, dice, real }: SceneOptions): Scene {
  const notes = join(dir, "notes");
  const disk = join(dir, "disk");
  const repo = join(disk, "shop");
  // Another order each time.
  const tasks = [...gauntletTasks({ notes, isSmallDisk, hasReal: real !== null }), ...(real?.tasks ?? [])].map((task) =>
    dice.chance(0.3) ? { ...task, front: { priority: "low", ...task.front } } : task,
  );
  for (const folder of [notes, repo, join(disk, "tmp"), join(disk, "home")]) mkdirSync(folder, { recursive: true });
  putPrograms(dir, notes, floodMb);
  for (const [path, text] of Object.entries(sourceFiles(notes, disk, tasks, real))) putFile(join(repo, path), text);
  const env = sceneEnv(dir, disk, cache);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: repo, encoding: "utf8", env }).trim();
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Ann User");
  git("config", "user.email", "ann@example.com");
  git("add", "--all", "--", ".");
  git("commit", "-q", "-m", "A plan to be carried out");
  git("branch", "develop");
  writeFileSync(join(notes, "checkout"), repo);
  writeFileSync(join(notes, "check.sh"), CHECK);
  const expectation: Expectation = {
    repo,
    worktrees: join(disk, "shop-owt"),
    run: "r1",
    target: "main",
    base: git("rev-parse", "HEAD"),
    check: join(notes, "check.sh"),
    tasks: tasks.map(({ name, does, ending, shows = [] }) => ({ id: `${name}/E01`, does, ending, shows })),
    ownBranches: ["elsewhere", "develop", "kept-by-plan"],
    strayFiles: ["outside.txt"],
    // Some work failed: that goes before what waits for a person or a budget.
    exitCode: 1,
  };
  writeFileSync(join(notes, "expect.json"), JSON.stringify(expectation, null, 2));
  execFileSync(OWT[0], [OWT[1], "config", "approve", "--yes"], { cwd: repo, env, stdio: "pipe" });
  return { dir, notes, repo, env, expectation };
}

function sourceFiles(
  notes: string,
  disk: string,
  tasks: readonly GauntletTask[],
  real: RealClaude | null,
): Record<string, string> {
  const plan = tasks.map((task) => [`docs/plans/${task.name}/epic-01-${task.name}.md`, renderTask(task)]);
  return {
    "README.md": "# For the gauntlet\n",
    ".gitignore": "node_modules/\n",
    ".worktreerc": `${CONFIG.replace("LOGIN", join(disk, "home", "expired"))}\n${real?.config ?? ""}`,
    "hold.sh": HOLD.replace("NOTES", notes),
    "check.sh": CHECK,
    "flaky.sh": FLAKY.replaceAll("NOTES", notes).replace("EVERY", String(FLAKY_EVERY)),
    "lib/names.txt": "define total\n",
    "uses/first.txt": "use total\n",
    "shared.txt": "by nobody\n",
    "shared-too.txt": "by nobody\n",
    "user.txt": "the user's\n",
    ...Object.fromEntries(plan),
  };
}

function putPrograms(dir: string, notes: string, floodMb: number): void {
  const scripted = `#!/bin/sh\nexec '${process.execPath}' '${SCRIPTED}' '${notes}' ${floodMb} "$@"\n`;
  const programs = {
    put: PUT,
    add: ADD,
    insist: INSIST,
    mend: MEND,
    await: AWAIT,
    daemons: DAEMONS,
    "scripted-claude": scripted,
  };
  for (const [name, text] of Object.entries(programs)) {
    const path = join(dir, "bin", name);
    putFile(path, text.replaceAll("NOTES", notes));
    chmodSync(path, 0o755);
  }
}

/** The variables of one night's processes: each of them names its folder, by which leftovers are found. */
function sceneEnv(dir: string, disk: string, cache: string): NodeJS.ProcessEnv {
  return {
    PATH: `${join(dir, "bin")}:${process.env["PATH"]}`,
    HOME: join(disk, "home"),
    TMPDIR: join(disk, "tmp"),
    XDG_CONFIG_HOME: join(disk, "home", "config"),
    XDG_STATE_HOME: join(disk, "home", "state"),
    XDG_DATA_HOME: join(disk, "home", "data"),
    XDG_CACHE_HOME: cache,
    GIT_CONFIG_NOSYSTEM: "1",
    NO_COLOR: "1",
    LC_ALL: "C",
    // Another launch mode than the machine's best is tried by naming it.
    OWT_LAUNCH_MODE: process.env["OWT_LAUNCH_MODE"],
  };
}

function putFile(path: string, text: string): void {
  if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
