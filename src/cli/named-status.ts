/** `owt status NAME`: of a task, or of a worktree. */
import { OwtError } from "../core/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { findWorktree } from "../engine/worktrees/place.ts";
import type { Io } from "./io.ts";
import { showTaskStatus } from "./task-status.ts";
import { showWorktreeStatus } from "./worktrees/status.ts";

/** A task is meant before a worktree; where it is neither, what there is of tasks is told. Throws as `findWorktree` for one that came to harm. */
export async function showNamed(
  io: Io,
  engine: Engine,
  name: string,
  options: { json?: boolean; run?: string },
): Promise<void> {
  try {
    await showTaskStatus(io, engine, name, options);
  } catch (error) {
    if (!(error instanceof OwtError) || error.code !== "unknown-name" || options.run !== undefined) throw error;
    const worktree = await findWorktree(engine, name).catch((other: unknown) => {
      if (other instanceof OwtError && other.code === "unknown-name") return null;
      throw other;
    });
    if (worktree === null) throw error;
    await showWorktreeStatus(io, engine, worktree, options);
  }
}
