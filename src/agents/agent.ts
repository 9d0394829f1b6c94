/** What every agent adapter does: say how to start the program, read its lines, and judge how it ended. */
import type { ModelUsage, Tokens, Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Prices } from "../core/prices.ts";

/** What an adapter needs to know to start a turn. */
export type Turn = {
  prompt: string;
  /** The conversation's id, chosen by us. */
  session: string;
  /** True when the conversation exists and this turn goes on with it. */
  resume: boolean;
  model: string | null;
  /** The most tokens of one answer; null leaves it to the agent. */
  maxTokens: number | null;
  permissionMode: string;
  allowedTools: string[];
  /** Further arguments of the program. */
  extraArgs: string[];
  /** What it may spend at most, in dollars; an agent that cannot keep to it is metered all the same. */
  budgetUsd: number | null;
};

/** How to start the program. The prompt travels by standard input: one argument ends at 128 KiB. */
export type Invocation = { file: string; args: string[]; env: Record<string, string>; stdin: string };

/** What a line of output meant. */
export type AgentEvent =
  | { kind: "said"; text: string }
  | { kind: "tool"; name: string; detail: string }
  | { kind: "tool-result"; text: string; isError: boolean }
  | { kind: "denied"; tool: string }
  | { kind: "limit"; resetsAt: number | null }
  | { kind: "error"; text: string; status: number | null; type: string | null }
  /** It waits and will ask its API again; `because` is what the turn would have ended with. */
  | { kind: "retrying"; because: Outcome; text: string }
  /** The conversation's real id, where the agent gave it another one. */
  | { kind: "session"; id: string }
  /** The model has spoken. */
  | { kind: "answer"; answer: Answer }
  /** What was used since the last line of this kind, where an agent tells it as it goes. */
  | { kind: "used"; usage: ModelUsage }
  | { kind: "result"; result: AgentResult };

/** One answer of the model, or what can be seen of it yet. It comes on several lines: told apart by its id. */
export type Answer = {
  id: string;
  model: string | null;
  tokens: Tokens;
  /** Whether it came to its end, so that its tokens are the final ones. */
  isWhole: boolean;
};

/** The agent's own closing statement. */
export type AgentResult = {
  isError: boolean;
  text: string;
  subtype: string | null;
  apiStatus: number | null;
  terminalReason: string | null;
  stopReason: string | null;
  denials: string[];
  turns: number | null;
  /** What was used, by model; null where it does not say. */
  usage: ModelUsage[] | null;
  /** Whether `usage` counts from the result before it, so that those of one turn add up; else the last one holds them all. */
  usageSinceLast: boolean;
};

/** Everything an outcome is judged from. */
export type Evidence = {
  /** Exit code of the program; null when it left none. */
  exitCode: number | null;
  results: AgentResult[];
  denials: string[];
  limits: { resetsAt: number | null }[];
  errors: { text: string; status: number | null; type: string | null }[];
  /** What it was trying to get over when it was stopped; null when it got over it. */
  retrying: Outcome | null;
  lastSaid: string;
  /** The last lines of standard error. */
  stderrTail: string;
  /** Whether git shows work on the task's branch. */
  changed: boolean;
};

/** Counts what a turn uses, while it goes on and after its end. */
export interface Books {
  /** Takes in what a line of output meant. */
  take(event: AgentEvent): void;
  /** What was used up to now. `isOver`: nothing more will come, so that what was under way is missing. */
  read(isOver: boolean): Usage;
}

/** Which turn is counted. */
export type CountedTurn = {
  session: string;
  /** When its attempt began, in epoch milliseconds. */
  since: number;
  prices: Prices;
};

export interface Agent {
  readonly name: string;
  /** Whether a later turn remembers the earlier ones; if not, follow-up prompts repeat the task. */
  readonly remembers: boolean;
  /** What has to be said of its figures before a budget relies on them; null: they can be relied on. */
  readonly doubtsAboutCost: string | null;
  /** Whether this conversation can be resumed, for an agent that remembers. */
  hasConversation(session: string): boolean;
  invoke(turn: Turn): Invocation;
  /** Reads one line of output; what it does not know is no event. Never throws. */
  parse(line: string): AgentEvent[];
  judge(evidence: Evidence): Outcome;
  openBooks(turn: CountedTurn): Books;
}

/** The program that an agent starts. */
export function programOf(agent: Agent): string {
  const nothing = { prompt: "", session: "", resume: false, model: null, maxTokens: null, budgetUsd: null };
  return agent.invoke({ ...nothing, permissionMode: "", allowedTools: [], extraArgs: [] }).file;
}

/** The line that ends a turn with a question. Our prompt defines it, so that a question is never guessed from prose. */
export const QUESTION_MARKER = "OWT-QUESTION:";

/** The question in an agent's last words, or null. The marker opens a line (behind marks of emphasis or quotation);
 *  one that is merely mentioned asks nothing. */
export function questionIn(text: string): string | null {
  const opening = [...text.matchAll(MARKED_LINE)].at(-1);
  return opening ? text.slice(opening.index + opening[0].length).trim() || null : null;
}

const MARKED_LINE = new RegExp(`^[\\s>*_\`#-]*${QUESTION_MARKER}`, "gm");

/** Collects evidence from events as they are read. */
export function gather(evidence: Evidence, event: AgentEvent): void {
  evidence.retrying = event.kind === "retrying" ? event.because : null;
  switch (event.kind) {
    case "said":
      evidence.lastSaid = event.text;
      return;
    case "denied":
      evidence.denials.push(event.tool);
      return;
    case "limit":
      evidence.limits.push({ resetsAt: event.resetsAt });
      return;
    case "error":
      evidence.errors.push({ text: event.text, status: event.status, type: event.type });
      return;
    case "result":
      evidence.results.push(event.result);
      if (event.result.text) evidence.lastSaid = event.result.text;
      return;
    case "tool":
    case "tool-result":
    case "retrying":
    case "session":
    case "answer":
    case "used":
      return;
    default: {
      const never: never = event;
      return never;
    }
  }
}

export function noEvidence(): Evidence {
  return {
    exitCode: null,
    results: [],
    denials: [],
    limits: [],
    errors: [],
    retrying: null,
    lastSaid: "",
    stderrTail: "",
    changed: false,
  };
}
