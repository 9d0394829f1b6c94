/** The tmux server that sessions are on. */
import { agentVariables } from "../agents/registry.ts";
import { terminalEnvironment } from "../system/environment.ts";
import { type Tmux, tmuxServer } from "../tmux/tmux.ts";
import type { Engine } from "./engine.ts";

/** The same for all commands, whatever surrounds them. */
export function sessionServer(engine: Pick<Engine, "env">): Tmux {
  return tmuxServer(terminalEnvironment(engine.env, agentVariables()));
}
