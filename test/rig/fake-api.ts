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
};

/** How a connection fails: nothing comes; the beginning and then nothing; the beginning and a clean end; the beginning and an event that
 *  says "overloaded"; closed before a word. */
export type Break = "silent" | "stalled" | "cut" | "error-event" | "destroyed";

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
  messages: Message[];
};

export type FakeApi = AsyncDisposable & {
  url: string;
  requests: ApiRequest[];
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
    const asked = readRequest(body);
    requests.push(asked);
    const flaw = findFlaw(request.headers, body);
    if (flaw !== null) {
      flaws.push(flaw);
      sendError(response, { status: 400, type: "invalid_request_error", message: flaw });
      return;
    }
    const scripted = script[asked.task]?.[asked.occasion]?.[asked.turn] ?? { say: "Done." };
    const word = scripted.first?.[countTurn(scripted)] ?? scripted;
    await word.gate?.pass();
    const error = refuse(request.headers) ?? word.error;
    if (error) sendError(response, error);
    else if (word.page !== undefined) response.writeHead(200, { "content-type": "text/html" }).end(word.page);
    else if (body.stream !== true) answerWhole(response, word);
    else if (word.breaks) breakOff(response, word.breaks, word);
    else streamAnswer(response, word);
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
  model?: unknown;
  max_tokens?: unknown;
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

function readRequest(body: RequestBody): ApiRequest {
  const texts = body.messages.map((message) => (message.role === "user" ? textOf(message) : ""));
  const last = texts.findLastIndex((text) => isPrompt(text));
  return {
    task: /^This is task (\S+), to be done/m.exec(texts.join("\n"))?.[1] ?? "",
    occasion: /^# owt: (\w+)/m.exec(texts[last] ?? "")?.[1] ?? "task",
    turn: body.messages.slice(last + 1).filter((message) => message.role === "assistant").length,
    session: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(sessionPart(body.metadata?.user_id ?? ""))?.[0] ?? "",
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
function breakOff(response: ServerResponse, how: Break, word: Answer): void {
  switch (how) {
    case "silent":
      return;
    case "destroyed":
      response.destroy();
      return;
    case "stalled":
      streamAnswer(response, word, "beginning");
      return;
    case "cut":
      streamAnswer(response, word, "beginning");
      response.end();
      return;
    case "error-event": {
      streamAnswer(response, word, "beginning");
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
function answerWhole(response: ServerResponse, { say, use = [], headers, stop, breaks }: Answer): void {
  if (breaks !== undefined) {
    sendError(response, { status: 529, type: "overloaded_error", message: "Overloaded" });
    return;
  }
  const id = (answers += 1);
  const message = {
    id: `msg_${id}`,
    type: "message",
    role: "assistant",
    model: "claude-opus-5-5",
    content: blocksOf(id, say, use),
    stop_reason: stop ?? (use.length > 0 ? "tool_use" : "end_turn"),
    stop_sequence: null,
    usage: { input_tokens: 1_200, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 60 },
  };
  response.writeHead(200, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(message));
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

/** The events of one answer, as the API streams them; of its beginning only the first words. */
function streamAnswer(
  response: ServerResponse,
  { say, use = [], headers, stop }: Answer,
  part: "all" | "beginning" = "all",
): void {
  const id = (answers += 1);
  const blocks = blocksOf(id, say, use);
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  const send = (event: { type: string } & Record<string, unknown>) =>
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const usage = { input_tokens: 1_200, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 1 };
  const message = { id: `msg_${id}`, type: "message", role: "assistant", model: "claude-opus-5-5", content: [] };
  send({ type: "message_start", message: { ...message, stop_reason: null, stop_sequence: null, usage } });
  for (const [index, block] of blocks.entries()) {
    const { empty, delta } = halve(block);
    send({ type: "content_block_start", index, content_block: empty });
    send({ type: "content_block_delta", index, delta });
    if (part === "beginning") return;
    send({ type: "content_block_stop", index });
  }
  const stop_reason = stop ?? (use.length > 0 ? "tool_use" : "end_turn");
  send({ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 60 } });
  send({ type: "message_stop" });
  response.end();
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
