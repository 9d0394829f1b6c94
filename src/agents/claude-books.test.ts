/** Streams and records as Claude Code writes them (2.1.197 and 2.1.329), cut to what counts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addUsages, NO_TOKENS, type Tokens, type Usage } from "../core/cost.ts";
import { priceAnswer, SHIPPED_PRICES } from "../core/prices.ts";
import { testSetup } from "../../test/rig/agent-setup.ts";
import { claude } from "./claude.ts";

const RUNS = { numRuns: 10_000 };
const SESSION = "11111111-2222-4333-8444-555555555555";
const SINCE = Date.parse("2026-11-21T12:00:00Z");
const MODEL = "claude-opus-5-5";

let config: string;
let record: string;
let subagent: string;
beforeAll(() => {
  config = mkdtempSync(join(tmpdir(), "owt-books-"));
  record = join(config, "projects", "-w-repo", `${SESSION}.jsonl`);
  subagent = join(config, "projects", "-w-repo", SESSION, "subagents", "agent-a1.jsonl");
  mkdirSync(dirname(subagent), { recursive: true });
});
afterAll(() => rmSync(config, { recursive: true, force: true }));

type Row = Record<string, unknown>;

function booksOf(stream: Row[], rows: { own?: Row[]; sub?: Row[] }, isOver = true, session = SESSION): Usage {
  const agent = claude.make(testSetup("claude", [], { CLAUDE_CONFIG_DIR: config }));
  put(record, lines(rows.own ?? []));
  put(subagent, lines(rows.sub ?? []));
  const books = agent.openBooks({ session, since: SINCE, prices: SHIPPED_PRICES });
  for (const line of stream) for (const event of agent.parse(JSON.stringify(line))) books.take(event);
  return books.read(isOver);
}

const written = new Map<string, string>();

/** Ten thousand runs write much that stands there already. */
function put(path: string, text: string): void {
  if (written.get(path) !== text) writeFileSync(path, text);
  written.set(path, text);
}

