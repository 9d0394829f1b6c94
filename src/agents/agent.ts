/** What every agent adapter does: say how to start the program, read its lines, and judge how it ended. */
import type { ModelUsage, Tokens, Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Prices } from "../core/prices.ts";

/** One kind of agent: the whole of what its file has to bring. `registry.ts` lists them; docs/guide/agents.md shows how one is written. */
export type Adapter = {
  about: About;
  make(setup: Setup): Agent;
};

/** What an adapter is given to make an agent of. */
export type Setup = {
  /** The name it is configured under: `[agent.NAME]`. */
  name: string;
  /** The program and its first arguments; empty where nothing is configured. */
  command: readonly string[];
  /** Our own environment. What the agent gets of it, `variables` says. */
  env: NodeJS.ProcessEnv;
  /** How owt calls itself. */
  owtCommand: readonly string[];
  /** The repository's folder for what an adapter keeps; whoever writes there makes it. */
  stateDir: string;
};

/** What holds for a kind of agent whatever it is told to do. */
export type About = {
  /** The line that installs the program; null for a program of the user's own. */
  install: string | null;
  /** What makes the program print its version; null where that is not known. */
  versionArgs: readonly string[] | null;
  /** Versions that are known to make trouble. */
  unsound: readonly Unsound[];
  capabilities: readonly Capability[];
  /** Variables of the user's that reach it beside those that every command gets: its login and its settings, never those of a session
   *  that surrounds us. A * at the end stands for any rest. */
  variables: readonly string[];
  /** Every permission mode that it takes; null for a program that takes none or whatever it likes. */
  modes: readonly string[] | null;
  /** Permission modes that let it do more than change its worktree: where a repository asks for one, the user must approve. */
  wideModes: readonly string[];
  /** Files below a worktree in which it keeps what is a person's own; they are never committed by us. */
  ownFiles: readonly string[];
};

/** What an adapter can do, as `owt doctor` tells it. */
export type Capability =
  /** It commits by itself; the leftovers of others are committed by us. */
  | "commit"
  /** A later turn remembers the earlier ones. */
  | "resume"
  /** The conversation's id is chosen by us; others tell theirs, with the event `session`. */
  | "preset-id"
  | "cost"
  | "tokens"
  /** Tells when a usage limit ends. */
  | "rate-reset"
  /** Caps of its own on money and on turns, told apart from other ends. */
  | "budget"
  | "max-turns"
  | "questions"
  /** Names the tool that it was not allowed to use. */
  | "permissions";

/** Versions that are not to be relied upon: from `from` on (or any), below `below` (or all later). */
export type Unsound = {
  from?: string;
  below?: string;
  reason: string;
  /** When this was found, YYYY-MM-DD. */ since: string;
};

/** Whether the program can prove who it works for. Never holds the secret. */
export type Login = {
  state: "found" | "missing" | "unknown" | "not-needed";
  /** Where it is found, or was looked for: it tells one login from another. */
  detail: string;
  /** The variable that holds it. */
  variable?: string;
  hint?: string;
};

/** What an adapter needs to know to start a turn. */
export type Turn = {
  prompt: string;
  /** The conversation's id: chosen by us, or the one that the agent told. */
  session: string;
  /** True when the conversation exists and this turn goes on with it. */
  resume: boolean;
  model: string | null;
  /** The most tokens of one answer; null leaves it to the agent. */
  maxTokens: number | null;
  /** The agent's own word; null leaves the choice to the adapter. */
  permissionMode: string | null;
  allowedTools: string[];
  /** Further arguments of the program. */
  extraArgs: string[];
  /** What it may spend at most, in dollars; an agent that cannot keep to it is metered all the same. */
  budgetUsd: number | null;
};

/** How to start the program. The prompt travels by standard input: one argument ends at 128 KiB. */
export type Invocation = { file: string; args: string[]; env: Record<string, string>; stdin: string };

/** How a conversation with a person is started, in a terminal. */
export type Talk = Omit<Turn, "prompt" | "budgetUsd"> & {
  /** What it is told first; null where the person begins. It stands in the arguments, so it is no longer than {@link MOST_TOLD}. */
  prompt: string | null;
  /** The file that it appends a line to whenever its state changes, where this kind can; one for the settings that it needs for that; and the
   *  script that its hooks run, `script EVENT file` with the event as JSON on standard input. Null where nobody reads it. */
  spool: { file: string; settings: string; script: string } | null;
};

/** How a conversation is started; `settings` is to stand in the file that was named for it. */
export type Start = Omit<Invocation, "stdin"> & { settings: string | null };

/** One argument can hold 128 KiB on Linux, with all that it is wrapped in. */
export const MOST_TOLD = 100_000;

/** Set for an agent whose own hooks tell its state: the file to which they do. Installed hooks leave it to them, and who has it is an agent. */
export const SPOOL_VARIABLE = "OWT_SPOOL";

