/** The commands that a configuration wants run in a worktree when it is made, and before it goes. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { commandList } from "../core/config.ts";
import { commandEnvironment } from "../system/environment.ts";
import { type CheckResult, runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";
import { stoppedBy } from "./stops.ts";

export type Hook = "post_create" | "pre_remove";

export type HookPlace = { attempt: number; dir: string; worktree: string; timeoutMs: number };

/** The commands of a hook, and a hash of them. */
export function hookCommands(engine: Engine, hook: Hook): { commands: string[]; hash: string } {
  const commands = commandList(engine.config.hooks[hook]);
  const hash = commands.length === 0 ? "" : createHash("sha256").update(JSON.stringify(commands)).digest("hex");
  return { commands, hash };
}

/** Runs a hook's commands in a worktree until one fails. They learn where they are from OWT_WORKTREE and OWT_ROOT (the main checkout). `dir`
 *  holds the executions. */
export async function runHook(
  engine: Engine,
  hook: Hook,
  place: HookPlace,
): Promise<{ failed: string; code: number; output: string } | "interrupted" | null> {
  const { commands, hash } = hookCommands(engine, hook);
  const env = {
    ...commandEnvironment(engine.env, engine.config.environment.pass),
    OWT_WORKTREE: place.worktree,
    OWT_ROOT: engine.repo.root,
  };
  for (const [index, command] of commands.entries()) {
    const dir = join(place.dir, `${hook}-${hash.slice(0, 12)}-${index}`);
    const result: CheckResult = await runCheck(engine, { ...place, dir, command, cwd: place.worktree, env });
    if (result === "interrupted") return result;
    if (result.code !== 0) return { failed: command, code: result.code, output: result.output };
  }
  return null;
}

/** How long a worktree that is to go waits for each command of its hook. */
const LEAVE_MS = 300_000;
/** A person is told what is waited for only where it takes long. */
const TELL_MS = 1_000;

export type LeaveOptions = Omit<HookPlace, "timeoutMs"> & {
  /** Hears what is waited for, where somebody looks on. */
  onWait?: (text: string) => void;
};

/** Runs what is wished before a worktree goes. It goes all the same where that fails: `trouble` says why, for people. Null where nothing is
 *  wished. Ctrl-C stops it: whether the worktree goes without is the caller's affair. */
export async function leaveWorktree(
  engine: Engine,
  { onWait, ...place }: LeaveOptions,
): Promise<{ trouble: string | null; interrupted?: true } | null> {
  if (commandList(engine.config.hooks.pre_remove).length === 0 || !existsSync(place.worktree)) return null;
  // A Ctrl-C that came before is another's, and the next one counts.
  const leave = engine.leave.aborted ? engine.hurry : engine.leave;
  const problem = await stoppedBy(engine, place.attempt, leave, async () => {
    const words = `waiting for [hooks] pre_remove in ${place.worktree} (${LEAVE_MS / 60_000} min for each command; Ctrl-C stops it)`;
    const timer = setTimeout(() => onWait?.(words), TELL_MS);
    try {
      return await runHook(engine, "pre_remove", { ...place, timeoutMs: LEAVE_MS });
    } finally {
      clearTimeout(timer);
    }
  });
  if (problem === null) return { trouble: null };
  if (problem === "interrupted")
    return { trouble: `[hooks] pre_remove was stopped in ${place.worktree}`, interrupted: true };
  const said = problem.output.trim().split("\n").at(-1);
  return {
    trouble: `[hooks] pre_remove ended with exit code ${problem.code} in ${place.worktree}: ${problem.failed}: ${said}`,
  };
}
