/** Claude Code, headless: `claude -p`, stream-json, the prompt by standard input, our own session id.
 *  Exit code and `subtype` mislead (an API error ends with subtype "success"); the outcome comes from
 *  is_error, api_error_status, terminal_reason, permission_denials, rate_limit_event and git. Measured on 2.1.197 and 2.1.329. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { ModelUsage, Tokens } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import { modelName } from "../core/prices.ts";
import { lastLines } from "../lib/tail.ts";
import type { Agent, AgentEvent, AgentResult, Evidence, Invocation, Turn } from "./agent.ts";
import { findRecords, openClaudeBooks, parseAnswer } from "./claude-books.ts";
import { questionIn } from "./agent.ts";
import { amount, list, number, parseJson, record, type Json, text } from "./json.ts";

export type ClaudeSettings = {
  name: string;
  command: string[];
  extraArgs: string[];
  configDir?: string;
  maxTokens?: number;
};

export function claudeAgent(settings: ClaudeSettings): Agent {
  return {
    name: settings.name,
    remembers: true,
    doubtsAboutCost: null,
    hasConversation: (session) => findRecords(projectsDir(settings), session).length > 0,
    invoke: (turn) => invoke(settings, turn),
    parse: parseLine,
    judge,
    openBooks: (turn) => openClaudeBooks(projectsDir(settings), turn),
  };
}

function invoke(settings: ClaudeSettings, turn: Turn): Invocation {
  const [file, ...before] = settings.command;
  const args = [
    ...before,
    "-p",
    "--output-format",
    "stream-json",
    "--verbose",
    "--permission-mode",
    turn.permissionMode,
    ...(turn.model ? ["--model", turn.model] : []),
    ...(turn.resume ? ["--resume", turn.session] : ["--session-id", turn.session]),
    // It keeps to it by the answer: what it spends since this start may pass it by the last one. Both versions know it.
    ...(turn.budgetUsd !== null && !settings.extraArgs.includes(BUDGET_FLAG)
      ? [BUDGET_FLAG, String(turn.budgetUsd)]
      : []),
    ...settings.extraArgs,
    // Takes every following argument, so it comes last.
    ...(turn.allowedTools.length > 0 ? ["--allowedTools", ...turn.allowedTools] : []),
  ];
  return {
    file: file ?? "claude",
    args,
    env: {
      // A background task's end comes after the first `result`; unattended work wants one result, the last.
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
      DISABLE_AUTOUPDATER: "1",
      // A call of the model's for the title of a terminal that is not there; 2.1.197 makes it, and no record tells of it.
      CLAUDE_CODE_DISABLE_TERMINAL_TITLE: "1",
      ...(settings.maxTokens === undefined ? {} : { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(settings.maxTokens) }),
    },
    stdin: turn.prompt,
  };
}

const BUDGET_FLAG = "--max-budget-usd";

function projectsDir(settings: ClaudeSettings): string {
  return join(settings.configDir ?? join(homedir(), ".claude"), "projects");
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
  return event["subtype"] === "permission_denied"
    ? [{ kind: "denied", tool: text(event["tool_name"]) || "a tool" }]
    : [];
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
  const resetsAt = number(info["resetsAt"]);
  // Everything that is shown must be a date.
  const isDate = resetsAt !== null && Math.abs(resetsAt) * 1_000 <= 8.64e15;
  return [{ kind: "limit", resetsAt: isDate ? resetsAt * 1_000 : null }];
}

function parseResult(event: Json): AgentResult {
  return {
    isError: event["is_error"] === true,
    text: text(event["result"]) || list(event["errors"]).map(text).join("; "),
    subtype: text(event["subtype"]) || null,
    apiStatus: number(event["api_error_status"]),
    terminalReason: text(event["terminal_reason"]) || null,
    denials: list(event["permission_denials"]).map((denial) => text(record(denial)["tool_name"]) || "a tool"),
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
  const denials = [...new Set([...result.denials, ...evidence.denials])];
  return denials.length > 0 ? { kind: "denied", tools: denials } : { kind: "nothing_done", said: evidence.lastSaid };
}

function judgeWithoutResult(evidence: Evidence): Outcome {
  if (evidence.exitCode === null) return { kind: "lost" };
  const said = evidence.stderrTail || evidence.lastSaid || `claude ended with ${evidence.exitCode} and no result`;
  return { kind: "failed", reason: lastLines(said, 5) };
}

function judgeError(evidence: Evidence, result: AgentResult): Outcome {
  const last = evidence.errors.at(-1);
  const status = result.apiStatus ?? last?.status ?? null;
  const type = last?.type ?? "";
  const reason = result.text || last?.text || result.subtype || "an error without words";
  if (result.subtype === "error_max_turns" || result.terminalReason === "max_turns") return { kind: "turns", reason };
  if (result.subtype === "error_max_budget_usd") return { kind: "budget", reason };
  // A window can be used up while the work goes on in another: only an end that names no other cause is its doing.
  const limit = evidence.limits.at(-1);
  if (limit) return { kind: "limit", resetsAt: limit.resetsAt };
  if (type === "billing_error") return { kind: "billing", reason };
  if (status === 401 || status === 403 || type === "authentication_failed") return { kind: "auth", reason };
  if (status === 429 || type === "rate_limit") return { kind: "limit", resetsAt: null };
  if ((status !== null && status >= 500) || type === "server_error" || /timed out|overloaded/i.test(reason)) {
    return { kind: "transient", reason };
  }
  return { kind: "failed", reason };
}

function contentOf(event: Json): Json[] {
  return list(record(event["message"])["content"]).map(record);
}

/** What a tool call is about, in one short line. */
function describeInput(input: Json): string {
  const main = input["command"] ?? input["file_path"] ?? input["path"] ?? input["pattern"] ?? input["description"];
  return (typeof main === "string" ? main : JSON.stringify(input)).split("\n", 1)[0]!.slice(0, 160);
}
