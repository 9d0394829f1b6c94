/** Transcripts as Claude Code writes them (2.1.329; where it says so, 2.1.197), cut to what counts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { addUsages, type ModelUsage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import { testSetup } from "../../test/rig/agent-setup.ts";
import { type AgentEvent, type Evidence, gather, noEvidence, type Turn } from "./agent.ts";
import { usageOf } from "./books.ts";
import { claude as adapter } from "./claude.ts";

const claude = adapter.make(testSetup("claude", ["claude"]));

type Line = Record<string, unknown>;

const INIT: Line = { type: "system", subtype: "init", session_id: "s", tools: ["Bash"], permissionMode: "acceptEdits" };

function says(text: string): Line {
  return { type: "assistant", message: { id: "m", content: [{ type: "text", text }] } };
}

function apiError(error: string, status: number | null, text: string): Line {
  const flags = { error, is_api_error_message: true, api_error_status: status };
  return { type: "assistant", message: { content: [{ type: "text", text }] }, ...flags };
}

function result(change: Line = {}): Line {
  const sound = { subtype: "success", is_error: false, terminal_reason: "completed", permission_denials: [] };
  return { type: "result", ...sound, result: "Done.", num_turns: 3, total_cost_usd: 0.081, ...change };
}

/** As the CLI ends on an API error: is_error beside subtype "success". */
function errorResult(status: number | null, text: string): Line {
  return result({ is_error: true, api_error_status: status, terminal_reason: "api_error", result: text, num_turns: 1 });
}

const retry = (status: number | null, error: string): Line => ({
  type: "system",
  subtype: "api_retry",
  attempt: 1,
  max_retries: 10,
  retry_delay_ms: 500,
  error_status: status,
  error,
});

const rateLimit = (status: string, resetsAt?: unknown, rateLimitType = "five_hour"): Line => ({
  type: "rate_limit_event",
  rate_limit_info: { status, resetsAt, rateLimitType, utilization: 0.93 },
});

const DENIED: Line = { type: "system", subtype: "permission_denied", tool_name: "Bash" };
const DENIED_RESULT = result({ permission_denials: [{ tool_name: "Bash", tool_input: { command: "curl x" } }] });

function parse(...lines: Line[]): AgentEvent[] {
  return lines.flatMap((line) => claude.parse(JSON.stringify(line)));
}

function evidenceOf(lines: Line[], change: Partial<Evidence> = {}): Evidence {
  const evidence = { ...noEvidence(), exitCode: 0, ...change };
  for (const event of parse(...lines)) gather(evidence, event);
  return evidence;
}

function outcomeOf(lines: Line[], change: Partial<Evidence> = {}): Outcome {
  return claude.judge(evidenceOf(lines, change));
}

const RESETS = 1_795_000_000;

