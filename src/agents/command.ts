/** Any program as an agent: the prompt comes on standard input, the exit code and git tell how it went. */
import { NO_TOKENS } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import { whyDied } from "../core/why-died.ts";
import { lastLines } from "../lib/tail.ts";
import type { About, Adapter, AgentEvent, Evidence } from "./agent.ts";
import { questionIn } from "./agent.ts";
import { reportedBooks } from "./books.ts";
import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import { amount, parseJson, text } from "./json.ts";

/** A line with which a program may tell what it used since the line before: `OWT-USAGE: {"cost_usd": 0.25}`, or tokens of a model:
 *  `OWT-USAGE: {"model": "claude-opus-5-5", "input_tokens": 1200, "output_tokens": 60}`; `cache_read_tokens`, `cache_write_tokens`. */
const USAGE_MARKER = "OWT-USAGE:";

const ABOUT: About = {
  install: null,
  versionArgs: null,
  unsound: [],
  capabilities: ["commit", "cost", "tokens", "questions"],
  // Whose account the program works on is not known; what else it needs is named in `[environment] pass`.
  variables: [...claude.about.variables, ...codex.about.variables],
  modes: null,
  wideModes: [],
  ownFiles: [],
};

export const command: Adapter = {
  about: ABOUT,
  make: ({ name, command: words }) => ({
    name,
    about: ABOUT,
    doubtsAboutCost: `${name} tells what it costs only where it prints ${USAGE_MARKER} lines`,
    login: () => ({ state: "unknown", detail: "its own business" }),
    account: () => null,
    hasConversation: () => false,
    recordsOf: () => [],
    invoke: (turn) => ({
      file: words[0] ?? name,
      args: [...words.slice(1), ...turn.extraArgs],
      env: {
        OWT_SESSION: turn.session,
        ...(turn.model ? { OWT_MODEL: turn.model } : {}),
        ...(turn.maxTokens === null ? {} : { OWT_MAX_TOKENS: String(turn.maxTokens) }),
      },
      stdin: turn.prompt,
    }),
    talk: () => null,
    parse: parseLine,
    judge: judgeByExit,
    openBooks: ({ prices }) => reportedBooks(prices, `${name} does not say what it cost`),
  }),
};

function parseLine(line: string): AgentEvent[] {
  if (line.startsWith(USAGE_MARKER)) return parseUsage(line.slice(USAGE_MARKER.length).trim());
  return line.trim() ? [{ kind: "said", text: line }] : [];
}

function parseUsage(json: string): AgentEvent[] {
  const told = parseJson(json);
  if (!told) return notUnderstood(json);
  const count = (key: string) => amount(told[key]) ?? 0;
  const tellsTokens = amount(told["input_tokens"]) !== null && amount(told["output_tokens"]) !== null;
  const costUsd = amount(told["cost_usd"]);
  const isBroken = told["cost_usd"] !== undefined && costUsd === null;
  if (isBroken || (costUsd === null && !tellsTokens)) return notUnderstood(json);
  const tokens = {
    ...NO_TOKENS,
    input: count("input_tokens"),
    output: count("output_tokens"),
    cacheRead: count("cache_read_tokens"),
    cacheWrite5m: count("cache_write_tokens"),
  };
  const usage = {
    model: text(told["model"]) || null,
    tokens: tellsTokens ? tokens : null,
    costUsd,
    basis: costUsd === null ? ("unknown" as const) : ("reported" as const),
  };
  return [{ kind: "used", usage }];
}

/** What it used is not known then, and that is told: in the log, and in every sum. */
function notUnderstood(json: string): AgentEvent[] {
  const text = `an ${USAGE_MARKER} line that tells no amount: ${json.slice(0, 120)}`;
  return [
    { kind: "error", text, status: null, type: "usage" },
    { kind: "used", usage: { model: null, tokens: null, costUsd: null, basis: "unknown" } },
  ];
}

function judgeByExit(evidence: Evidence): Outcome {
  if (evidence.exitCode === null) return { kind: "lost" };
  if (evidence.exitCode !== 0) {
    const said = whyDied(evidence.stderrTail) || lastLines(evidence.lastSaid, 5);
    return { kind: "failed", reason: said ? `exit ${evidence.exitCode}: ${said}` : `exit ${evidence.exitCode}` };
  }
  // A program says its lines one by one, and hardly one ends without a word of farewell.
  const question = questionIn(evidence.saidLately.join("\n") || evidence.lastSaid);
  if (question) return { kind: "asked", question };
  return evidence.changed ? { kind: "ok" } : { kind: "nothing_done", said: evidence.lastSaid };
}
