/** Takes copies of the store while runs are carried: where the first task of a run begins, soon after the start, twice a minute where something changed, and at the
 *  end. */
import { lastSeq } from "../store/events.ts";
import { takeBackup } from "../store/backups.ts";
import type { Engine } from "./engine.ts";

/** So old the last copy may be, with what a copy takes and a look more: under a minute. */
const EVERY_MS = 25_000;
/** The second one has what the first agents are at. */
const SECOND_MS = 1_000;

/** Begins; the result takes the last copy, where anything changed since the one before, and ends it. Nothing waits for a copy but that end. */
export function keepBackups(engine: Engine): () => Promise<void> {
  let taken = -1;
  let taking: Promise<void> | null = null;
  const take = () => {
    // Of what lies in its place, or is left of it, no copy of it is made.
    if (!engine.store.isWhole()) return;
    const seq = lastSeq(engine.store);
    if (taking !== null || seq === taken) return;
    taking = takeBackup(engine.repo.commonDir).then((wrong) => {
      taking = null;
      if (wrong === null) taken = seq;
    });
  };
  const takeIfSound = () => {
    try {
      take();
    } catch {
      // Whoever works with the store meets the same, and tells it.
    }
  };
  let isNew = false;
  // Until then a new run is in the journal alone. While git makes the first worktree nothing waits for us.
  const stop = engine.store.onAppend((kinds) => {
    isNew ||= kinds.has("run-carried");
    if (!isNew || !kinds.has("attempt-opened")) return;
    isNew = false;
    setTimeout(takeIfSound).unref();
  });
  const timers = [setTimeout(takeIfSound, SECOND_MS), setInterval(takeIfSound, EVERY_MS)];
  for (const timer of timers) timer.unref();
  return async () => {
    stop();
    for (const timer of timers) clearTimeout(timer);
    await taking;
    take();
    await taking;
  };
}
