/** A Messages API on loopback, for the real Claude Code. What it answers is chosen from the request alone (which task its prompts name,
 *  what the last prompt is about, how often the model has spoken since), so that it holds through kills, resumes and retries. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One word of the model: text, tool calls, or an error in its place. With tool calls the turn goes on, without it ends. */
export type Answer = {
  say?: string;
  use?: ToolCall[];
  error?: ApiError;
  /** Held back until the test lets it through. */
  gate?: Gate;
  /** What the first requests for this word get instead, one each. */
  first?: Answer[];
  /** On top of the answer's own: what is left of a limit. */
  headers?: Record<string, string>;
  breaks?: Break;
  /** Why the word ends, where it is neither done nor calls a tool. */
  stop?: "max_tokens" | "refusal";
  /** What somebody in between answers instead, with status 200. */
  page?: string;
  /** Held back in its middle: behind its first block. */
  midway?: Gate;
  /** What it counts, where that differs from {@link PLAIN}. */
  tokens?: Partial<Tokens>;
};

/** How a connection fails: nothing comes; the beginning and then nothing; the beginning and a clean end; the beginning and an event that
 *  says "overloaded"; closed before a word. */
export type Break = "silent" | "stalled" | "cut" | "error-event" | "destroyed";

/** What the API counts for one answer. */
export type Tokens = { input: number; cacheRead: number; cacheWrite5m: number; cacheWrite1h: number; output: number };

const PLAIN: Tokens = { input: 1_200, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 60 };

/** One answer in the API's own books. Only one that was delivered whole has a price. */
export type Booked = { task: string; session: string; model: string; tokens: Tokens; whole: boolean; usd: number };

type ToolCall = { name: string; input: Record<string, unknown> };

export type ApiError = { status: number; type: string; message: string; headers?: Record<string, string> };

/** What the model says for each task (`task@model`: that one alone), by what the last prompt is about: `task`, or the word of `# owt: <occasion>`. Past the
 *  end, "Done." */
export type Script = Record<string, Record<string, Answer[]>>;

export type Message = { role: string; content: string | { type: string; text?: string; [key: string]: unknown }[] };

type ApiRequest = {
  /** The task that the prompts name; empty for a call that is about none. */
  task: string;
  occasion: string;
  /** How often the model has spoken since the last prompt. */
  turn: number;
  /** Claude's own name for the conversation. */
  session: string;
  model: string;
  /** How long an answer may be, as the request wants it. */
  maxTokens: number;
  messages: Message[];
  /** The header that proves who asks. */
  login: string;
};

export type FakeApi = AsyncDisposable & {
  url: string;
  requests: ApiRequest[];
  /** Every answer that began, in the order in which they ended. */
  ledger: Booked[];
  /** Requests that are no message, `METHOD /path`. */
  probes: string[];
  /** Requests that the real API would refuse, and why; they were refused. */
  flaws: string[];
};

/** A point at which an answer waits. */
export type Gate = {
  /** Resolves when a request waits here. */
  reached: Promise<void>;
  release(): void;
  pass(): Promise<void>;
};

export function makeGate(): Gate {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    release: () => released.resolve(),
    pass: async () => {
      reached.resolve();
      await released.promise;
    },
  };
}

/** Starts the server on a free port. `refuse` looks at the headers of every call first, as a real gate would (login, limits). */
export async function startFakeApi(
  script: Script,
  refuse: (headers: IncomingMessage["headers"]) => ApiError | null = () => null,
): Promise<FakeApi> {
  const requests: ApiRequest[] = [];
  const ledger: Booked[] = [];
  const probes: string[] = [];
  const flaws: string[] = [];
  const asks = new Map<Answer, number>();
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "/";
    if (request.method !== "POST" || !path.startsWith("/v1/messages?")) {
      probes.push(`${request.method} ${path}`);
      response.writeHead(request.method === "HEAD" ? 200 : 404).end();
      return;
    }
    const body = JSON.parse(await readBody(request)) as RequestBody;
    const asked = { ...readRequest(body), login: readLogin(request.headers) };
    requests.push(asked);
    const flaw = findFlaw(request.headers, body);
    if (flaw !== null) {
      flaws.push(flaw);
      sendError(response, { status: 400, type: "invalid_request_error", message: flaw });
      return;
    }
    const lines = script[`${asked.task}@${asked.model}`] ?? script[asked.task];
    const scripted = lines?.[asked.occasion]?.[asked.turn] ?? { say: "Done." };
    const word = scripted.first?.[countTurn(scripted)] ?? scripted;
    await word.gate?.pass();
    const error = refuse(request.headers) ?? word.error;
    if (error) sendError(response, error);
    else if (word.page !== undefined) response.writeHead(200, { "content-type": "text/html" }).end(word.page);
    else if (body.stream !== true) answerWhole(response, asked, word, ledger);
    else if (word.breaks) await breakOff(response, word.breaks, asked, word);
    else await streamAnswer(response, asked, word, ledger);
  }
  /** How often a word was asked for before. */
  function countTurn(word: Answer): number {
    const before = asks.get(word) ?? 0;
    asks.set(word, before + 1);
    return before;
  }
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    ledger,
    probes,
    flaws,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

