/** Whether the branches of runs can be where they belong: said before a run starts, and by `owt doctor`. */
import { OwtError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import { shellWord } from "../lib/printable.ts";
import { clearOldLocks } from "../git/locks.ts";
import { findBranchAbove, findRefFault, findRefLock } from "../git/ref-fault.ts";
import { findUnwritable } from "../git/unwritable.ts";
import { readRuns } from "../store/runs.ts";
import type { Engine } from "./engine.ts";
import type { Finding } from "./examine-machine.ts";
import { describeFault, describeLocked } from "./run-tip.ts";

/** Throws `environment` where git cannot write what a run needs it to. */
export function refuseUnwritable({ repo }: Engine): void {
  const found = findUnwritable(repo, { all: true });
  if (found !== null) throw new OwtError("environment", found.why, { hint: `${found.command}; then the same again` });
}

/** Throws `wrong-state` where a branch of the user's has the name of the folder that those of runs and tasks lie in. */
export async function refuseBranchAbove(engine: Engine): Promise<void> {
  const above = await findAbove(engine);
  if (above !== null)
    throw new OwtError("wrong-state", describeAbove(above), { hint: `${renameAbove(above)}; then the same again` });
}

async function findAbove({ repo }: Engine): Promise<string | null> {
  return (await findBranchAbove(repo, "owt/runs/r1")) ?? (await findBranchAbove(repo, "owt/tasks/t"));
}

function describeAbove(branch: string): string {
  return `a branch is named ${branch}, and git cannot have those of runs and tasks (owt/runs/…, owt/tasks/…) beside it`;
}

function renameAbove(branch: string): string {
  return `git branch -m ${branch} ${branch.replace("/", "-")}-mine`;
}

/** Branches in the way of those of runs, and what is amiss with those of open runs. With `fix`, locks that nobody can hold any more are taken away. */
export async function examineRefs(engine: Engine, fix: boolean): Promise<Finding[]> {
  const unwritable = findUnwritable(engine.repo, { all: true });
  if (unwritable !== null)
    return [{ check: "repository", state: "fail", detail: unwritable.why, hint: unwritable.command }];
  const above = await findAbove(engine);
  if (above !== null)
    return [{ check: "branches", state: "fail", detail: describeAbove(above), hint: renameAbove(above) }];
  const findings = [];
  for (const run of readRuns(engine.store, "open")) {
    if (fix) await clearOldLocks(engine.repo, [run.branch]);
    const lock = findRefLock(engine.repo, run.branch);
    const fault = await findRefFault(engine.repo, run.branch);
    if (lock !== null) findings.push(tellLock(run, lock.path));
    if (fault === null) continue;
    const { why, command } = describeFault(engine, run, fault);
    findings.push({ check: "branches", state: "fail", detail: why, hint: command } as const);
  }
  return findings;
}

function tellLock(run: Run, path: string): Finding {
  const detail = describeLocked(run, path);
  const hint = `owt doctor --fix, once it is a minute old; at once, where no git is at work: rm ${shellWord(path)}`;
  return { check: "branches", state: "fail", detail, hint };
}