describe("a transcript is judged by what it says, never by exit code or subtype alone", () => {
  const changed = { changed: true };
  const red = { exitCode: 1 };
  test.each<[string, Line[], Partial<Evidence>, Outcome]>([
    ["success with a change", [INIT, says("Done."), result()], changed, { kind: "ok" }],
    [
      "success without a change",
      [INIT, result({ result: "All fine." })],
      {},
      { kind: "nothing_done", said: "All fine." },
    ],
    [
      "401 after its retries",
      [
        retry(401, "authentication_failed"),
        apiError("authentication_failed", 401, "Invalid API key"),
        errorResult(401, "Invalid API key"),
      ],
      red,
      { kind: "auth", reason: "Invalid API key" },
    ],
    [
      "403",
      [apiError("authentication_failed", 403, "Forbidden"), errorResult(403, "Forbidden")],
      red,
      { kind: "auth", reason: "Forbidden" },
    ],
    [
      "authentication_failed without a status",
      [apiError("authentication_failed", null, "Please run /login"), errorResult(null, "Please run /login")],
      red,
      { kind: "auth", reason: "Please run /login" },
    ],
    [
      "400 for a prompt that is too long",
      [
        apiError("invalid_request", 400, "Prompt is too long"),
        result({
          is_error: true,
          api_error_status: 400,
          terminal_reason: "prompt_too_long",
          result: "Prompt is too long",
        }),
      ],
      red,
      { kind: "failed", reason: "Prompt is too long", final: "afresh" },
    ],
    [
      "400 for the credit balance",
      [apiError("billing_error", 400, "Credit balance is too low"), errorResult(400, "Credit balance is too low")],
      red,
      { kind: "billing", reason: "Credit balance is too low" },
    ],
    [
      "404 for the model",
      [apiError("model_not_found", 404, "No such model"), errorResult(404, "No such model")],
      red,
      { kind: "failed", reason: "No such model", final: true },
    ],
    ["429 once, then success", [retry(429, "rate_limit"), says("Done."), result()], changed, { kind: "ok" }],
    [
      "429 with an API key, which tells no reset",
      [apiError("rate_limit", 429, "Rate limited"), errorResult(429, "Rate limited")],
      red,
      { kind: "limit", resetsAt: null },
    ],
    [
      "429 of a subscription, with its reset",
      [
        rateLimit("rejected", RESETS),
        apiError("usage_limit_reached", 429, "You've hit your 5-hour limit"),
        errorResult(429, "You've hit your 5-hour limit"),
      ],
      red,
      { kind: "limit", resetsAt: RESETS * 1_000 },
    ],
    [
      "the same in 2.1.197, where terminal_reason says completed",
      [rateLimit("rejected", RESETS), result({ is_error: true, result: "You've hit your session limit" })],
      red,
      { kind: "limit", resetsAt: RESETS * 1_000 },
    ],
    ["a warning of a limit, which is none", [rateLimit("allowed_warning", RESETS), result()], changed, { kind: "ok" }],
    ["a limit that another window took over", [rateLimit("rejected", RESETS), result()], changed, { kind: "ok" }],
    [
      "529 once, then success",
      [retry(529, "overloaded"), retry(500, "server_error"), says("Done."), result()],
      changed,
      { kind: "ok" },
    ],
    [
      "529 to the end",
      [apiError("server_error", 529, "Overloaded"), errorResult(529, "Overloaded")],
      red,
      { kind: "transient", reason: "Overloaded" },
    ],
    [
      "500 to the end",
      [apiError("server_error", 500, "Internal"), errorResult(500, "Internal")],
      red,
      { kind: "transient", reason: "Internal" },
    ],
    [
      "a stream that is cut",
      [apiError("server_error", null, "Connection closed"), errorResult(null, "Connection closed")],
      red,
      { kind: "transient", reason: "Connection closed" },
    ],
    [
      "a server that hangs",
      [retry(null, "unknown"), errorResult(null, "Request timed out")],
      red,
      { kind: "transient", reason: "Request timed out" },
    ],
    [
      "answers that are cut off for ever",
      [apiError("max_output_tokens", null, "Output limit"), errorResult(null, "Output limit")],
      red,
      { kind: "failed", reason: "Output limit", final: "afresh" },
    ],
    [
      "a refusal",
      [result({ is_error: true, stop_reason: "refusal", result: "Claude is unable to respond" })],
      red,
      { kind: "failed", reason: "Claude is unable to respond", final: "afresh" },
    ],
    [
      "a tool that was cut off",
      [
        result({
          subtype: "error_during_execution",
          is_error: true,
          terminal_reason: "aborted_tools",
          result: undefined,
        }),
      ],
      red,
      { kind: "failed", reason: "aborted_tools" },
    ],
    ["a tool denied and nothing done", [DENIED, DENIED_RESULT], {}, { kind: "denied", tools: ["Bash(curl x)"] }],
    ["a tool denied, told by the result alone", [DENIED_RESULT], {}, { kind: "denied", tools: ["Bash(curl x)"] }],
    ["a tool denied, told by the event alone", [DENIED, result()], {}, { kind: "denied", tools: ["Bash"] }],
    ["a tool denied, and the work done another way", [DENIED, DENIED_RESULT], changed, { kind: "ok" }],
    [
      "max turns",
      [
        result({
          subtype: "error_max_turns",
          is_error: true,
          terminal_reason: "max_turns",
          result: undefined,
          errors: ["Reached 3 turns"],
        }),
      ],
      red,
      { kind: "turns", reason: "Reached 3 turns" },
    ],
    [
      "max turns after a used-up window",
      [rateLimit("rejected", RESETS), result({ subtype: "error_max_turns", is_error: true, result: "3 turns" })],
      red,
      { kind: "turns", reason: "3 turns" },
    ],
    [
      "the budget",
      [result({ subtype: "error_max_budget_usd", is_error: true, result: undefined })],
      red,
      { kind: "budget", reason: "error_max_budget_usd" },
    ],
    [
      "a resume of a conversation that nobody knows",
      [
        result({
          subtype: "error_during_execution",
          is_error: true,
          num_turns: 0,
          result: undefined,
          errors: ["No conversation found"],
        }),
      ],
      red,
      { kind: "failed", reason: "No conversation found" },
    ],
    [
      "an error before the first turn",
      [{ ...errorResult(401, "Invalid API key"), num_turns: 0 }],
      red,
      { kind: "auth", reason: "Invalid API key" },
    ],
    [
      "SIGINT: exit 0 beside an error",
      [result({ subtype: "error_during_execution", is_error: true, result: undefined })],
      changed,
      { kind: "failed", reason: "error_during_execution" },
    ],
    [
      "a question, even with work done",
      [result({ result: "I looked around.\n\nOWT-QUESTION: red or blue?" })],
      changed,
      { kind: "asked", question: "red or blue?" },
    ],
    [
      "a question that was only said on the way",
      [says("OWT-QUESTION: red or blue?"), result({ result: "Took red." })],
      changed,
      { kind: "ok" },
    ],
    [
      "the empty result that opens a resume after a kill, then the real one",
      [result({ num_turns: 0, result: "", terminal_reason: undefined }), errorResult(529, "Overloaded")],
      red,
      { kind: "transient", reason: "Overloaded" },
    ],
    [
      "only that empty result, and then a kill",
      [result({ num_turns: 0, result: "", terminal_reason: undefined })],
      { exitCode: null, changed: true },
      { kind: "lost" },
    ],
    [
      "two results: the last one speaks for the turn",
      [result({ result: "OWT-QUESTION: shall I?" }), result({ result: "Done." })],
      changed,
      { kind: "ok" },
    ],
    ["no result and no exit code", [INIT, says("Working")], { exitCode: null, changed: true }, { kind: "lost" }],
    [
      "no result, but words on standard error",
      [INIT],
      { exitCode: 1, stderrTail: "Error: it is not so." },
      { kind: "failed", reason: "Error: it is not so." },
    ],
    [
      "the id of a conversation that is there already",
      [],
      { exitCode: 1, stderrTail: "Error: Session ID 1-2 is already in use." },
      { kind: "failed", reason: "Error: Session ID 1-2 is already in use.", taken: true },
    ],
    ["no result, but last words", [says("I stop here.")], { exitCode: 0 }, { kind: "lost", exit: 0 }],
    ["no result and no word, ended by a signal", [], { exitCode: 143 }, { kind: "lost" }],
    [
      "no result and no word, refused to start",
      [],
      { exitCode: 1 },
      { kind: "failed", reason: "claude ended with 1 and no result" },
    ],
    [
      "an error without any words",
      [result({ is_error: true, subtype: undefined, result: undefined, terminal_reason: undefined })],
      red,
      { kind: "failed", reason: "an error without words" },
    ],
  ])("%s", (_, lines, change, outcome) => {
    expect(outcomeOf(lines, change)).toEqual(outcome);
  });
});

