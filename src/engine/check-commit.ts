/** Checks a commit before a branch moves to it: in a worktree where nobody else works, made ready like every other, with every command. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { strayedTo } from "../git/move.ts";
import { type CheckResult, runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";
import { standAt } from "./integration-worktree.ts";
import { timeUp, untilSure, type Verdict } from "./verify.ts";
import { setUp } from "./workspace.ts";
import { stoppedBy } from "./stops.ts";

export type CommitCheck = {
  /** The worktree's name below the folder of the runs' worktrees. */
  name: string;
  commit: string;
  commands: readonly string[];
  /** Holds the executions. */
  dir: string;
  timeoutMs: number;
  by: Asker;
};

/** Who waits for it: `leave` stops what runs when it aborts; `tell` hears what is worth a word meanwhile. */
export type Asker = { leave: AbortSignal; tell: (text: string) => void };

/** Runs the commands one after the other until one fails. The worktree stays: whoever called knows what is to become of it. */
export async function checkCommit(engine: Engine, check: CommitCheck): Promise<Verdict> {
  return stoppedBy(engine, NO_ATTEMPT, check.by.leave, () => checkThere(engine, check));
}

async function checkThere(
  engine: Engine,
  { name, commit, commands, dir, timeoutMs, by }: CommitCheck,
): Promise<Verdict> {
  const path = await standAt(engine, name, commit);
  const place = { attempt: NO_ATTEMPT, dir, worktree: path, timeoutMs };
  const problem = await setUp(engine, place);
  if (problem === "interrupted") return { kind: "interrupted" };
  if (problem) return { kind: "red", command: problem.failed, output: problem.output };
  for (const [index, command] of commands.entries()) {
    const run = async (again: number): Promise<CheckResult> => {
      if (by.leave.aborted) return "interrupted";
      const at = join(dir, again === 0 ? String(index) : `${index}-again-${again}`);
      return runCheck(engine, { ...place, dir: at, command, cwd: path });
    };
    const { result, red } = await untilSure(engine, run);
    if (result === "interrupted") return { kind: "interrupted" };
    const to = existsSync(path) ? await strayedTo(engine.repo, path, commit) : null;
    if (to !== null) return { kind: "red", command, output: `it switched the worktree to ${to}` };
    if (result.code !== 0) return { kind: "red", command, output: result.output, ...timeUp(result, timeoutMs) };
    if (red !== null)
      by.tell(`flaky: ${command} failed (exit ${red}) and passed when it was run again on the same tree`);
  }
  return { kind: "green" };
}

/** Such a check belongs to no attempt. */
export const NO_ATTEMPT = 0;
