/** What an agent said and did, rendered from its own output; and the raw bytes for who wants them. */
import { existsSync, watch } from "node:fs";
import { join } from "node:path";
import type { AgentEvent } from "../agents/agent.ts";
import { addUsages } from "../core/cost.ts";
import type { Attempt } from "../core/attempt.ts";
import { OwtError } from "../core/errors.ts";
import { readLines } from "../lib/lines.ts";
import { readAttempt, readAttempts } from "../store/attempts.ts";
import { attemptDir, type Engine, findAgent } from "./engine.ts";
import { findTask } from "./tasks.ts";

/** The attempt of a task by its number, by default the last. Throws `unknown-name` or `wrong-state`. */
export function findAttempt(engine: Engine, key: string, number: number | null, run?: string): Attempt {
  const task = findTask(engine, key, { run });
  const attempts = readAttempts(engine.store, task.id);
  if (attempts.length === 0)
    throw new OwtError("wrong-state", `${task.key} has not been started`, { hint: `see: owt task show ${task.key}` });
  const found = number === null ? attempts.at(-1) : attempts.find((attempt) => attempt.number === number);
  if (found) return found;
  throw new OwtError("unknown-name", `${task.key} has no attempt ${number}`, {
    hint: `it has ${attempts.map((attempt) => attempt.number).join(", ")}`,
  });
}

/** Calls `onLine` with each raw line of an attempt's output; with `follow` until the attempt ends or the signal aborts. */
export async function readLog(
  engine: Engine,
  attempt: Attempt,
  onLine: (line: string) => void,
  follow: boolean,
  signal: AbortSignal,
): Promise<void> {
  const file = join(attemptDir(engine, attempt.id), "out");
  let offset = readLines(file, 0, onLine, !follow);
  while (follow && !signal.aborted) {
    const over = readAttempt(engine.store, attempt.id)?.outcome !== null;
    offset = readLines(file, offset, onLine, over);
    if (over) return;
    await fileChanges(file, signal);
  }
}

/** Renders one line as its agent means it; several lines, one, or none. */
export function renderLine(engine: Engine, attempt: Attempt, line: string): string[] {
  return findAgent(engine, attempt.agent).parse(line).flatMap(renderEvent);
}

/** What our own programs said beside the agent: red checks behind its turn, a setup that failed before it. */
export function renderChecks(engine: Engine, attempt: Attempt): string[] {
  const outcome = readAttempt(engine.store, attempt.id)?.outcome;
  if (outcome?.kind === "verify_failed") return told(`✗ verify failed: ${outcome.command}`, outcome.output);
  if (outcome?.kind === "failed" && outcome.output) return told(`✗ ${outcome.reason}`, outcome.output);
  return [];
}

function told(head: string, output: string): string[] {
  return output.trim() === "" ? [head] : [head, ...output.split("\n")];
}

function renderEvent(event: AgentEvent): string[] {
  switch (event.kind) {
    case "said":
      return [event.text];
    case "tool":
      return [`→ ${event.name}  ${event.detail}`];
    case "tool-result":
      return event.isError ? [`  ✗ ${event.text.split("\n").slice(0, 5).join("\n    ")}`] : [];
    case "denied":
      return [`✗ was not allowed to use ${event.tool}`];
    case "limit":
      return [`◷ usage limit${event.resetsAt === null ? "" : `, resets at ${new Date(event.resetsAt).toISOString()}`}`];
    case "error":
      return [`✗ ${event.text}`];
    case "retrying":
      return [`↻ ${event.text}`];
    case "session":
    case "answer":
    case "used":
      return [];
    case "result": {
      const cost = event.result.usage && addUsages([{ models: event.result.usage, missing: null }]).usd;
      return [
        `= ${event.result.isError ? "ended with an error: " : ""}${event.result.text}${cost === null ? "" : ` ($${cost.toFixed(3)})`}`,
      ];
    }
    default: {
      const never: never = event;
      return never;
    }
  }
}

/** Resolves at the next change of a file, or after a moment: the file may not be there yet. */
function fileChanges(file: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const watcher = existsSync(file) ? watch(file, done) : null;
    const timer = setTimeout(done, 250);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
