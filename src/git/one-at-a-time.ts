/** A queue per repository, for what git cannot do twice at once. */

const queues = new Map<string, Promise<unknown>>();

/** Runs `work` after everything that was given for the same key before. A failure is the caller's, not the next one's. */
export function oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
  const turn = (queues.get(key) ?? Promise.resolve()).then(work);
  const settled = turn.catch(() => {});
  queues.set(key, settled);
  void settled.then(() => {
    if (queues.get(key) === settled) queues.delete(key);
  });
  return turn;
}
