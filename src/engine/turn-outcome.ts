/** What an agent's turn came to, from all that it printed and how it ended. */
import type { Evidence } from "../agents/agent.ts";
import type { Attempt, StopCause } from "../core/attempt.ts";
import type { Usage } from "../core/cost.ts";
import { AT_ONCE_MS } from "../core/crash-loop.ts";
import type { Outcome } from "../core/outcome.ts";
import { redact, secretsIn } from "../core/redact.ts";
import type { Task } from "../core/task.ts";
import { readTail } from "../lib/tail.ts";
import { readAttempt } from "../store/attempts.ts";
import { readLaunch } from "../system/launch.ts";
import type { Carried } from "./attempt-moves.ts";
import { workedFor } from "./begun.ts";
import { outcomeOfReached } from "./budget.ts";
import { attemptDir, type Engine, environmentOf, findAgent } from "./engine.ts";
import { wasParked } from "./parked.ts";
import { readHang } from "./watchdog.ts";
import { outputFiles, Transcript } from "./transcript.ts";

/** Causes that end an agent and not its attempt. */
export const ENDS_TURN = new Set<StopCause>(["budget", "timed_out", "finished", "refused", "hung"]);

/** What an attempt's output shows: how it ended, and what it used. */
export type Shown = { evidence: Evidence; refused: Outcome | null; hasEnded: boolean; usage: Usage };

/** How a turn ended, from what its agent says and how it was ended. */
export function judgeTurn(engine: Engine, { run, attempt }: Carried, { evidence, refused, hasEnded }: Shown): Outcome {
  const judged = findAgent(engine, attempt.agent).judge(evidence);
  // An agent that had ended its turn well, or left by itself, before the signal reached it is judged by what it did.
  const endedWell = hasEnded && evidence.results.at(-1)?.isError === false;
  const endedItself = endedWell || evidence.exitCode === 0;
  switch (attempt.stop) {
    case null:
      return !endedItself && wasParked(engine, attempt) ? { kind: "stopped" } : judged;
    case "timed_out":
      // An agent that was still asking its API again has met what it could not get over, not the end of its time.
      if (endedWell) return judged;
      return evidence.retrying ?? { kind: "timed_out", afterMs: run.options.timeoutMs };
    case "hung":
      // The same; and one that had met a usage limit waits for that.
      if (endedWell) return judged;
      return evidence.retrying ?? limitOf(evidence) ?? readHang(engine, attempt) ?? { kind: "lost" };
    case "finished":
      return judged;
    case "refused":
      return refused ?? evidence.retrying ?? judged;
    case "budget":
      return endedItself ? judged : { kind: "budget", reason: "" };
    case "stopped":
    case "aborted":
      return endedItself ? judged : { kind: attempt.stop };
    case "taken":
      return endedItself ? judged : { kind: "stopped" };
    default: {
      const never: never = attempt.stop;
      return never;
    }
  }
}

/** Of an agent that died: whether it did so as soon as it was started, and whether it had got on with its work. */
export function withCircumstances(
  engine: Engine,
  attempt: Attempt,
  outcome: Outcome,
  { evidence, usage }: Shown,
  { changed, head }: { changed: boolean; head: string },
): Outcome {
  if (attempt.stop !== null || (outcome.kind !== "lost" && outcome.kind !== "failed")) return outcome;
  const { exitCode, results } = evidence;
  const isSilent = results.length === 0 && usage.models.length === 0 && !changed;
  // Somebody killed it, or the kernel did for want of memory: that is not its own doing.
  const leftItself = exitCode !== null && !KILLED.has(exitCode);
  if (isSilent && leftItself && workedFor(engine, attempt) < AT_ONCE_MS) return { ...outcome, atOnce: true };
  const before = attempt.continues === null ? null : readAttempt(engine.store, attempt.continues);
  const hasMade = outcome.kind === "lost" && exitCode === null && head !== (before?.head ?? attempt.base);
  return hasMade ? { ...outcome, hasMade: true } : outcome;
}

/** A conversation that was not found, and was to begin anew under its id, is there: it goes on, which is nobody's failure. */
export function goesOnInstead({ next }: Task, outcome: Outcome): Outcome {
  if (outcome.kind !== "failed" || outcome.taken !== true || next.kind === "fresh") return outcome;
  return { kind: "stopped", before: "its conversation is there already, and goes on", taken: true };
}

/** Exit codes that stand for KILL and TERM. */
const KILLED = new Set([137, 143]);

function limitOf({ limits }: Evidence): Outcome | null {
  const last = limits.at(-1);
  return last === undefined ? null : { kind: "limit", ...last };
}

/** Which budget it was, with the final figures. An agent may also have one of its own. */
export function budgetOutcome(engine: Engine, carried: Carried, outcome: Outcome & { kind: "budget" }): Outcome {
  return outcomeOfReached(engine, carried) ?? { ...outcome, reason: outcome.reason || "it was used up" };
}

/** Reads the whole output, which is made small then. */
export async function readTurn(engine: Engine, { attempt }: Carried, changed: boolean): Promise<Shown> {
  const transcript = new Transcript(engine, attempt);
  await transcript.readToEnd();
  await transcript.shrink();
  const { evidence, refused, hasEnded } = transcript;
  const end = readLaunch(attemptDir(engine, attempt.id));
  // An agent that had said its last word is not judged by how our signal made it leave.
  evidence.exitCode = attempt.stop === "finished" ? 0 : end.kind === "finished" ? end.code : null;
  // A stack trace can be long, and says first what it is about.
  evidence.stderrTail = redact(
    readTail(outputFiles(engine, attempt.id).err, 65_536),
    secretsIn(environmentOf(engine, findAgent(engine, attempt.agent))),
  );
  evidence.changed = changed;
  return { evidence, refused, hasEnded, usage: transcript.books.read(true) };
}
