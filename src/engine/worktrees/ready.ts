/** What a worktree by hand has, so that one can begin at once: environment files, dependencies. The same as a task of a run gets. */
import { join } from "node:path";
import { OwtError } from "../../core/errors.ts";
import { grantsNeeded, requireApproval } from "../approvals.ts";
import type { Engine } from "../engine.ts";
import { bringEnvironmentFiles } from "../environment-files.ts";
import { markerOf, noteEmptyBefore, noteLeft, setUp, setupCommands } from "../workspace.ts";

export type ReadyOptions = {
  deps: boolean;
  env: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
};

const INSTALL_TIMEOUT_MS = 3_600_000;

/** Throws `tool-failed` where dependencies cannot be brought, `not-approved` where the repository brings a command of its own for that, and
 *  `interrupted`. Repeatable: what is there stays as it is. */
export async function makeReady(engine: Engine, path: string, options: ReadyOptions): Promise<void> {
  if (options.env) bringEnvironmentFiles(engine, path);
  if (!options.deps || setupCommands(engine, path).commands.length === 0) return;
  requireApproval(engine, installGrants(engine));
  noteEmptyBefore(engine, path);
  const marker = markerOf(engine, path);
  const setup = {
    attempt: nextNumber--,
    dir: setupDir(engine, path),
    worktree: path,
    marker,
    timeoutMs: INSTALL_TIMEOUT_MS,
  };
  const stop = () => engine.live.get(setup.attempt)?.("stopped");
  options.signal.addEventListener("abort", stop);
  try {
    const failed = await setUp(engine, setup);
    if (failed === "interrupted" || options.signal.aborted) throw new OwtError("interrupted", "interrupted");
    if (failed !== null)
      throw new OwtError("tool-failed", `the dependencies could not be brought: ${failed.failed}\n${failed.output}`, {
        hint: "mend it, or go without them: --no-deps",
      });
    await noteLeft(engine, path);
  } finally {
    options.signal.removeEventListener("abort", stop);
  }
}

/** No attempt of a task has such a number: several worktrees can be made at once. */
let nextNumber = -1;

/** Where the commands of a worktree's setup run; what they print lies there. */
export function setupDir(engine: Engine, path: string): string {
  return join(engine.repo.commonDir, "owt", "by-hand", encodeURIComponent(path));
}

/** What of the repository's own commands a creation runs. */
export function installGrants(engine: Engine) {
  return grantsNeeded(engine, [], {}).filter(({ where }) => where.endsWith("install_command"));
}