type RequestBody = {
  stream?: boolean;
  model: string;
  max_tokens: number;
  messages: Message[];
  metadata?: { user_id?: string };
};

/** What the real API would refuse a request for; null when nothing. The rules of its reference: who asks, which version, whose turn it is,
 *  no empty text, and for each call of a tool its result in the very next message. */
function findFlaw(headers: IncomingMessage["headers"], body: RequestBody): string | null {
  if (!headers["x-api-key"] && !headers.authorization) return "x-api-key header is required";
  if (!headers["anthropic-version"]) return "anthropic-version: header is required";
  if (typeof body.model !== "string" || body.model === "") return "model: field required";
  if (!Number.isInteger(body.max_tokens) || Number(body.max_tokens) < 1) return "max_tokens: must be greater than 0";
  if (!Array.isArray(body.messages) || body.messages.length === 0) return "messages: at least one message is required";
  // Newer requests carry system messages in between, which are nobody's turn.
  const messages = body.messages.filter((message) => message.role !== "system");
  if (messages[0]?.role !== "user") return "messages: first message must use the user role";
  for (const [at, message] of messages.entries()) {
    const flaw = findMessageFlaw(message, messages[at + 1], messages[at - 1]);
    if (flaw !== null) return `messages.${at}: ${flaw}`;
  }
  return null;
}

function findMessageFlaw(message: Message, next: Message | undefined, before: Message | undefined): string | null {
  if (!["user", "assistant"].includes(message.role)) return `unknown role ${message.role}`;
  if (typeof message.content === "string") return message.content === "" ? "content must be non-empty" : null;
  if (message.content.length === 0 && next !== undefined) return "content must be non-empty";
  if (message.content.some((block) => block.type === "text" && !block.text))
    return "text content blocks must be non-empty";
  const calls = idsOf(message, "tool_use", "id");
  const answered = idsOf(next, "tool_result", "tool_use_id");
  const open = calls.find((id) => !answered.includes(id));
  if (open !== undefined && message.role === "assistant")
    return `tool_use ids were found without tool_result blocks immediately after: ${open}`;
  const asked = idsOf(before, "tool_use", "id");
  const stray = idsOf(message, "tool_result", "tool_use_id").find((id) => !asked.includes(id));
  return stray === undefined ? null : `unexpected tool_use_id found in tool_result blocks: ${stray}`;
}

function idsOf(message: Message | undefined, type: string, key: string): string[] {
  if (message === undefined || typeof message.content === "string") return [];
  return message.content.filter((block) => block.type === type).map((block) => String(block[key]));
}

function readLogin({ authorization, "x-api-key": key }: IncomingMessage["headers"]): string {
  return authorization === undefined ? `x-api-key: ${String(key)}` : `authorization: ${authorization}`;
}

function readRequest(body: RequestBody): Omit<ApiRequest, "login"> {
  const texts = body.messages.map((message) => (message.role === "user" ? textOf(message) : ""));
  const last = texts.findLastIndex((text) => isPrompt(text));
  return {
    task: /^This is task (\S+), to be done/m.exec(texts.join("\n"))?.[1] ?? "",
    occasion: /^# owt: (\w+)/m.exec(texts[last] ?? "")?.[1] ?? "task",
    turn: body.messages.slice(last + 1).filter((message) => message.role === "assistant").length,
    session: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(sessionPart(body.metadata?.user_id ?? ""))?.[0] ?? "",
    model: body.model,
    maxTokens: body.max_tokens,
    messages: body.messages,
  };
}

/** The id of user and account stand in front of the session's. */
function sessionPart(userId: string): string {
  return userId.slice(Math.max(0, userId.lastIndexOf("session")));
}

function isPrompt(text: string): boolean {
  return /^(# owt: |This is task )/m.test(text);
}

/** The words of a message, without the results of tools. */
export function textOf(message: Message): string {
  if (typeof message.content === "string") return message.content;
  return message.content.map((block) => (block.type === "text" ? (block.text ?? "") : "")).join("\n");
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function sendError(response: ServerResponse, { status, type, message, headers }: ApiError): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ type: "error", error: { type, message } }));
}

/** A connection that fails, as networks do. */
async function breakOff(response: ServerResponse, how: Break, asked: ApiRequest, word: Answer): Promise<void> {
  switch (how) {
    case "silent":
      return;
    case "destroyed":
      response.destroy();
      return;
    case "stalled":
      await streamAnswer(response, asked, word, null);
      return;
    case "cut":
      await streamAnswer(response, asked, word, null);
      response.end();
      return;
    case "error-event": {
      await streamAnswer(response, asked, word, null);
      const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
      response.end(`event: error\ndata: ${JSON.stringify(error)}\n\n`);
      return;
    }
    default: {
      const never: never = how;
      return never;
    }
  }
}

let answers = 0;

/** What a request gets that does not stream, as Claude sends one where a stream broke off: the same word, or an overload in place of a
 *  connection that fails. */
