/** Claude Code, headless: `claude -p`, stream-json, the prompt by standard input, our own session id.
 *  Exit code and `subtype` mislead (an API error ends with subtype "success"); the outcome comes from
 *  is_error, api_error_status, terminal_reason, permission_denials, rate_limit_event and git. Measured on 2.1.197 and 2.1.329. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { ModelUsage, Tokens } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import { modelName } from "../core/prices.ts";
import { lastLines } from "../lib/tail.ts";
import type {
  About,
  Adapter,
  AgentEvent,
  AgentResult,
  Evidence,
  Invocation,
  Login,
  Setup,
  Start,
  Talk,
  Turn,
} from "./agent.ts";
import { findRecords, findRecordsWithin, openClaudeBooks, parseAnswer } from "./claude-books.ts";
import { questionIn, SPOOL_VARIABLE } from "./agent.ts";
import { amount, list, number, parseJson, readJson, record, type Json, text } from "./json.ts";

const ABOUT: About = {
  install: "npm install -g @anthropic-ai/claude-code",
  versionArgs: ["--version"],
  unsound: [
    {
      below: "2.1.197",
      reason: "older than every version that was tried: its events may have other shapes",
      since: "2026-11-21",
    },
  ],
  capabilities: [
    "commit",
    "resume",
    "preset-id",
    "cost",
    "tokens",
    "rate-reset",
    "budget",
    "max-turns",
    "questions",
    "permissions",
  ],
  // Of CLAUDE_CODE_* by name only: the others are how a surrounding session talks to its own children.
  variables: [
    "ANTHROPIC_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
    "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "AWS_*",
    "GOOGLE_*",
    "CLOUDSDK_*",
    "CLOUD_ML_*",
    "VERTEX_*",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "API_TIMEOUT_MS",
    "MAX_THINKING_TOKENS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_TIMEOUT_MS",
  ],
  // 2.1.197 says default where 2.1.329 says manual.
  modes: ["acceptEdits", "auto", "bypassPermissions", "default", "manual", "dontAsk", "plan"],
  wideModes: ["bypassPermissions", "auto"],
  ownFiles: [".claude/settings.local.json"],
};

export const claude: Adapter = {
  about: ABOUT,
  make: (setup) => {
    const projects = join(configDir(setup.env), "projects");
    return {
      name: setup.name,
      about: ABOUT,
      doubtsAboutCost: null,
      login: findLogin,
      hasConversation: (session) => findRecords(projects, session).length > 0,
      recordsOf: (session) => findRecordsWithin(projects, session),
      invoke: (turn) => invoke(setup, turn),
      talk: (talk) => talkTo(setup, talk),
      parse: parseLine,
      judge,
      openBooks: (turn) => openClaudeBooks(projects, turn),
    };
  },
};

/** Where Claude Code keeps everything; with the variable set, nothing is written to the home directory. */
function configDir(env: NodeJS.ProcessEnv): string {
  return env["CLAUDE_CONFIG_DIR"] ? resolve(env["CLAUDE_CONFIG_DIR"]) : join(env["HOME"] || homedir(), ".claude");
}

function invoke(setup: Setup, turn: Turn): Invocation {
  const [file, ...before] = setup.command;
  const args = [
    ...before,
    "-p",
    "--output-format",
    "stream-json",
    "--verbose",
    ...conversationFlags(turn),
    // It keeps to it by the answer: what it spends since this start may pass it by the last one. Both versions know it.
    ...(turn.budgetUsd !== null && !turn.extraArgs.includes(BUDGET_FLAG) ? [BUDGET_FLAG, String(turn.budgetUsd)] : []),
    ...turn.extraArgs,
    ...toolFlags(turn),
  ];
  return {
    file: file ?? "claude",
    args,
    env: {
      // A background task's end comes after the first `result`; unattended work wants one result, the last.
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
      DISABLE_AUTOUPDATER: "1",
      ...placeAndSize(setup, turn),
      // A call of the model's for the title of a terminal that is not there; 2.1.197 makes it, and no record tells of it.
      CLAUDE_CODE_DISABLE_TERMINAL_TITLE: "1",
    },
    stdin: turn.prompt,
  };
}

