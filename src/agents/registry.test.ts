/** What holds for every adapter, whoever wrote it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { testSetup } from "../../test/rig/agent-setup.ts";
import { noEvidence, type Turn } from "./agent.ts";
import { AGENT_KINDS, kindOf, makeAgent, READY_AGENTS } from "./registry.ts";

const TURN: Turn = {
  prompt: "Say `please`; $HOME",
  session: "11111111-2222-4333-8444-555555555555",
  resume: false,
  model: null,
  maxTokens: null,
  permissionMode: null,
  allowedTools: [],
  extraArgs: ["--own"],
  budgetUsd: null,
};

describe.each(AGENT_KINDS)("an agent of kind %s", (kind) => {
  const agent = makeAgent(kind, testSetup("mine", ["program", "first"]))!;

  test("gets its prompt by standard input alone", () => {
    const { args, env, stdin } = agent.invoke(TURN);
    expect(stdin).toContain(TURN.prompt);
    expect([...args, ...Object.values(env)].join(" ")).not.toContain("please");
  });

  test("is started by the words that are configured, and with the user's own arguments", () => {
    if (kind === "demo") return;
    const { file, args } = agent.invoke(TURN);
    expect([file, args[0], args.includes("--own")]).toEqual(["program", "first", true]);
  });

  test("never lets what it does not know pass for work that is done", () => {
    expect(agent.judge({ ...noEvidence(), exitCode: null, changed: true }).kind).not.toBe("ok");
    expect(agent.judge({ ...noEvidence(), exitCode: 1, changed: true }).kind).not.toBe("ok");
    expect(
      ["{", "null", "[]", '{"type":5}', ""]
        .flatMap((line) => agent.parse(line))
        .filter((event) => event.kind === "result"),
    ).toEqual([]);
  });

  test("passes nothing on that a surrounding session talks by", () => {
    const talks = [
      "CLAUDECODE",
      "CLAUDE_CODE_SESSION_ID",
      "CLAUDE_CODE_ENTRYPOINT",
      "CLAUDE_CODE_SSE_PORT",
      "CODEX_THREAD_ID",
      "OWT_ATTEMPT",
    ];
    const reaches = (name: string) =>
      agent.about.variables.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : each === name));
    expect(talks.filter(reaches)).toEqual([]);
  });

  test("has a conversation that nobody held for none", () => {
    expect(agent.hasConversation(TURN.session)).toBe(false);
  });
});

test("a name is a kind of its own, a command, or nothing", () => {
  expect(READY_AGENTS.map((name) => kindOf(name, {}))).toEqual(READY_AGENTS);
  expect(kindOf("claude", { command: ["my-claude"] })).toBe("claude");
  expect(kindOf("mine", { kind: "claude", command: ["my-claude"] })).toBe("claude");
  expect([kindOf("mine", { command: ["x"] }), kindOf("mine", {}), makeAgent("toString", testSetup("x"))]).toEqual([
    "command",
    null,
    null,
  ]);
});

test("the guide has a row for each agent that is there by its name", () => {
  const guide = readFileSync(new URL("../../docs/guide/agents.md", import.meta.url), "utf8");
  expect([...guide.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(READY_AGENTS);
});