test.each([
  [RESETS, RESETS * 1_000],
  [RESETS * 1_000, RESETS * 1_000],
  [undefined, null],
  ["soon", null],
  [1e300, null],
])("a limit that resets at %j is shown as a date or not at all", (resetsAt, expected) => {
  expect(parse(rateLimit("rejected", resetsAt))).toEqual([{ kind: "limit", resetsAt: expected }]);
});

test.each([
  ["five_hour", undefined],
  ["seven_day", undefined],
  ["seven_day_opus", "opus"],
  ["seven_day_sonnet", "sonnet"],
  ["seven_day_oauth_apps", undefined],
  ["overage", undefined],
])("the window %s is that of one model or of all", (window, model) => {
  const limit = { kind: "limit", resetsAt: RESETS * 1_000, ...(model === undefined ? {} : { model }) };
  expect(parse(rateLimit("rejected", RESETS, window))).toEqual([limit]);
  const failed = result({ is_error: true, terminal_reason: "api_error" });
  expect(outcomeOf([rateLimit("rejected", RESETS, window), failed], {})).toEqual(limit);
});

describe("lines", () => {
  test("tell what Claude says and does, each tool with what it is about", () => {
    const uses = (name: string, input: unknown): Line => ({
      type: "assistant",
      message: { content: [{ type: "tool_use", name, input }] },
    });
    const lines = [
      says("I begin."),
      uses("Bash", { command: "npm test\nnpm run lint", description: "checks" }),
      uses("Edit", { file_path: "/w/a.ts", old_string: "x" }),
      uses("Glob", { pattern: "**/*.ts" }),
      uses("Task", { description: "look around" }),
      uses("Odd", { n: 1 }),
    ];
    expect(parse(...lines)).toEqual([
      { kind: "said", text: "I begin." },
      { kind: "tool", name: "Bash", detail: "npm test" },
      { kind: "tool", name: "Edit", detail: "/w/a.ts" },
      { kind: "tool", name: "Glob", detail: "**/*.ts" },
      { kind: "tool", name: "Task", detail: "look around" },
      { kind: "tool", name: "Odd", detail: '{"n":1}' },
    ]);
  });

  test("tell what came back, in both of its shapes", () => {
    const returns = (content: unknown, is_error?: boolean): Line => ({
      type: "user",
      message: {
        content: [
          { type: "tool_result", content, is_error },
          { type: "text", text: "synthetic" },
        ],
      },
    });
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ];
    expect(parse(returns("ok"), returns(parts, true))).toEqual([
      { kind: "tool-result", text: "ok", isError: false },
      { kind: "tool-result", text: "a\nb", isError: true },
    ]);
  });

  test("an error field that is empty is no error", () => {
    expect(parse({ ...says("Fine."), error: null })).toEqual([{ kind: "said", text: "Fine." }]);
  });

  test.each([
    "",
    "not json",
    "{",
    "[]",
    "null",
    "{}",
    '{"type":"assistant"}',
    '{"type":"assistant","message":null}',
    '{"type":"assistant","message":{"content":[null,5,{"type":"text"}]}}',
    '{"type":"user","message":{"content":"text"}}',
    '{"type":"rate_limit_event"}',
    '{"type":"system","subtype":"something_new"}',
    '{"type":"stream_event","event":{}}',
  ])("%j is no event, and no crash", (line) => {
    expect(claude.parse(line)).toEqual([]);
  });
});

