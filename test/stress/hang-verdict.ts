/** Whether agents that hang were dealt with in time and busy ones left alone, by what anybody can see: /proc, what owt printed, and git. It imports nothing and opens no
 *  store. `hang-verdict.ts HOME CASE` watches until its standard input ends, and prints what it holds against each kind of agent, as JSON: `{"name": ["…"]}`. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** What the verdict has to know: how long each kind of agent may go on after it began to hang (null: it is busy), and what is to be said of it. */
type Case = {
  /** `isKilled`: by somebody else, before its time is over. */
  kinds: Record<string, { overMs: number | null; how: string | null; isKilled: boolean }>;
  busyMs: number;
};

/** From the end of an agent's time until it is gone. */
const MOST_LATE_MS = 5_000;
/** What a busy machine takes for a look. */
const SLACK_MS = 500;
const LOOK_MS = 50;

/** What is printed of each way to hang. */
const SAID: Record<string, RegExp> = {
  speechless: /never said a word/,
  silent: /fell silent/,
  "waits-for-tool": /waits for .*which does nothing/,
  "waits-for-input": /waits for input/,
  "waits-for-network": /waits for an answer from/,
  "waits-for-lock": /waits for a lock/,
  uninterruptible: /kernel/,
  suspended: /stopped by a signal/,
  zombie: /has ended, and its wrapper/,
};

const [home = "", given = "{}"] = process.argv.slice(2);
const { kinds, busyMs } = JSON.parse(given) as Case;

/** When the agent of a kind was last seen alive, by the clock on the wall. */
const lastAlive = new Map<string, number>();

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The agents that live now, by kind; not what waits to be taken in by its parent. */
function liveAgents(): Set<string> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const words = pids.map((pid) => ({ pid, argv: read(`/proc/${pid}/cmdline`).split("\0") }));
  const agents = words.filter(({ argv }) => argv[1]?.endsWith("hanging-agent.mjs") === true && argv[3] === home);
  const isAlive = (pid: string) => !/^[ZX]/.test(read(`/proc/${pid}/stat`).replace(/^.*\) /s, ""));
  return new Set(agents.filter(({ pid }) => isAlive(pid)).map(({ argv }) => argv[2]!));
}

function look(): void {
  for (const name of liveAgents()) lastAlive.set(name, Date.now());
}

/** Since when (epoch ms) it hangs or is busy, by its own word; null where it never began. */
function beganAt(name: string): number | null {
  const file = join(home, "began", name);
  const said = Number(read(file));
  if (said > 0) return said;
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/** The tasks whose commits are on the run's branch. */
function cameHome(): Set<string> {
  const args = ["log", "--format=%(trailers:key=Owt-Task,valueonly)", "owt/runs/r1"];
  return new Set(
    execFileSync("git", args, { cwd: join(home, "repo"), encoding: "utf8" })
      .split("\n")
      .filter(Boolean),
  );
}

function judge(name: string, came: ReadonlySet<string>, said: string): string[] {
  const { overMs, how, isKilled } = kinds[name]!;
  const began = beganAt(name);
  // One that leaves by itself as soon as it has begun may be gone between two looks.
  const last = lastAlive.get(name) ?? (overMs === 0 ? began : null);
  if (began === null || last === null) return ["it was never seen"];
  const lines = said.split("\n").filter((line) => line.includes(` ${name}/E01 hangs: `));
  if (overMs === null) {
    return [
      ...(last - began < busyMs - SLACK_MS ? [`it lived for ${last - began} ms only, and was busy for ${busyMs}`] : []),
      ...(came.has(`${name}/E01`) ? [] : ["its work is not on the run's branch"]),
      ...(lines.length === 0 ? [] : [`it is said that it ${lines[0]!}`]),
    ];
  }
  const lateMs = last - began - overMs;
  return [
    ...(lateMs > MOST_LATE_MS + SLACK_MS ? [`it lived on for ${lateMs} ms`] : []),
    ...(lateMs < -SLACK_MS && !isKilled ? [`it was ended ${-lateMs} ms early`] : []),
    ...(how === null || lines.some((line) => SAID[how]!.test(line)) ? [] : [`nothing says that it is ${how}`]),
  ];
}

const timer = setInterval(look, LOOK_MS);
process.stdin.resume().on("end", () => {
  clearInterval(timer);
  const left = liveAgents();
  const [came, said] = [cameHome(), read(join(home, "said"))];
  const verdict = Object.keys(kinds).map((name) => [
    name,
    [...judge(name, came, said), ...(left.has(name) ? ["it runs on"] : [])],
  ]);
  process.stdout.write(JSON.stringify(Object.fromEntries(verdict)));
});
