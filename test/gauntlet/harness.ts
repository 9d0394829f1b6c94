/** Plays nights one after the other, has each judged, and tells what came of it. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { dice } from "../crash/dice.ts";
import { claudeBinary } from "../rig/claude-binary.ts";
import { tryCommands } from "./commands.ts";
import type { Row, Verdict } from "./judge.ts";
import { endLeftovers, playNight } from "./night.ts";
import { startRealClaude } from "./real.ts";
import { makeScene } from "./scene.ts";

export type GauntletOptions = {
  runs: number;
  seed: number;
  /** What the agent that prints prints, in MB. */
  floodMb: number;
  /** Keep every folder, not only those with a defect. */
  keep?: boolean;
  /** Told once a night is judged. */
  tell?: (text: string) => void;
};

export type Sum = Verdict["counts"] & {
  seed: number;
  runs: number;
  seconds: number;
  defects: number;
  nights: { seed: number; dir: string; seconds: number; verdict: Verdict; refused: string[] }[];
  /** What was left out, and why. */
  skipped: string[];
};

/** Of a night's own disk: the repository, its worktrees, the logs, and room to be filled; and what is printed at most, which in memory goes faster than it
 *  can be let go of. */
const diskMb = (floodMb: number) => 200 + Math.ceil(floodMb * 1.25);

export async function runGauntlet(options: GauntletOptions): Promise<Sum> {
  const began = performance.now();
  const top = realpathSync(mkdtempSync(join(tmpdir(), "owt-gauntlet-")));
  const nights: Sum["nights"] = [];
  const skipped = whatIsLeftOut();
  for (const why of skipped) options.tell?.(`left out: ${why}`);
  for (let index = 0; index < options.runs; index++) nights.push(await playOne(top, index, options));
  const bad = nights.filter((night) => countDefects(night) > 0);
  if (bad.length === 0 && !options.keep) rmSync(top, { recursive: true, force: true });
  return {
    seed: options.seed,
    runs: options.runs,
    seconds: Math.round((performance.now() - began) / 1_000),
    ...addCounts(nights.map(({ verdict }) => verdict.counts)),
    defects: nights.reduce((sum, night) => sum + countDefects(night), 0),
    nights,
    skipped,
  };
}

async function playOne(top: string, index: number, options: GauntletOptions): Promise<Sum["nights"][number]> {
  const seed = options.seed + index;
  const dir = join(top, String(index));
  const disk = join(dir, "disk");
  mkdirSync(disk, { recursive: true });
  const isSmallDisk = canMount();
  if (isSmallDisk)
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskMb(options.floodMb)}m`, "owt-gauntlet", disk]);
  const chance = dice(seed);
  const cache = join(top, "cache");
  await using real = await startRealClaude(join(disk, "home"));
  const scene = makeScene({ dir, cache, floodMb: options.floodMb, isSmallDisk, dice: chance, real });
  try {
    const { seconds } = await playNight(scene, chance, real);
    const verdict = await askForVerdict(dir);
    const night = { seed, dir, seconds, verdict, refused: tryCommands(scene) };
    const isKept = options.keep === true || countDefects(night) > 0;
    options.tell?.(render(night, isKept));
    if (!isKept) clear(dir, disk, isSmallDisk);
    return night;
  } finally {
    endLeftovers(scene);
  }
}

function clear(dir: string, disk: string, isSmallDisk: boolean): void {
  if (isSmallDisk) execFileSync("umount", ["--lazy", disk]);
  rmSync(dir, { recursive: true, force: true });
}

function whatIsLeftOut(): string[] {
  const disk = "fills-disk: a disk that may be filled takes root on Linux, which mounts a tmpfs";
  const real = `real-*: no real Claude Code at ${claudeBinary()}; fetch it with: node scripts/fetch-agents.ts`;
  return [...(canMount() ? [] : [disk]), ...(existsSync(claudeBinary()) ? [] : [real])];
}

/** Whether this machine lets us have a disk of our own. */
function canMount(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0 && existsSync("/proc/filesystems");
}

/** From a program of its own, which knows nothing of how owt works. */
async function askForVerdict(dir: string): Promise<Verdict> {
  const program = new URL("judge.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return JSON.parse(printed) as Verdict;
}

function countDefects({ verdict, refused }: Pick<Sum["nights"][number], "verdict" | "refused">): number {
  return verdict.defects.length + refused.length + verdict.rows.reduce((sum, row) => sum + row.defects.length, 0);
}

function addCounts(all: readonly Verdict["counts"][]): Verdict["counts"] {
  const sum = {
    tasks: 0,
    integrated: 0,
    parked: 0,
    commits: 0,
    greenCommits: 0,
    words: 0,
    lost: 0,
    twice: 0,
    orphans: 0,
  };
  for (const counts of all) for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
  return sum;
}

/** A night as a table, with its defects behind it. */
function render(night: Sum["nights"][number], isKept: boolean): string {
  const { seed, dir, seconds, verdict, refused } = night;
  const { counts, rows, defects } = verdict;
  const widths = (["task", "does", "expected"] as const).map((key) => Math.max(...rows.map((row) => row[key].length)));
  const line = ({ task, does, expected, happened, defects: own }: Row) =>
    `${own.length === 0 ? "  " : "✗ "}${task.padEnd(widths[0]!)}  ${does.padEnd(widths[1]!)}  ${expected.padEnd(widths[2]!)}  ${happened}`;
  const wrong = [...rows.flatMap((row) => row.defects.map((each) => `${row.task} ${each}`)), ...defects, ...refused];
  return [
    ...rows.map(line),
    ...wrong.map((each) => `DEFECT ${each}`),
    `night ${seed}: ${seconds} s, ${counts.integrated} of ${counts.tasks} integrated, ${counts.greenCommits} of ${counts.commits} commits green, ${counts.words} words, ${wrong.length === 0 ? "sound" : `${wrong.length} defects`}`,
    ...(isKept ? [`  kept: ${dir}; node test/gauntlet/judge.ts ${dir}; ${dir}/notes/owt.log`] : []),
  ].join("\n");
}
