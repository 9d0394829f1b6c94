/** Writes an answer of any length to standard output, no faster than it is read: as it comes, or as one JSON envelope whose last key is a list. */
import type { Io } from "./io.ts";
import { printable } from "./text.ts";

export class Pen {
  readonly #io: Io;
  /** One at a time waits for a slow reader, whoever else wants to write. */
  #before: Promise<void> = Promise.resolve();
  #items = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  /** A terminal gets no control character of a foreign program; a file or a pipe gets every byte. */
  write(content: string | Buffer): Promise<void> {
    const isShown = typeof content !== "string" && this.#io.stdout.isTTY;
    // Copied: a stream may hold it for longer than its place is valid.
    const copy =
      typeof content === "string" ? content : isShown ? printable(content.toString("utf8")) : Buffer.from(content);
    this.#before = this.#before.then(() => this.#put(copy));
    return this.#before;
  }

  /** Opens the envelope: `data`, and in it `lines`. */
  begin(data: object): Promise<void> {
    const head = JSON.stringify({ schema: 1, data: { ...data, lines: [] } }, null, 2);
    return this.write(head.slice(0, head.lastIndexOf("]")));
  }

  item(value: unknown): Promise<void> {
    this.#items += 1;
    return this.write(`${this.#items === 1 ? "" : ","}\n      ${JSON.stringify(value)}`);
  }

  end(): Promise<void> {
    return this.write(`${this.#items === 0 ? "" : "\n    "}]\n  }\n}\n`);
  }

  #put(content: string | Buffer): Promise<void> {
    const stdout = this.#io.stdout.stream();
    return new Promise((resolve) => {
      const isRoomy = stdout.write(content);
      if (isRoomy) {
        resolve();
        return;
      }
      const done = () => {
        stdout.off("drain", done);
        stdout.off("close", done);
        resolve();
      };
      stdout.on("drain", done);
      stdout.on("close", done);
    });
  }
}