function talkTo(setup: Setup, talk: Talk): Start {
  const [file, ...before] = setup.command;
  const settings = talk.spool === null ? [] : ["--settings", talk.spool.settings];
  const prompt = talk.prompt === null ? [] : ["--", talk.prompt];
  const args = [...before, ...conversationFlags(talk), ...settings, ...talk.extraArgs, ...toolFlags(talk), ...prompt];
  return {
    file: file ?? "claude",
    args,
    env: { ...placeAndSize(setup, talk), ...(talk.spool && { [SPOOL_VARIABLE]: talk.spool.file }) },
    settings: talk.spool && JSON.stringify({ hooks: stateHooks(talk.spool) }, null, 2),
  };
}

/** What turns and conversations have in common. */
type Spoken = Omit<Turn, "prompt" | "budgetUsd">;

/** Events that say what an interactive session does: it has begun, works, is through with its turn, asks for a permission, has ended. */
const STATE_EVENTS = [
  "SessionStart",
  "UserPromptSubmit",
  "PreToolUse",
  "PostToolUse",
  "PermissionRequest",
  "Notification",
  "Stop",
  "StopFailure",
  "SessionEnd",
];

/** Hooks are commands of a shell: names of files are quoted. They are laid over the user's own settings, which stay in force. One that asks for
 *  leave waits for an answer from elsewhere for an hour (seconds here), beside the dialog on the screen. */
function stateHooks({ file, script }: { file: string; script: string }): Record<string, unknown> {
  const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
  return Object.fromEntries(
    STATE_EVENTS.map((event) => {
      const command = `exec sh ${quote(script)} ${event} ${quote(file)}`;
      return [event, [{ hooks: [{ type: "command", command, timeout: event === "PermissionRequest" ? 3_700 : 5 }] }]];
    }),
  );
}

function conversationFlags({ permissionMode, model, resume, session }: Spoken): string[] {
  return [
    "--permission-mode",
    // Its own default may be `auto`, which needs a service of the vendor's.
    permissionMode ?? "acceptEdits",
    ...(model ? ["--model", model] : []),
    ...(resume ? ["--resume", session] : ["--session-id", session]),
  ];
}

/** Takes every following argument, so it comes last. */
function toolFlags({ allowedTools }: Spoken): string[] {
  return allowedTools.length > 0 ? ["--allowedTools", ...allowedTools] : [];
}

function placeAndSize(setup: Setup, { maxTokens }: Spoken): Record<string, string> {
  return {
    // It works elsewhere than we do: a relative folder would be another, inside the worktree.
    ...(setup.env["CLAUDE_CONFIG_DIR"] ? { CLAUDE_CONFIG_DIR: configDir(setup.env) } : {}),
    ...(maxTokens === null ? {} : { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(maxTokens) }),
  };
}

/** The file in which Claude Code keeps what it remembers of its user and their projects. */
export function claudeStateFile(env: NodeJS.ProcessEnv): string {
  const folder = configDir(env);
  return env["CLAUDE_CONFIG_DIR"] ? join(folder, ".claude.json") : `${folder}.json`;
}

const BUDGET_FLAG = "--max-budget-usd";

