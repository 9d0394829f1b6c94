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
};

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
    else streamAnswer(response, word);
  }
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    probes,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

type RequestBody = { messages: Message[]; metadata?: { user_id?: string } };

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

let answers = 0;

/** The events of one answer, as the API streams them. */
function streamAnswer(response: ServerResponse, { say, use = [] }: Answer): void {
  const id = (answers += 1);
  const blocks = [
    ...(say === undefined ? [] : [{ type: "text", text: say }]),
    ...use.map((tool, index) => ({ type: "tool_use", id: `toolu_${id}_${index}`, ...tool })),
  ];
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (event: { type: string } & Record<string, unknown>) =>
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const usage = { input_tokens: 1_200, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 1 };
  const message = { id: `msg_${id}`, type: "message", role: "assistant", model: "claude-opus-5-5", content: [] };
  send({ type: "message_start", message: { ...message, stop_reason: null, stop_sequence: null, usage } });
  for (const [index, block] of blocks.entries()) {
    const { empty, delta } = halve(block);
    send({ type: "content_block_start", index, content_block: empty });
    send({ type: "content_block_delta", index, delta });
    send({ type: "content_block_stop", index });
  }
  const stop_reason = use.length > 0 ? "tool_use" : "end_turn";
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
