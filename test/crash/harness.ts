/** Many repositories, many kills, one sum. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { dice } from "./dice.ts";
import { playRound, type Tally } from "./round.ts";
import { makeScenario } from "./scenario.ts";
import type { Verdict } from "./verdict.ts";
import { INTENTS } from "./watch.ts";

export type HarnessOptions = {
  kills: number;
  seed: number;
  /** Keep every folder, not only those with a defect. */
  keep?: boolean;
  /** Repositories at a time. */
  lanes?: number;
  /** Two agents do each task, in every repository; else in some. */
  rivals?: boolean;
  /** Told once a repository is judged. */
  tell?: (line: string) => void;
};

export type Sum = {
  seed: number;
  kills: number;
  runs: number;
  tasks: number;
  lost: number;
  integratedTwice: number;
  wrongContent: number;
  orphans: { processes: number; worktrees: number; branches: number };
  other: number;
  /** First turns beyond one a task, and how many of them follow from an agent that the harness killed. */
  agentStarts: { extra: number; explained: number };
  rescues: number;
  litter: number;
  histogram: Record<string, number>;
  /** Kinds of intent with fewer than three kills. */
  rare: string[];
  seconds: number;
  defects: { dir: string; what: string[] }[];
};

/** Fewer kills than this say nothing about a kind of intent. */
const LEAST_PER_KIND = 3;
const ROOM_BYTES = 2 * 1024 ** 3;
const MOST_KILLS_A_RUN = 12;

/** Plays repositories until so many kills were given. */
export async function runHarness(options: HarnessOptions): Promise<Sum> {
  const began = Date.now();
  const top = realpathSync(mkdtempSync(join(roomyFolder(), "owt-crash-")));
  const tally: Tally = { histogram: new Map(), kills: 0, wanted: options.kills };
  const sum = emptySum(options.seed);
  let next = 0;
  const lane = async () => {
    while (tally.kills < tally.wanted) await playOne(top, next++, options, tally, sum);
  };
  await Promise.all(Array.from({ length: options.lanes ?? 1 }, lane));
  if (sum.defects.length === 0 && !options.keep) rmSync(top, { recursive: true, force: true });
  const count = (kind: string) => tally.histogram.get(kind) ?? 0;
  const kinds = new Set<string>([...INTENTS, ...tally.histogram.keys()]);
  return {
    ...sum,
    histogram: Object.fromEntries([...kinds].map((kind) => [kind, count(kind)])),
    rare: INTENTS.filter((kind) => count(kind) < LEAST_PER_KIND),
    seconds: Math.round((Date.now() - began) / 1_000),
  };
}

async function playOne(top: string, index: number, options: HarnessOptions, tally: Tally, sum: Sum): Promise<void> {
  const chance = dice(options.seed * 10_007 + index);
  const dir = join(top, String(index));
  mkdirSync(dir);
  const variant = {
    collides: chance.chance(0.5),
    needsRepair: chance.chance(0.3),
    slow: chance.chance(0.4),
    lateGitMs: chance.chance(0.3) ? chance.between(1, 4) * 300 : 0,
    rivals: chance.chance(0.15) || options.rivals === true,
  };
  const scenario = makeScenario(dir, variant, join(top, "cache"));
  const round = await playRound(scenario, chance, tally, chance.between(2, MOST_KILLS_A_RUN));
  const verdict = await askForVerdict(dir);
  const what = [...round.defects, ...describe(verdict), ...judgeStarts(verdict, round.agentsKilled, sum)];
  add(sum, verdict, round.kills, scenario.expectation.tasks.length);
  if (what.length > 0) sum.defects.push({ dir, what });
  else if (!options.keep) rmSync(dir, { recursive: true, force: true });
  options.tell?.(
    `${dir}: ${round.kills} kills, ${what.length === 0 ? "sound" : what.join("; ")} (${tally.kills}/${tally.wanted})`,
  );
}

/** From a program of its own, which knows nothing of how owt works. */
export async function askForVerdict(dir: string): Promise<Verdict> {
  const program = new URL("verdict.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return JSON.parse(printed) as Verdict;
}

export function describe(verdict: Verdict): string[] {
  const name = (words: string, found: string[]) => found.map((each) => `${words}: ${each}`);
  return [
    ...name("lost", verdict.lost),
    ...name("integrated twice", verdict.twice),
    ...name("wrong content", verdict.wrongContent),
    ...name("orphan process", verdict.orphanProcesses),
    ...name("orphan worktree", verdict.orphanWorktrees),
    ...name("orphan branch", verdict.orphanBranches),
    ...verdict.other,
  ];
}

/** An agent that lived is never started again, nor does it play its turn twice, unless we killed it. */
function judgeStarts({ starts, ends }: Verdict, killed: Record<string, number>, sum: Sum): string[] {
  const defects: string[] = [];
  for (const [task, count] of Object.entries(starts)) {
    const extra = Math.max(count, ends[task] ?? 0) - 1;
    const explained = Math.min(extra, killed[task] ?? 0);
    sum.agentStarts.extra += extra;
    sum.agentStarts.explained += explained;
    if (extra > explained)
      defects.push(`the agent of ${task} was started ${count} times and ended ${ends[task] ?? 0} times`);
  }
  return defects;
}

function add(sum: Sum, verdict: Verdict, kills: number, tasks: number): void {
  sum.kills += kills;
  sum.runs++;
  sum.tasks += tasks;
  sum.lost += verdict.lost.length;
  sum.integratedTwice += verdict.twice.length;
  sum.wrongContent += verdict.wrongContent.length;
  sum.orphans.processes += verdict.orphanProcesses.length;
  sum.orphans.worktrees += verdict.orphanWorktrees.length;
  sum.orphans.branches += verdict.orphanBranches.length;
  sum.other += verdict.other.length;
  sum.rescues += verdict.rescues;
  sum.litter += verdict.litter;
}

function emptySum(seed: number): Sum {
  return {
    seed,
    kills: 0,
    runs: 0,
    tasks: 0,
    lost: 0,
    integratedTwice: 0,
    wrongContent: 0,
    orphans: { processes: 0, worktrees: 0, branches: 0 },
    other: 0,
    agentStarts: { extra: 0, explained: 0 },
    rescues: 0,
    litter: 0,
    histogram: {},
    rare: [],
    seconds: 0,
    defects: [],
  };
}

/** Memory where there is room: the disk would be the slowest part. */
function roomyFolder(): string {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > ROOM_BYTES ? "/dev/shm" : tmpdir();
  } catch {
    return tmpdir();
  }
}
