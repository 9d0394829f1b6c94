/** Checks work with the verify commands, in a task's worktree or at a merge candidate. */
import { join } from "node:path";
import { appendEvent } from "../store/events.ts";
import type { Attempt } from "../core/attempt.ts";
import { runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";

export type Verdict = { kind: "green" } | { kind: "red"; command: string; output: string } | { kind: "interrupted" };

/** Runs the commands one after the other until one fails. `dir` holds their executions. */
export async function verifyAt(
  engine: Engine,
  attempt: Attempt,
  place: { dir: string; cwd: string; commands: string[]; where: "task" | "run"; timeoutMs: number },
): Promise<Verdict> {
  const about = { run: attempt.run, task: attempt.task, attempt: attempt.id };
  for (const [index, command] of place.commands.entries()) {
    appendEvent(engine.store, engine.now(), about, { kind: "verify-started", command, where: place.where });
    const dir = join(place.dir, String(index));
    const result = await runCheck(engine, {
      attempt: attempt.id,
      dir,
      command,
      cwd: place.cwd,
      timeoutMs: place.timeoutMs,
    });
    if (result === "interrupted") return { kind: "interrupted" };
    appendEvent(engine.store, engine.now(), about, {
      kind: "verify-ended",
      command,
      where: place.where,
      code: result.code,
    });
    if (result.code !== 0) return { kind: "red", command, output: result.output };
  }
  return { kind: "green" };
}
