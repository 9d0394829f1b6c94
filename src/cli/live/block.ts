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
/** Further up than any terminal is high. */
const FAR_LINES = 500;

export class LiveBlock {
  readonly #out: Terminal;
  /** Whether lines that have become too long for the terminal wrap, as in nearly every terminal of today; the others cut them. */
  readonly #wraps: boolean;
  #lines: string[] = [];
  /** How high the terminal was at the last write. */
  #rows: number;
  /** From the first line of ours that went off the top when the terminal became smaller to the block: where it grows again, it shows them again. Those
   *  that stay are among them, for what stands above them cannot be taken away without them. */
  #above: { columns: number; stays: string | null }[] = [];
  /** How many rows are above the cursor. Where the terminal begins with an empty screen, nobody knows it until it is full: then it is how many of them are
   *  ours, and a block that a narrower terminal puts off the top leaves pieces. */
  #row = 0;
  #isRowKnown = false;
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
    this.#rest(columns, rows);
    const { up, again } = this.#reach(columns);
    const staying = [...again, ...above];
    const written = [...staying, ...lines];
    const taken = written.reduce((sum, line) => sum + rowsOf(widthOf(line), columns), 0);
    const stale = Math.max(0, up - taken);
    const blank = Array<string>(stale).fill("");
    const text = [...written, ...blank].map((line) => `${CLEAR_ROW}${line}${restOf(line, columns)}\n`).join("");
    // What is being typed stands in the row where the cursor comes to rest.
    this.#out.write(`${BEGIN}${this.#isLeft ? "\n" : ""}\r${upwards(up)}${text}${CLEAR_ROW}${upwards(stale)}${END}`);
    this.#isLeft = false;
    this.#lines = lines;
    this.#rows = rows;
    this.#isRowKnown ||= this.#row - up + taken >= rows - 1;
    this.#row = Math.min(this.#row - up + taken, rows - 1);
    if (this.#above.length === 0) return;
    this.#above = [...this.#above, ...staying.map((line) => ({ columns: widthOf(line), stays: line }))].slice(
      -FAR_LINES,
    );
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
    this.#above = [];
    this.#row = 0;
    this.#isRowKnown = false;
  }

  /** Somebody typed lines below the block: as the terminal shows what is typed, they are a part of it, and go when it is drawn anew. */
  typed(text: string): void {
    const lines = text.split("\n").slice(0, -1);
    this.#lines = [...this.#lines, ...lines];
    this.#row += lines.length;
  }

  /** Where the block came to stand in a terminal that may have another size than it was drawn for. Narrower, its lines take more rows, lower, there are
   *  fewer: what does not fit goes off the top. Higher, the terminal shows again what went off last. */
  #rest(columns: number, rows: number): void {
    const wanted = this.#rowsOfLines(columns);
    if (this.#isRowKnown) this.#row += Math.max(0, rows - this.#rows);
    else this.#row = Math.max(this.#row, wanted);
    this.#isRowKnown ||= this.#row >= rows - 1;
    this.#row = Math.min(this.#row, rows - 1);
    let hidden = wanted - this.#row;
    for (const width of this.#lines.map(widthOf)) {
      if (hidden > 0) this.#above.push({ columns: Math.min(width, hidden * columns), stays: null });
      hidden -= this.#rowsOf(width, columns);
    }
  }

  /** How many rows up the first line is that can be taken away, and the lines from there on that are to be written again. */
  #reach(columns: number): { up: number; again: string[] } {
    let up = Math.min(this.#row, this.#rowsOfLines(columns));
    let first = this.#above.length;
    let hidden = 0;
    for (let at = first - 1, rows = up; at >= 0 && rows < this.#row; at--) {
      const { columns: width, stays } = this.#above[at]!;
      hidden = Math.max(0, rows + this.#rowsOf(width, columns) - this.#row);
      rows += this.#rowsOf(width, columns) - hidden;
      if (stays !== null) continue;
      up = rows;
      first = at;
    }
    const [highest, ...lower] = this.#above.splice(first);
    const again = lower.flatMap(({ stays }) => stays ?? []);
    // Of a line that is there in part the rest is still to come.
    if (highest && up === this.#row && hidden > 0) this.#above.push({ ...highest, columns: hidden * columns });
    if (this.#above.every(({ stays }) => stays !== null)) this.#above = [];
    return { up, again };
  }

  #rowsOfLines(columns: number): number {
    return this.#lines.reduce((sum, line) => sum + this.#rowsOf(widthOf(line), columns), 0);
  }

  #rowsOf(width: number, columns: number): number {
    return this.#wraps ? rowsOf(width, columns) : 1;
  }
}

/** Clears what is left of the last row of a line that takes several; behind one that fills its row the cursor still stands in it. */
function restOf(line: string, columns: number): string {
  return widthOf(line) % columns === 0 ? "" : "\u001B[K";
}

function upwards(rows: number): string {
  return rows === 0 ? "" : `\u001B[${rows}A`;
}

function rowsOf(width: number, columns: number): number {
  return Math.max(1, Math.ceil(width / columns));
}

function sizeOf({ columns, rows }: Terminal): { columns: number; rows: number } {
  return { columns: Math.max(1, columns || 80), rows: Math.max(2, rows || 24) };
}

/** Whether a terminal wraps again what it shows when its width changes. xterm, the Linux console and GNU screen do not. */
export function wrapsAgain(env: NodeJS.ProcessEnv): boolean {
  if (env["TMUX"]) return true;
  return !env["XTERM_VERSION"] && !/^(?:linux|screen)/.test(env["TERM"] ?? "");
}
