/** What Claude Code says while it works: one JSON document a line (stream-json). Measured on 2.1.197 and 2.1.329. */
import type { ModelUsage, Tokens } from "../core/cost.ts";
import { modelName } from "../core/prices.ts";
import type { AgentEvent, AgentResult } from "./agent.ts";
import { parseAnswer } from "./claude-books.ts";
import { classify } from "./claude-outcome.ts";
import { amount, list, number, parseJson, record, type Json, text } from "./json.ts";

/** What one line of the stream says; nothing where it is none of Claude's, or of no matter. */
export function parseLine(line: string): AgentEvent[] {
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

function contentOf(event: Json): Json[] {
  return list(record(event["message"])["content"]).map(record);
}

/** What a tool call is about, in one short line. */
function describeInput(input: Json): string {
  const main = input["command"] ?? input["file_path"] ?? input["path"] ?? input["pattern"] ?? input["description"];
  return (typeof main === "string" ? main : JSON.stringify(input)).split("\n", 1)[0]!.slice(0, 160);
}
