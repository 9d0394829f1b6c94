/** What a turn of Claude Code used. Its own results come first. What they leave out (a turn that was killed has none) stands in the
 *  records of the conversation, priced from our list; an answer of which only a part arrived stands nowhere and is missing.
 *
 *  Measured on 2.1.197 and 2.1.329: a record has one row for each block of an answer, all with the id and the final usage of the answer,
 *  and none of an answer that a SIGKILL or SIGTERM cut off (one without `stop_reason` after a SIGINT). The stream shows the same ids, but
 *  of the output only what was counted at its start. What a subagent merely says stands in its record alone. A fork copies
 *  the rows of its origin, with their ids and times. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { byModel, type Tokens, type Usage } from "../core/cost.ts";
import { listUsage, type Prices } from "../core/prices.ts";
import { LineReader } from "../lib/lines.ts";
import type { AgentEvent, AgentResult, Answer, Books, CountedTurn } from "./agent.ts";
import { usageOf } from "./books.ts";
import { amount, list, number, parseJson, record, type Json, text } from "./json.ts";

export function openClaudeBooks(projects: string, turn: CountedTurn): Books {
  return new ClaudeBooks(turn, projects);
}

/** The records of a conversation: `<projects>/<folder of the working directory>/<session>.jsonl`; those of its subagents stand beside it. */
export function findRecords(projects: string, session: string): string[] {
  return listFolder(projects)
    .map((folder) => join(projects, folder, `${session}.jsonl`))
    .filter((path) => existsSync(path));
}

/** The same, and with each those of the subagents that it started. */
export function findRecordsWithin(projects: string, session: string): string[] {
  return findRecords(projects, session).flatMap((own) => [own, ...findSubagentRecords(own)]);
}

