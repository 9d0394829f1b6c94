/** What owt has on record of a worktree goes by its path. Where a person moved one, all of that follows it. */
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findMoved, followModules, type Moved, noteStands } from "../../git/moved.ts";
import { followWorktrees } from "../../store/worktrees.ts";
import { findProgram } from "../../system/programs.ts";
import { followSession } from "../../tmux/session.ts";
import type { Engine } from "../engine.ts";
import { sessionServer } from "../session-server.ts";
import { followLease } from "../worktree-lease.ts";
import { asOneFollower } from "./one-at-a-time.ts";
import { fileNameFor } from "../../system/file-name.ts";

const looked = new WeakSet<Engine>();

/** Lets everything follow the worktrees that were moved since the last look: once in each process, before anything is asked of a worktree. Repeatable: that
 *  it followed is noted last. */
export async function followMoved(engine: Engine): Promise<void> {
  if (looked.has(engine)) return;
  looked.add(engine);
  if (findMoved(engine.repo).length === 0) return;
  await asOneFollower(engine, async () => {
    // Another process may have been faster.
    const moves = findMoved(engine.repo);
    moveFiles(engine, moves);
    followWorktrees(engine.store, moves);
    for (const move of moves) {
      followLease(engine, move);
      await followModules(engine.repo, move);
      await followRunning(engine, move);
      noteStands(move, move.to);
    }
  });
}

/** All that is named after the path of a worktree, with what lies beside it; no encoded path has a `+`. */
function moveFiles(engine: Engine, moves: readonly Moved[]): void {
  const folders = ["setup", "by-hand"].map((name) => join(engine.repo.commonDir, "owt", name));
  const steps = [
    ...moves.map(({ id, from }) => [fileNameFor(from), `+moving.${id}`]),
    ...moves.map(({ id, to }) => [`+moving.${id}`, fileNameFor(to)]),
  ];
  for (const folder of folders.filter((each) => existsSync(each)))
    for (const [from, to] of steps) renameAll(folder, from!, to!);
}

function renameAll(folder: string, from: string, to: string): void {
  for (const name of readdirSync(folder).filter((each) => each === from || each.startsWith(`${from}+`))) {
    const target = join(folder, to + name.slice(from.length));
    rmSync(target, { recursive: true, force: true });
    renameSync(join(folder, name), target);
  }
}

async function followRunning(engine: Engine, { from, to }: Moved): Promise<void> {
  if (findProgram("tmux", engine.env) !== null) await followSession(sessionServer(engine), from, to);
}
