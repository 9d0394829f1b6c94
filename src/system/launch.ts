/** Starting a command that outlives us, finding it again, and stopping all of it. Whoever holds the attempt's folder can do each of
 *  these: nothing about a running launch is kept in memory only. */
import { traceStart } from "./trace.ts";
import {
  appendFileSync,
  closeSync,
  existsSync,
  type FSWatcher,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  watch,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { OwtError } from "../core/errors.ts";
import { findCgroupParent } from "./cgroup.ts";
import { type Claim, LAUNCH_MODES, type LaunchMode, MARK, readClaim, readExitCode, takeVoidClaim } from "./claim.ts";
import { start } from "./exec.ts";
import { type Identity, isAlive } from "./identity.ts";
import { coverInherited } from "./inherited.ts";
import { INNER_SCRIPT, OUTER_SCRIPT } from "./launch-script.ts";
import { startThroughShell } from "./launch-shells.ts";
import { stopCgroup, stopGroup, stopNamespace, sweepCgroup, sweepGroup, sweepNamespace } from "./stop.ts";

export type { LaunchMode };

export type Launch = {
  /** The attempt's folder, which exists: `claim` and `exit` appear in it. One folder, one launch. */
  dir: string;
  file: string;
  args: string[];
  cwd: string;
  /** The command's whole environment, but for the mark that is added: `OWT_ATTEMPT`, the folder. */
  env: Record<string, string>;
  /** Becomes standard input; without it /dev/null. */
  stdinFile?: string;
  /** Both are appended to, and made where missing. */
  outFile: string;
  errFile: string;
  mode: LaunchMode;
};

export type Launched = {
  /** The wrapper's pid; 0 where it could not be started. For people: to stop it, take {@link stopTree}. */
  pid: Promise<number>;
  /** Resolves when the wrapper has gone or could not be started; never rejects, and does not keep us alive ({@link waitForEnd} does).
   *  The wrapper's own code means nothing, {@link readLaunch} does. */
  exited: Promise<void>;
};

export type LaunchState =
  /** Nothing has started yet. */
  | { kind: "unclaimed" }
  /** Nothing has started, and nothing will. */
  | { kind: "void" }
  | { kind: "alive"; identity: Identity }
  /** Ended by itself or by a TERM it obeyed (143); 127 and 126 are a command that is missing or not executable. */
  | { kind: "finished"; code: number }
  /** Killed, or gone with a reboot: no code. {@link sweepOrphans} comes next. */
  | { kind: "lost" };

/** Starts a command, detached in a session of its own, its output going straight to its files; it outlives us and does not keep us
 *  alive. Throws where one of the files cannot be opened. What goes wrong later stands in `errFile` and in {@link readLaunch}. */
export function launch(l: Launch): Launched {
  const dir = canonical(l.dir);
  traceStart([l.file, ...l.args]);
  const files: number[] = [];
  try {
    const open = (path: string, flags: string) => files[files.push(openSync(path, flags, 0o600)) - 1]!;
    const input = open(l.stdinFile ?? "/dev/null", "r");
    const output = [open(l.outFile, "a"), open(l.errFile, "a")];
    const env = { ...l.env, [MARK]: dir };
    const parent = parentFor(l.mode);
    const wrapper = { mode: l.mode, dir, parent, command: [l.file, ...l.args], cwd: l.cwd, env };
    const paths = { inFile: l.stdinFile ?? "/dev/null", outFile: l.outFile, errFile: l.errFile };
    return startThroughShell({ ...wrapper, ...paths }) ?? spawnWrapper(l, dir, env, [input, ...output]);
  } finally {
    for (const file of files) closeSync(file);
  }
}

function spawnWrapper(l: Launch, dir: string, env: Record<string, string>, stdio: number[]): Launched {
  const child = start("/bin/sh", wrapperArguments(l.mode, dir, [l.file, ...l.args]), {
    cwd: l.cwd,
    env,
    stdio: [...stdio, ...coverInherited()],
  });
  child.unref();
  const exited = new Promise<void>((done) => {
    child.once("exit", () => done());
    child.once("error", (error) => {
      tell(l.errFile, `owt: could not start in ${l.cwd}: ${error.message}\n`);
      done();
    });
  });
  return { pid: Promise.resolve(child.pid ?? 0), exited };
}

/** The arguments for `sh` that make it the wrapper of a command, for the attempt of that folder. */
export function wrapperArguments(mode: LaunchMode, dir: string, command: readonly string[]): string[] {
  return ["-c", OUTER_SCRIPT, "owt-outer", mode, dir, INNER_SCRIPT, parentFor(mode), ...command];
}

function parentFor(mode: LaunchMode): string {
  return mode === "cgroup" ? (findCgroupParent() ?? "") : "";
}

/** How a launch stands, from what its folder and the kernel say. `finished` only once the owner of the tree is gone: the code can be
 *  there a moment earlier. */
export function readLaunch(dir: string): LaunchState {
  const claim = readClaim(dir);
  if (claim === undefined) return { kind: "unclaimed" };
  if (claim.kind === "void") return { kind: "void" };
  if (isAlive(claim.outer)) return { kind: "alive", identity: claim.outer };
  const code = readExitCode(dir);
  return code === undefined ? { kind: "lost" } : { kind: "finished", code };
}

/** The engine's side of the race for the claim: takes it where no wrapper has, so that a late one exits with 75 and starts nothing.
 *  False: somebody was first (see {@link readLaunch}), or the folder is gone, and then no wrapper can claim either. */
export function voidClaim(dir: string): boolean {
  return takeVoidClaim(dir);
}

/** Waits until a launch has ended (`finished`, `lost` or `void`), or `signal` aborts: then it returns how the launch stands now.
 *  Our own child is noticed by its exit, anybody's by the exit file and, where it was killed, within `pollMs` (1,000).
 *  `unclaimed` comes back only on abort, or where our own child never came as far as the claim. */
export async function waitForEnd(
  dir: string,
  options: { launched?: Launched; signal?: AbortSignal; pollMs?: number } = {},
): Promise<LaunchState> {
  let wake = () => {};
  let childIsGone = false;
  void options.launched?.exited.then(() => {
    childIsGone = true;
    wake();
  });
  const onAbort = () => wake();
  options.signal?.addEventListener("abort", onAbort);
  const watcher = watchFolder(dir, () => wake());
  try {
    for (;;) {
      const state = readLaunch(dir);
      const waits = state.kind === "alive" || (state.kind === "unclaimed" && !childIsGone);
      if (!waits || options.signal?.aborted) return state;
      // With the code written, the owner of the tree is about to go.
      const ms = readExitCode(dir) === undefined ? (options.pollMs ?? 1_000) : 10;
      await new Promise<void>((done) => {
        const timer = setTimeout(done, ms);
        wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  } finally {
    watcher?.close();
    options.signal?.removeEventListener("abort", onAbort);
  }
}

/** Stops all of a launch: TERM to the command until it is gone or `graceMs` is over, then KILL to whatever is left, in the folder's
 *  namespace, cgroup or group. May be called by any orchestrator, at any moment, any number of times. A launch that has not claimed yet is
 *  voided. After it the launch is `finished` (the command obeyed), `lost` (it was killed) or `void`. */
export async function stopTree(dir: string, options: { graceMs: number }): Promise<void> {
  if (voidClaim(dir)) return;
  const claim = readClaim(dir);
  if (claim?.kind !== "taken") return;
  const at = canonical(dir);
  if (claim.mode === "group") await stopGroup(claim.outer, at, options.graceMs);
  else if (claim.mode === "cgroup") await stopCgroup(claim.outer, at, claim.cgroup, options.graceMs);
  else await stopNamespace(claim.outer, at, options.graceMs);
}

/** Kills what is left of a launch that is no longer alive, and returns how many processes it signalled; 0 for one that is. In mode
 *  `group` a finished launch may leave something too. */
export async function sweepOrphans(dir: string): Promise<number> {
  const claim = readClaim(dir);
  return claim?.kind === "taken" && !isAlive(claim.outer) ? await sweep(claim, canonical(dir)) : 0;
}

/** The same, where the launch can have left something at all; to be called after each end. A namespace that finished took everything
 *  along, and so did a cgroup that is no longer there. */
export async function sweepAfterEnd(dir: string): Promise<void> {
  if (readClaim(dir)?.kind === "taken" && !hasEndedWholly(dir)) await sweepOrphans(dir);
}

/** Whether a launch finished, and the kernel has ended with it whatever it started. */
export function hasEndedWholly(dir: string): boolean {
  const claim = readClaim(dir);
  return claim?.kind === "taken" && readLaunch(dir).kind === "finished" && tookAllAlong(claim);
}

type Taken = Extract<Claim, { kind: "taken" }>;

function tookAllAlong(claim: Taken): boolean {
  return claim.mode === "cgroup" ? !existsSync(claim.cgroup) : claim.mode !== "group";
}

async function sweep(claim: Taken, dir: string): Promise<number> {
  if (claim.mode === "group") return await sweepGroup(claim.outer, dir);
  if (claim.mode === "cgroup") return await sweepCgroup(claim.outer, dir, claim.cgroup);
  return await sweepNamespace(dir);
}

const probed = new Map<LaunchMode, Promise<LaunchMode>>();

/** The best mode that this machine lets us have, tried with a real launch of `true`, once per process; at worst `group`, which a caller
 *  says aloud, since it cannot stop what hides from it. `best` begins the search at a lesser mode: the user's own word, in
 *  `OWT_LAUNCH_MODE`; empty is as good as none. Rejects with `config` where that is no mode, and never else. */
export async function probeLaunchMode(best?: string): Promise<LaunchMode> {
  const from = LAUNCH_MODES.find((mode) => mode === (best || LAUNCH_MODES[0]));
  if (!from)
    throw new OwtError("config", `OWT_LAUNCH_MODE is ${JSON.stringify(best)}, which is no launch mode`, {
      hint: `one of: ${LAUNCH_MODES.join(", ")}`,
    });
  const found = probed.get(from) ?? firstThatWorks(LAUNCH_MODES.slice(LAUNCH_MODES.indexOf(from)));
  probed.set(from, found);
  return await found;
}

async function firstThatWorks(modes: readonly LaunchMode[]): Promise<LaunchMode> {
  const isPossible = (mode: LaunchMode) => mode !== "group" && (mode !== "namespace" || process.getuid?.() === 0);
  if (process.platform !== "linux") return "group";
  for (const mode of modes.filter(isPossible)) if (await works(mode).catch(() => false)) return mode;
  return "group";
}

async function works(mode: LaunchMode): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), "owt-probe-"));
  try {
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
    const quiet = { outFile: "/dev/null", errFile: "/dev/null" };
    const launched = launch({ dir, file: "true", args: [], cwd: dir, env, ...quiet, mode });
    const state = await waitForEnd(dir, { launched, signal: AbortSignal.timeout(5_000) });
    if (state.kind === "alive") await stopTree(dir, { graceMs: 0 });
    else if (state.kind === "lost") await sweepOrphans(dir);
    return state.kind === "finished" && state.code === 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** One spelling for one folder: the sweeps compare it with what the wrapper was given, perhaps by somebody else. */
function canonical(dir: string): string {
  try {
    return realpathSync.native(dir);
  } catch {
    return resolve(dir);
  }
}

/** Undefined where the machine has no watch left to give: then only the poll tells. */
function watchFolder(dir: string, changed: () => void): FSWatcher | undefined {
  try {
    return watch(dir, changed).on("error", () => {});
  } catch {
    return undefined;
  }
}

function tell(file: string, text: string): void {
  try {
    appendFileSync(file, text);
  } catch {
    // The file could be opened a moment ago; without it nobody is left to tell.
  }
}