const lines = (rows: Row[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const cost = (...args: Parameters<typeof booksOf>) => addUsages([booksOf(...args)]);

const INIT = { type: "system", subtype: "init", session_id: SESSION };

/** One answer with `blocks` blocks: as the stream shows it, and as the record holds it. */
function answer(id: string, at: number, tokens: Tokens, blocks = 1, stop: string | null = "tool_use") {
  const usage = {
    input_tokens: tokens.input,
    cache_read_input_tokens: tokens.cacheRead,
    cache_creation_input_tokens: tokens.cacheWrite5m + tokens.cacheWrite1h,
    cache_creation: {
      ephemeral_5m_input_tokens: tokens.cacheWrite5m,
      ephemeral_1h_input_tokens: tokens.cacheWrite1h,
    },
  };
  const block = (index: number) => ({ type: "tool_use", id: `${id}-${index}`, name: "Bash", input: {} });
  const row = (index: number, output: number, stop_reason: string | null) => ({
    type: "assistant",
    timestamp: new Date(SINCE + at).toISOString(),
    message: { id, model: MODEL, stop_reason, content: [block(index)], usage: { ...usage, output_tokens: output } },
  });
  const all = Array.from({ length: blocks }, (_, index) => index);
  return {
    stream: all.map((index): Row => row(index, 1, null)),
    rows: stop === null ? [] : all.map((index): Row => row(index, tokens.output, stop)),
    results: all.map((index): Row => ({
      type: "user",
      timestamp: new Date(SINCE + at).toISOString(),
      message: { content: [{ type: "tool_result", tool_use_id: `${id}-${index}` }] },
    })),
  };
}

const some = (output: number): Tokens => ({ ...NO_TOKENS, input: 1_200, output });
const result = (change: Row): Row => ({ type: "result", is_error: false, num_turns: 2, ...change });
const since = (costUSD: number) => ({
  model_usage_since_last_result: { [MODEL]: { costUSD, inputTokens: 1, outputTokens: 1 } },
});

describe("a turn that was killed", () => {
  const one = answer("msg_1", 10, some(321), 3);
  const two = answer("msg_2", 20, some(222), 2);

  test("in the middle of a tool costs its answers, each counted once and by its final tokens", () => {
    const stream = [INIT, ...one.stream, ...one.results, ...two.stream];
    const usage = cost(stream, { own: [...one.rows, ...one.results, ...two.rows] });
    expect(usage).toMatchObject({ isAtLeast: false, basis: "list", tokens: { input: 2_400, output: 543 } });
    expect(usage.usd).toBeCloseTo((2_400 * 4 + 543 * 20) / 1e6, 9);
  });

  test("in the middle of an answer says that a part is not known", () => {
    const stream = [INIT, ...one.stream, ...one.results, two.stream[0]!];
    const usage = cost(stream, { own: [...one.rows, ...one.results] });
    expect(usage).toMatchObject({ isAtLeast: true, missing: ["an answer that was cut off"], tokens: { output: 321 } });
  });

  test("while the model had the word says so too, though nothing of its answer is to be seen", () => {
    const usage = cost([INIT, ...one.stream, ...one.results], { own: [...one.rows, ...one.results] });
    expect(usage).toMatchObject({ isAtLeast: true, tokens: { output: 321 } });
    // One of three tools has ended: the model waits for the others.
    const waits = cost([INIT, ...one.stream], { own: [...one.rows, one.results[0]!] });
    expect(waits).toMatchObject({ isAtLeast: false, tokens: { output: 321 } });
  });

  test("by a TERM in the middle of a tool does not wait for an answer to how the tool ended (2.1.329)", () => {
    const own = [...one.rows, { type: "cost-state", totalCostUSD: 0.02 }, ...one.results];
    const usage = cost([INIT, ...one.stream, ...one.results], { own });
    expect(usage).toMatchObject({ isAtLeast: false, tokens: { output: 321 } });
    const resumed = { type: "user", timestamp: new Date(SINCE + 50).toISOString(), message: { content: "Go on." } };
    expect(cost([INIT, ...one.stream], { own: [...own, resumed] })).toMatchObject({ isAtLeast: true });
  });

  test("before its first answer is unknown, and before it had begun cost nothing", () => {
    expect(cost([INIT], {})).toMatchObject({ usd: null, isAtLeast: true });
    expect(cost([], {})).toMatchObject({ usd: 0, isAtLeast: false });
  });

  test("is counted by its stream where its records are not where they are looked for, at least", () => {
    const elsewhere = "22222222-2222-4333-8444-555555555555";
    const stream = [{ ...INIT, session_id: elsewhere }, ...one.stream, ...one.results, ...two.stream];
    expect(cost(stream, {}, true, elsewhere)).toMatchObject({
      isAtLeast: true,
      tokens: { input: 2_400, output: 2 },
    });
    expect(cost(stream, {}, false, elsewhere)).toMatchObject({ tokens: { input: 2_400, output: 2 } });
    const ended = cost([...stream, result({ total_cost_usd: 0.054, ...since(0.054) })], {}, true, elsewhere);
    expect(ended).toMatchObject({ usd: 0.054, isAtLeast: false, tokens: { input: 1, output: 1 } });
  });

  test("does not count what earlier turns of its conversation used, nor what a fork copied", () => {
    const before = answer("msg_0", -5_000, some(999));
    const stream = [INIT, ...two.stream];
    const usage = cost(stream, { own: [...before.rows, ...before.results, ...two.rows] });
    expect(usage).toMatchObject({ isAtLeast: false, tokens: { output: 222 } });
  });

  test("counts what its subagents said, which no stream shows", () => {
    const said = answer("msg_5", 15, some(333));
    const usage = cost([INIT, ...one.stream], { own: one.rows, sub: said.rows });
    expect(usage).toMatchObject({ isAtLeast: false, tokens: { output: 654 } });
  });

  test("and resumed, with an empty result at its start, costs what followed", () => {
    const empty = result({ num_turns: 0, total_cost_usd: 0.054, model_usage_since_last_result: {} });
    const usage = cost([INIT, empty, ...two.stream], { own: two.rows });
    expect(usage).toMatchObject({ isAtLeast: false, tokens: { output: 222 } });
  });

  test("behind a result costs what the result says and what followed it", () => {
    const stream = [INIT, ...one.stream, result(since(0.5)), INIT, ...two.stream];
    const usage = cost(stream, { own: [...one.rows, ...one.results, ...two.rows] });
    expect(usage).toMatchObject({ isAtLeast: false, basis: "mixed" });
    expect(usage.usd).toBeCloseTo(0.5 + (1_200 * 4 + 222 * 20) / 1e6, 9);
  });
});

test("a turn with a result costs what it says, whatever the records hold", () => {
  const one = answer("msg_1", 10, some(321), 3);
  const stream = [INIT, ...one.stream, result(since(0.5))];
  expect(cost(stream, { own: one.rows })).toMatchObject({ usd: 0.5, isAtLeast: false, basis: "reported" });
});

test("a fork is counted by the conversation that it really is", () => {
  const fork = "99999999-2222-4333-8444-555555555555";
  const two = answer("msg_2", 20, some(222));
  writeFileSync(join(dirname(record), `${fork}.jsonl`), lines(two.rows));
  const stream = [{ ...INIT, session_id: fork }, ...two.stream];
  expect(cost(stream, {})).toMatchObject({ isAtLeast: false, tokens: { output: 222 } });
});

test("while a turn goes on it costs what is whole so far, and nothing is missing yet", () => {
  const [one, two] = [answer("msg_1", 10, some(321)), answer("msg_2", 20, some(222), 2, null)];
  const usage = cost(
    [INIT, ...one.stream, ...one.results, two.stream[0]!],
    { own: [...one.rows, ...one.results] },
    false,
  );
  expect(usage).toMatchObject({ isAtLeast: false, tokens: { output: 321 } });
});

const count = fc.integer({ min: 0, max: 200_000 });
const tokens = fc.record({ input: count, output: count, cacheRead: count, cacheWrite5m: count, cacheWrite1h: count });
const spoken = fc.record({ tokens, blocks: fc.integer({ min: 1, max: 4 }), isSubagent: fc.boolean() });

// Each run writes and reads files; a machine under load takes its time.
describe("any turn", { timeout: 180_000 }, () => {
  test("that was killed costs exactly its whole answers, and says when one was cut", () => {
    fc.assert(
      fc.property(
        fc.array(spoken, { maxLength: 5 }),
        fc.array(spoken, { maxLength: 3 }),
        fc.option(spoken),
        fc.array(fc.constantFrom("", "{", "[]", '{"type":"assistant"}', '{"type":"user","message":null}'), {
          maxLength: 3,
        }),
        (now, before, cut, garbage) => {
          const said = now.map((each, index) => ({
            ...each,
            ...answer(`now_${index}`, index + 1, each.tokens, each.blocks),
          }));
          const old = before.map((each, index) => answer(`old_${index}`, index - 9_000, each.tokens, each.blocks));
          const half = cut ? answer("cut", 9_000, cut.tokens, cut.blocks, null).stream : [];
          const own = said.filter((each) => !each.isSubagent);
          const noise = garbage.map((text): Row => ({ type: "noise", text }));
          // What stands in the record last says whose turn it is: with a tool open, not the model's.
          const usage = cost(
            [INIT, ...noise, ...said.flatMap((each) => (each.isSubagent ? [] : each.stream)), ...half],
            {
              own: [...old, ...own].flatMap((each) => each.rows).concat(noise),
              sub: said.filter((each) => each.isSubagent).flatMap((each) => each.rows),
            },
          );
          const prices = said.map((each) => priceAnswer(SHIPPED_PRICES, { model: MODEL, tokens: each.tokens })!);
          const usd = prices.reduce((sum, each) => sum + each, 0);
          expect(usage.usd ?? 0).toBeCloseTo(usd, 6);
          expect(usage.isAtLeast).toBe(cut !== null || said.length === 0);
          const output = said.reduce((sum, each) => sum + each.tokens.output, 0);
          expect(usage.tokens?.output ?? 0).toBe(output);
        },
      ),
      RUNS,
    );
  });

  test("that ended adds up what its results say, in the way of either version", () => {
    const costs = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(costs, fc.boolean(), (spent, isNew) => {
        let total = 0;
        const results = spent.map((sixteenths) => {
          total += sixteenths / 16;
          const model = { inputTokens: 1, outputTokens: 1, costUSD: isNew ? sixteenths / 16 : total };
          // The newer one's total goes over the whole conversation, and would be far too much.
          return isNew
            ? result({ total_cost_usd: 1_000 + total, model_usage_since_last_result: { [MODEL]: model } })
            : result({ total_cost_usd: total, modelUsage: { [MODEL]: model } });
        });
        expect(cost([INIT, ...results], {})).toMatchObject({ usd: total, isAtLeast: false, basis: "reported" });
      }),
      RUNS,
    );
  });

  test("is read without an error, and never with a negative or infinite number", () => {
    const odd = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(-1, 1e308, "5", null, [], {}));
    const line = fc.record(
      {
        type: fc.constantFrom("assistant", "user", "result", "system", "other"),
        subtype: fc.constantFrom("init", "success"),
        session_id: odd,
        timestamp: odd,
        total_cost_usd: odd,
        num_turns: odd,
        modelUsage: fc.oneof(
          odd,
          fc.dictionary(fc.string(), fc.oneof(odd, fc.record({ costUSD: odd, inputTokens: odd }))),
        ),
        model_usage_since_last_result: odd,
        message: fc.oneof(
          odd,
          fc.record({
            id: fc.oneof(odd, fc.constantFrom("a", "b")),
            stop_reason: odd,
            content: odd,
            usage: fc.oneof(odd, fc.record({ input_tokens: odd, output_tokens: odd, cache_creation: odd })),
          }),
        ),
      },
      { requiredKeys: ["type"] },
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 4 }),
        fc.array(line, { maxLength: 4 }),
        fc.boolean(),
        (stream, own, isOver) => {
          const usage = cost(stream as Row[], { own: own as Row[] }, isOver);
          for (const part of usage.models) {
            expect(part.costUsd ?? 0).toBeGreaterThanOrEqual(0);
            for (const each of Object.values(part.tokens ?? NO_TOKENS)) expect(each).toBeGreaterThanOrEqual(0);
          }
        },
      ),
      RUNS,
    );
  });
});
