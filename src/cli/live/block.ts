/** A block of lines at the foot of a terminal, redrawn in place, with lines that stay above it. Between two writes the cursor stands below the
 *  block, visible, and no mode of the terminal is changed: whoever kills us leaves a terminal as it was. */
import type { Writable } from "node:stream";
import { widthOf } from "../../lib/width.ts";

export type Terminal = Writable & {
  columns?: number;
  rows?: number;
  /** What Node does when it hears that the size has changed; undocumented, there since Node 0.8. */
  _refreshSize?(): void;
};

/** Shown at once, where the terminal knows how (mode 2026, ignored elsewhere): no half frame is ever seen. */
const BEGIN = "\u001B[?2026h";
const END = "\u001B[?2026l";
/** The whole row: one that was wrapped once would else be joined to the next for good. Never "to the end of the screen": from the first
 *  row on, tmux would move all of it into the history. */
const CLEAR_ROW = "\u001B[2K";

export class LiveBlock {
  readonly #out: Terminal;
  /** Whether lines that have become too long for the terminal wrap, as in nearly every terminal of today; the others cut them. */
  readonly #wraps: boolean;
  #lines: string[] = [];
  /** How high the terminal was at the last write. */
  #rows: number;
  /** Lines of ours that went off the top when the terminal became smaller; where it grows again, it shows them again. */
  #lost: string[] = [];
  /** Whether others wrote where the cursor stands now. */
  #isLeft = false;

  constructor(out: Terminal, wraps = true) {
    this.#out = out;
    this.#wraps = wraps;
    this.#rows = sizeOf(out).rows;
  }

  /** Writes lines that stay, and replaces the block below them. Its lines are to be narrower than the terminal, and fewer than its rows. In
   *  one piece: a kill comes before it or behind it. */
  update(above: readonly string[], lines: string[]): void {
    if (above.length + lines.length + this.#lines.length === 0) return;
    const { columns, rows } = sizeOf(this.#out);
    const up = this.#rowsUp(columns, rows);
    const written = [...above, ...lines];
    const taken = written.reduce((sum, line) => sum + rowsOf(line, columns), 0);
    const stale = Math.max(0, Math.min(up, rows - 1) - taken);
    const blank = Array<string>(stale).fill("");
    const text = [...written, ...blank].map((line) => `${CLEAR_ROW}${line}${restOf(line, columns)}\n`).join("");
    // What is being typed stands in the row where the cursor comes to rest.
    this.#out.write(`${BEGIN}${this.#isLeft ? "\n" : ""}\r${upwards(up)}${text}${CLEAR_ROW}${upwards(stale)}${END}`);
    this.#isLeft = false;
    this.#lines = lines;
    this.#rows = rows;
  }

  /** Asks the terminal for its size, which Node learns only when it comes to hear of the change: a frame drawn meanwhile would be laid out for a terminal
   *  that is no more, and leave pieces. Whether it is another one than the last that was known. */
  isResized(): boolean {
    const { columns, rows } = this.#out;
    this.#out._refreshSize?.();
    return columns !== this.#out.columns || rows !== this.#out.rows;
  }

  /** Others wrote behind the block: it stays as it is among what they wrote, and the next one begins below that. */
  leave(): void {
    this.#isLeft = true;
    this.#lines = [];
    this.#lost = [];
  }

  /** Somebody typed lines below the block: as the terminal shows what is typed, they are a part of it, and go when it is drawn anew. */
  typed(text: string): void {
    this.#lines = [...this.#lines, ...text.split("\n").slice(0, -1)];
  }

  /** How far up the block begins, in a terminal that may have another size than it was drawn for. */
  #rowsUp(columns: number, rows: number): number {
    const height = (line: string) => (this.#wraps ? rowsOf(line, columns) : 1);
    let up = this.#lines.reduce((sum, line) => sum + height(line), 0);
    // Narrower, its lines take more rows, lower, there are fewer: what does not fit is out of reach.
    let hidden = up - (rows - 1);
    for (const line of this.#lines) {
      if (hidden <= 0) break;
      hidden -= height(line);
      this.#lost.push(line);
    }
    for (let grown = rows - this.#rows; grown > 0 && this.#lost.length > 0;) {
      const again = height(this.#lost.pop()!);
      up += Math.min(grown, again);
      grown -= again;
    }
    return up;
  }
}

/** Clears what is left of the last row of a line that takes several; behind one that fills its row the cursor still stands in it. */
function restOf(line: string, columns: number): string {
  return widthOf(line) % columns === 0 ? "" : "\u001B[K";
}

function upwards(rows: number): string {
  return rows === 0 ? "" : `\u001B[${rows}A`;
}

function rowsOf(line: string, columns: number): number {
  return Math.max(1, Math.ceil(widthOf(line) / columns));
}

function sizeOf({ columns, rows }: Terminal): { columns: number; rows: number } {
  return { columns: Math.max(1, columns || 80), rows: Math.max(2, rows || 24) };
}

/** Whether a terminal wraps again what it shows when its width changes. xterm, the Linux console and GNU screen do not. */
export function wrapsAgain(env: NodeJS.ProcessEnv): boolean {
  if (env["TMUX"]) return true;
  return !env["XTERM_VERSION"] && !/^(?:linux|screen)/.test(env["TERM"] ?? "");
}