function findSubagentRecords(own: string): string[] {
  const folder = join(own.slice(0, -".jsonl".length), "subagents");
  return listFolder(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => join(folder, name));
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

class ClaudeBooks implements Books {
  readonly #prices: Prices;
  readonly #since: number;
  readonly #projects: string;
  /** Looked for until it is there: a user can have hundreds of folders. */
  #own: string[] = [];
  readonly #records = new Map<string, { reader: LineReader; record: ConversationRecord }>();
  readonly #results: AgentResult[] = [];
  #session: string;
  /** Whether the program came as far as its own first word: before it nothing is asked of a model. */
  #hasBegun = false;
  /** Answers that the results hold, and those that came after the last of them, as the stream shows them. */
  readonly #reported = new Set<string>();
  #open = new Map<string, Answer>();
  /** Whether anything happened behind the last result. */
  #goesOn = true;

  constructor(turn: CountedTurn, projects: string) {
    this.#session = turn.session;
    this.#since = turn.since;
    this.#prices = turn.prices;
    this.#projects = projects;
  }

  take(event: AgentEvent): void {
    if (event.kind === "session" && event.id !== this.#session) {
      this.#session = event.id;
      this.#own = [];
    }
    this.#hasBegun = true;
    if (event.kind === "answer") this.#open.set(event.answer.id, event.answer);
    if (event.kind === "answer" || event.kind === "tool-result") this.#goesOn = true;
    if (event.kind === "result") this.#close(event.result);
  }

  /** A result holds what came before it, unless it is the empty one with which a resume after a kill may open. */
  #close(result: AgentResult): void {
    this.#results.push(result);
    if (result.usage === null || (result.usage.length === 0 && result.turns === 0 && !result.isError)) return;
    for (const id of this.#open.keys()) this.#reported.add(id);
    this.#open = new Map();
    this.#goesOn = false;
  }

  read(isOver: boolean): Usage {
    const reported = usageOf(this.#results) ?? [];
    if (!this.#goesOn || !this.#hasBegun) return { models: reported, missing: null };
    const records = this.#readRecords();
    const answers = mergeAnswers(records.flatMap((each) => [...each.answers.values()]));
    const recovered = [...answers.values()].filter((answer) => this.#isUnreported(answer, answers));
    // A wrapper may have it keep its records elsewhere. What the stream shows is less than was used, and more than nothing.
    const counted = records.length === 0 ? [...this.#open.values()] : recovered;
    return {
      models: byModel([...reported, ...listUsage(this.#prices, counted)]),
      missing: isOver ? this.#missing(records, answers, recovered) : null,
    };
  }

  /** Of this turn, and in none of its results. What the stream does not show is told by its time. */
  #isUnreported(answer: DatedAnswer, answers: ReadonlyMap<string, DatedAnswer>): boolean {
    if (!answer.isWhole || this.#reported.has(answer.id)) return false;
    if (this.#open.has(answer.id)) return true;
    const lastReported = Math.max(this.#since, ...[...this.#reported].map((id) => answers.get(id)?.at ?? 0));
    return answer.at >= this.#since && (this.#reported.size === 0 || answer.at > lastReported);
  }

  #missing(
    records: ConversationRecord[],
    answers: ReadonlyMap<string, DatedAnswer>,
    recovered: DatedAnswer[],
  ): string | null {
    const isCut = [...this.#open.keys()].some((id) => !answers.get(id)?.isWhole);
    // Killed while the model had the word: what it had said by then was used, and stands nowhere.
    const isAwaited = records.some((each) => each.awaits >= this.#since);
    if (isCut || isAwaited || (recovered.length === 0 && this.#open.size === 0)) return "an answer that was cut off";
    if (recovered.some((answer) => answer.hasExtras)) return "what its web searches cost";
    return null;
  }

  /** Takes in what the records have more than at the last look. */
  #readRecords(): ConversationRecord[] {
    if (this.#own.length === 0) this.#own = findRecords(this.#projects, this.#session);
    for (const path of [...this.#own, ...this.#own.flatMap(findSubagentRecords)]) {
      if (!this.#records.has(path))
        this.#records.set(path, { reader: new LineReader(path), record: new ConversationRecord() });
    }
    for (const { reader, record } of this.#records.values()) reader.read((line) => record.take(line));
    return [...this.#records.values()].map((each) => each.record);
  }
}

type DatedAnswer = Answer & {
  /** Epoch milliseconds. */
  at: number;
  /** Whether it used what has a price beside its tokens. */
  hasExtras: boolean;
};

/** One record, row by row. */
class ConversationRecord {
  readonly answers = new Map<string, DatedAnswer>();
  /** When the word was given to the model that has not answered yet; -Infinity when it is not the model's turn. */
  awaits = -Infinity;
  readonly #tools = new Set<string>();
  /** Whether the program that wrote it is about to leave: 2.1.329 sums up first, then notes how the tools ended that it took along. */
  #leaves = false;

  take(line: string): void {
    const row = parseJson(line);
    if (!row) return;
    const at = Date.parse(text(row["timestamp"])) || 0;
    if (row["type"] === "assistant") this.#takeAnswer(row, at);
    if (row["type"] === "user") this.#takePrompt(row, at);
    if (row["type"] === "cost-state") this.#leaves = true;
  }

  #takeAnswer(row: Json, at: number): void {
    const answer = parseAnswer(row);
    if (!answer) return;
    const extras = record(record(record(row["message"])["usage"])["server_tool_use"]);
    const hasExtras = Object.values(extras).some((count) => (number(count) ?? 0) > 0);
    const before = this.answers.get(answer.id);
    if (!before?.isWhole || answer.isWhole) this.answers.set(answer.id, { ...answer, at, hasExtras });
    for (const block of blocksOf(row)) if (block["type"] === "tool_use") this.#tools.add(text(block["id"]));
    this.awaits = -Infinity;
    this.#leaves = false;
  }

  #takePrompt(row: Json, at: number): void {
    const ended = blocksOf(row).flatMap((block) =>
      block["type"] === "tool_result" ? [text(block["tool_use_id"])] : [],
    );
    for (const tool of ended) this.#tools.delete(tool);
    if (ended.length === 0) this.#leaves = false;
    if (this.#tools.size === 0 && !this.#leaves) this.awaits = at;
  }
}

/** The same answer can stand in several records; the whole one counts. */
function mergeAnswers(answers: readonly DatedAnswer[]): Map<string, DatedAnswer> {
  const merged = new Map<string, DatedAnswer>();
  for (const answer of answers) {
    const before = merged.get(answer.id);
    if (!before || (answer.isWhole && !before.isWhole)) merged.set(answer.id, answer);
  }
  return merged;
}

/** The answer that a line of the stream or a row of a record belongs to; null where it tells none, or tells one that the
 *  program made up itself. */
export function parseAnswer(row: Json): Answer | null {
  const message = record(row["message"]);
  const usage = record(message["usage"]);
  const [id, model] = [text(message["id"]), text(message["model"])];
  const input = amount(usage["input_tokens"]);
  const output = amount(usage["output_tokens"]);
  if (!id || input === null || output === null || model === "<synthetic>") return null;
  return {
    id,
    model: model || null,
    tokens: parseTokens(usage, input, output),
    isWhole: text(message["stop_reason"]) !== "",
  };
}

function parseTokens(usage: Json, input: number, output: number): Tokens {
  const split = record(usage["cache_creation"]);
  const count = (value: unknown) => amount(value) ?? 0;
  const cacheWrite1h = count(split["ephemeral_1h_input_tokens"]);
  const written = count(usage["cache_creation_input_tokens"]);
  return {
    input,
    output,
    cacheRead: count(usage["cache_read_input_tokens"]),
    // Where a row does not tell how long what was written is kept: shortly, which is the rule.
    cacheWrite5m: amount(split["ephemeral_5m_input_tokens"]) ?? Math.max(0, written - cacheWrite1h),
    cacheWrite1h,
  };
}

function blocksOf(row: Json): Json[] {
  return list(record(row["message"])["content"]).map(record);
}