describe("what the results of a turn say was used", () => {
  const opus = { inputTokens: 10, cacheReadInputTokens: 100, cacheCreationInputTokens: 1_000, outputTokens: 7 };
  const usage = (...lines: Line[]) => usageOf(evidenceOf(lines).results);
  const cost = (...lines: Line[]) => addUsages([{ models: usage(...lines)!, missing: null }]);

  test("is what was used since the last result, not the total of the conversation", () => {
    const since = {
      "claude-opus-5-5": { ...opus, costUSD: 0.027, cacheCreationEphemeral1hInputTokens: 600 },
      "claude-haiku-5-5": { inputTokens: 1, outputTokens: 3, costUSD: 0.001 },
    };
    expect(usage(result({ total_cost_usd: 0.081, modelUsage: {}, model_usage_since_last_result: since }))).toEqual([
      {
        model: "claude-opus-5-5",
        tokens: { input: 10, output: 7, cacheRead: 100, cacheWrite5m: 400, cacheWrite1h: 600 },
        costUsd: 0.027,
        basis: "reported",
      },
      {
        model: "claude-haiku-5-5",
        tokens: { input: 1, output: 3, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 },
        costUsd: 0.001,
        basis: "reported",
      },
    ] satisfies ModelUsage[]);
  });

  test("is the total of the process where there is nothing else (2.1.197); the size of its window is no other model", () => {
    const lines = [0.01, 0.02].map((costUSD) =>
      result({ total_cost_usd: costUSD, modelUsage: { "claude-opus-4-8[1m]": { ...opus, costUSD } } }),
    );
    expect(usage(...lines)).toMatchObject([{ model: "claude-opus-4-8", costUsd: 0.02, basis: "reported" }]);
  });

  test("of several results adds up what each used since the one before", () => {
    const since = (costUSD: number) => result({ model_usage_since_last_result: { opus: { ...opus, costUSD } } });
    expect(cost(since(0.25), since(0.5))).toMatchObject({ usd: 0.75, tokens: { input: 20, output: 14 } });
  });

  test("is nothing, and not the conversation's total, when nothing was used since the last result", () => {
    const empty = result({ num_turns: 0, total_cost_usd: 0.054, model_usage_since_last_result: {} });
    const real = result({ total_cost_usd: 0.081, model_usage_since_last_result: { opus: { costUSD: 0.027 } } });
    expect(usage(empty)).toEqual([]);
    expect(cost(empty, real)).toMatchObject({ usd: 0.027 });
  });

  test("is unknown where it is not stated, never 0", () => {
    expect(usage()).toBeNull();
    expect(usage(result({ total_cost_usd: undefined }))).toBeNull();
    const unpriced = { opus: { outputTokens: 7 } };
    const expected = [{ model: "opus", tokens: null, costUsd: null, basis: "unknown" }];
    expect(usage(result({ total_cost_usd: undefined, modelUsage: unpriced }))).toEqual(expected);
    expect(usage(result({ model_usage_since_last_result: unpriced }))).toEqual(expected);
    expect(usage(result())).toEqual([{ model: null, tokens: null, costUsd: 0.081, basis: "reported" }]);
  });

  test("is unknown where Claude took the price of another model for one that it does not know", () => {
    const guessed = { "my-model": { ...opus, costUSD: 0.5, costBasis: "unknown" } };
    expect(cost(result({ model_usage_since_last_result: guessed }))).toMatchObject({ usd: null, isAtLeast: true });
  });

  // A seed read `cost_usd`, which no version writes, and counted every run as $0.
  test("is read from the key that Claude writes", () => {
    expect(usage(result({ total_cost_usd: 1.23 }))).toMatchObject([{ costUsd: 1.23 }]);
    expect(usage(result({ total_cost_usd: undefined, cost_usd: 1.23 }))).toBeNull();
  });
});

