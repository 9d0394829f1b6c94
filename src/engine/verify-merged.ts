/** Checks merged work, of one task or of several together, and the run's branch alone, in the run's own worktree. */
import { existsSync } from "node:fs";
import { strayedTo } from "../git/move.ts";
import { appendEvent } from "../store/events.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { endEarlierChecks, mergeCheckDir, standAt } from "./integration-worktree.ts";
import type { Waiter } from "./merge-queue.ts";
import type { Strayed } from "./strayed.ts";
import { type Verdict, verifyAt, type VerifyPlace } from "./verify.ts";
import { setUp } from "./workspace.ts";

/** Moves the worktree to the candidate and runs the commands there. It is interrupted when the attempt of one of the tasks is told to stop. */
export function verifyMerged(
  engine: Engine,
  group: readonly Waiter[],
  { candidate, commands, knownRed }: { candidate: string; commands: string[]; knownRed: string | undefined },
): Promise<Verdict | Strayed> {
  return untilStopped(engine, group, (isStopped) => {
    const { run } = group[0]!.carried;
    const tasks = group.map(({ carried: { task } }) => task.id);
    appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "merges-checked", tasks });
    const others = tasks.slice(1);
    return checkThere(engine, group[0]!.carried, candidate, { commands, where: "run", others, isStopped, knownRed });
  });
}

/** The same with the branch as it is, for a group whose merge with it was red. `knownRed`: with the one command that it was red with when it was looked at last. */
export function verifyTip(
  engine: Engine,
  group: readonly Waiter[],
  { tip, commands, knownRed }: { tip: string; commands: string[]; knownRed?: string },
): Promise<Verdict | Strayed> {
  // What was said of it earlier is what is in doubt.
  const isNew = knownRed !== undefined;
  return untilStopped(engine, group, (isStopped) =>
    checkThere(engine, group[0]!.carried, tip, { commands, where: "tip", isStopped, knownRed, isNew }),
  );
}

/** The same for one task that is not in the queue yet. */
export function verifyAlone(
  engine: Engine,
  carried: Carried,
  { tip, commands }: { tip: string; commands: string[] },
): Promise<Verdict | Strayed> {
  return checkThere(engine, carried, tip, { commands, where: "tip" });
}

async function untilStopped(
  engine: Engine,
  group: readonly Waiter[],
  check: (isStopped: () => boolean) => Promise<Verdict | Strayed>,
): Promise<Verdict | Strayed> {
  const isStopped = () => group.some((waiter) => waiter.isStopped);
  const halt = () => {
    for (const waiter of group) waiter.isHalted = true;
    engine.live.get(group[0]!.carried.attempt.id)?.("stopped");
    for (const waiter of group) waiter.isHalted = false;
  };
  for (const waiter of group) waiter.halt = halt;
  try {
    return isStopped() ? { kind: "interrupted" } : await check(isStopped);
  } finally {
    for (const waiter of group) waiter.halt = null;
  }
}

/** What made the check say nothing may have been somebody else, an agent, say: it is made once more, and what happens again is the command's doing. So is what
 *  it cannot do twice (`git switch -c`). */
async function checkThere(engine: Engine, carried: Carried, commit: string, how: How): Promise<Verdict | Strayed> {
  await endEarlierChecks(engine, carried.run.id);
  const known = mergeCheckDir(engine, carried.attempt.id, commit);
  const dir = how.isNew === true ? `${known}-${engine.now()}` : known;
  const first = await checkOnce(engine, carried, commit, dir, how);
  if (first.kind !== "strayed") return first;
  const anew = await checkOnce(engine, carried, commit, `${dir}-anew`, how);
  return anew.kind === "red" && first.to !== null ? first : anew;
}

/** `isNew`: it is made whatever an earlier one of this commit came to. */
type How = Pick<VerifyPlace, "commands" | "where" | "others" | "isStopped" | "knownRed"> & { isNew?: boolean };

async function checkOnce(
  engine: Engine,
  { run, attempt }: Carried,
  commit: string,
  dir: string,
  how: How,
): Promise<Verdict | Strayed> {
  const path = await standAt(engine, run.id, commit);
  const { timeoutMs } = run.options;
  const problem = how.isStopped?.()
    ? "interrupted"
    : await setUp(engine, { attempt: attempt.id, dir, worktree: path, timeoutMs });
  if (problem === "interrupted") return { kind: "interrupted" };
  if (problem && !existsSync(path)) return { kind: "strayed", command: problem.failed, to: null };
  if (problem) return { kind: "red", command: problem.failed, output: problem.output };
  let strayed: Strayed | null = null;
  const isVoid = async (command: string) => {
    const to = existsSync(path) ? await strayedTo(engine.repo, path, commit) : null;
    const isSound = to === null && existsSync(path);
    if (!isSound) strayed = { kind: "strayed", command, to };
    return !isSound;
  };
  const verdict = await verifyAt(engine, attempt, { dir, cwd: path, timeoutMs, isVoid, ...how });
  if (strayed === null) return verdict;
  await standAt(engine, run.id, commit);
  return strayed;
}
