/** How an agent is to be run, as the configuration, a plan, a task and the command line may each say a part of it. */
import type { AgentSettings } from "./config-keys.ts";

/** A key that is absent leaves the choice to whoever stands below. */
export type AgentChoices = {
  model?: string;
  /** The most tokens of one answer. */
  maxTokens?: number;
  /** Claude Code's own word: acceptEdits, plan, … */
  permissionMode?: string;
  /** Claude Code's permission rules: `Bash(npm test)`, `WebFetch`. */
  allowedTools?: string[];
  /** Further arguments of the program. */
  extraArgs?: string[];
};

/** Choices laid over each other, the weakest first: configuration, plan, task, command line. A list is replaced, not added to. */
export function layChoices(...layers: readonly (AgentChoices | undefined)[]): AgentChoices {
  return Object.assign({}, ...layers) as AgentChoices;
}

/** What `[agent.NAME]` chooses. */
export function configuredChoices(settings: AgentSettings | undefined): AgentChoices {
  if (settings === undefined) return {};
  const { model, max_tokens: maxTokens, permission_mode: permissionMode } = settings;
  const { allowed_tools: allowedTools, extra_args: extraArgs } = settings;
  return stated({ model, maxTokens, permissionMode, allowedTools, extraArgs });
}

/** Only what is there: undefined would hide what lies below. */
export function stated(choices: { [Key in keyof AgentChoices]: AgentChoices[Key] | null | undefined }): AgentChoices {
  return Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined && value !== null));
}
