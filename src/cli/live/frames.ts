/** When the foot of a terminal is drawn: at most ten times a second, however much happens, and what is told above it with the next frame. */
import type { LiveBlock } from "./block.ts";

/** How far apart two frames are at least: with 100 a second could have eleven of them. */
const DRAW_MS = 110;

/** How long a terminal whose size has changed is left alone. tmux lays a pane out anew at once and tells its program up to 250 ms later where it was told of
 *  another size just before (3.3a, while a border is dragged): a frame drawn meanwhile is for a size that is no more, and leaves pieces. */
const SETTLES_MS = 300;

export class Frames {
  readonly #block: LiveBlock;
  readonly #read: () => string[];
  /** Lines for above the block that wait for the next frame. */
  #above: string[] = [];
  #isPaused = false;
  #due: NodeJS.Timeout | null = null;
  #drawnAt = -Infinity;
  #resizedAt = -Infinity;

  /** `read` says what the block is to show now; its lines are to fit the terminal. */
  constructor(block: LiveBlock, read: () => string[]) {
    this.#block = block;
    this.#read = read;
  }

  /** Lines that stay, above the block. */
  print(text: string): void {
    this.#above.push(...text.split("\n"));
    if (this.#isPaused) this.#block.update(this.#above.splice(0), []);
    else this.soon();
  }

  /** Somebody typed lines below the block. */
  typed(text: string): void {
    if (this.#isPaused) return;
    this.#block.typed(text);
    this.soon();
  }

  /** The terminal has another size. */
  resized(): void {
    this.#resizedAt = performance.now();
    if (this.#due) clearTimeout(this.#due);
    this.#due = null;
    this.soon();
  }

  /** We were stopped: what others wrote meanwhile stays, and the block begins anew below it. */
  continued(): void {
    this.#block.leave();
    this.soon();
  }

  /** Draws anew as soon as that may be; the last state is always drawn. */
  soon(): void {
    if (this.#due || this.#isPaused) return;
    const next = Math.max(this.#drawnAt + DRAW_MS, this.#resizedAt + SETTLES_MS);
    const due = setTimeout(() => this.#prepare(due), Math.max(0, next - performance.now()));
    this.#due = due;
  }

  /** Takes the block away; what is printed from now on is written at once. */
  pause(): void {
    this.#isPaused = true;
    if (this.#due) clearTimeout(this.#due);
    this.#due = null;
    this.#block.update(this.#above.splice(0), []);
  }

  resume(): void {
    this.#isPaused = false;
    this.soon();
  }

  /** Reading takes a while, in which we may be stopped, as before it: the signal that continues us is heard before what comes last in the loop, but
   *  not before a timer that came due meanwhile. */
  #prepare(due: NodeJS.Timeout): void {
    const lines = this.#read();
    setImmediate(() => this.#due === due && this.#draw(lines));
  }

  #draw(lines: string[]): void {
    this.#due = null;
    // Last, for reading takes a while.
    if (this.#block.isResized()) return this.resized();
    this.#drawnAt = performance.now();
    this.#block.update(this.#above.splice(0), lines);
  }
}
