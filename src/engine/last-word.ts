/** What an agent did last, from the end of its own output: cheap enough for who only looks. */
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import { readTail } from "../lib/tail.ts";
import { attemptDir, type Engine, findAgent, isAgent } from "./engine.ts";

/** How far from its end the output is read. */
const TAIL_BYTES = 64 * 1024;

/** What the agent of an attempt writes. */
export function outputFile(engine: Engine, attempt: number): string {
  return join(attemptDir(engine, attempt), "out");
}

/** The last tool call or word in the output of an attempt; empty where there is none. */
export function readLastWord(engine: Engine, { id, agent }: Pick<Attempt, "id" | "agent">): string {
  // In whose words it is written, nobody knows any more.
  if (!isAgent(engine, agent)) return "";
  return lastWordIn(readTail(outputFile(engine, id), TAIL_BYTES), (line) => findAgent(engine, agent).parse(line));
}

/** The last tool call or word in an agent's output; empty where there is none. */
function lastWordIn(text: string, parse: (line: string) => ReturnType<ReturnType<typeof findAgent>["parse"]>): string {
  for (const line of text.trimEnd().split("\n").toReversed()) {
    for (const event of parse(line).toReversed()) {
      if (event.kind === "tool") return `→ ${event.name} ${event.detail}`.trimEnd();
      if (event.kind === "said" && event.text.trim()) return event.text.trim().split("\n", 1)[0]!;
      if (event.kind === "retrying") return `↻ ${event.text}`;
    }
  }
  return "";
}