/** In the order in which Claude Code prefers them (2.1.329). */
function findLogin(env: NodeJS.ProcessEnv): Login {
  const cloud = ["BEDROCK", "VERTEX", "FOUNDRY"].find((name) => env[`CLAUDE_CODE_USE_${name}`]);
  if (cloud !== undefined) return { state: "unknown", detail: `by the cloud (CLAUDE_CODE_USE_${cloud})` };
  const variable = ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"].find((name) => env[name]);
  if (variable !== undefined) return { state: "found", detail: `the variable ${variable}`, variable };
  const folder = configDir(env);
  const settings = join(folder, "settings.json");
  if (holdsLogin(readJson(settings))) return { state: "found", detail: settings };
  const credentials = join(folder, ".credentials.json");
  // A login that ended is left behind with empty tokens.
  if (text(record(readJson(credentials)["claudeAiOauth"])["accessToken"]))
    return { state: "found", detail: credentials };
  const state = claudeStateFile(env);
  if (text(readJson(state)["primaryApiKey"])) return { state: "found", detail: state };
  const hint = "log in: claude, then /login; or set ANTHROPIC_API_KEY";
  return process.platform === "darwin"
    ? { state: "unknown", detail: "perhaps in the keychain, where only Claude Code looks", hint }
    : { state: "missing", detail: `no variable, ${whyNoLogin(credentials)}`, hint };
}

/** What is there and holds nothing is not "not there": it is damaged, or of a login that ended. */
function whyNoLogin(credentials: string): string {
  if (!existsSync(credentials)) return `no ${credentials}`;
  const isRead = Object.keys(readJson(credentials)).length > 0;
  return `and ${credentials} ${isRead ? "holds no login" : "cannot be read: it is damaged or not ours to read"}`;
}

function holdsLogin(settings: Json): boolean {
  const env = record(settings["env"]);
  return (
    text(settings["apiKeyHelper"]) !== "" ||
    ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"].some((name) => text(env[name]))
  );
}

function parseLine(line: string): AgentEvent[] {
  const event = parseJson(line);
  if (!event) return [];
  switch (event["type"]) {
    case "assistant":
      return parseAssistant(event);
    case "user":
      return parseUser(event);
    case "rate_limit_event":
      return parseRateLimit(record(event["rate_limit_info"]));
    case "system":
      return parseSystem(event);
    case "result":
      return [{ kind: "result", result: parseResult(event) }];
    default:
      return [];
  }
}

function parseSystem(event: Json): AgentEvent[] {
  const session = text(event["session_id"]);
  if (event["subtype"] === "init" && session) return [{ kind: "session", id: session }];
  if (event["subtype"] === "permission_denied") return [{ kind: "denied", tool: renderRule(event) }];
  if (event["subtype"] !== "api_retry") return [];
  const [attempt, most] = [number(event["attempt"]), number(event["max_retries"])];
  const [status, type] = [number(event["error_status"]), text(event["error"])];
  const reason = `${type === "" || type === "unknown" ? "no answer" : type}${status === null ? "" : ` (${status})`}`;
  const because = classify({ status, type: type || "unknown", reason });
  return [{ kind: "retrying", because, text: `${reason}, asks again (${attempt} of ${most})` }];
}

/** The permission rule that would have allowed a call: a command by its words, any other tool by its name. */
function renderRule(denial: Json): string {
  const tool = text(denial["tool_name"]) || "a tool";
  const command = text(record(denial["tool_input"])["command"]);
  return tool === "Bash" && command.trim() !== "" ? `Bash(${command.trim()})` : tool;
}

function parseAssistant(event: Json): AgentEvent[] {
  if (event["is_api_error_message"] === true || text(event["error"])) {
    const said = contentOf(event)
      .map((block) => text(block["text"]))
      .join(" ");
    return [
      { kind: "error", text: said, status: number(event["api_error_status"]), type: text(event["error"]) || null },
    ];
  }
  const answer = parseAnswer(event);
  const blocks = contentOf(event).flatMap((block): AgentEvent[] => {
    if (block["type"] === "text" && text(block["text"])) return [{ kind: "said", text: text(block["text"]) }];
    if (block["type"] === "tool_use")
      return [{ kind: "tool", name: text(block["name"]), detail: describeInput(record(block["input"])) }];
    return [];
  });
  return answer ? [{ kind: "answer", answer }, ...blocks] : blocks;
}

