/** The setup of an attempt's worktree, and what is remembered of what it leaves. */
import type { SetupSaid } from "../core/reuse.ts";
import { appendEvent } from "../store/events.ts";
import type { Carried } from "./attempt-moves.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { dropBefore, noteBefore, noteLeft, setUp, type SetupProblem } from "./workspace.ts";

/** Runs what makes an attempt's worktree ready, unless that was done. Null when it is ready. */
export async function runSetup(engine: Engine, carried: Carried): Promise<SetupProblem | "interrupted" | null> {
  const { run, attempt } = carried;
  const { worktree } = attempt;
  const dir = attemptDir(engine, attempt.id);
  const tell = (said: SetupSaid) => noteSetup(engine, carried, said);
  await noteBefore(engine, worktree);
  const problem = await setUp(engine, { attempt: attempt.id, dir, worktree, timeoutMs: run.options.timeoutMs, tell });
  if (problem === null) await noteLeft(engine, worktree);
  else if (problem !== "interrupted") dropBefore(engine, worktree);
  return problem;
}

/** What is about the same thing is said once: it is so for every task. */
export function noteSetup(engine: Engine, { run, task, attempt }: Carried, said: SetupSaid): void {
  const about = { run: run.id, task: task.id, attempt: attempt.id };
  if (said.level === "done") {
    const { folder, way, why, from, tookMs } = said;
    const fact = { kind: "dependencies", folder, way, why, from, tookMs: Math.round(tookMs) } as const;
    appendEvent(engine.store, engine.now(), about, fact);
    return;
  }
  if (said.level === "submodules") return;
  const known = saidOf.get(engine) ?? new Set<string>();
  saidOf.set(engine, known);
  if (known.has(said.about)) return;
  known.add(said.about);
  appendEvent(engine.store, engine.now(), about, { kind: "note", text: said.text });
}

const saidOf = new WeakMap<Engine, Set<string>>();
