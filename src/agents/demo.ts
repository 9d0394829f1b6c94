/** The demo agent: a real child process that plays the steps a task brings. It serves the demo, the tests, the crash
 *  harness and the benchmarks; the language stands in `demo-steps.ts`, the program in `demo-program.ts`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ModelUsage, NO_TOKENS } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import { whyDied } from "../core/why-died.ts";
import type { About, Adapter, AgentEvent, Evidence, Setup } from "./agent.ts";
import { reportedBooks } from "./books.ts";
import { type Json, number, parseJson, text } from "./json.ts";

const ABOUT: About = {
  install: null,
  // It is owt itself.
  versionArgs: null,
  unsound: [],
  capabilities: ["commit", "resume", "preset-id", "cost", "tokens", "rate-reset", "questions", "permissions"],
  variables: [],
  modes: null,
  wideModes: [],
  ownFiles: [],
};

export const demo: Adapter = {
  about: ABOUT,
  make: (setup) => ({
    name: setup.name,
    about: ABOUT,
    doubtsAboutCost: null,
    login: () => ({ state: "not-needed", detail: "none is needed" }),
    account: () => null,
    hasConversation: (session) => isWhole(recordOf(setup, session)),
    recordsOf: (session) => [recordOf(setup, session)],
    invoke: (turn) => ({
      file: setup.owtCommand[0]!,
      args: [
        ...setup.owtCommand.slice(1),
        "__demo-agent",
        conversations(setup),
        turn.session,
        turn.resume ? "resume" : "start",
      ],
      env: {},
      stdin: turn.prompt,
    }),
    talk: () => null,
    parse: parseLine,
    judge,
    openBooks: ({ prices }) => reportedBooks(prices, null),
  }),
};

function recordOf(setup: Setup, session: string): string {
  return join(conversations(setup), `${session}.json`);
}

/** A power cut may leave it empty or in pieces. */
function isWhole(record: string): boolean {
  try {
    return typeof JSON.parse(readFileSync(record, "utf8")) === "object";
  } catch {
    return false;
  }
}

function conversations(setup: Setup): string {
  return join(setup.stateDir, "demo");
}

function parseLine(line: string): AgentEvent[] {
  const event = parseJson(line);
  if (!event) return [];
  switch (event["kind"]) {
    case "say":
      return [{ kind: "said", text: text(event["text"]) }];
    case "do":
      return [{ kind: "tool", name: text(event["name"]), detail: text(event["detail"]) }];
    case "deny":
      return [{ kind: "denied", tool: text(event["tool"]) }];
    case "limit":
      return [
        {
          kind: "limit",
          resetsAt: number(event["resetsAt"]),
          ...(text(event["model"]) ? { model: text(event["model"]) } : {}),
        },
      ];
    case "used":
      return [{ kind: "used", usage: parseUsed(event) }];
    case "result":
      return [
        {
          kind: "result",
          result: {
            isError: event["isError"] === true,
            text: text(event["text"]),
            subtype: text(event["subtype"]) || null,
            apiStatus: null,
            terminalReason: null,
            stopReason: null,
            denials: [],
            turns: 1,
            usage: null,
            usageSinceLast: false,
          },
        },
      ];
    default:
      return [];
  }
}

function parseUsed(used: Json): ModelUsage {
  const costUsd = number(used["costUsd"]);
  const [input, output] = [number(used["input"]), number(used["output"])];
  return {
    model: text(used["model"]) || "demo",
    tokens: input === null || output === null ? null : { ...NO_TOKENS, input, output },
    costUsd,
    basis: costUsd === null ? "unknown" : "reported",
  };
}

function judge(evidence: Evidence): Outcome {
  const result = evidence.results.at(-1);
  if (!result) {
    if (evidence.exitCode === null) return { kind: "lost" };
    return { kind: "failed", reason: whyDied(evidence.stderrTail) || `exit ${evidence.exitCode}` };
  }
  const limit = evidence.limits.at(-1);
  if (limit) return { kind: "limit", ...limit };
  if (result.subtype === "asked") return { kind: "asked", question: result.text };
  if (result.subtype === "transient") return { kind: "transient", reason: result.text };
  if (result.subtype === "auth") return { kind: "auth", reason: result.text };
  if (result.isError) return { kind: "failed", reason: result.text };
  if (evidence.changed) return { kind: "ok" };
  if (evidence.denials.length > 0) return { kind: "denied", tools: evidence.denials };
  return { kind: "nothing_done", said: evidence.lastSaid };
}
