/** A repository with a six-task diamond plan for the demo agent, and what must stand on its run's branch in the end. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What makes a repository harder. */
export type Variant = {
  /** b and c change one file. */
  collides: boolean;
  /** d leaves something that its check finds. */
  needsRepair: boolean;
  /** Agents and checks take long enough to outlive several processes of owt. */
  slow: boolean;
  /** Every other git that owt starts to change files begins late, as on a large repository: it outlives the owt that started it.
   *  By so many milliseconds; 0 is never. */
  lateGitMs: number;
  /** Two agents do each task; the work of the second is larger. */
  rivals?: boolean;
};

/** Written to `expect.json` for the verdict, which knows nothing else about the run. */
export type Expectation = {
  repo: string;
  /** Where the worktrees stood; nothing may be left of it. */
  worktrees: string;
  /** The check appends `green <tree>`, and a sentence about each tree that was not as it must be. */
  checks: string;
  /** Each agent appends `<task> start` and `<task> end` here. */
  starts: string;
  /** Temporary files of the processes; what a kill leaves there is counted, the system clears it. */
  tmp: string;
  target: string;
  base: string;
  tasks: string[];
  /** Path on the run's branch to its whole content. */
  files: Record<string, string>;
  /** Paths that must never be committed. */
  never: string[];
  /** What the name of a rescue begins with: of each at least one is there. */
  kept?: string[];
};

export type Scenario = {
  dir: string;
  repo: string;
  expectation: Expectation;
  env: NodeJS.ProcessEnv;
  /** What `owt run` is given. */
  flags: string[];
};

const ENTRY = new URL("../../bin/owt.js", import.meta.url).pathname;

/** How the built command is started. */
export const OWT = [process.execPath, ENTRY] as const;

const CONFIG = `[run]
verify = "sh check.sh"
retries = 9
grace = "1s"

[environment]
install_command = "sh setup.sh"

[agent]
default = "demo"
`;

/** The second rival writes a file more, and leaves it uncommitted. */
const RIVALS = `
[agent.second]
kind = "demo"
env = { SECOND = "yes" }
`;
const SECOND_STEP = `run "sh" "-c" ${JSON.stringify('if [ "$SECOND" = yes ]; then echo more >second.txt; fi')}`;

/** Red while something is left to do, or where the setup was left out. Writes down which tree it saw, and whether that was no commit's
 *  or changed under its hands. */
const CHECK = `set -eu
export GIT_OPTIONAL_LOCKS=0
look() { git rev-parse "HEAD^{tree}"; git status --porcelain; }
before=$(look)
PAUSE
test -f node_modules/ready
if grep -n TODO ./*.txt; then exit 1; fi
case "$before" in *" "*) echo "$PWD was not clean: $before" >>"LOG" ;; esac
[ "$(look)" = "$before" ] || echo "$PWD changed during its check" >>"LOG"
echo "green $before" >>"LOG"
`;

/** In front of the real one on the PATH. Agents (they have a mark) are not held up. */
const LATE_GIT = `#!/bin/sh
if [ -z "$OWT_ATTEMPT" ] && [ "$(($$ % 2))" = 0 ]; then
  case "$*" in *" reset "*|*" clean "*|*" read-tree "*|*" merge "*|*" add "*) sleep SECONDS ;; esac
fi
exec PATH_OF_GIT "$@"
`;

const NEEDS: Record<string, string[]> = { a: [], b: ["a"], c: ["a"], d: ["a"], e: ["b", "c", "d"], f: ["e"] };

/** Makes the repository in `dir`, with private XDG folders, and approves its commands. `cache` is shared by all repositories. What is noted for
 *  the verdict lies in `notes`. */
export function makeScenario(dir: string, variant: Variant, cache: string, notes: string = dir): Scenario {
  const repo = join(dir, "repo");
  const starts = join(notes, "starts.log");
  const checks = join(notes, "checks.log");
  const tmp = join(dir, "tmp");
  mkdirSync(tmp, { recursive: true });
  for (const [path, text] of Object.entries(sourceFiles({ starts, checks }, variant))) put(join(repo, path), text);
  const env = scenarioEnv(dir, cache);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: repo, encoding: "utf8", env });
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Ann User");
  git("config", "user.email", "ann@example.com");
  git("add", "--all", "--", ".");
  git("commit", "-q", "-m", "A plan to be carried out");
  put(join(repo, ".env"), "SECRET=1\n");
  const expectation: Expectation = {
    repo,
    worktrees: join(dir, "repo-owt"),
    checks,
    starts,
    tmp,
    target: "main",
    base: git("rev-parse", "HEAD").trim(),
    tasks: Object.keys(NEEDS).map(keyOf),
    files: expectedFiles(variant),
    never: [".env", "node_modules/ready", "second.txt"],
    ...(variant.rivals === true ? { kept: Object.keys(NEEDS).map((name) => `r1-${name}-e01-second-`) } : {}),
  };
  const flags = variant.rivals === true ? ["--rivals", "2", "--agents", "demo,second"] : [];
  writeFileSync(join(notes, "expect.json"), JSON.stringify(expectation, null, 2));
  execFileSync(OWT[0], [OWT[1], "config", "approve", "--yes"], { cwd: repo, env, stdio: "pipe" });
  if (variant.lateGitMs === 0) return { dir, repo, expectation, env, flags };
  put(
    join(dir, "bin", "git"),
    LATE_GIT.replace("PATH_OF_GIT", findGit()).replace("SECONDS", String(variant.lateGitMs / 1_000)),
  );
  chmodSync(join(dir, "bin", "git"), 0o755);
  return { dir, repo, expectation, flags, env: { ...env, PATH: `${join(dir, "bin")}:${env["PATH"]}` } };
}

