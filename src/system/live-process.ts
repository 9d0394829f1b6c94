/** A long-lived process that answers one request at a time. It starts with the first request, starts anew when it has died, and ends
 *  by itself when our end of its input closes, so that not even kill -9 of us leaves it behind. It never keeps Node alive on its own. */
import { OwtError } from "../core/errors.ts";
import { Gathered } from "../lib/gathered.ts";
import { startThroughServer } from "./fork-server.ts";
import { type LiveChild, type LiveListener, type LiveOptions, spawnLive } from "./live-child.ts";

/** Reads the answer out of what arrived so far; null while it is incomplete. */
export type Take<T> = (bytes: Buffer) => { answer: T } | null;

/** The process ended instead of answering; `said` is its standard error. */
export class LiveEnded extends OwtError {
  readonly said: string;
  constructor(command: string, said: string) {
    super("tool-failed", `${command} ended: ${said || "without a word"}`);
    this.said = said;
  }
}

export class LiveProcess {
  readonly #options: () => LiveOptions;
  readonly #name: string;
  readonly #holdsUs: boolean;
  #child: Promise<LiveChild> | null = null;
  /** Who waits for an answer. */
  #pending: LiveListener | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  /** Since it was started: what it said before its first answer tells why there is none. */
  #hasAnswered = false;
  #closed = false;

  /** `options` is asked when it is started. `holdsUs`: whether an answer that it owes keeps Node alive. */
  constructor(name: string, options: () => LiveOptions, holdsUs = true) {
    this.#name = name;
    this.#options = options;
    this.#holdsUs = holdsUs;
  }

  /** Starts it before it is asked anything. What goes wrong in that, the first request is told. */
  expect(): void {
    this.#child ??= this.#start();
    this.#child.catch(() => {});
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
    await (await this.#child)?.end();
  }

  async #ask<T>(text: string, take: Take<T>): Promise<T> {
    if (this.#closed) throw new OwtError("internal", "a live process was closed");
    const child = await (this.#child ??= this.#start());
    return new Promise<T>((resolve, reject) => {
      const bytes = new Gathered();
      const settle = (): void => {
        this.#pending = null;
        if (this.#holdsUs) child.hold(false);
      };
      if (this.#hasAnswered) child.takeSaid();
      this.#pending = {
        onBytes: (chunk) => {
          const taken = take(bytes.add(chunk));
          if (taken === null) return;
          settle();
          this.#hasAnswered = true;
          resolve(taken.answer);
        },
        onEnd: () => {
          settle();
          reject(new LiveEnded(this.#name, child.takeSaid().trim()));
        },
      };
      if (this.#holdsUs) child.hold(true);
      child.write(text);
    });
  }

  /** It may die between two requests: the next one starts another. */
  async #start(): Promise<LiveChild> {
    const listener = {
      onBytes: (chunk: Buffer) => this.#pending?.onBytes(chunk),
      onEnd: () => {
        this.#child = null;
        this.#pending?.onEnd();
      },
    };
    const options = this.#options();
    this.#hasAnswered = false;
    const child = (await startThroughServer(options, listener)) ?? spawnLive(options, listener);
    child.hold(false);
    return child;
  }
}
