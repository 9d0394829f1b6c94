/** What work has to be before its checks are worth running: nothing outside what its task may change. */
import { outsideOf } from "../core/touches.ts";
import { changedSinceFork } from "../git/changes.ts";
import type { Oid } from "../git/git.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { runTip } from "./run-tip.ts";

/** Shown of many; the agent can ask git for the rest. */
const MOST = 50;

/** What is wrong with the work at `head`, as a check would say it; null where nothing is. Work of other tasks that was merged into it is theirs. */
export async function passGate(
  engine: Engine,
  { run, task }: Carried,
  head: Oid,
): Promise<{ command: string; output: string; paths: string[] } | null> {
  const { touches } = task.spec;
  if (touches.length === 0) return null;
  const { fork, paths } = await changedSinceFork(engine.repo, await runTip(engine, run), head);
  const outside = outsideOf(paths, touches);
  if (outside.length === 0) return null;
  const shown = outside.slice(0, MOST).map((path) => `  ${path}`);
  const rest = outside.length > MOST ? [`  … and ${outside.length - MOST} more`] : [];
  const output = [
    `This task may change nothing but: ${touches.join(", ")}`,
    `It changed also:`,
    ...shown,
    ...rest,
    `Put these back as they were: git checkout ${fork} -- PATH, or git rm PATH for one that is new; then commit.`,
    `If the task cannot be done without one of them, ask.`,
  ].join("\n");
  return { command: "nothing outside what the task touches", output, paths: outside };
}