describe("the command line", () => {
  const turn: Turn = {
    prompt: "# Do it\n\nwith `care`; $HOME",
    session: "11111111-2222-4333-8444-555555555555",
    resume: false,
    model: null,
    maxTokens: null,
    extraArgs: [],
    permissionMode: "acceptEdits",
    allowedTools: ["Bash(git add:*)", "Bash(npm test)"],
    budgetUsd: null,
  };
  const all: [string, Turn][] = [true, false].flatMap((resume) =>
    [null, "opus"].map((model): [string, Turn] => [`resume ${resume}, model ${model}`, { ...turn, resume, model }]),
  );

  test.each(all)("always names the permission mode, the allow-list and our conversation (%s)", (_, each) => {
    const { file, args, stdin } = claude.invoke(each);
    expect(file).toBe("claude");
    expect(args.slice(0, 4)).toEqual(["-p", "--output-format", "stream-json", "--verbose"]);
    expect(args.join(" ")).toContain("--permission-mode acceptEdits");
    expect(args.slice(-3)).toEqual(["--allowedTools", "Bash(git add:*)", "Bash(npm test)"]);
    const [ours, other] = each.resume ? ["--resume", "--session-id"] : ["--session-id", "--resume"];
    expect(args[args.indexOf(ours) + 1]).toBe(turn.session);
    for (const never of [other, "--continue", "-c", "--fork-session"]) expect(args).not.toContain(never);
    expect(args.includes("--model")).toBe(each.model !== null);
    // By standard input only: an argument ends at 128 KiB, and every process list shows it.
    expect(stdin).toBe(turn.prompt);
    expect(args.join(" ")).not.toContain("Do it");
  });

  test("without tools there is no empty list, and own arguments stand before the list that takes them all", () => {
    const own = adapter.make(testSetup("mine", ["npx", "claude"]));
    const { file, args, env } = own.invoke({ ...turn, extraArgs: ["--mcp-config", "x.json"], maxTokens: 4_000 });
    expect(env["CLAUDE_CODE_MAX_OUTPUT_TOKENS"]).toBe("4000");
    expect([file, args[0]]).toEqual(["npx", "claude"]);
    expect(args.indexOf("--mcp-config")).toBeLessThan(args.indexOf("--allowedTools"));
    expect(own.invoke({ ...turn, allowedTools: [] }).args).not.toContain("--allowedTools");
  });

  test("background tasks, whose end comes after the first result, are off", () => {
    expect(claude.invoke(turn).env).toEqual({
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
      CLAUDE_CODE_DISABLE_TERMINAL_TITLE: "1",
      DISABLE_AUTOUPDATER: "1",
    });
  });

  test("what it may spend is told to it, unless the user's own arguments do", () => {
    const budget = (...extraArgs: string[]) => {
      const { args } = claude.invoke({ ...turn, budgetUsd: 1.5, extraArgs });
      return args.flatMap((arg, index) => (arg === "--max-budget-usd" ? [args[index + 1]] : []));
    };
    expect(budget()).toEqual(["1.5"]);
    expect(budget("--max-budget-usd", "9")).toEqual(["9"]);
    expect(claude.invoke(turn).args).not.toContain("--max-budget-usd");
  });
});

