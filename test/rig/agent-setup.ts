/** What an adapter's tests make their agent of. */
import type { Setup } from "../../src/agents/agent.ts";

export function testSetup(name: string, command: string[] = [], env: NodeJS.ProcessEnv = {}): Setup {
  return { name, command, env: { HOME: "/nonexistent", ...env }, owtCommand: ["owt"], stateDir: "/nonexistent" };
}
