/** What somebody types while nothing is asked. The terminal keeps its own line editing, so it comes a line at a time, and what was begun and
 *  not ended stays with the terminal until it is thrown away. */
import { isForeground } from "../system/foreground.ts";
import type { Io } from "./io.ts";

/** How often it is looked whether the terminal still listens to us. */
const LOOK_MS = 500;

export class Typed {
  readonly #io: Io;
  readonly #onLine: (line: string) => void;
  #isListening = false;
  #look: NodeJS.Timeout | null = null;

  /** `onLine` is given each line as it was typed, its end included. */
  constructor(io: Io, onLine: (line: string) => void) {
    this.#io = io;
    this.#onLine = onLine;
    // A terminal that goes away is no reason to end.
    io.stdin.on("error", this.#onGone);
  }

  /** Listens from now on, while the terminal is ours to read. */
  listen(): void {
    this.#look ??= setInterval(() => (isForeground() ? this.#begin() : this.#end()), LOOK_MS);
    if (isForeground()) this.#begin();
  }

  /** Leaves the terminal to somebody else. */
  rest(): void {
    if (this.#look) clearInterval(this.#look);
    this.#look = null;
    this.#end();
  }

  /** Rests, and throws away what was typed and never used: else the shell would carry it out. The terminal gives a line that was begun to who
   *  reads single keys, so it is made to do so for that moment. */
  async close(): Promise<void> {
    this.rest();
    const { stdin } = this.#io;
    if (!isForeground() || stdin.destroyed || stdin.readableEnded) return;
    try {
      stdin.on("data", ignore);
      stdin.setRawMode?.(true);
      stdin.resume();
      // What is there is read before the second turn of the loop is over.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      stdin.pause();
      stdin.setRawMode?.(false);
      stdin.off("data", ignore);
    }
  }

  #begin(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#io.stdin.on("data", this.#onData);
    this.#io.stdin.resume();
  }

  #end(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#io.stdin.off("data", this.#onData);
    this.#io.stdin.pause();
  }

  readonly #onData = (piece: Buffer | string): void => this.#onLine(piece.toString());
  readonly #onGone = (): void => this.rest();
}

function ignore(): void {}
