/** Every kind of agent there is. A new one is a file beside this one and a line here. */
import type { Adapter, Agent, Setup } from "./agent.ts";
import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import { command } from "./command.ts";
import { demo } from "./demo.ts";

const ADAPTERS: Readonly<Record<string, Adapter>> = { claude, codex, demo, command };

/** What `[agent.NAME] kind` may say. */
export const AGENT_KINDS: readonly string[] = Object.keys(ADAPTERS);

/** Agents that are there under their own names without any configuration. */
export const READY_AGENTS: readonly string[] = AGENT_KINDS.filter((kind) => kind !== "command");

/** The permission modes that need the user's approval, of whichever agent. */
export const WIDE_MODES: ReadonlySet<string> = new Set(Object.values(ADAPTERS).flatMap(({ about }) => about.wideModes));

/** The permission modes that an agent of this kind takes; null where any goes. Without a kind those of all agents: a plan's reaches whichever it is. */
export function permissionModes(kind?: string): readonly string[] | null {
  if (kind !== undefined) return Object.hasOwn(ADAPTERS, kind) ? ADAPTERS[kind]!.about.modes : null;
  return Object.values(ADAPTERS).flatMap(({ about }) => about.modes ?? []);
}

/** What no agent's work consists of, whichever agent wrote it. */
export const OWN_FILES: readonly string[] = Object.values(ADAPTERS).flatMap(({ about }) => about.ownFiles);

/** The variables of every agent's own login and settings. */
export function agentVariables(): string[] {
  return Object.values(ADAPTERS).flatMap(({ about }) => [...about.variables]);
}

/** The kind of agent that a name means with these settings; null when it means none. */
export function kindOf(name: string, settings: { kind?: string | undefined; command?: unknown }): string | null {
  if (settings.kind !== undefined) return settings.kind;
  if (READY_AGENTS.includes(name)) return name;
  return settings.command === undefined ? null : "command";
}

/** The agent of a kind; null when there is no such kind. */
export function makeAgent(kind: string, setup: Setup): Agent | null {
  return Object.hasOwn(ADAPTERS, kind) ? ADAPTERS[kind]!.make(setup) : null;
}