test("a conversation exists once its transcript does, in whatever folder it was held", () => {
  const configDir = mkdtempSync(join(tmpdir(), "owt-claude-"));
  onTestFinished(() => rmSync(configDir, { recursive: true, force: true }));
  const agent = adapter.make(testSetup("claude", [], { CLAUDE_CONFIG_DIR: configDir }));
  expect(agent.hasConversation("s1")).toBe(false);
  mkdirSync(join(configDir, "projects", "-w-other"), { recursive: true });
  mkdirSync(join(configDir, "projects", "-w-repo"));
  writeFileSync(join(configDir, "projects", "-w-repo", "s1.jsonl"), "{}\n");
  expect([agent.hasConversation("s1"), agent.hasConversation("s")]).toEqual([true, false]);
});

test("a relative folder of Claude's own means the user's, not one in the worktree", () => {
  const agent = adapter.make(testSetup("claude", [], { CLAUDE_CONFIG_DIR: "mine" }));
  const turn = { prompt: "", session: "s", resume: false, model: null, maxTokens: null, budgetUsd: null };
  const { env } = agent.invoke({ ...turn, permissionMode: null, allowedTools: [], extraArgs: [] });
  expect(env["CLAUDE_CONFIG_DIR"]).toBe(resolve("mine"));
});

