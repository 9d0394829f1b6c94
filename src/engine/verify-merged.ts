/** Checks merged work, of one task or of several together, in the run's own worktree. */
import { appendEvent } from "../store/events.ts";
import type { Engine } from "./engine.ts";
import { endEarlierChecks, mergeCheckDir, standAt } from "./integration-worktree.ts";
import type { Waiter } from "./merge-queue.ts";
import { type Verdict, verifyAt } from "./verify.ts";
import { setUp } from "./workspace.ts";

/** Moves the worktree to the candidate and runs the commands there. It is interrupted when the attempt of one of the tasks is told to stop. */
export async function verifyMerged(
  engine: Engine,
  group: readonly Waiter[],
  { candidate, commands }: { candidate: string; commands: string[] },
): Promise<Verdict> {
  const { run, attempt } = group[0]!.carried;
  const isStopped = () => group.some((waiter) => waiter.isStopped);
  const halt = () => {
    for (const waiter of group) waiter.isHalted = true;
    engine.live.get(attempt.id)?.("stopped");
    for (const waiter of group) waiter.isHalted = false;
  };
  for (const waiter of group) waiter.halt = halt;
  try {
    if (isStopped()) return { kind: "interrupted" };
    const tasks = group.map(({ carried: { task } }) => task.id);
    appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "merges-checked", tasks });
    await endEarlierChecks(engine, run.id);
    const path = await standAt(engine, run.id, candidate);
    const dir = mergeCheckDir(engine, attempt.id, candidate);
    const { timeoutMs } = run.options;
    const problem = isStopped()
      ? "interrupted"
      : await setUp(engine, { attempt: attempt.id, dir, worktree: path, timeoutMs });
    if (problem === "interrupted") return { kind: "interrupted" };
    if (problem) return { kind: "red", command: problem.failed, output: problem.output };
    const others = tasks.slice(1);
    return await verifyAt(engine, attempt, { dir, cwd: path, commands, where: "run", timeoutMs, others, isStopped });
  } finally {
    for (const waiter of group) waiter.halt = null;
  }
}
