/** Checks work with the verify commands, in a task's worktree or at a merge candidate. */
import { join } from "node:path";
import { appendEvent } from "../store/events.ts";
import type { Attempt } from "../core/attempt.ts";
import type { CheckedWhere } from "../core/event.ts";
import type { RedCheck } from "../core/red-check.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { type CheckResult, runCheck } from "./check.ts";
import type { Engine } from "./engine.ts";
import { noteCheckTime } from "./gather.ts";

export type Verdict = { kind: "green" } | ({ kind: "red"; output: string } & RedCheck) | { kind: "interrupted" };

export type VerifyPlace = {
  /** Holds the executions. */
  dir: string;
  cwd: string;
  commands: string[];
  where: CheckedWhere;
  timeoutMs: number;
  /** Tasks that are checked together with the attempt's own, by row number. */
  others?: readonly number[];
  /** The one of the commands that is red without this work too: its first word counts. */
  knownRed?: string | undefined;
  /** Asked of a command that was red, before it runs again: whether it is red without this work too. */
  isRedAnyway?: (command: string) => Promise<boolean | "interrupted">;
  /** Asked before each command. */
  isStopped?: () => boolean;
  /** Asked behind each command, whether it counts for nothing: then the rest is not begun. */
  isVoid?: (command: string) => Promise<boolean>;
};

/** The commands that this task's work must pass: the run's and its own. */
export function verifyCommands(run: Run, task: Task): string[] {
  return [...new Set([...run.options.verify, ...task.spec.verify])];
}

/** Runs the commands one after the other until one fails. What was red is run again on the same tree before it counts (`[run] flaky_reruns`): red
 *  work is red each time, and a conversation with an agent about a test that fails one time in ten mends nothing. */
export async function verifyAt(engine: Engine, attempt: Attempt, place: VerifyPlace): Promise<Verdict> {
  const began = performance.now();
  for (const [index, command] of place.commands.entries()) {
    const result = await checkTwice(engine, attempt, place, index);
    if (result === "interrupted" || (await place.isVoid?.(command)) === true) return { kind: "interrupted" };
    if (result.code !== 0) return { kind: "red", command, output: result.output, ...timeUp(result, place.timeoutMs) };
  }
  noteCheckTime(engine, attempt.run, performance.now() - began);
  return { kind: "green" };
}

/** Of a check that ended because its time was up: how long that was. */
export function timeUp(result: Exclude<CheckResult, "interrupted">, timeoutMs: number): { timedOutMs?: number } {
  return result.isTimedOut ? { timedOutMs: timeoutMs } : {};
}

async function checkTwice(engine: Engine, attempt: Attempt, place: VerifyPlace, index: number): Promise<CheckResult> {
  if (place.commands[index] === place.knownRed) return checkOnce(engine, attempt, place, index, 0);
  const check = (again: number) => checkOnce(engine, attempt, place, index, again);
  const { result, red } = await untilSure(engine, check, () => place.isRedAnyway?.(place.commands[index]!));
  if (red === null) return result;
  const { where, others = [] } = place;
  const fact = { kind: "verify-flaky", command: place.commands[index]!, where, code: red } as const;
  appendEvent(
    engine.store,
    engine.now(),
    aboutOf(attempt),
    others.length > 0 ? { ...fact, others: [...others] } : fact,
  );
  return result;
}

/** The first red result, unless a later one is green: `red` is then the code of the first. What took too long is not begun again: it would take as long. `check` is given
 *  how often it was run before; `isSure` is asked before it runs again. */
export async function untilSure(
  engine: Engine,
  check: (again: number) => Promise<CheckResult>,
  isSure: () => Promise<boolean | "interrupted"> | undefined = () => undefined,
): Promise<{ result: CheckResult; red: number | null }> {
  const first = await check(0);
  if (first === "interrupted" || first.code === 0 || first.isTimedOut) return { result: first, red: null };
  const sure = engine.config.run.flaky_reruns > 0 ? ((await isSure()) ?? false) : true;
  if (sure !== false) return { result: sure === "interrupted" ? sure : first, red: null };
  for (let again = 1; again <= engine.config.run.flaky_reruns; again++) {
    const result = await check(again);
    if (result === "interrupted") return { result, red: null };
    if (result.code === 0) return { result, red: first.code };
  }
  return { result: first, red: null };
}

async function checkOnce(
  engine: Engine,
  attempt: Attempt,
  { dir, cwd, commands, where, timeoutMs, isStopped, others = [] }: VerifyPlace,
  index: number,
  again: number,
): Promise<CheckResult> {
  if (isStopped?.()) return "interrupted";
  const command = commands[index]!;
  appendEvent(engine.store, engine.now(), aboutOf(attempt), { kind: "verify-started", command, where });
  const result = await runCheck(engine, {
    attempt: attempt.id,
    dir: join(dir, again === 0 ? String(index) : `${index}-again-${again}`),
    command,
    cwd,
    timeoutMs,
  });
  if (result === "interrupted") return result;
  appendEvent(engine.store, engine.now(), aboutOf(attempt), {
    kind: "verify-ended",
    command,
    where,
    code: result.code,
    ...(others.length > 0 ? { others: others.length } : {}),
    ...(again > 0 ? { again: true } : {}),
  });
  return result;
}

function aboutOf({ run, task, id }: Attempt) {
  return { run, task, attempt: id };
}
