/** What a session is told of the worktree that it is in. */
import { basename } from "node:path";
import type { HookContext } from "../../core/hook-context.ts";
import { readWorktrees } from "../../store/worktrees.ts";
import type { Engine } from "../engine.ts";
import { readLease } from "../worktree-lease.ts";
import { findWorktree } from "./place.ts";

/** Throws `unknown-name` outside of a worktree. */
export async function readContext(engine: Engine): Promise<HookContext> {
  const { path, branch } = await findWorktree(engine, "@");
  return {
    worktree: basename(path),
    isMain: path === engine.repo.root,
    branch,
    lease: readLease(engine, path),
    note: readWorktrees(engine.store).get(path)?.note ?? "",
  };
}
