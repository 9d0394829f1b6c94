/** Text of others, made harmless for a terminal. */

/** Nothing but printable ASCII, as most of what is printed. */
const PLAIN = /^[ -~]*$/;

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001B\[[0-9;?]*[ -/]*[@-~]/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;

/** The same of a name, in one line: a file's may hold a line end. */
export function printableName(name: string): string {
  return printable(name.replaceAll("\n", "\\n").replaceAll("\t", "\\t"));
}

/** Control characters of a foreign text must not reach the terminal. Those that change the writing direction are shown by their number: left
 *  out, they would let a text look like another one, and raw they would let it read as another one. */
export function printable(text: string): string {
  if (PLAIN.test(text)) return text;
  return text
    .replaceAll(ESCAPES, "")
    .replaceAll(CONTROLS, "")
    .replaceAll(
      /\p{Bidi_Control}/gu,
      (mark) => `\\u${mark.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`,
    );
}
