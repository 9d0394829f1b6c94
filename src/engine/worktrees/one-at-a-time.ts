/** What one process at a time does with a worktree. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OwtError } from "../../core/errors.ts";
import { prepareLock } from "../../system/lock.ts";
import type { Engine } from "../engine.ts";

const POLL_MS = 50;
/** After so long it is done without: a hook of what the other does may wait for us. A guard stands in front of it all the same. */
const PATIENCE_MS = 30_000;

/** Takes a worktree away while nobody else does: another one's git in it would look like somebody at work, and what is just going like changes. */
export function asOneRemover<T>(engine: Engine, path: string, remove: () => Promise<T>): Promise<T> {
  return asOne(engine, "removing", path, remove);
}

/** Types into its agent while no other `owt send` does, however long the queue of those is. Throws `interrupted`. */
export function asOneSender<T>(engine: Engine, path: string, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
  return asOne(engine, "sending", path, send, { patienceMs: Infinity, signal });
}

/** Brings a run into its target while no other `owt land` of the repository does, however long the checks of that one take. Throws `interrupted`. */
export function asOneLander<T>(
  engine: Engine,
  { signal, onWait }: { signal: AbortSignal; onWait: () => void },
  land: () => Promise<T>,
): Promise<T> {
  return asOne(engine, "landing", engine.repo.root, land, { patienceMs: Infinity, signal, onWait });
}

/** Gives its session what it lacks while nobody else does. */
export function asOneOpener<T>(engine: Engine, path: string, open: () => Promise<T>): Promise<T> {
  return asOne(engine, "opening", path, open);
}

/** Lets what is on record of worktrees follow them while nobody else does. */
export function asOneFollower<T>(engine: Engine, follow: () => Promise<T>): Promise<T> {
  return asOne(engine, "following", engine.repo.root, follow);
}

/** `onWait` is called once, where somebody else is at it. */
type Patience = { patienceMs: number; signal?: AbortSignal; onWait?: () => void };

/** The file of the lock stays: who waits for it has it open, and whoever came behind its removal would take another one. */
async function asOne<T>(
  engine: Engine,
  what: string,
  path: string,
  act: () => Promise<T>,
  { patienceMs, signal, onWait }: Patience = { patienceMs: PATIENCE_MS },
): Promise<T> {
  const folder = join(engine.repo.commonDir, "owt", what);
  mkdirSync(folder, { recursive: true });
  const lock = prepareLock(join(folder, createHash("sha256").update(path).digest("hex").slice(0, 16)));
  try {
    let told = false;
    for (const ends = performance.now() + patienceMs; !lock.take() && performance.now() < ends;) {
      if (!told) onWait?.();
      told = true;
      if (signal?.aborted) throw new OwtError("interrupted", "interrupted");
      await sleep(POLL_MS);
    }
    return await act();
  } finally {
    lock.close();
  }
}
