/** A server on loopback that takes what is posted to it, as Slack, Discord and webhooks do. It answers 200, unless a test says otherwise. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expectNotification } from "./answers.ts";

export type Post = { path: string; body: Record<string, unknown> };

export type NoticeData = {
  id: string;
  event: string;
  run: string | null;
  task: string | null;
  batch: string | null;
  project: string;
  title: string;
  command: string | null;
};

export class Receiver implements AsyncDisposable {
  readonly posts: Post[] = [];
  readonly url: string;
  /** What is answered to the next posts. `hold` says nothing, for ever. */
  answer: number | "hold" = 200;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<Receiver> {
    let receiver: Receiver | null = null;
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => receiver!.#take(request.url!, Buffer.concat(pieces).toString("utf8"), response));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (receiver = new Receiver(server));
  }

  #take(path: string, text: string, response: ServerResponse): void {
    this.posts.push({ path, body: JSON.parse(text) as Record<string, unknown> });
    if (this.answer !== "hold") response.writeHead(this.answer).end();
  }

  /** What was posted to a path as to a webhook, each of it held against the published schema. */
  notices(path: string): NoticeData[] {
    return this.posts
      .filter((post) => post.path === path)
      .map(({ body }) => {
        expectNotification(body);
        return body["data"] as NoticeData;
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