function parseUser(event: Json): AgentEvent[] {
  return contentOf(event).flatMap((block): AgentEvent[] => {
    if (block["type"] !== "tool_result") return [];
    const content = block["content"];
    const said =
      typeof content === "string"
        ? content
        : list(content)
            .map((part) => text(record(part)["text"]))
            .join("\n");
    return [{ kind: "tool-result", text: said, isError: block["is_error"] === true }];
  });
}

function parseRateLimit(info: Json): AgentEvent[] {
  if (info["status"] !== "rejected") return [];
  const said = number(info["resetsAt"]);
  // In seconds, of which there are not so many before the year 5000: then they are milliseconds.
  const resetsAt = said !== null && Math.abs(said) < 1e11 ? said * 1_000 : said;
  // Everything that is shown must be a date.
  const isDate = resetsAt !== null && Math.abs(resetsAt) <= 8.64e15;
  const model = MODEL_WINDOW.exec(text(info["rateLimitType"]))?.[1];
  return [{ kind: "limit", resetsAt: isDate ? resetsAt : null, ...(model === undefined ? {} : { model }) }];
}

/** Windows of one model, `seven_day_opus`: the other models of the login go on. Any other word may mean all of them. */
const MODEL_WINDOW = /_(opus|sonnet|haiku|fable)$/;

function parseResult(event: Json): AgentResult {
  return {
    isError: event["is_error"] === true,
    text: text(event["result"]) || list(event["errors"]).map(text).join("; "),
    subtype: text(event["subtype"]) || null,
    apiStatus: number(event["api_error_status"]),
    terminalReason: text(event["terminal_reason"]) || null,
    stopReason: text(event["stop_reason"]) || null,
    denials: list(event["permission_denials"]).map((denial) => renderRule(record(denial))),
    turns: number(event["num_turns"]),
    usage: parseUsage(event),
    usageSinceLast: usageSinceLast(event) !== null,
  };
}

/** What is not stated is null, never zero. */
function parseUsage(event: Json): ModelUsage[] | null {
  const sinceLast = usageSinceLast(event);
  const models = Object.entries(sinceLast ?? record(event["modelUsage"]));
  if (sinceLast || models.length > 0) return models.map(([model, usage]) => parseModelUsage(model, record(usage)));
  const costUsd = amount(event["total_cost_usd"]);
  if (costUsd === null) return null;
  return costUsd === 0 ? [] : [{ model: null, tokens: null, costUsd, basis: "reported" }];
}

/** A model without a price in Claude's own list is reported at another one's price, marked as unknown: that is no figure. */
function parseModelUsage(model: string, usage: Json): ModelUsage {
  const stated = usage["costBasis"] === "unknown" ? null : amount(usage["costUSD"]);
  return {
    model: modelName(model),
    tokens: parseModelTokens(usage),
    costUsd: stated,
    basis: stated === null ? "unknown" : "reported",
  };
}

/** Versions that do not tell how long what was written is kept count it as kept shortly, which is the rule. */
function parseModelTokens(usage: Json): Tokens | null {
  const [input, output] = [amount(usage["inputTokens"]), amount(usage["outputTokens"])];
  if (input === null || output === null) return null;
  const written = amount(usage["cacheCreationInputTokens"]) ?? 0;
  const cacheWrite1h = Math.min(written, amount(usage["cacheCreationEphemeral1hInputTokens"]) ?? 0);
  const cacheRead = amount(usage["cacheReadInputTokens"]) ?? 0;
  return { input, output, cacheRead, cacheWrite5m: written - cacheWrite1h, cacheWrite1h };
}

/** On --resume, total_cost_usd grows over the whole conversation in newer versions; this field never does. */
function usageSinceLast(event: Json): Json | null {
  const usage = event["model_usage_since_last_result"];
  return usage === undefined || usage === null ? null : record(usage);
}

