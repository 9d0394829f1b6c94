import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { testSetup } from "../../test/rig/agent-setup.ts";
import { gather, noEvidence, QUESTION_MARKER, questionIn } from "./agent.ts";
import { addUsages } from "../core/cost.ts";
import { SHIPPED_PRICES } from "../core/prices.ts";
import { command } from "./command.ts";
import { list, number, parseJson, record, text } from "./json.ts";

describe("a question", () => {
  test.each([
    ["OWT-QUESTION: red or blue?", "red or blue?"],
    ["I looked.\nOWT-QUESTION: red?\n", "red?"],
    ["I looked.\r\nOWT-QUESTION: red?\r\n", "red?"],
    ["> OWT-QUESTION: red?", "red?"],
    ["**OWT-QUESTION: red?", "red?"],
    ["`OWT-QUESTION: red?", "red?"],
    ["**OWT-QUESTION:** Which colour?", "Which colour?"],
    ["**OWT-QUESTION: Which colour?**\nBoth do.", "Which colour?\nBoth do."],
    ["`OWT-QUESTION:` Which of `a` and `b`?", "Which of `a` and `b`?"],
    ["`OWT-QUESTION: Which?`", "Which?"],
    ["OWT-QUESTION: *this* or that?", "*this* or that?"],
    ["owt-question: y", "y"],
    ["OWT-QUESTION : y", "y"],
    ["- OWT-QUESTION: a?\n- OWT-QUESTION: b?", "a?\nb?"],
    ["```\nOWT-QUESTION: shown\n```\nOWT-QUESTION: meant?\n```\ncode\n```", "meant?\n```\ncode\n```"],
    ["```\nOWT-QUESTION: behind a fence that nobody closed", "behind a fence that nobody closed"],
    ["OWT-QUESTION: first?\nOWT-QUESTION: second?", "first?\nsecond?"],
    ["OWT-QUESTION: which?\n- red\n- blue", "which?\n- red\n- blue"],
  ])("is read from %j", (said, question) => {
    expect(questionIn(said)).toBe(question);
  });

  test.each([
    "",
    "There is no OWT-QUESTION: needed.",
    "Which colour?",
    "OWT-QUESTION:",
    "OWT-QUESTION:  \n",
    "xOWT-QUESTION: y",
    "OWT-QUESTIONS: y",
    "```\nOWT-QUESTION: y\n```\nAll done.",
    "  ~~~ text\nOWT-QUESTION: y\n  ~~~\nAll done.",
  ])("is never guessed from %j", (said) => {
    expect(questionIn(said)).toBeNull();
  });
});

test("evidence keeps everything in the order in which it was said", () => {
  const evidence = noEvidence();
  gather(evidence, { kind: "said", text: "first" });
  gather(evidence, { kind: "tool", name: "Bash", detail: "ls" });
  gather(evidence, { kind: "denied", tool: "Write" });
  gather(evidence, { kind: "limit", resetsAt: 1 });
  gather(evidence, { kind: "limit", resetsAt: null });
  gather(evidence, { kind: "error", text: "no", status: 401, type: "x" });
  gather(evidence, { kind: "said", text: "last" });
  expect(evidence).toEqual({
    ...noEvidence(),
    denials: ["Write"],
    limits: [{ resetsAt: 1 }, { resetsAt: null }],
    errors: [{ text: "no", status: 401, type: "x" }],
    lastSaid: "last",
    saidLately: ["first", "last"],
  });
});

