/** Runs one setup or verify command so that it survives us like an agent does: whoever comes next waits for its end
 *  instead of running it twice. */
import { existsSync, lstatSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../core/errors.ts";
import { parseDuration } from "../lib/duration.ts";
import { lastLines, readTail } from "../lib/tail.ts";
import { CappedFile } from "../system/capped-file.ts";
import { commandEnvironment } from "../system/environment.ts";
import { launch, type LaunchMode, readLaunch, stopTree, sweepAfterEnd, waitForEnd } from "../system/launch.ts";
import type { Engine } from "./engine.ts";
import { mayLackRoom } from "./full-disk.ts";
import { measurePeak } from "./peak.ts";
import { onStop } from "./stops.ts";
import { capsOf } from "./transcript.ts";
import { leaseEnvironment } from "./worktree-lease.ts";

export type Check = {
  /** Attempt that the check belongs to; stopping the attempt stops the check. */
  attempt: number;
  /** Folder of this one execution; the same folder is never executed twice. */
  dir: string;
  /** A shell command of the user, approved or standard. */
  command: string;
  /** Its positional parameters; `command` is then a constant of ours. */
  args?: readonly string[];
  cwd: string;
  /** Top of the worktree that it runs in, where that is not `cwd`. */
  worktree?: string;
  /** In place of the environment that every command of the project gets. */
  env?: Readonly<Record<string, string>>;
  timeoutMs: number;
};

/** `interrupted` means: stopped by a person; it will be executed anew. */
export type CheckResult =
  | {
      code: number;
      output: string;
      /** We ended it. */
      isTimedOut?: true;
    }
  | "interrupted";

/** What is kept of a check's output for people and agents. */
const TAIL_BYTES = 16 * 1024;
const TAIL_LINES = 120;
/** How often its output is looked at. */
const CAP_MS = 2_000;
/** The exit code that stands for a timeout, as in coreutils. */
const TIMED_OUT = 124;

export async function runCheck(engine: Engine, check: Check): Promise<CheckResult> {
  const mode = await engine.launchMode();
  setAsideInterrupted(check.dir);
  mkdirSync(check.dir, { recursive: true, mode: 0o700 });
  const before = readLaunch(check.dir);
  const began = before.kind === "unclaimed" ? performance.now() : claimedAt(check.dir);
  const launched = before.kind === "unclaimed" ? launchCheck(engine, check, mode) : undefined;
  let stopped: "timed_out" | "interrupted" | null = null;
  const stop = (why: "timed_out" | "interrupted") => {
    if (stopped !== null) return;
    stopped = why;
    writeFileSync(join(check.dir, "stopping"), why);
    void stopSoon(engine, check.dir);
  };
  const timer = setTimeout(() => stop("timed_out"), Math.min(check.timeoutMs, 2 ** 31 - 1));
  const release = onStop(engine, check.attempt, () => stop("interrupted"));
  const output = new CappedFile(join(check.dir, "out"), capsOf(engine));
  const ended = new AbortController();
  const capping = keepSmall(output, ended.signal);
  const measured = measurePeak(engine, check.attempt, check.dir, ended.signal);
  try {
    const end = await waitForEnd(check.dir, launched ? { launched } : {});
    await sweepAfterEnd(check.dir);
    ended.abort();
    await capping;
    await measured;
    await output.shrink();
    if (stopped === "interrupted") return "interrupted";
    if (stopped === "timed_out")
      return {
        code: TIMED_OUT,
        output: `${outputOf(check.dir)}\nstopped after ${check.timeoutMs / 1_000} s`,
        isTimedOut: true,
      };
    const result = end.kind === "finished" ? { code: end.code, output: outputOf(check.dir) } : lostCheck(check.dir);
    if (mayLackRoom(engine, began, result)) throw lackedRoom(check);
    return result;
  } finally {
    clearTimeout(timer);
    ended.abort();
    release();
  }
}

/** When a check that is adopted began, as `performance.now()` tells. */
function claimedAt(dir: string): number {
  const since = lstatSync(join(dir, "claim"), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  return performance.now() - Math.max(0, Date.now() - since);
}

/** What a check ended with on a full disk says nothing about the work: it is executed anew. */
function lackedRoom({ dir, command }: Check): OwtError {
  renameSync(dir, `${dir}.aside-${Date.now()}`);
  return new OwtError("disk-full", `the disk was full under: ${command}`);
}

/** A check can write without measure, as an agent can. */
async function keepSmall(output: CappedFile, ended: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(CAP_MS, undefined, { signal: ended }).catch(() => {});
    if (ended.aborted) return;
    await output.cut();
  }
}

function launchCheck(engine: Engine, check: Check, mode: LaunchMode) {
  return launch({
    dir: check.dir,
    file: "sh",
    args: ["-c", check.command, ...(check.args === undefined ? [] : ["sh", ...check.args])],
    cwd: check.cwd,
    env: {
      ...(check.env ?? commandEnvironment(engine.env, engine.config.environment.pass)),
      ...leaseEnvironment(engine, check.worktree ?? check.cwd),
      CI: "1",
    },
    outFile: join(check.dir, "out"),
    errFile: join(check.dir, "out"),
    mode,
  });
}

/** Says of a check, before it is stopped, that what it ends with says nothing about the work. */
export function noteInterrupted(dir: string): void {
  if (existsSync(dir)) writeFileSync(join(dir, "stopping"), "interrupted");
}

/** A check that was stopped, or lost to a reboot, says nothing about the work: its folder steps aside. */
function setAsideInterrupted(dir: string): void {
  if (!existsSync(dir)) return;
  const state = readLaunch(dir);
  if (existsSync(join(dir, "stopping")) ? state.kind !== "alive" : state.kind === "lost") {
    renameSync(dir, `${dir}.aside-${Date.now()}`);
  }
}

function lostCheck(dir: string): Exclude<CheckResult, "interrupted"> {
  return { code: 137, output: `${outputOf(dir)}\nits process disappeared` };
}

function outputOf(dir: string): string {
  return lastLines(readTail(join(dir, "out"), TAIL_BYTES), TAIL_LINES);
}

/** How long a process has between TERM and KILL, as configured. */
export function graceMs(engine: Engine): number {
  return parseDuration(engine.config.run.grace) ?? 10_000;
}

/** Stops a process tree within the configured grace; at once when there is no time left. */
export async function stopSoon(engine: Engine, dir: string): Promise<void> {
  const atOnce = () => void stopTree(dir, { graceMs: 0 });
  engine.hurry.addEventListener("abort", atOnce, { once: true });
  try {
    await stopTree(dir, { graceMs: engine.hurry.aborted ? 0 : graceMs(engine) });
  } finally {
    engine.hurry.removeEventListener("abort", atOnce);
  }
}
