/** Any program as an agent: the prompt comes on standard input, the exit code and git tell how it went. */
import type { Outcome } from "../core/outcome.ts";
import { lastLines } from "../lib/tail.ts";
import type { Agent, Evidence } from "./agent.ts";
import { questionIn } from "./agent.ts";

export type CommandSettings = { name: string; command: string[] };

export function commandAgent(settings: CommandSettings): Agent {
  return {
    name: settings.name,
    remembers: false,
    hasConversation: () => false,
    invoke: (turn) => ({
      file: settings.command[0] ?? settings.name,
      args: [...settings.command.slice(1), ...turn.extraArgs],
      env: {
        OWT_SESSION: turn.session,
        ...(turn.model ? { OWT_MODEL: turn.model } : {}),
        ...(turn.maxTokens === null ? {} : { OWT_MAX_TOKENS: String(turn.maxTokens) }),
      },
      stdin: turn.prompt,
    }),
    parse: (line) => (line.trim() ? [{ kind: "said", text: line }] : []),
    judge: judgeByExit,
  };
}

function judgeByExit(evidence: Evidence): Outcome {
  if (evidence.exitCode === null) return { kind: "lost" };
  if (evidence.exitCode !== 0) {
    const said = lastLines(evidence.stderrTail || evidence.lastSaid, 5);
    return { kind: "failed", reason: said ? `exit ${evidence.exitCode}: ${said}` : `exit ${evidence.exitCode}` };
  }
  const question = questionIn(evidence.lastSaid);
  if (question) return { kind: "asked", question };
  return evidence.changed ? { kind: "ok" } : { kind: "nothing_done", said: evidence.lastSaid };
}