function answerWhole(response: ServerResponse, asked: ApiRequest, word: Answer, ledger: Booked[]): void {
  const { say, use = [], headers, stop, breaks } = word;
  if (breaks !== undefined) {
    sendError(response, { status: 529, type: "overloaded_error", message: "Overloaded" });
    return;
  }
  const id = (answers += 1);
  const tokens = book(response, asked, word, ledger);
  const message = {
    id: `msg_${id}`,
    type: "message",
    role: "assistant",
    model: asked.model,
    content: blocksOf(id, say, use),
    stop_reason: stop ?? (use.length > 0 ? "tool_use" : "end_turn"),
    stop_sequence: null,
    usage: { ...inputOf(tokens), output_tokens: tokens.output },
  };
  response.writeHead(200, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(message));
}

/** Writes an answer's line into the books, once it is known whether it was delivered whole. */
function book(response: ServerResponse, { task, session, model }: ApiRequest, word: Answer, ledger: Booked[]): Tokens {
  const tokens = { ...PLAIN, ...word.tokens };
  response.once("close", () => {
    const whole = response.writableFinished;
    ledger.push({ task, session, model, tokens, whole, usd: whole ? priceOf(model, tokens) : 0 });
  });
  return tokens;
}

function blocksOf(
  id: number,
  say: string | undefined,
  use: readonly ToolCall[],
): { type: string; [key: string]: unknown }[] {
  return [
    ...(say === undefined ? [] : [{ type: "text", text: say }]),
    ...use.map((tool, index) => ({ type: "tool_use", id: `toolu_${id}_${index}`, ...tool })),
  ];
}

/** The events of one answer, as the API streams them, and its line in the books; without books only its first words, and no end. */
async function streamAnswer(
  response: ServerResponse,
  asked: ApiRequest,
  word: Answer,
  ledger: Booked[] | null,
): Promise<void> {
  const { say, use = [], headers, stop, midway } = word;
  const { model } = asked;
  const id = (answers += 1);
  const tokens = ledger === null ? PLAIN : book(response, asked, word, ledger);
  const blocks = blocksOf(id, say, use);
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  const send = (event: { type: string } & Record<string, unknown>) =>
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const message = { id: `msg_${id}`, type: "message", role: "assistant", model, content: [] };
  send({
    type: "message_start",
    message: { ...message, stop_reason: null, stop_sequence: null, usage: { ...inputOf(tokens), output_tokens: 1 } },
  });
  for (const [index, block] of blocks.entries()) {
    if (index === 1) await midway?.pass();
    const { empty, delta } = halve(block);
    send({ type: "content_block_start", index, content_block: empty });
    send({ type: "content_block_delta", index, delta });
    if (ledger === null) return;
    send({ type: "content_block_stop", index });
  }
  const stop_reason = stop ?? (use.length > 0 ? "tool_use" : "end_turn");
  const usage = { output_tokens: tokens.output };
  send({ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage });
  send({ type: "message_stop" });
  response.end();
}

function inputOf({ input, cacheRead, cacheWrite5m, cacheWrite1h }: Tokens) {
  return {
    input_tokens: input,
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: cacheWrite5m + cacheWrite1h,
    cache_creation: { ephemeral_5m_input_tokens: cacheWrite5m, ephemeral_1h_input_tokens: cacheWrite1h },
  };
}

/** US dollars per million tokens, written down here a second time so that the books do not depend on what they check. */
const PRICES: [model: RegExp, Tokens][] = [
  [/^claude-opus-5-5/, { input: 4, output: 20, cacheRead: 0.2, cacheWrite5m: 5, cacheWrite1h: 8 }],
  [/^claude-opus-4-8/, { input: 5, output: 25, cacheRead: 0.5, cacheWrite5m: 6.25, cacheWrite1h: 10 }],
  [/^claude-sonnet-5-5/, { input: 2, output: 10, cacheRead: 0.1, cacheWrite5m: 2.5, cacheWrite1h: 4 }],
  [/^claude-sonnet-4-5/, { input: 3, output: 15, cacheRead: 0.3, cacheWrite5m: 3.75, cacheWrite1h: 6 }],
];

function priceOf(model: string, tokens: Tokens): number {
  const price = PRICES.find(([name]) => name.test(model))?.[1];
  // Thrown here it would be nobody's; a sum that has this in it equals no figure.
  if (!price) return Number.NaN;
  const kinds = Object.keys(tokens) as (keyof Tokens)[];
  return kinds.reduce((sum, kind) => sum + (tokens[kind] * price[kind]) / 1_000_000, 0);
}

/** A block as it is announced, and what then fills it. */
function halve(block: { type: string; [key: string]: unknown }): { empty: object; delta: object } {
  return block.type === "text"
    ? { empty: { ...block, text: "" }, delta: { type: "text_delta", text: block["text"] } }
    : {
        empty: { ...block, input: {} },
        delta: { type: "input_json_delta", partial_json: JSON.stringify(block["input"]) },
      };
}
