/** Tells of a git that is at work for long: it waits for a program of the user's, as a merge driver is. */
import { roughDuration } from "../lib/duration.ts";
import { appendEvent } from "../store/events.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";

/** A merge takes a moment. */
const LONG_MS = 30_000;

/** Does something that has git merge, and says so once where that takes long. */
export async function tellingSlowGit<T>(
  { repo }: Pick<Engine, "repo">,
  tell: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const timer = setTimeout(() => {
    const given = roughDuration(repo.patience.limitMs);
    tell(
      `git is merging for ${roughDuration(LONG_MS)}: a merge driver or filter of its configuration is at work, which is given ${given}`,
    );
  }, LONG_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

/** The same for a task, in the log. */
export function notingSlowGit<T>(engine: Engine, { run, task, attempt }: Carried, work: () => Promise<T>): Promise<T> {
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  return tellingSlowGit(engine, (text) => appendEvent(engine.store, engine.now(), about, { kind: "note", text }), work);
}
