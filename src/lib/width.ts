/** How wide a text is on a terminal, and texts that fit. */
import { eastAsianWidth } from "get-east-asian-width";

/** Letters of western scripts, and the signs that our own screens are made of: each takes one column. */
const PLAIN =
  /^[ -~\u00A1-\u00AC\u00AE-\u02FF\u2010-\u2027\u2190-\u2193\u21B3\u2212\u25B2\u25CB\u25CE\u25F7\u2713\u2717\u276F]*$/;

/** Made when it is first needed: that takes longer than many commands. */
let segmenter: Intl.Segmenter | undefined;

/** Columns that a text takes: wide characters and emoji take two, combining marks and colours none. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  const bare = text.replaceAll(COLOURS, "");
  if (PLAIN.test(bare)) return bare.length;
  return charactersOf(bare).reduce((sum, character) => sum + widthOfCharacter(character), 0);
}

// eslint-disable-next-line no-control-regex
const COLOURS = /\u001B\[[0-9;]*m/g;

/** What a reader takes for one character, marks and joined emoji included. */
function charactersOf(text: string): string[] {
  segmenter ??= new Intl.Segmenter();
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Terminals show a flag, and whatever asks to be shown as a picture, in two columns. */
function widthOfCharacter(character: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cc}\p{Cf}]*$/u.test(character)) return 0;
  if (character.includes("\uFE0F") || /^\p{Regional_Indicator}{2}/u.test(character)) return 2;
  return eastAsianWidth(character.codePointAt(0)!);
}

/** A text without colours, cut to at most `columns`, with `…` at its end where it is longer. */
export function fit(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  let cut = "";
  let left = columns - 1;
  for (const character of charactersOf(text)) {
    left -= widthOf(character);
    if (left < 0) break;
    cut += character;
  }
  return `${cut}…`;
}

/** The same, cut in its middle, so that its end stays. */
export function fitAround(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  const head = fit(text, Math.max(1, Math.ceil(columns / 2)));
  let left = columns - widthOf(head);
  let tail = "";
  for (const character of charactersOf(text).toReversed()) {
    left -= widthOf(character);
    if (left < 0) break;
    tail = character + tail;
  }
  return head + tail;
}

/** The same, filled up with blanks to exactly `columns`; `end` puts the text at the right. */
export function column(text: string, columns: number, side: "start" | "end" = "start"): string {
  const cut = fit(text, columns);
  const blanks = " ".repeat(Math.max(0, columns - widthOf(cut)));
  return side === "start" ? cut + blanks : blanks + cut;
}

/** Lines of at most `width` columns, broken between words, all but the first indented by `hang`. A word that is wider stands alone; blanks
 *  inside a line stay as they are. */
export function wrap(text: string, width: number, hang = 0): string[] {
  const lines: string[] = [];
  let line = "";
  let columns = 0;
  // Each word with the blanks before it.
  for (const [piece] of text.matchAll(/\s*\S+/g)) {
    const more = widthOf(piece);
    if (columns + more > width && line.trim() !== "") {
      lines.push(line);
      line = " ".repeat(hang) + piece.trimStart();
      columns = widthOf(line);
    } else {
      line += piece;
      columns += more;
    }
  }
  return line === "" ? lines : [...lines, line];
}

// eslint-disable-next-line no-control-regex
const HINT = /^\s*(?:\u001B\[[0-9;]*m)*↳(?:\u001B\[[0-9;]*m)* /;

/** Stands for a blank at which nothing is broken: no text of anybody's has this sign. */
const BOUND = "\uE000";

/** The mark of a hint stays with what is behind it, and so does each part that is to stay whole. */
function bindHint(line: string, mark: number, whole: RegExp | undefined): string {
  const bind = (piece: string) => piece.replaceAll(/(?<=\S) /g, BOUND);
  const words = line.slice(mark);
  return bind(line.slice(0, mark)) + (whole === undefined ? words : words.replaceAll(whole, bind));
}

/** A text whose longer lines are broken between words, their rest indented a little further than they are, behind `↳` as far as its words. What
 *  `whole` matches there (a global pattern) stays in one piece, also where that is wider: a command that is copied of two lines would be carried out in two. */
export function wrapText(text: string, width: number, whole?: RegExp): string {
  const fold = (line: string) => {
    if (widthOf(line) <= width) return line;
    const indent = /^ */.exec(line)![0].length;
    const mark = HINT.exec(line)?.[0];
    const hang = Math.min(indent + (mark === undefined ? 4 : 2), width >> 1);
    const lines = wrap(mark === undefined ? line : bindHint(line, mark.length, whole), width, hang);
    return lines.join("\n").replaceAll(BOUND, " ") + /\s*$/.exec(line)![0];
  };
  return text.split("\n").map(fold).join("\n");
}
