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
  /** Held back in its middle: behind its first block. */
  midway?: Gate;
  /** What it counts, where that differs from {@link PLAIN}. */
  tokens?: Partial<Tokens>;
};

/** What the API counts for one answer. */
export type Tokens = { input: number; cacheRead: number; cacheWrite5m: number; cacheWrite1h: number; output: number };

const PLAIN: Tokens = { input: 1_200, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 60 };

/** One answer in the API's own books. Only one that was delivered whole has a price. */
export type Booked = { task: string; session: string; model: string; tokens: Tokens; whole: boolean; usd: number };

type ToolCall = { name: string; input: Record<string, unknown> };

export type ApiError = { status: number; type: string; message: string; headers?: Record<string, string> };

/** What the model says for each task, by what the last prompt is about: `task`, or the word of `# owt: <occasion>`. Past the end, "Done." */
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
};

export type FakeApi = AsyncDisposable & {
  url: string;
  requests: ApiRequest[];
  /** Every answer that began, in the order in which they ended. */
  ledger: Booked[];
  /** Requests that are no message, `METHOD /path`. */
  probes: string[];
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
    const asked = readRequest(JSON.parse(await readBody(request)) as RequestBody);
    requests.push(asked);
    const word = script[asked.task]?.[asked.occasion]?.[asked.turn] ?? { say: "Done." };
    await word.gate?.pass();
    const error = refuse(request.headers) ?? word.error;
    if (error) sendError(response, error);
    else await streamAnswer(response, asked, word, ledger);
  }
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    ledger,
    probes,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

type RequestBody = { model: string; max_tokens: number; messages: Message[]; metadata?: { user_id?: string } };

function readRequest(body: RequestBody): ApiRequest {
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

let answers = 0;

/** The events of one answer, as the API streams them, and its line in the books. */
async function streamAnswer(
  response: ServerResponse,
  { task, session, model }: ApiRequest,
  { say, use = [], midway, ...word }: Answer,
  ledger: Booked[],
): Promise<void> {
  const id = (answers += 1);
  const tokens = { ...PLAIN, ...word.tokens };
  response.once("close", () => {
    const whole = response.writableFinished;
    ledger.push({ task, session, model, tokens, whole, usd: whole ? priceOf(model, tokens) : 0 });
  });
  const blocks = [
    ...(say === undefined ? [] : [{ type: "text", text: say }]),
    ...use.map((tool, index) => ({ type: "tool_use", id: `toolu_${id}_${index}`, ...tool })),
  ];
  response.writeHead(200, { "content-type": "text/event-stream" });
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
    send({ type: "content_block_stop", index });
  }
  const stop_reason = use.length > 0 ? "tool_use" : "end_turn";
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
  if (!price) throw new Error(`the fake API has no price for ${model}`);
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
