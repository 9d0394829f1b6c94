/** A long-lived process that answers one request at a time. It starts with the first request, starts anew when it has died, and ends
 *  by itself when our end of its input closes, so that not even kill -9 of us leaves it behind. It never keeps Node alive on its own. */
import type { Socket } from "node:net";
import { OwtError } from "../core/errors.ts";
import { start } from "./exec.ts";

/** What the one spawner hands back. */
type ChildProcess = ReturnType<typeof start>;

/** Reads the answer out of what arrived so far; null while it is incomplete. */
export type Take<T> = (bytes: Buffer) => { answer: T } | null;

export type LiveOptions = {
  file: string;
  args: readonly string[];
  cwd: string;
  env: Record<string, string>;
  /** Open files that it gets as descriptors 3, 4, …; "ignore" leaves one closed. */
  files?: readonly (number | "ignore")[];
  /** Whether an answer that it owes keeps Node alive. Default: true. */
  holdsUs?: boolean;
};

/** The process ended instead of answering; `said` is its standard error. */
export class LiveEnded extends OwtError {
  readonly said: string;
  constructor(command: string, said: string) {
    super("tool-failed", `${command} ended: ${said || "without a word"}`);
    this.said = said;
  }
}

/** What is waited for. */
type Pending = { onBytes(chunk: Buffer): void; onEnd(said: string): void };

export class LiveProcess {
  readonly #options: LiveOptions;
  readonly #name: string;
  #child: ChildProcess | null = null;
  #pending: Pending | null = null;
  /** What the process said on standard error for the request that is waited for. */
  #said = "";
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(name: string, options: LiveOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** Sends `text` and gives back the one answer that `take` finds. Rejects with LiveEnded when the process ended instead. */
  request<T>(text: string, take: Take<T>): Promise<T> {
    const answer = this.#queue.then(() => this.#ask(text, take));
    this.#queue = answer.catch(() => {});
    return answer;
  }

  /** Ends the process after the requests that are under way. */
  async close(): Promise<void> {
    // A request that was on its way here when the closing began belongs to those under way.
    for (let last: Promise<unknown> | null = null; last !== this.#queue;) {
      last = this.#queue;
      await last;
    }
    this.#closed = true;
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    hold(child, true);
    child.stdin?.end();
    await ended;
  }

  #ask<T>(text: string, take: Take<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new OwtError("internal", "a live process was closed"));
    const child = (this.#child ??= this.#start());
    return new Promise<T>((resolve, reject) => {
      let bytes: Buffer = Buffer.alloc(0);
      const settle = (): void => {
        this.#pending = null;
        if (this.#holdsUs) hold(child, false);
      };
      this.#said = "";
      this.#pending = {
        onBytes: (chunk) => {
          bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
          const taken = take(bytes);
          if (taken === null) return;
          settle();
          resolve(taken.answer);
        },
        onEnd: (said) => {
          settle();
          reject(new LiveEnded(this.#name, said));
        },
      };
      if (this.#holdsUs) hold(child, true);
      child.stdin?.write(text);
    });
  }

  get #holdsUs(): boolean {
    return this.#options.holdsUs ?? true;
  }

  /** It may die between two requests: the next one starts another. A write into its closed input is answered by "close". */
  #start(): ChildProcess {
    const child = start(this.#options.file, this.#options.args, {
      cwd: this.#options.cwd,
      env: this.#options.env,
      stdio: ["pipe", "pipe", "pipe", ...(this.#options.files ?? [])],
    });
    const onEnd = (): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#pending?.onEnd(this.#said.trim());
    };
    child.on("error", () => {
      if (this.#child === child && this.#pending === null) this.#child = null;
    });
    child.on("close", onEnd);
    child.stdin?.on("error", () => {});
    child.stdout?.on("data", (chunk: Buffer) => this.#pending?.onBytes(chunk));
    child.stderr?.on("data", (chunk: Buffer) => (this.#said += chunk.toString("utf8")));
    hold(child, false);
    return child;
  }
}

/** Keeps Node alive for a process while it owes an answer, and only then. */
function hold(child: ChildProcess, held: boolean): void {
  for (const handle of [child, child.stdin, child.stdout, child.stderr] as (ChildProcess | Socket | null)[]) {
    if (held) handle?.ref();
    else handle?.unref();
  }
}