describe("its login", () => {
  const home = () => {
    const dir = mkdtempSync(join(tmpdir(), "owt-home-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    mkdirSync(join(dir, ".claude"));
    return dir;
  };
  const put = (dir: string, name: string, content: object) => writeFileSync(join(dir, name), JSON.stringify(content));

  test.each([
    [{ ANTHROPIC_API_KEY: "secret" }, "found", "the variable ANTHROPIC_API_KEY"],
    [{ CLAUDE_CODE_OAUTH_TOKEN: "secret" }, "found", "the variable CLAUDE_CODE_OAUTH_TOKEN"],
    [{ ANTHROPIC_AUTH_TOKEN: "secret", ANTHROPIC_API_KEY: "secret" }, "found", "the variable ANTHROPIC_AUTH_TOKEN"],
    [{ CLAUDE_CODE_USE_BEDROCK: "1" }, "unknown", "by the cloud (CLAUDE_CODE_USE_BEDROCK)"],
  ])("with %j is %s: %s", (env, state, detail) => {
    expect(claude.login({ HOME: home(), ...env })).toMatchObject({ state, detail });
  });

  test.each<[string, object, string]>([
    ["by /login", { claudeAiOauth: { accessToken: "secret" } }, ".claude/.credentials.json"],
    ["by a helper", { apiKeyHelper: "get-key" }, ".claude/settings.json"],
    ["in the settings' own environment", { env: { ANTHROPIC_API_KEY: "secret" } }, ".claude/settings.json"],
    ["by the console", { primaryApiKey: "secret" }, ".claude.json"],
  ])("%s is found, and not shown", (_, content, file) => {
    const dir = home();
    put(dir, file, content);
    expect(claude.login({ HOME: dir })).toEqual({ state: "found", detail: join(dir, file) });
  });

  test("by a variable is told from others by its value, and by the API that it is used with", () => {
    const [dir, root] = [home(), home()];
    const of = (env: Record<string, string>) => claude.account({ HOME: dir, ...env }, root);
    const one = of({ CLAUDE_CODE_OAUTH_TOKEN: "one" });
    expect(one).toContain("one");
    expect(of({ CLAUDE_CODE_OAUTH_TOKEN: "one", HOME: home() })).toBe(one);
    expect(of({ CLAUDE_CODE_OAUTH_TOKEN: "two" })).not.toBe(one);
    expect(of({ CLAUDE_CODE_OAUTH_TOKEN: "one", ANTHROPIC_BASE_URL: "http://gateway" })).not.toBe(one);
    expect(of({ CLAUDE_CODE_USE_BEDROCK: "1" })).toBeNull();
    // A checkout's own settings win over what we see.
    put(root, ".claude/settings.json", { env: { ANTHROPIC_API_KEY: "three" } });
    expect(of({ CLAUDE_CODE_OAUTH_TOKEN: "one" })).toBeNull();
    put(root, ".claude/settings.json", { env: { ANTHROPIC_MODEL: "opus" } });
    expect(of({ CLAUDE_CODE_OAUTH_TOKEN: "one" })).toBe(one);
  });

  test("by /login is told from others by its account, which stays while its secret is renewed", () => {
    const [dir, root] = [home(), home()];
    const login = (accessToken: string) => put(dir, ".claude/.credentials.json", { claudeAiOauth: { accessToken } });
    login("first");
    expect(claude.account({ HOME: dir }, root)).toBeNull();
    put(dir, ".claude.json", { oauthAccount: { accountUuid: "a-1", organizationUuid: "o-1" } });
    const one = claude.account({ HOME: dir }, root);
    expect(one).toContain("a-1");
    login("renewed");
    expect(claude.account({ HOME: dir }, root)).toBe(one);
    put(dir, ".claude.json", { oauthAccount: { accountUuid: "a-1", organizationUuid: "o-2" } });
    expect(claude.account({ HOME: dir }, root)).not.toBe(one);
  });

  test.runIf(process.platform === "linux")("that ended, that is damaged or that is not there is missing", () => {
    const dir = home();
    expect(claude.login({ HOME: dir })).toMatchObject({
      state: "missing",
      hint: expect.stringMatching(/\/login/) as string,
    });
    expect(claude.login({ HOME: dir }).detail).toBe(`no variable, no ${join(dir, ".claude/.credentials.json")}`);
    put(dir, ".claude/.credentials.json", { claudeAiOauth: { accessToken: "", refreshToken: "" } });
    expect(claude.login({ HOME: dir })).toMatchObject({
      state: "missing",
      detail: expect.stringContaining("holds no login") as string,
    });
    writeFileSync(join(dir, ".claude/.credentials.json"), "{");
    expect(claude.login({ HOME: dir })).toMatchObject({
      state: "missing",
      detail: expect.stringContaining("damaged") as string,
    });
  });
});
