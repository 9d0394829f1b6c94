/** Where a run that goes on is shown: a live table below its events on a terminal, the events alone everywhere else. */
import type { Engine } from "../../engine/engine.ts";
import { Progress } from "../../engine/progress.ts";
import { ifReadable } from "../if-readable.ts";
import { folded, type Io, tell } from "../io.ts";
import { painter } from "../text.ts";
import { LiveBlock, wrapsAgain } from "./block.ts";
import { Frames } from "./frames.ts";
import { renderTable } from "./table.ts";

export type Screen = {
  /** A line that stays. */
  print(line: string): void;
  /** A line at the foot, where there is one; null takes it away. */
  notice(text: string | null): void;
  /** Somebody typed a line, its end included. */
  typed(line: string): void;
  /** Leaves the terminal to somebody else, who asks a question, until it is resumed. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
};

/** How often the table is looked at anew, whatever happens. */
const LOOK_MS = 500;
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
  let told: string | null = null;
  return {
    print: (line) => tell(io, line),
    notice(text) {
      if (text !== null && text !== told) tell(io, text);
      told = text;
    },
    typed() {},
    pause() {},
    resume() {},
    close: async () => {},
  };
}

class LiveScreen implements Screen {
  readonly #io: Io;
  readonly #frames: Frames;
  readonly #progress: Progress;
  readonly #stops: (() => void)[] = [];
  #notice: string | null = null;

  constructor(io: Io, engine: Engine, run: string) {
    this.#io = io;
    this.#frames = new Frames(new LiveBlock(io.stderr, wrapsAgain(io.env)), () => ifReadable(() => this.#read()) ?? []);
    this.#progress = new Progress(engine, run);
    const drawSoon = () => this.#frames.soon();
    const look = setInterval(drawSoon, LOOK_MS);
    const resized = () => this.#frames.resized();
    io.stderr.on("resize", resized);
    this.#stops.push(
      engine.store.onAppend(drawSoon),
      () => clearInterval(look),
      () => io.stderr.off("resize", resized),
      io.onContinue(() => this.#frames.continued()),
    );
    drawSoon();
  }

  print(line: string): void {
    this.#frames.print(folded(this.#io.stderr, line));
  }

  notice(text: string | null): void {
    if (text === this.#notice) return;
    this.#notice = text;
    this.#frames.soon();
  }

  typed(line: string): void {
    this.#frames.typed(line);
  }

  pause(): void {
    this.#frames.pause();
  }

  resume(): void {
    this.#frames.resume();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.pause();
    await this.#progress.close();
  }

  #read(): string[] {
    const { columns = 80, rows = 24 } = this.#io.stderr;
    return renderTable(this.#progress.read(), { columns, rows }, painter(this.#io, this.#io.stderr), this.#notice);
  }
}