function findGit(): string {
  return execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
}

/** The variables of one repository's processes: each of them names its folder, by which leftovers are found. */
function scenarioEnv(dir: string, cache: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: join(dir, "home"),
    TMPDIR: join(dir, "tmp"),
    XDG_CONFIG_HOME: join(dir, "home", "config"),
    XDG_STATE_HOME: join(dir, "home", "state"),
    XDG_DATA_HOME: join(dir, "home", "data"),
    XDG_CACHE_HOME: cache,
    LC_ALL: "C",
    // Another launch mode than the machine's best is crashed by naming it.
    OWT_LAUNCH_MODE: process.env["OWT_LAUNCH_MODE"],
  };
}

function sourceFiles({ starts, checks }: { starts: string; checks: string }, variant: Variant): Record<string, string> {
  const plans = Object.entries(NEEDS).map(([name, needs]) => [
    `docs/plans/${name}/epic-01-${name}.md`,
    renderTask(name, needs, stepsOf(name, variant), starts, variant.rivals === true),
  ]);
  return {
    "README.md": "# For the crash harness\n",
    ".gitignore": "node_modules/\n.env\n",
    ".worktreerc": variant.rivals === true ? CONFIG + RIVALS : CONFIG,
    "check.sh": CHECK.replace("PAUSE", variant.slow ? "sleep 0.2" : "").replaceAll("LOG", checks),
    "setup.sh": "mkdir -p node_modules\necho ok >node_modules/ready\n",
    "base.txt": "base\n",
    ...Object.fromEntries(plans),
  };
}

function renderTask(name: string, needs: string[], steps: string[], starts: string, hasRivals: boolean): string {
  const log = (what: string) => `log ${JSON.stringify(starts)} "{task} ${what}"`;
  const at = steps.findIndex((step) => step.startsWith("on "));
  const turn = at === -1 ? steps : steps.slice(0, at);
  const later = at === -1 ? [] : steps.slice(at);
  const lines = [log("start"), ...turn, ...(hasRivals ? [SECOND_STEP] : []), log("end"), ...later];
  return `---\ndepends_on: [${needs.map(keyOf).join(", ")}]\n---\n# Task ${name}\n\n\`\`\`demo\n${lines.join("\n")}\n\`\`\`\n`;
}

function stepsOf(name: string, { collides, needsRepair, slow }: Variant): string[] {
  const own = (text = name) => [
    ...(slow ? ["work 400ms"] : []),
    `write ${name}.txt ${JSON.stringify(`${text}\n`)}`,
    `commit "Write ${name}"`,
  ];
  const shared = collides ? [`write shared.txt "${name}\\n"`] : [];
  const resolve = collides ? ["on conflict:", 'write shared.txt "both\\n"', 'commit "Keep both"'] : [];
  switch (name) {
    case "b":
      return [...shared, "work 50ms", ...own(), "spawn", ...resolve];
    case "c":
      return [...shared, ...own(), 'write c-left.txt "left\\n"', ...resolve];
    case "d":
      return ["work 30ms", ...own(needsRepair ? "d TODO" : "d"), ...(needsRepair ? ["on repair:", ...own("d")] : [])];
    case "e":
      return ["spawn", 'write base.txt "base, then e\\n"', ...own(), "work 20ms"];
    case "f":
      return ['write deep/f-left.txt "left\\n"', 'write f.txt "f\\n"'];
    default:
      return own();
  }
}

function expectedFiles({ collides }: Variant): Record<string, string> {
  const own = Object.keys(NEEDS).map((name) => [`${name}.txt`, `${name}\n`]);
  return {
    ...Object.fromEntries(own),
    "base.txt": "base, then e\n",
    "c-left.txt": "left\n",
    "deep/f-left.txt": "left\n",
    ...(collides ? { "shared.txt": "both\n" } : {}),
  };
}

function keyOf(name: string): string {
  return `${name}/E01`;
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