describe("any program as an agent", () => {
  const agent = command.make(testSetup("mine", ["my-agent", "--fast"]));
  const turn = {
    prompt: "Do it",
    session: "s",
    resume: false,
    model: null,
    maxTokens: null,
    extraArgs: [],
    permissionMode: "plan",
    allowedTools: ["x"],
    budgetUsd: null,
  };

  test("gets the prompt by standard input, and nothing of it in its arguments", () => {
    expect(agent.invoke({ ...turn, extraArgs: ["-v"] })).toEqual({
      file: "my-agent",
      args: ["--fast", "-v"],
      env: { OWT_SESSION: "s" },
      stdin: "Do it",
    });
    expect(agent.invoke({ ...turn, model: "m", maxTokens: 9 }).env).toEqual({
      OWT_SESSION: "s",
      OWT_MODEL: "m",
      OWT_MAX_TOKENS: "9",
    });
    expect(command.make(testSetup("aider", [])).invoke(turn).file).toBe("aider");
  });

  const used = (...lines: string[]) => {
    const books = agent.openBooks({ session: "s", since: 0, prices: SHIPPED_PRICES });
    for (const event of lines.flatMap((line) => agent.parse(line))) books.take(event);
    return books.read(true);
  };

  test("may tell what it used, in dollars or in tokens of a model that has a price", () => {
    const lines = ['OWT-USAGE: {"cost_usd": 0.25}', "text", 'OWT-USAGE: {"cost_usd": 0.5}'];
    expect(addUsages([used(...lines)])).toMatchObject({ usd: 0.75, isAtLeast: false, basis: "reported" });
    const opus = 'OWT-USAGE: {"model": "claude-opus-5-5", "input_tokens": 1000000, "output_tokens": 1000000}';
    expect(addUsages([used(opus)])).toMatchObject({ usd: 24, basis: "list", tokens: { input: 1_000_000 } });
    const other = opus.replace("claude-opus-5-5", "other");
    expect(addUsages([used(other)])).toMatchObject({
      usd: null,
      basis: "unknown",
      missing: ["other has no known price"],
    });
  });

  test.each([[], ["text"]])("costs something unknown, and not nothing, where it says %j", (...lines) => {
    const cost = addUsages([used(...lines)]);
    expect(cost).toMatchObject({ usd: null, isAtLeast: true, missing: ["mine does not say what it cost"] });
  });

  test.each(["free", '{"cost_usd": -1}', '{"cost_usd": 1e308}', '{"input_tokens": 5}', '{"cost_usd": "1"}'])(
    "that tells its use as %j is told so, and its cost is at least what the other lines say",
    (told) => {
      const line = `OWT-USAGE: ${told}`;
      expect(agent.parse(line)[0]).toMatchObject({ kind: "error", text: expect.stringContaining(told) as string });
      const cost = addUsages([used('OWT-USAGE: {"cost_usd": 0.25}', line)]);
      expect(cost).toMatchObject({ usd: 0.25, isAtLeast: true, missing: [expect.stringContaining("cannot be read")] });
    },
  );

  test("is read without an error whatever it prints, and never uses less than nothing", () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(-1, 1e308, 0.25, 7));
    const keys = ["cost_usd", "model", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"];
    const told = fc.record(Object.fromEntries(keys.map((key) => [key, value])), { requiredKeys: [] });
    const line = fc.oneof(
      fc.string(),
      told.map((each) => `OWT-USAGE: ${JSON.stringify(each)}`),
      fc.string().map((each) => `OWT-USAGE: ${each}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        for (const part of used(...lines).models) {
          expect(part.costUsd ?? 0).toBeGreaterThanOrEqual(0);
          for (const each of Object.values(part.tokens ?? {})) expect(each).toBeGreaterThanOrEqual(0);
          expect(part.basis === "unknown").toBe(part.costUsd === null);
        }
      }),
      { numRuns: 10_000 },
    );
  });

  test("remembers nothing, and says every line that is not empty", () => {
    expect(agent.hasConversation("s")).toBe(false);
    expect(["a", "", "  ", '{"x":1}'].flatMap((line) => agent.parse(line))).toEqual([
      { kind: "said", text: "a" },
      { kind: "said", text: '{"x":1}' },
    ]);
  });

  test.each([
    [{ exitCode: 0, changed: true }, { kind: "ok" }],
    [
      { exitCode: 0, lastSaid: "bye" },
      { kind: "nothing_done", said: "bye" },
    ],
    [
      { exitCode: 0, changed: true, lastSaid: `${QUESTION_MARKER} red?` },
      { kind: "asked", question: "red?" },
    ],
    [
      { exitCode: 0, changed: true, saidLately: ["at work", `${QUESTION_MARKER} red?`, "bye"], lastSaid: "bye" },
      { kind: "asked", question: "red?\nbye" },
    ],
    [{ exitCode: null, changed: true }, { kind: "lost" }],
    [
      { exitCode: 3, changed: true },
      { kind: "failed", reason: "exit 3" },
    ],
    [
      { exitCode: 3, lastSaid: "hm" },
      { kind: "failed", reason: "exit 3: hm" },
    ],
    [
      { exitCode: 3, lastSaid: "hm", stderrTail: "a\nb\n" },
      { kind: "failed", reason: "exit 3: b" },
    ],
    [
      { exitCode: 1, lastSaid: `${QUESTION_MARKER} red?` },
      { kind: "failed", reason: "exit 1: OWT-QUESTION: red?" },
    ],
  ])("that ended with %j is judged %j", (evidence, outcome) => {
    expect(agent.judge({ ...noEvidence(), ...evidence })).toEqual(outcome);
  });
});

describe("JSON of other programs", () => {
  test.each(["", "x", "{", "[1]", "5", '"{}"', "null", " {}"])("%j is no object", (line) => {
    expect(parseJson(line)).toBeNull();
  });

  test("what is not of the expected shape reads as empty", () => {
    expect(parseJson('{"a":1}\r')).toEqual({ a: 1 });
    for (const odd of [null, undefined, 5, "x", [1]]) expect(record(odd)).toEqual({});
    for (const odd of [null, undefined, 5, "x", { length: 1 }]) expect(list(odd)).toEqual([]);
    for (const odd of [null, undefined, 5, {}, ["x"]]) expect(text(odd)).toBe("");
    for (const odd of [null, undefined, "5", Number.NaN, Number.POSITIVE_INFINITY]) expect(number(odd)).toBeNull();
    expect([record({ a: 1 }), list([1]), text("x"), number(0)]).toEqual([{ a: 1 }, [1], "x", 0]);
  });
});

test("of what is said only the last ten things are kept, so that an old question asks nothing", () => {
  const evidence = noEvidence();
  const agent = command.make(testSetup("mine", ["my-agent"]));
  gather(evidence, { kind: "said", text: `${QUESTION_MARKER} red?` });
  for (let at = 0; at < 9; at++) gather(evidence, { kind: "said", text: `line ${at}` });
  expect(agent.judge({ ...evidence, exitCode: 0, changed: true })).toMatchObject({ kind: "asked" });
  gather(evidence, { kind: "said", text: "one more" });
  expect(agent.judge({ ...evidence, exitCode: 0, changed: true })).toEqual({ kind: "ok" });
});
