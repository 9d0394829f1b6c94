/** Which conversations are there to go on with. */
import { join } from "node:path";
import type { Agent } from "../agents/agent.ts";
import type { Attempt } from "../core/attempt.ts";
import { LineReader } from "../lib/lines.ts";
import { MapPer } from "../lib/map-per.ts";
import type { Store } from "../store/database.ts";
import { readAttempts, readAttemptsOfRun } from "../store/attempts.ts";
import { attemptDir, type Engine, findAgent, knownAgents } from "./engine.ts";

/** Whether any agent of the run that was stopped goes on with its conversation; some kinds have none. */
export function keepsConversations(engine: Engine, run: string): boolean {
  const known = new Set(knownAgents(engine.config));
  return readAttemptsOfRun(engine.store, run).some(
    (attempt) =>
      (attempt.outcome === null || attempt.outcome.kind === "stopped") &&
      known.has(attempt.agent) &&
      isThere(engine, attempt),
  );
}

/** Whether the conversation of an attempt is there, of this one or of those before it: its record was found, or else it was heard. A program that wraps the agent may let it
 *  keep its records where only it looks. */
export function isThere(engine: Engine, { task, agent: name, session }: Attempt): boolean {
  const agent = findAgent(engine, name);
  if (agent.hasConversation(session)) return true;
  if (!agent.about.capabilities.includes("resume")) return false;
  const turns = readAttempts(engine.store, task).filter((each) => each.agent === name && each.session === session);
  return turns.some(
    ({ id, outcome }) =>
      (outcome?.kind === "stopped" && outcome.taken === true) || wasHeard(engine, { id, session }, agent),
  );
}

/** Turns whose output told of a conversation: that does not change any more. */
const heard = new MapPer<Store, number, true>();

/** How much of an output is looked at: what it begins with. */
const LOOKED_AT_BYTES = 1024 * 1024;

/** Whether a turn told its conversation's name, and got further than that: one that is killed before has none yet. */
function wasHeard(engine: Engine, { id, session }: Pick<Attempt, "id" | "session">, agent: Agent): boolean {
  const known = heard.of(engine.store);
  if (known.has(id)) return true;
  let [isNamed, gotOn] = [false, false];
  new LineReader(join(attemptDir(engine, id), "out")).read((line) => {
    if (gotOn) return;
    for (const event of agent.parse(line)) {
      gotOn ||= isNamed;
      isNamed ||= event.kind === "session" && event.id === session;
    }
  }, LOOKED_AT_BYTES);
  if (gotOn) known.set(id, true);
  return gotOn;
}