/** What a line of output meant. */
export type AgentEvent =
  | { kind: "said"; text: string }
  | { kind: "tool"; name: string; detail: string }
  | { kind: "tool-result"; text: string; isError: boolean }
  | { kind: "denied"; tool: string }
  /** `model`: it is a window of one model only, by a part of its name. */
  | { kind: "limit"; resetsAt: number | null; model?: string }
  | { kind: "error"; text: string; status: number | null; type: string | null }
  /** It waits and will ask its API again; `because` is what the turn would have ended with. */
  | { kind: "retrying"; because: Outcome; text: string }
  /** The conversation's real id. It is kept, and the next turn resumes it. */
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
  /** The id of the conversation as the agent told it; null when it told none. */
  session: string | null;
  /** Exit code of the program; null when it left none. */
  exitCode: number | null;
  results: AgentResult[];
  denials: string[];
  limits: { resetsAt: number | null; model?: string }[];
  errors: { text: string; status: number | null; type: string | null }[];
  /** What it was trying to get over when it was stopped; null when it got over it. */
  retrying: Outcome | null;
  lastSaid: string;
  /** The last few things said, oldest first: of a program that speaks line by line, its last lines that are not blank. */
  saidLately: string[];
  /** The end of standard error, without the secrets of its environment. */
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
  readonly about: About;
  /** What has to be said of its figures before a budget relies on them; null: they can be relied on. */
  readonly doubtsAboutCost: string | null;
  /** Looks where the program would look, in the environment that it gets. */
  login(env: NodeJS.ProcessEnv): Login;
  /** What tells the account behind that login, at the API that it is used with, from all others, wherever on this machine it is used; null where nothing
   *  does. It may be the secret itself: for a hash only. `root` is the checkout whose settings count. */
  account(env: NodeJS.ProcessEnv, root: string): string | null;
  /** Whether this conversation can be resumed; if not, follow-up prompts repeat the task. */
  hasConversation(session: string): boolean;
  /** The files in which it keeps its own record of a conversation: they grow while it works. */
  recordsOf(session: string): string[];
  invoke(turn: Turn): Invocation;
  /** How to start it in a terminal, for a person to talk to; null where this kind only works unattended. */
  talk(talk: Talk): Start | null;
  /** Reads one line of output; what it does not know is no event. Never throws. */
  parse(line: string): AgentEvent[];
  judge(evidence: Evidence): Outcome;
  openBooks(turn: CountedTurn): Books;
}

/** The program that an agent starts. */
export function programOf(agent: Agent): string {
  return invokeNothing(agent).file;
}

/** How an agent would be started for no task at all: its program and the environment it sets. */
export function invokeNothing(agent: Agent): Invocation {
  const nothing = { prompt: "", session: "", resume: false, model: null, maxTokens: null, budgetUsd: null };
  return agent.invoke({ ...nothing, permissionMode: null, allowedTools: [], extraArgs: [] });
}

/** The line that ends a turn with a question. Our prompt defines it, so that a question is never guessed from prose. */
export const QUESTION_MARKER = "OWT-QUESTION:";

/** The questions in an agent's last words, each with what stands behind it; null where there is none. The marker opens a line (behind marks of
 *  emphasis, of quotation or of a list), in capitals or not; one that is merely mentioned, or shown in a block of code, asks nothing. */
export function questionIn(text: string): string | null {
  const hidden = text.replaceAll(CODE_BLOCK, (block) => block.replaceAll(/[^\n]/g, " "));
  const openings = [...hidden.matchAll(MARKED_LINE)];
  const questions = openings.map((opening, index) => {
    const words = text.slice(opening.index + opening[0].length, openings[index + 1]?.index).trim();
    return withoutMarks(words, /[*_`]+\s*$/.exec(opening[1]!)?.[0].trim() ?? "");
  });
  return questions.filter((each) => each !== "").join("\n") || null;
}

const MARKED_LINE = new RegExp(`^([ \\t>*_\`#-]*)${QUESTION_MARKER.slice(0, -1)}[*_\`]*\\s*:`, "gim");
/** From fence to fence; one that nobody closed is no block, or a question behind it would be lost. */
const CODE_BLOCK = /^[ \t]*(```|~~~)[^\n]*\n[\s\S]*?^[ \t]*\1[ \t]*$/gm;

/** Marks of emphasis that began before the marker end behind it, or at the end of its line. */
function withoutMarks(words: string, opened: string): string {
  if (opened === "") return words.replace(/^[*_`]{2,}\s+/, "");
  if (words.startsWith(opened)) return words.slice(opened.length).trim();
  const [first = "", ...rest] = words.split("\n");
  const line = first.trimEnd();
  return [line.endsWith(opened) ? line.slice(0, -opened.length).trim() : first, ...rest].join("\n");
}

/** So many lines, blank ones aside, a program may still say behind the question that it asks. */
export const SAID_LATELY = 10;

/** Collects evidence from events as they are read. */
export function gather(evidence: Evidence, event: AgentEvent): void {
  evidence.retrying = event.kind === "retrying" ? event.because : null;
  switch (event.kind) {
    case "session":
      evidence.session = event.id;
      return;
    case "said":
      evidence.lastSaid = event.text;
      evidence.saidLately.push(event.text);
      if (evidence.saidLately.length > SAID_LATELY) evidence.saidLately.shift();
      return;
    case "denied":
      evidence.denials.push(event.tool);
      return;
    case "limit":
      evidence.limits.push({
        resetsAt: event.resetsAt,
        ...(event.model === undefined ? {} : { model: event.model }),
      });
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
    session: null,
    exitCode: null,
    results: [],
    denials: [],
    limits: [],
    errors: [],
    retrying: null,
    lastSaid: "",
    saidLately: [],
    stderrTail: "",
    changed: false,
  };
}
