/** How wide a text is on a terminal, and texts that fit. */
import stringWidth from "string-width";

/** Letters of western scripts, and the signs that our own screens are made of: each takes one column. */
const PLAIN =
  /^[ -~\u00A1-\u00AC\u00AE-\u02FF\u2010-\u2027\u2190-\u2193\u21B3\u2212\u25B2\u25CB\u25CE\u25F7\u2713\u2717\u276F]*$/;
/** Made when it is first needed: that takes longer than many commands. */
let characters: Intl.Segmenter | undefined;

/** Columns that a text takes: wide characters and emoji take two, combining marks and colours none. */
export function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

/** A text without colours, cut to at most `columns`, with `…` at its end where it is longer. */
export function fit(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  let cut = "";
  let left = columns - 1;
  characters ??= new Intl.Segmenter();
  for (const { segment } of characters.segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    cut += segment;
  }
  return `${cut}…`;
}

/** The same, filled up with blanks to exactly `columns`; `end` puts the text at the right. */
export function column(text: string, columns: number, side: "start" | "end" = "start"): string {
  const cut = fit(text, columns);
  const blanks = " ".repeat(Math.max(0, columns - widthOf(cut)));
  return side === "start" ? cut + blanks : blanks + cut;
}
