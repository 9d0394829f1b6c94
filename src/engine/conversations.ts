/** Which conversations are still there when a run was left. */
import { readAttemptsOfRun } from "../store/attempts.ts";
import { type Engine, findAgent, knownAgents } from "./engine.ts";

/** Whether any agent of the run that was stopped goes on with its conversation; some kinds have none. */
export function keepsConversations(engine: Engine, run: string): boolean {
  const known = new Set(knownAgents(engine.config));
  return readAttemptsOfRun(engine.store, run).some(
    ({ outcome, agent, session }) =>
      (outcome === null || outcome.kind === "stopped") &&
      known.has(agent) &&
      findAgent(engine, agent).hasConversation(session),
  );
}
