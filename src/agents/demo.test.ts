import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { addUsages } from "../core/cost.ts";
import { SHIPPED_PRICES } from "../core/prices.ts";
import { gather, noEvidence } from "./agent.ts";
import { findDemoFaults, parseDemoScript, type Step } from "./demo-steps.ts";
import { demoFile } from "./demo-program.ts";
import { demo } from "./demo.ts";

const block = (...lines: string[]) => ["# A task", "", "```demo", ...lines, "```", "", "More text.", ""].join("\n");

function stepsOf(...lines: string[]): Step[] {
  return parseDemoScript(block(...lines))!.start;
}

describe("each verb", () => {
  test.each<[string, string, string[]]>([
    ['write a.txt "one\\ntwo \\"x\\""', "write", ["a.txt", 'one\ntwo "x"']],
    ['append "a b.txt" "x"', "append", ["a b.txt", "x"]],
    ["delete a.txt", "delete", ["a.txt"]],
    ['commit "a message"', "commit", ["a message"]],
    ['say "hello {task}"', "say", ["hello {task}"]],
    ['ask "red?"', "ask", ["red?"]],
    ['fail ""', "fail", [""]],
    ["exit 3", "exit", ["3"]],
    ["work 200ms", "work", ["200ms"]],
    ["hang", "hang", []],
    ["wait /tmp/x", "wait", ["/tmp/x"]],
    ["touch x", "touch", ["x"]],
    ["spawn", "spawn", []],
    ["conflict same.txt", "conflict", ["same.txt"]],
    ["limit 60s", "limit", ["60s"]],
    ['transient "529"', "transient", ["529"]],
    ['auth "key"', "auth", ["key"]],
    ['deny "Bash"', "deny", ["Bash"]],
    ["cost 0.25", "cost", ["0.25"]],
    ["tokens claude-opus-5-5 1200 60", "tokens", ["claude-opus-5-5", "1200", "60"]],
    ['log /tmp/l "x"', "log", ["/tmp/l", "x"]],
    ['run "git" status "-s"', "run", ["git", "status", "-s"]],
  ])("%s", (line, verb, args) => {
    expect(stepsOf(`  ${line}  `)).toEqual([{ verb, args }]);
  });
});

