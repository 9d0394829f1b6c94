/** Text that is to arrive in a terminal as text. A terminal takes control characters for keys: ESC [201~ ends a paste so that what follows
 *  is typed, ^C interrupts, ^D ends the input. A text with such characters is refused, or, where that is asked for, sent without them. */

export type Stray = {
  /** As `U+001B`. */
  name: string;
  /** The line it stands in, from 1. */
  line: number;
};

/** Control characters other than tab and line ends, the C1 ones of 8-bit terminals too, and halves of characters, which are no text. */
// eslint-disable-next-line no-control-regex
const STRAY = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]|\p{Surrogate}/gu;

/** Whole control sequences (ECMA-48): their letters mean nothing without their first character. */
// eslint-disable-next-line no-control-regex
const SEQUENCE = /(?:\u001B\[|\u009B)[0-?]*[ -/]*[@-~]/gu;

/** What no terminal would take for text, in order. */
export function findStrays(text: string): Stray[] {
  return text.split("\n").flatMap((content, at) =>
    [...content.matchAll(STRAY)].map(([sign]) => ({
      name: `U+${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`,
      line: at + 1,
    })),
  );
}

/** The text without them. Idempotent: what is left holds none, whatever came together. */
export function withoutStrays(text: string): string {
  return text.replaceAll(SEQUENCE, "").replaceAll(STRAY, "");
}
