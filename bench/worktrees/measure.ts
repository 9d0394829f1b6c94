/** What the parts of the worktree benchmark share: figures, clocks, a repository of many files. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { median, OWT, type Place } from "../place.ts";

export const run = promisify(execFile);

export type Figure = {
  what: string;
  beside: string;
  ms: number;
  besideMs: number;
  /** `ms` over `besideMs`. */
  ratio: number;
  goal: number | null;
};

export type Wish = {
  rounds: number;
  /** Files lie in memory. */
  isQuick: boolean;
};

/** Of the medians. */
export function figure(
  what: string,
  times: readonly number[],
  [beside, besideTimes]: readonly [string, readonly number[]],
  goal: number | null,
): Figure {
  const [ms, besideMs] = [median(times), median(besideTimes)];
  return { what, beside, ms, besideMs, ratio: ms / besideMs, goal };
}

/** Wall time in milliseconds. What the one before wrote is on its disk before it begins. Nothing is deleted between rounds: for half a minute ext4
 *  walks around the inodes of deleted files, one by one, and each new file takes ten times as long. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  await run("sync");
  const began = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - began) / 1e6;
}

/** The built owt, in a folder. Gives what it said. */
export async function owt(cwd: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [OWT, ...args], { cwd, env, maxBuffer: 1 << 26 });
  return `${stdout}${stderr}`;
}

/** A repository with so many files, a hundred in each folder. */
export async function manyFiles({ home, env }: Place, count: number): Promise<string> {
  const root = join(home, "shop");
  for (let n = 0; n < count; n++) {
    const folder = join(root, `folder-${Math.floor(n / 100)}`);
    if (n % 100 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${n % 100}.txt`), `File ${n} of many.\n`.repeat(10));
  }
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["commit", "-q", "-m", "start"],
  ])
    await run("git", args, { cwd: root, env });
  return root;
}