test.each([
  ["dance", /unknown verb; known: write, /],
  ["constructor x", /unknown verb/],
  ["on resume:", /unknown verb/],
  ["write a.txt", /write takes 2 arguments/],
  ['write a.txt "x" "y"', /write takes 2 arguments/],
  ["say hello there", /say takes 1 argument/],
  ["hang now", /hang takes 0 argument/],
  ["spawn x", /spawn takes 0 argument/],
  ["run", /run takes at least 1 argument/],
  ["work fast", /no duration/],
  ["limit later", /no duration/],
  ["exit badly", /no number/],
  ["cost much", /no number/],
  ["tokens m 1 many", /no number/],
  ["tokens m 1", /tokens takes 3 argument/],
  ['say "open', /"open is no JSON string/],
  ['say "a\\qb"', /is no JSON string/],
])("%s is refused, and the line is named", (line, says) => {
  expect(() => stepsOf("spawn", line)).toThrow(says);
  expect(() => stepsOf("spawn", line)).toThrow(`demo step "${line}"`);
});

describe("a script", () => {
  test("is none where there is no block, or only one of another kind", () => {
    for (const text of ["", "write a b", "```\nhang\n```", "```demonstration\nhang\n```", "text ```demo\nhang\n```"])
      expect(parseDemoScript(text)).toBeNull();
  });

  test("is empty when its block is", () => {
    expect(parseDemoScript("```demo\n```")).toEqual({ start: [], answer: [], repair: [], conflict: [] });
  });

  test("has sections for the ways in which the conversation goes on; remarks and empty lines are nothing", () => {
    const script = parseDemoScript(
      block("# a remark", "touch a", "", "on answer:", "touch b", "touch c", "on repair:", "on conflict:", "touch d"),
    )!;
    const verbs = Object.entries(script).map(([occasion, steps]) => [occasion, steps.map(({ args }) => args[0])]);
    expect(verbs).toEqual([
      ["start", ["a"]],
      ["answer", ["b", "c"]],
      ["repair", []],
      ["conflict", ["d"]],
    ]);
  });

  test("has all its faults named at once, and so has one that nothing ends", () => {
    const text = `${block("dance", "touch a", "on answer:", "touch")}\n${block("touch b")}\n\`\`\`demo\r\ntouch c\n`;
    expect(findDemoFaults(text).map(({ step }) => step)).toEqual(["dance", "touch", "```demo"]);
    expect(findDemoFaults(block("touch a", "on repair:", "# dance"))).toEqual([]);
    expect(findDemoFaults("no block")).toEqual([]);
  });

  test("may stand in several blocks, and in a file with CRLF", () => {
    const text = `${block("touch a", "on answer:", "touch b")}${block("touch c")}`;
    const expected = parseDemoScript(text)!;
    expect(expected.start.map(({ args }) => args)).toEqual([["a"]]);
    expect(expected.answer.map(({ args }) => args)).toEqual([["b"], ["c"]]);
    expect(parseDemoScript(text.replaceAll("\n", "\r\n"))).toEqual(expected);
  });
});

describe("the demo agent", () => {
  const stateDir = () => {
    const dir = mkdtempSync(join(tmpdir(), "owt-demo-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
  };
  const agent = demo.make({ name: "demo", command: [], env: {}, owtCommand: ["node", "owt.js"], stateDir: "/state" });

  test("is owt itself, with the prompt by standard input", () => {
    const turn = {
      prompt: "Do it",
      session: "s",
      resume: false,
      model: null,
      maxTokens: null,
      extraArgs: [],
      permissionMode: "plan",
      allowedTools: [],
      budgetUsd: null,
    };
    const args = ["owt.js", "__demo-agent", "/state/demo", "s", "start"];
    expect(agent.invoke(turn)).toEqual({ file: "node", args, env: {}, stdin: "Do it" });
    expect(agent.invoke({ ...turn, resume: true }).args.at(-1)).toBe("resume");
  });

  test("remembers what it wrote down", () => {
    const dir = stateDir();
    const here = demo.make({ name: "demo", command: [], env: {}, owtCommand: ["owt"], stateDir: dir });
    mkdirSync(join(dir, "demo"));
    writeFileSync(join(dir, "demo", "s.json"), "{}");
    expect([here.hasConversation("s"), here.hasConversation("t")]).toEqual([true, false]);
    for (const cut of ["", "\0\0", '{"done"']) {
      writeFileSync(join(dir, "demo", "s.json"), cut);
      expect(here.hasConversation("s")).toBe(false);
    }
  });

  const RESULT = { kind: "result", text: "bye" };
  test.each<[string, object[], object, object]>([
    ["a change", [RESULT], { changed: true }, { kind: "ok" }],
    ["no change", [RESULT], {}, { kind: "nothing_done", said: "bye" }],
    ["a question", [{ ...RESULT, subtype: "asked" }], { changed: true }, { kind: "asked", question: "bye" }],
    [
      "a transient error",
      [{ ...RESULT, isError: true, subtype: "transient" }],
      {},
      { kind: "transient", reason: "bye" },
    ],
    ["a login", [{ ...RESULT, isError: true, subtype: "auth" }], {}, { kind: "auth", reason: "bye" }],
    ["a failure", [{ ...RESULT, isError: true }], { changed: true }, { kind: "failed", reason: "bye" }],
    [
      "a limit",
      [
        { kind: "limit", resetsAt: 5 },
        { ...RESULT, isError: true },
      ],
      {},
      { kind: "limit", resetsAt: 5 },
    ],
    [
      "a limit of one model",
      [
        { kind: "limit", resetsAt: 5, model: "opus" },
        { ...RESULT, isError: true },
      ],
      {},
      { kind: "limit", resetsAt: 5, model: "opus" },
    ],
    ["a denied tool", [{ kind: "deny", tool: "Bash" }, RESULT], {}, { kind: "denied", tools: ["Bash"] }],
    ["a denied tool and a change", [{ kind: "deny", tool: "Bash" }, RESULT], { changed: true }, { kind: "ok" }],
    ["nothing, killed", [{ kind: "say", text: "x" }], { exitCode: null }, { kind: "lost" }],
    ["nothing but an exit", [], { exitCode: 3 }, { kind: "failed", reason: "exit 3" }],
    ["nothing but standard error", [], { exitCode: 3, stderrTail: "oh\n" }, { kind: "failed", reason: "oh" }],
  ])("that left %s is judged so", (_, lines, change, outcome) => {
    const evidence = { ...noEvidence(), exitCode: 0, ...change };
    for (const line of lines) for (const event of agent.parse(JSON.stringify(line))) gather(evidence, event);
    expect(agent.judge(evidence)).toEqual(outcome);
  });

  test("an unknown line is no event", () => {
    expect(["", "text", "{}", '{"kind":"new"}'].flatMap((line) => agent.parse(line))).toEqual([]);
  });

  test("tells what it uses as it goes; without such a step it used nothing", () => {
    const used = (...lines: object[]) => {
      const books = agent.openBooks({ session: "s", since: 0, prices: SHIPPED_PRICES });
      for (const event of lines.flatMap((line) => agent.parse(JSON.stringify(line)))) books.take(event);
      return addUsages([books.read(true)]);
    };
    expect(used(RESULT)).toMatchObject({ usd: 0, isAtLeast: false });
    const costs = [0.25, 0.5].map((costUsd) => ({ kind: "used", costUsd }));
    expect(used(...costs)).toMatchObject({ usd: 0.75, basis: "reported" });
    const tokens = { kind: "used", input: 1_000_000, output: 0 };
    expect(used({ ...tokens, model: "claude-sonnet-5-5" })).toMatchObject({ usd: 2, basis: "list" });
    expect(used({ ...tokens, model: "new" }, costs[0]!)).toMatchObject({ usd: 0.25, isAtLeast: true, basis: "mixed" });
  });
});

test("each id has a file of its own, with a name that a file can have", () => {
  expect(demoFile("shop/E01")).toBe("demo/shop+E01.md");
  const ids = ["x/y", "x-y", "x.y", "x_y", "x/-y", "x", "x.md/y", "é", "e", "日本", "a b", "a+b", "a%2Bb", "a/b"];
  const long = ["本".repeat(100), `${"本".repeat(99)}木`, "a".repeat(300)];
  const files = [...ids, ...long].map(demoFile);
  expect(new Set(files).size).toBe(files.length);
  for (const file of files) {
    expect(file).toMatch(/^demo\/[^/]+\.md$/);
    expect(Buffer.byteLength(file)).toBeLessThan(256);
  }
});
