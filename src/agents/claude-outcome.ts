/** What a turn of Claude Code came to. Exit code and `subtype` mislead (an API error ends with subtype "success"): it is told by is_error, api_error_status,
 *  terminal_reason, permission_denials, rate_limit_event and git. Measured on 2.1.197 and 2.1.329. */
import type { Outcome } from "../core/outcome.ts";
import { whyDied } from "../core/why-died.ts";
import { lastLines } from "../lib/tail.ts";
import { type AgentResult, type Evidence, questionIn } from "./agent.ts";

/** How a turn ended, from all that is known of it. */
export function judge(evidence: Evidence): Outcome {
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
  const said =
    whyDied(evidence.stderrTail) ||
    lastLines(evidence.lastSaid, 5) ||
    `claude ended with ${evidence.exitCode} and no result`;
  // An option that it refuses is refused again; so is leave to do everything as root (2.1.329).
  const isFinal = said.startsWith("error: ") || /cannot be used with root/.test(said);
  const isTaken = /\bSession ID \S+ is already in use/.test(said);
  return {
    kind: "failed",
    reason: said,
    ...(isFinal ? { final: true } : {}),
    ...(isTaken ? { taken: true } : {}),
  };
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
export function classify({ status, type, reason }: Failure): Outcome {
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
