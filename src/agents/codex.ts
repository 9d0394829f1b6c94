/** Codex, headless: `codex exec --json`, the prompt by standard input. Measured on 0.169.0 with a Responses API on loopback.
 *  Three things are its own. The conversation's id is chosen by Codex and told first. Its sandbox cannot write git's own files in a
 *  linked worktree, so it never commits; its leftovers are committed by us. And an error is told in words alone. */
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { addTokens, NO_TOKENS, type Tokens, type Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import { whyDied } from "../core/why-died.ts";
import { listUsage } from "../core/prices.ts";
import { LineReader } from "../lib/lines.ts";
import { lastLines } from "../lib/tail.ts";
import type {
  About,
  Adapter,
  AgentEvent,
  AgentResult,
  Books,
  CountedTurn,
  Evidence,
  Invocation,
  Login,
  Setup,
  Turn,
} from "./agent.ts";
import { questionIn } from "./agent.ts";
import { amount, list, number, parseJson, readJson, record, type Json, text } from "./json.ts";

/** What Codex calls its sandboxes; the modes of other agents, which a plan may name, mean nothing to it. */
const SANDBOXES: readonly string[] = ["read-only", "workspace-write", "danger-full-access"];

const ABOUT: About = {
  install: "npm install -g @openai/codex",
  versionArgs: ["--version"],
  unsound: [
    {
      below: "0.169.0",
      reason: "older than the version that was tried: its events may have other shapes",
      since: "2026-11-21",
    },
  ],
  capabilities: ["resume", "tokens", "questions"],
  // CODEX_* by name only: the others are how a surrounding session talks to its own children.
  variables: ["OPENAI_*", "CODEX_HOME", "CODEX_API_KEY", "CODEX_CA_CERTIFICATE"],
  modes: SANDBOXES,
  wideModes: ["danger-full-access"],
  ownFiles: [],
};

export const codex: Adapter = {
  about: ABOUT,
  make: (setup) => {
    const sessions = join(codexHome(setup.env), "sessions");
    return {
      name: setup.name,
      about: ABOUT,
      doubtsAboutCost: "codex tells neither dollars nor what its subagents use",
      login: findLogin,
      account: findAccount,
      hasConversation: (session) => findRecord(sessions, session) !== null,
      recordsOf: (session) => [findRecord(sessions, session)].filter((path) => path !== null),
      invoke: (turn) => invoke(setup, turn),
      talk: () => null,
      parse: parseLine,
      judge,
      openBooks: (turn) => new CodexBooks(sessions, turn),
    };
  },
};

function codexHome(env: NodeJS.ProcessEnv): string {
  return env["CODEX_HOME"] ? resolve(env["CODEX_HOME"]) : join(env["HOME"] || homedir(), ".codex");
}

function invoke(setup: Setup, turn: Turn): Invocation {
  const [file, ...before] = setup.command;
  const sandbox =
    turn.permissionMode !== null && SANDBOXES.includes(turn.permissionMode) ? turn.permissionMode : "workspace-write";
  const args = [
    ...before,
    "exec",
    "--json",
    "--sandbox",
    sandbox,
    ...(turn.model ? ["--model", turn.model] : []),
    ...turn.extraArgs,
    ...(turn.resume ? ["resume", turn.session] : []),
    "-",
  ];
  // It works elsewhere than we do: a relative folder would be another, inside the worktree.
  const env = setup.env["CODEX_HOME"] ? { CODEX_HOME: codexHome(setup.env) } : {};
  return { file: file ?? "codex", args, env: { ...env }, stdin: `${turn.prompt.trimEnd()}\n\n${NO_COMMITS}\n` };
}

/** It would try, fail, and look for a way around. */
const NO_COMMITS =
  "Git's own files are read-only here. Do not commit and do not work around it: leave the changes in the worktree, they are committed for you.";

/** As Codex does without a provider of the user's own (0.169.0): OPENAI_API_KEY alone is no login. */
function findLogin(env: NodeJS.ProcessEnv): Login {
  const variable = "CODEX_API_KEY";
  if (env[variable]) return { state: "found", detail: `the variable ${variable}`, variable };
  const file = join(codexHome(env), "auth.json");
  const auth = readJson(file);
  if (text(auth["OPENAI_API_KEY"]) || text(record(auth["tokens"])["access_token"]))
    return { state: "found", detail: file };
  const config = join(codexHome(env), "config.toml");
  if (namesProvider(config)) return { state: "unknown", detail: `with the model provider of ${config}` };
  return { state: "missing", detail: `no variable, no ${file}`, hint: "log in: codex login; or set CODEX_API_KEY" };
}

/** A provider of the user's own is asked with whatever login it has. */
function findAccount(env: NodeJS.ProcessEnv): string | null {
  const { state, variable, detail } = findLogin(env);
  if (state !== "found" || namesProvider(join(codexHome(env), "config.toml"))) return null;
  const whose = variable === undefined ? text(record(readJson(detail)["tokens"])["account_id"]) : text(env[variable]);
  return whose === "" ? null : JSON.stringify([whose, env["OPENAI_BASE_URL"]]);
}

/** A provider of the user's own has a login of its own, or none. */
function namesProvider(config: string): boolean {
  try {
    return /^\s*model_provider\s*=/m.test(readFileSync(config, "utf8"));
  } catch {
    return false;
  }
}

/** The record of a conversation: `<home>/sessions/<year>/<month>/<day>/rollout-<time>-<id>.jsonl`; null when there is none. */
function findRecord(sessions: string, session: string): string | null {
  if (!/^[0-9a-f-]{36}$/i.test(session)) return null;
  try {
    const names = readdirSync(sessions, { recursive: true, encoding: "utf8" });
    const name = names.find((each) => each.endsWith(`-${session}.jsonl`));
    return name === undefined ? null : join(sessions, name);
  } catch {
    return null;
  }
}

function parseLine(line: string): AgentEvent[] {
  const event = parseJson(line);
  if (!event) return [];
  switch (event["type"]) {
    case "thread.started":
      return text(event["thread_id"]) ? [{ kind: "session", id: text(event["thread_id"]) }] : [];
    case "item.started":
      return parseStarted(record(event["item"]));
    case "item.completed":
      return parseCompleted(record(event["item"]));
    case "error":
      return parseError(text(event["message"]));
    case "turn.completed":
      return [{ kind: "result", result: ended(null) }];
    case "turn.failed":
      return [{ kind: "result", result: ended(text(record(event["error"])["message"]) || "an error without words") }];
    default:
      return [];
  }
}

function parseStarted(item: Json): AgentEvent[] {
  switch (item["type"]) {
    case "command_execution":
      return [{ kind: "tool", name: "shell", detail: shorten(text(item["command"])) }];
    case "mcp_tool_call":
      return [{ kind: "tool", name: `${text(item["server"])}.${text(item["tool"])}`, detail: "" }];
    case "web_search":
      return [{ kind: "tool", name: "search", detail: shorten(text(item["query"])) }];
    default:
      return [];
  }
}

function parseCompleted(item: Json): AgentEvent[] {
  switch (item["type"]) {
    case "agent_message":
      return text(item["text"]) ? [{ kind: "said", text: text(item["text"]) }] : [];
    case "command_execution":
      return [
        { kind: "tool-result", text: text(item["aggregated_output"]), isError: (number(item["exit_code"]) ?? 1) !== 0 },
      ];
    case "file_change": {
      const paths = list(item["changes"]).map((change) => text(record(change)["path"]));
      return [{ kind: "tool", name: "edit", detail: shorten(paths.join(", ")) }];
    }
    default:
      return [];
  }
}

/** Before it asks again Codex says so, with what went wrong in brackets; what ends the turn it says plainly. */
function parseError(message: string): AgentEvent[] {
  const again = /^Reconnecting\.\.\..*?\((.*)\)$/s.exec(message)?.[1];
  if (again !== undefined) return [{ kind: "retrying", because: classify(again), text: message }];
  return [{ kind: "error", text: message, status: statusIn(message), type: null }];
}

/** The closing statement; `error` is null for a turn that was completed. What was used stands in the record. */
function ended(error: string | null): AgentResult {
  return {
    isError: error !== null,
    text: error ?? "",
    subtype: null,
    apiStatus: error === null ? null : statusIn(error),
    terminalReason: null,
    stopReason: null,
    denials: [],
    turns: null,
    usage: null,
    usageSinceLast: false,
  };
}

function statusIn(message: string): number | null {
  const status = /\bunexpected status (\d{3})\b/.exec(message)?.[1];
  return status === undefined ? null : Number(status);
}

function judge(evidence: Evidence): Outcome {
  const result = evidence.results.at(-1);
  if (!result) {
    if (evidence.exitCode === null) return { kind: "lost" };
    const said =
      whyDied(evidence.stderrTail) ||
      lastLines(evidence.lastSaid, 5) ||
      `codex ended with ${evidence.exitCode} and no result`;
    return { kind: "failed", reason: said };
  }
  if (result.isError) return classify(result.text);
  const question = questionIn(evidence.lastSaid);
  if (question) return { kind: "asked", question };
  return evidence.changed ? { kind: "ok" } : { kind: "nothing_done", said: evidence.lastSaid };
}

/** What an error means: by its HTTP status where it names one, else by its words, all of 0.169.0. The reset of a usage limit is told as a
 *  clock time without a day, so it counts as unknown. */
function classify(reason: string): Outcome {
  const status = statusIn(reason);
  if (/usage limit|rate limit/i.test(reason) || status === 429) return { kind: "limit", resetsAt: null };
  if (status === 402 || /quota|billing/i.test(reason)) return { kind: "billing", reason };
  if (status === 401 || status === 403 || reason.startsWith("Missing environment variable"))
    return { kind: "auth", reason };
  if (/^The model .* does not exist/.test(reason)) return { kind: "failed", reason, final: true };
  if (status !== null) return status >= 500 ? { kind: "transient", reason } : { kind: "failed", reason };
  return TRANSIENT.test(reason) ? { kind: "transient", reason } : { kind: "failed", reason };
}

const TRANSIENT = /high demand|stream disconnected|connection failed|timed? ?out|at capacity|overloaded/i;

/** What a turn used, from the record of its conversation: one row for each answer of the model, with the time it came. */
class CodexBooks implements Books {
  readonly #turn: CountedTurn;
  readonly #sessions: string;
  #session: string;
  #reader: LineReader | null = null;
  #model: string | null = null;
  readonly #tokens = new Map<string | null, Tokens>();
  /** Whether a turn is under way, so that an answer may be. */
  #isOpen = false;

  constructor(sessions: string, turn: CountedTurn) {
    this.#sessions = sessions;
    this.#turn = turn;
    this.#session = turn.session;
  }

  take(event: AgentEvent): void {
    if (event.kind === "session") [this.#session, this.#isOpen] = [event.id, true];
    if (event.kind === "result") this.#isOpen = false;
  }

  read(isOver: boolean): Usage {
    const path = this.#reader ? null : findRecord(this.#sessions, this.#session);
    if (path !== null) this.#reader = new LineReader(path);
    this.#reader?.read((line) => this.#takeRow(line));
    const models = listUsage(
      this.#turn.prices,
      Array.from(this.#tokens, ([model, tokens]) => ({ model, tokens })),
    );
    return { models, missing: isOver && this.#isOpen ? "an answer that was cut off" : null };
  }

  #takeRow(line: string): void {
    const row = parseJson(line);
    if (!row) return;
    const payload = record(row["payload"]);
    if (row["type"] === "turn_context") this.#model = text(payload["model"]) || this.#model;
    if (row["type"] !== "token_usage_record" || Date.parse(text(row["timestamp"])) < this.#turn.since) return;
    const tokens = parseTokens(record(payload["usage"]));
    this.#tokens.set(this.#model, addTokens(this.#tokens.get(this.#model) ?? NO_TOKENS, tokens));
  }
}

/** Codex counts what the cache served and took as part of the input. */
function parseTokens(usage: Json): Tokens {
  const count = (key: string) => amount(usage[key]) ?? 0;
  const [cacheRead, cacheWrite5m] = [count("cached_input_tokens"), count("cache_write_input_tokens")];
  const input = Math.max(0, count("input_tokens") - cacheRead - cacheWrite5m);
  return { ...NO_TOKENS, input, cacheRead, cacheWrite5m, output: count("output_tokens") };
}

/** One short line of what may be many. */
function shorten(detail: string): string {
  return detail.split("\n", 1)[0]!.slice(0, 160);
}
