/** Claude Code, headless: `claude -p`, stream-json, the prompt by standard input, our own session id.
 *  Exit code and `subtype` mislead (an API error ends with subtype "success"); the outcome comes from
 *  is_error, api_error_status, terminal_reason, permission_denials, rate_limit_event and git. Measured on 2.1.197 and 2.1.329. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Usage } from "../core/attempt.ts";
import type { Outcome } from "../core/outcome.ts";
import { lastLines } from "../lib/tail.ts";
import type { Agent, AgentEvent, AgentResult, Evidence, Invocation, Turn } from "./agent.ts";
import { questionIn } from "./agent.ts";
import { list, number, parseJson, record, type Json, text } from "./json.ts";

export type ClaudeSettings = { name: string; command: string[]; configDir?: string };

export function claudeAgent(settings: ClaudeSettings): Agent {
  return {
    name: settings.name,
    remembers: true,
    hasConversation: (session) => hasTranscript(settings.configDir, session),
    invoke: (turn) => invoke(settings, turn),
    parse: parseLine,
    judge,
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
    ...turn.extraArgs,
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
      ...(turn.maxTokens === null ? {} : { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(turn.maxTokens) }),
    },
    stdin: turn.prompt,
  };
}

/** Transcripts lie at `<config>/projects/<folder of the working directory>/<session>.jsonl`. */
function hasTranscript(configDir: string | undefined, session: string): boolean {
  const projects = join(configDir ?? join(homedir(), ".claude"), "projects");
  try {
    return readdirSync(projects).some((folder) => existsSync(join(projects, folder, `${session}.jsonl`)));
  } catch {
    return false;
  }
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
  if (event["subtype"] === "permission_denied") return [{ kind: "denied", tool: renderRule(event) }];
  if (event["subtype"] !== "api_retry") return [];
  const [attempt, most] = [number(event["attempt"]), number(event["max_retries"])];
  const [status, type] = [number(event["error_status"]), text(event["error"])];
  const reason = `${type || "no answer"}${status === null ? "" : ` (${status})`}`;
  const because = classify({ status, type: type || "unknown", reason });
  return [{ kind: "retrying", because, text: `${reason}, asks again (${attempt} of ${most})` }];
}

/** The permission rule that would have allowed a call: a command by its words, any other tool by its name. */
function renderRule(denial: Json): string {
  const tool = text(denial["tool_name"]) || "a tool";
  const command = text(record(denial["tool_input"])["command"]);
  return tool === "Bash" && command !== "" && !command.includes("\n") ? `Bash(${command})` : tool;
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
  return contentOf(event).flatMap((block): AgentEvent[] => {
    if (block["type"] === "text" && text(block["text"])) return [{ kind: "said", text: text(block["text"]) }];
    if (block["type"] === "tool_use")
      return [{ kind: "tool", name: text(block["name"]), detail: describeInput(record(block["input"])) }];
    return [];
  });
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
    stopReason: text(event["stop_reason"]) || null,
    denials: list(event["permission_denials"]).map((denial) => renderRule(record(denial))),
    turns: number(event["num_turns"]),
    usage: parseUsage(event),
    usageSinceLast: usageSinceLast(event) !== null,
  };
}

/** What is not stated is null, never zero. */
function parseUsage(event: Json): Usage | null {
  const sinceLast = usageSinceLast(event);
  const models = Object.entries(sinceLast ?? record(event["modelUsage"]));
  const perModel = models.map(([, usage]) => record(usage));
  const costUsd = sinceLast ? sum(perModel, ["costUSD"]) : number(event["total_cost_usd"]);
  if (costUsd === null && perModel.length === 0) return null;
  return {
    costUsd,
    inputTokens: sum(perModel, ["inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"]),
    outputTokens: sum(perModel, ["outputTokens"]),
    model: models[0]?.[0] ?? null,
  };
}

/** On --resume, total_cost_usd grows over the whole conversation in newer versions; this field never does. */
function usageSinceLast(event: Json): Json | null {
  const usage = event["model_usage_since_last_result"];
  return usage === undefined || usage === null ? null : record(usage);
}

/** The sum of what is stated; null when nothing is. */
function sum(usages: Json[], keys: string[]): number | null {
  const stated = usages.flatMap((usage) => keys.map((key) => number(usage[key]))).filter((each) => each !== null);
  return stated.length === 0 ? null : stated.reduce((total, count) => total + count, 0);
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
  const isTooLong = result.terminalReason === "prompt_too_long" || result.stopReason === "refusal";
  return isTooLong ? { kind: "failed", reason } : classify({ status, type, reason });
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
