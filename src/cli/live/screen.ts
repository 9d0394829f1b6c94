/** Where a run that goes on is shown: a live table below its events on a terminal, the events alone everywhere else. */
import type { Engine } from "../../engine/engine.ts";
import { Progress } from "../../engine/progress.ts";
import { type Io, tell } from "../io.ts";
import { painter } from "../text.ts";
import { LiveBlock, wrapsAgain } from "./block.ts";
import { renderTable } from "./table.ts";

export type Screen = {
  /** A line that stays. */
  print(line: string): void;
  /** Leaves the terminal to somebody else, who asks a question, until it is resumed. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
};

/** How often the table is looked at anew, and how often it is drawn at most. */
const LOOK_MS = 500;
const DRAW_MS = 100;
/** A narrower terminal has no room for a table. */
const MIN_COLUMNS = 40;

/** The screen of a run. `plain`: lines only, whatever standard error is. */
export function openScreen(io: Io, engine: Engine, run: string, plain: boolean): Screen {
  const { isTTY, columns = 80 } = io.stderr;
  if (plain || io.verbosity > 0 || isTTY !== true || io.env["TERM"] === "dumb" || columns < MIN_COLUMNS)
    return plainScreen(io);
  return new LiveScreen(io, engine, run);
}

function plainScreen(io: Io): Screen {
  return { print: (line) => tell(io, line), pause() {}, resume() {}, close: async () => {} };
}

class LiveScreen implements Screen {
  readonly #io: Io;
  readonly #block: LiveBlock;
  readonly #progress: Progress;
  readonly #stops: (() => void)[] = [];
  #isPaused = false;
  #due: NodeJS.Timeout | null = null;
  #drawnAt = 0;

  constructor(io: Io, engine: Engine, run: string) {
    this.#io = io;
    this.#block = new LiveBlock(io.stderr, wrapsAgain(io.env));
    this.#progress = new Progress(engine, run);
    const look = setInterval(() => this.#drawSoon(), LOOK_MS);
    const onResize = () => this.#drawSoon();
    io.stderr.on("resize", onResize);
    this.#stops.push(
      engine.store.onAppend(() => this.#drawSoon()),
      () => clearInterval(look),
      () => io.stderr.off("resize", onResize),
    );
    this.#draw();
  }

  print(line: string): void {
    if (this.#isPaused) tell(this.#io, line);
    else this.#block.print(line);
  }

  pause(): void {
    this.#isPaused = true;
    this.#block.erase();
  }

  resume(): void {
    this.#isPaused = false;
    this.#drawSoon();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    if (this.#due) clearTimeout(this.#due);
    this.pause();
    await this.#progress.close();
  }

  /** However much happens, no more than ten frames a second; the last state is always drawn. */
  #drawSoon(): void {
    if (this.#due || this.#isPaused) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_MS - Date.now());
    this.#due = setTimeout(() => this.#draw(), wait);
  }

  #draw(): void {
    this.#due = null;
    if (this.#isPaused) return;
    this.#drawnAt = Date.now();
    const { columns = 80, rows = 24 } = this.#io.stderr;
    this.#block.draw(renderTable(this.#progress.read(), { columns, rows }, painter(this.#io, this.#io.stderr)));
  }
}
