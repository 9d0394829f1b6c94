/** Transcripts of the real Codex 0.169.0, as it wrote them with a Responses API on loopback: `fixtures/codex/`. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { testSetup } from "../../test/rig/agent-setup.ts";
import type { Outcome } from "../core/outcome.ts";
import { SHIPPED_PRICES } from "../core/prices.ts";
import { type AgentEvent, type Evidence, gather, noEvidence, type Turn } from "./agent.ts";
import { codex } from "./codex.ts";

const FIXTURES = fileURLToPath(new URL("fixtures/codex", import.meta.url));
const THREAD = "01a1fe51-6ccb-7ed0-aa17-cd846dd76a67";
/** The fixtures serve as the home of a Codex that has one conversation. */
const agent = codex.make(testSetup("codex", [], { CODEX_HOME: FIXTURES }));

function eventsOf(fixture: string): AgentEvent[] {
  const lines = readFileSync(join(FIXTURES, `${fixture}.jsonl`), "utf8")
    .trimEnd()
    .split("\n");
  return lines.flatMap((line) => agent.parse(line));
}

function evidenceOf(events: readonly AgentEvent[], more: Partial<Evidence> = {}): Evidence {
  const evidence = { ...noEvidence(), exitCode: 0, ...more };
  for (const event of events) gather(evidence, event);
  return evidence;
}

describe("a turn", () => {
  test("shows its conversation, what it does and what it says", () => {
    const shown = eventsOf("works").map((event) =>
      event.kind === "tool" ? `${event.name}: ${event.detail}` : event.kind === "said" ? event.text : event.kind,
    );
    const shell = "shell: /bin/bash -lc 'git add -A; sleep 0.6'";
    const edit = "edit: /repo-owt/x-1/page.txt";
    expect(shown).toEqual(["session", edit, shell, "tool-result", "It is written.", "result"]);
    expect(evidenceOf(eventsOf("works")).session).toBe(THREAD);
    expect(evidenceOf(eventsOf("resumed")).session).toBe(THREAD);
  });

  test.each<[string, Partial<Evidence>, Partial<Outcome>]>([
    ["works", { changed: true }, { kind: "ok" }],
    ["works", { changed: false }, { kind: "nothing_done", said: "It is written." }],
    ["api-401", { exitCode: 1 }, { kind: "auth" }],
    ["api-402", { exitCode: 1 }, { kind: "billing" }],
    ["api-404", { exitCode: 1 }, { kind: "failed", final: true }],
    ["api-429", { exitCode: 1 }, { kind: "limit", resetsAt: null }],
    ["api-500", { exitCode: 1 }, { kind: "transient" }],
  ])("that wrote %s with %j ends as %j", (fixture, more, outcome) => {
    expect(agent.judge(evidenceOf(eventsOf(fixture), more))).toMatchObject(outcome);
  });

  test("that still asks its API again is known by what it cannot get over", () => {
    expect(evidenceOf(eventsOf("network")).retrying).toMatchObject({ kind: "transient" });
    const refused = eventsOf("api-401").filter((event) => event.kind !== "result" && event.kind !== "error");
    expect(evidenceOf(refused).retrying).toMatchObject({ kind: "auth" });
  });

  test("that asks is told by our marker alone", () => {
    const says = (text: string) =>
      agent.parse(JSON.stringify({ type: "item.completed", item: { type: "agent_message", text } }));
    const done = agent.parse('{"type":"turn.completed"}');
    expect(agent.judge(evidenceOf([...says("OWT-QUESTION: red?"), ...done], { changed: true }))).toEqual({
      kind: "asked",
      question: "red?",
    });
  });

  test("without a result is lost where it was killed, and else fails with its last words", () => {
    const stderrTail = "Error: thread/resume failed: no rollout found for thread id";
    expect(agent.judge(evidenceOf([], { exitCode: null }))).toEqual({ kind: "lost" });
    expect(agent.judge(evidenceOf([], { exitCode: 1, stderrTail }))).toEqual({ kind: "failed", reason: stderrTail });
  });

  test("is read without an error, whatever it prints", () => {
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((item) => `{"type":"item.completed","item":${item}}`),
    );
    fc.assert(fc.property(line, (each) => agent.parse(each).every((event) => typeof event.kind === "string")));
  });
});

