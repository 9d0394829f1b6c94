/** Tells when something may have changed: our own writes at once, other processes' by the store's data version. */
import type { FactKind } from "../core/event.ts";
import { BEGUN } from "../store/events.ts";
import type { Engine } from "./engine.ts";

/** How often another process's writes are looked for; a look costs 8 µs. */
const LOOK_MS = 100;

export type Change = {
  /** Resolves at the next change, when `withinMs` is over, or when the signal aborts. */
  happened(withinMs: number | null): Promise<void>;
  /** Marks a change by hand. */
  now(): void;
};

/** What an attempt tells about its own progress changes nothing about what is to be started or ended. */
const PROGRESS = new Set<string>([
  "attempt-phase",
  "attempt-opened",
  "attempt-ended",
  "task-integrated",
  "agent-started",
  "agent-said",
  "verify-started",
  "verify-ended",
  "verify-flaky",
  "merges-checked",
  "leftovers",
  "dependencies",
  "run-carried",
  "run-held",
  "run-limited",
  "run-short",
  "run-apart",
  "target-rewritten",
  BEGUN,
] satisfies (FactKind | typeof BEGUN)[]);

/** Begins to watch; what happens from here on is not missed. */
export function nextChange(engine: Pick<Engine, "store">, signal: AbortSignal): Change {
  const version = engine.store.dataVersion();
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = engine.store.onAppend((kinds) => {
    if (!PROGRESS.isSupersetOf(kinds)) resolve();
  });
  return {
    now: resolve,
    async happened(withinMs) {
      signal.addEventListener("abort", resolve as () => void, { once: true });
      const look = setInterval(() => {
        if (isOther(engine, version)) resolve();
      }, LOOK_MS);
      const timer = withinMs === null ? undefined : setTimeout(resolve, Math.min(withinMs + 1, 2 ** 31 - 1));
      if (!signal.aborted) await promise;
      signal.removeEventListener("abort", resolve as () => void);
      clearInterval(look);
      clearTimeout(timer);
      stop();
    },
  };
}

/** Also where it cannot be read: whoever waits reads it next, and is told why. */
function isOther({ store }: Pick<Engine, "store">, version: number): boolean {
  try {
    return store.dataVersion() !== version;
  } catch {
    return true;
  }
}
