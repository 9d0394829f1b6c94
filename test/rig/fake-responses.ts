/** A Responses API on loopback, for the real Codex: each word of the model is chosen from the request alone (which task its prompts name,
 *  what the last prompt is about, how often the model has called a tool since), as in `fake-api.ts`. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One word: a script for Codex's own `exec` tool, or text that ends the turn. */
export type Word = { run: string } | { say: string };

/** What the model says for each task, by occasion: `task`, or the word of `# owt: <occasion>`. Past the end, "Done." */
export type ResponsesScript = Record<string, Record<string, Word[]>>;

type Item = { type: string; role?: string; content?: { text?: string }[] };

export type FakeResponses = AsyncDisposable & {
  url: string;
  /** Each request: `TASK OCCASION TURN`. */
  asked: string[];
  /** All that the last request of a task says. */
  lastOf(task: string): string;
};

/** What every answer is said to have used. */
const USED = {
  input_tokens: 1_200,
  input_tokens_details: { cached_tokens: 200 },
  output_tokens: 60,
  total_tokens: 1_260,
};

export async function startFakeResponses(script: ResponsesScript): Promise<FakeResponses> {
  const asked: string[] = [];
  const bodies = new Map<string, string>();
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method !== "POST" || request.url !== "/v1/responses") {
      response.writeHead(404).end();
      return;
    }
    if (!request.headers.authorization?.startsWith("Bearer ")) {
      response.writeHead(401, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: "Incorrect API key provided", code: "invalid_api_key" } }));
      return;
    }
    const text = Buffer.concat(chunks).toString("utf8");
    const { task, occasion, turn } = readRequest((JSON.parse(text) as { input: Item[] }).input);
    asked.push(`${task} ${occasion} ${turn}`);
    bodies.set(task, text);
    stream(response, script[task]?.[occasion]?.[turn] ?? { say: "Done." });
  }
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    lastOf: (task) => bodies.get(task) ?? "",
    [Symbol.asyncDispose]: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function readRequest(input: readonly Item[]): { task: string; occasion: string; turn: number } {
  const texts = input.map((item) =>
    item.role === "user" ? (item.content ?? []).map((part) => part.text ?? "").join("\n") : "",
  );
  const last = texts.findLastIndex((text) => /^(# owt: |This is task )/m.test(text));
  return {
    task: /^This is task (\S+), to be done/m.exec(texts.join("\n"))?.[1] ?? "",
    occasion: /^# owt: (\w+)/m.exec(texts[last] ?? "")?.[1] ?? "task",
    turn: input.slice(last + 1).filter((item) => item.type === "custom_tool_call").length,
  };
}

let answers = 0;

function stream(response: ServerResponse, word: Word): void {
  const id = `resp_${(answers += 1)}`;
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (event: { type: string } & Record<string, unknown>) =>
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const call = {
    type: "custom_tool_call",
    id: `ctc_${id}`,
    call_id: `call_${id}`,
    name: "exec",
    namespace: "functions",
  };
  const item =
    "run" in word
      ? { ...call, input: word.run }
      : { type: "message", role: "assistant", id: `msg_${id}`, content: [{ type: "output_text", text: word.say }] };
  send({ type: "response.created", response: { id } });
  send({ type: "response.output_item.done", item });
  send({ type: "response.completed", response: { id, usage: USED } });
  response.end();
}