function judge(evidence: Evidence): Outcome {
  // A resume after a kill may open with an empty success of its own, and may die right after it; the last real one speaks for the turn.
  const result = evidence.results.findLast((each) => each.turns !== 0 || each.isError);
  if (!result) return judgeWithoutResult(evidence);
  if (result.isError) return judgeError(evidence, result);
  const question = questionIn(result.text);
  if (question) return { kind: "asked", question };
  if (evidence.changed) return { kind: "ok" };
  // The result names each call in full; what was told on the way stands in only where it does not.
  const denials = [...new Set(result.denials.length > 0 ? result.denials : evidence.denials)];
  return denials.length > 0 ? { kind: "denied", tools: denials } : { kind: "nothing_done", said: evidence.lastSaid };
}

function judgeWithoutResult(evidence: Evidence): Outcome {
  // Without a result it was ended from outside (a signal, an exit that says nothing) or refused to start, which it says in words.
  const wasRefused = evidence.exitCode !== null && evidence.exitCode > 0 && evidence.exitCode < 128;
  if (!wasRefused) return { kind: "lost", ...(evidence.exitCode === 0 ? { exit: 0 } : {}) };
  const said = evidence.stderrTail || evidence.lastSaid || `claude ended with ${evidence.exitCode} and no result`;
  // An option that it refuses is refused again; so is leave to do everything as root (2.1.329).
  const isFinal = said.trimStart().startsWith("error: ") || /cannot be used with root/.test(said);
  return { kind: "failed", reason: lastLines(said, 5), ...(isFinal ? { final: true } : {}) };
}

function judgeError(evidence: Evidence, result: AgentResult): Outcome {
  const last = evidence.errors.at(-1);
  const status = result.apiStatus ?? last?.status ?? null;
  const type = last?.type ?? "";
  // "completed" is what 2.1.197 says of any error.
  const ended = result.terminalReason === "completed" ? null : result.terminalReason;
  const reason = result.text || last?.text || ended || result.subtype || "an error without words";
  if (result.subtype === "error_max_turns" || result.terminalReason === "max_turns") return { kind: "turns", reason };
  if (result.subtype === "error_max_budget_usd") return { kind: "budget", reason };
  // A window can be used up while the work goes on in another: only an end that names no other cause is its doing.
  const limit = evidence.limits.at(-1);
  if (limit) return { kind: "limit", ...limit };
  // What the model will not or cannot say to this prompt, it will not say to the same one.
  const isFinal =
    result.terminalReason === "prompt_too_long" || result.stopReason === "refusal" || type === "max_output_tokens";
  return isFinal ? { kind: "failed", reason, final: "afresh" } : classify({ status, type, reason });
}

type Failure = { status: number | null; type: string; reason: string };

/** What an API error means, from its type (both versions name it alike) and its HTTP status; its words only where neither tells. */
function classify({ status, type, reason }: Failure): Outcome {
  if (type === "billing_error") return { kind: "billing", reason };
  if (AUTH.has(type) || status === 401 || status === 403) return { kind: "auth", reason };
  if (type === "rate_limit" || status === 429) return { kind: "limit", resetsAt: null };
  if (type === "model_not_found") return { kind: "failed", reason, final: true };
  if (status !== null && status >= 500) return { kind: "transient", reason };
  // Without a status nothing came that could be read: no connection, a page of somebody in between, a stream cut off.
  if (TRANSIENT.has(type) || (type === "unknown" && status === null)) return { kind: "transient", reason };
  return /timed out|overloaded/i.test(reason) ? { kind: "transient", reason } : { kind: "failed", reason };
}

const AUTH = new Set(["authentication_failed", "oauth_org_not_allowed"]);
const TRANSIENT = new Set(["server_error", "overloaded", "timeout"]);

function contentOf(event: Json): Json[] {
  return list(record(event["message"])["content"]).map(record);
}

/** What a tool call is about, in one short line. */
function describeInput(input: Json): string {
  const main = input["command"] ?? input["file_path"] ?? input["path"] ?? input["pattern"] ?? input["description"];
  return (typeof main === "string" ? main : JSON.stringify(input)).split("\n", 1)[0]!.slice(0, 160);
}
