/** Which agents work with the same login: what one of them was refused, the others would be refused as well. */
import { createHash } from "node:crypto";
import { kindOf } from "../agents/registry.ts";
import { type AgentSource, type Engine, environmentOf, findAgent, isAgent } from "./engine.ts";

/** What tells the credential of an agent from others: its kind, and where its login comes from. The value of a variable stands in it as a hash only.
 *  Programs whose login is their own business have each their own. */
export function credentialOf(source: AgentSource, name: string): string {
  const settings = source.config.agent.named[name] ?? {};
  const kind = kindOf(name, settings);
  if (kind === null) return name;
  const agent = findAgent(source, name);
  const env = environmentOf(source, agent);
  const { state, detail, variable } = agent.login(env);
  if (kind === "command" || state === "not-needed") return `${kind} ${name}`;
  return variable === undefined ? `${kind} ${detail}` : `${kind} ${variable} ${hashOf(env[variable] ?? "")}`;
}

/** The same over all repositories of a user, where it can be told whose login it is; null where it cannot. It holds no secret. */
export function sharedLoginOf(engine: Engine, name: string): string | null {
  const kind = kindOf(name, engine.config.agent.named[name] ?? {});
  const agent = findAgent(engine, name);
  const account = agent.account(environmentOf(engine, agent), engine.repo.root);
  return account === null ? null : createHash("sha256").update(`owt login\0${kind}\0${account}`).digest("hex");
}

/** Each `fall_over` to an agent that works with the same login: a usage limit holds that one, too. */
export function idleFallOvers(source: AgentSource): { agent: string; to: string }[] {
  return Object.entries(source.config.agent.named).flatMap(([agent, { fall_over: to }]) => {
    const isBoth = to !== undefined && isAgent(source, agent) && isAgent(source, to);
    return isBoth && credentialOf(source, agent) === credentialOf(source, to) ? [{ agent, to }] : [];
  });
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 16);
}
