/** Looks into a repository's store from outside, read-only, while an `owt` works with it. */
import { existsSync, type FSWatcher, watch, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";

/** What was written down last as about to be done. */
export type Intent = { seq: number; kind: string };

/** Every kind of intent that a run with setup and verify writes: its own, then those of an attempt in the order of its life. */
export const INTENTS = [
  "run-created",
  "attempt-opened",
  "setup",
  "launch",
  "agent",
  "collect",
  "verify",
  "merge",
  "advance",
  "tidy",
  "closed",
] as const;

export type Where = { attempt: number; task: string; phase: string };

/** SQLite writes the pages before it makes them visible; so long after a write we look without waiting for another. */
const VISIBLE_MS = 5;

export class Watch {
  readonly #folder: string;
  #db: DatabaseSync | null = null;

  constructor(repo: string) {
    this.#folder = join(repo, ".git", "owt");
    // Before the first run it is not there, and what is not there cannot be watched.
    mkdirSync(this.#folder, { recursive: true });
  }

  /** The last intent, or number 0 while there is none. */
  lastIntent(): Intent {
    const [row] = this.rows(
      `select seq, kind, data from event
       where kind in ('attempt-opened', 'attempt-phase', 'attempt-ended', 'run-created', 'run-ended')
       order by seq desc limit 1`,
    );
    if (!row) return { seq: 0, kind: "nothing" };
    return { seq: Number(row["seq"]), kind: nameOf(String(row["kind"]), String(row["data"])) };
  }

  /** The process that last took the lease. */
  holder(): number | null {
    const [row] = this.rows("select pid from lease");
    return row ? Number(row["pid"]) : null;
  }

  /** Attempts whose agent may be running. */
  open(): Where[] {
    return this.rows(
      "select attempt.id, task.key, attempt.phase from attempt join task on task.id = attempt.task where attempt.phase <> 'closed'",
    ).map((row) => ({ attempt: Number(row["id"]), task: String(row["key"]), phase: String(row["phase"]) }));
  }

  /** Resolves when `wanted` says so, which is asked at each write to the store, or when `signal` aborts. */
  async until(wanted: (intent: Intent) => boolean, signal: AbortSignal): Promise<boolean> {
    let wake = Promise.withResolvers<void>();
    const onWrite = () => wake.resolve();
    signal.addEventListener("abort", onWrite);
    const watcher: FSWatcher = watch(this.#folder, onWrite);
    try {
      while (!signal.aborted) {
        if (wanted(this.lastIntent())) return true;
        await wake.promise;
        wake = Promise.withResolvers<void>();
        for (const ends = performance.now() + VISIBLE_MS; performance.now() < ends && !signal.aborted;) {
          if (wanted(this.lastIntent())) return true;
          await setImmediate();
        }
      }
      return false;
    } finally {
      watcher.close();
      signal.removeEventListener("abort", onWrite);
    }
  }

  /** Rows of a query; none while the store is not there to be read. */
  rows(sql: string): Record<string, unknown>[] {
    try {
      const path = join(this.#folder, "state.db");
      if (!this.#db && !existsSync(path)) return [];
      this.#db ??= new DatabaseSync(path, { readOnly: true, timeout: 250 });
      return this.#db.prepare(sql).all() as Record<string, unknown>[];
    } catch {
      this.close();
      return [];
    }
  }

  /** Lets go of the store, so that the next process finds it as the killed one left it. */
  close(): void {
    this.#db?.close();
    this.#db = null;
  }
}

/** An attempt's end is the intent to tidy up after it. */
function nameOf(kind: string, data: string): string {
  if (kind === "attempt-phase") return (JSON.parse(data) as { phase: string }).phase;
  return kind === "attempt-ended" ? "tidy" : kind;
}
