/** When the foot of a terminal is drawn: at most ten times a second, however much happens, and what is told above it with the next frame. */
import type { LiveBlock } from "./block.ts";

/** How far apart two frames are at least: with 100 a second could have eleven of them. */
const DRAW_MS = 110;

export class Frames {
  readonly #block: LiveBlock;
  readonly #read: () => string[];
  /** Lines for above the block that wait for the next frame. */
  #above: string[] = [];
  #isPaused = false;
  #due: NodeJS.Timeout | null = null;
  #drawnAt = -Infinity;

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

  /** Draws anew as soon as that may be; the last state is always drawn. */
  soon(): void {
    if (this.#due || this.#isPaused) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_MS - performance.now());
    this.#due = setTimeout(() => this.#draw(), wait);
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

  #draw(): void {
    this.#due = null;
    this.#drawnAt = performance.now();
    this.#block.update(this.#above.splice(0), this.#read());
  }
}
