/** What one process at a time does with a worktree. */
import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { prepareLock } from "../../system/lock.ts";
import type { Engine } from "../engine.ts";

const POLL_MS = 50;
/** After so long it is tried without: a hook of the other removal may wait for us. The guard stands in front of it all the same. */
const PATIENCE_MS = 30_000;

/** Takes a worktree away while nobody else does: another one's git in it would look like somebody at work, and what is just going like changes. */
export function asOneRemover<T>(engine: Engine, path: string, remove: () => Promise<T>): Promise<T> {
  return asOne(engine, "removing", path, remove);
}

/** Types into its agent while no other `owt send` does. */
export function asOneSender<T>(engine: Engine, path: string, send: () => Promise<T>): Promise<T> {
  return asOne(engine, "sending", path, send);
}

/** Gives its session what it lacks while nobody else does. */
export function asOneOpener<T>(engine: Engine, path: string, open: () => Promise<T>): Promise<T> {
  return asOne(engine, "opening", path, open);
}

/** Lets what is on record of worktrees follow them while nobody else does. */
export function asOneFollower<T>(engine: Engine, follow: () => Promise<T>): Promise<T> {
  return asOne(engine, "following", engine.repo.root, follow);
}

async function asOne<T>(engine: Engine, what: string, path: string, act: () => Promise<T>): Promise<T> {
  const folder = join(engine.repo.commonDir, "owt", what);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, createHash("sha256").update(path).digest("hex").slice(0, 16));
  const lock = prepareLock(file);
  try {
    let isTaken = lock.take();
    for (const ends = Date.now() + PATIENCE_MS; !isTaken && Date.now() < ends; isTaken = lock.take())
      await sleep(POLL_MS);
    return await act();
  } finally {
    lock.close();
    // Who waits for it sees next what has become of the worktree.
    rmSync(file, { force: true });
  }
}