describe("the command line", () => {
  const turn: Turn = {
    prompt: "Do it\n",
    session: THREAD,
    resume: false,
    model: null,
    maxTokens: null,
    permissionMode: null,
    allowedTools: ["Bash(git add:*)"],
    extraArgs: [],
    budgetUsd: null,
  };

  test("starts in the sandbox that writes the worktree alone, whatever word of another agent a plan has", () => {
    const started = ["exec", "--json", "--sandbox", "workspace-write", "-"];
    expect(agent.invoke(turn)).toMatchObject({ file: "codex", args: started });
    expect(agent.invoke({ ...turn, permissionMode: "acceptEdits" }).args).toEqual(started);
    expect(agent.invoke({ ...turn, permissionMode: "read-only" }).args[3]).toBe("read-only");
  });

  test("resumes the conversation, with the user's own arguments before the subcommand", () => {
    const { args } = agent.invoke({ ...turn, resume: true, model: "gpt-6.1-sol", extraArgs: ["-c", "a=1"] });
    expect(args.slice(4)).toEqual(["--model", "gpt-6.1-sol", "-c", "a=1", "resume", THREAD, "-"]);
  });

  test("tells it to leave committing to us, behind the prompt", () => {
    expect(agent.invoke(turn).stdin).toMatch(/^Do it\n\n.*Do not commit.*\n$/);
  });
});

test("a conversation exists once its record does", () => {
  expect([agent.hasConversation(THREAD), agent.hasConversation("other"), agent.hasConversation("")]).toEqual([
    true,
    false,
    false,
  ]);
});

describe("what a turn used", () => {
  const booksFrom = (since: string, fixture: string, isOver = true) => {
    const books = agent.openBooks({ session: "ours", since: Date.parse(since), prices: SHIPPED_PRICES });
    for (const event of eventsOf(fixture)) books.take(event);
    return books.read(isOver);
  };

  test("is what its conversation's record has of it, not what the conversation used before", () => {
    const both = { input: 320, cacheRead: 80, output: 40 };
    const second = { input: 160, cacheRead: 40, output: 20 };
    expect(booksFrom("2026-11-21T13:35:00Z", "resumed").models).toMatchObject([{ model: "gpt-6.1-sol", tokens: both }]);
    expect(booksFrom("2026-11-21T13:35:12.800Z", "resumed")).toMatchObject({
      models: [{ model: "gpt-6.1-sol", tokens: second }],
      missing: null,
    });
  });

  test("lacks an answer where the turn was cut off", () => {
    expect(booksFrom("2026-11-21T13:35:00Z", "network")).toEqual({ models: [], missing: "an answer that was cut off" });
    expect(booksFrom("2026-11-21T13:35:00Z", "network", false).missing).toBeNull();
  });
});

test("whose its login is, is told by its account or its key; by neither with a provider of the user's own", () => {
  const home = mkdtempSync(join(tmpdir(), "owt-codex-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, ".codex"));
  const of = (env: Record<string, string> = {}) => agent.account({ HOME: home, ...env }, home);
  const put = (tokens: object) => writeFileSync(join(home, ".codex", "auth.json"), JSON.stringify({ tokens }));
  expect(of()).toBeNull();
  put({ access_token: "secret" });
  expect(of()).toBeNull();
  put({ access_token: "secret", account_id: "a-1" });
  const one = of();
  expect(one).toContain("a-1");
  put({ access_token: "renewed", account_id: "a-1" });
  expect(of()).toBe(one);
  expect(of({ CODEX_API_KEY: "key" })).not.toBe(one);
  writeFileSync(join(home, ".codex", "config.toml"), 'model_provider = "mine"\n');
  expect(of()).toBeNull();
});

test("its login is looked for where Codex has it, and never shown", () => {
  const home = mkdtempSync(join(tmpdir(), "owt-codex-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, ".codex"));
  expect(agent.login({ HOME: home })).toMatchObject({ state: "missing" });
  // As measured: Codex asks without any key then.
  expect(agent.login({ HOME: home, OPENAI_API_KEY: "sk-secret" }).state).toBe("missing");
  writeFileSync(join(home, ".codex", "config.toml"), 'model = "x"\nmodel_provider = "mine"\n');
  expect(agent.login({ HOME: home }).state).toBe("unknown");
  expect(agent.login({ HOME: home, CODEX_API_KEY: "sk-secret" })).toEqual({
    state: "found",
    detail: "the variable CODEX_API_KEY",
    variable: "CODEX_API_KEY",
  });
  const file = join(home, ".codex", "auth.json");
  writeFileSync(file, '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-secret"}');
  expect(agent.login({ HOME: home })).toEqual({ state: "found", detail: file });
});
