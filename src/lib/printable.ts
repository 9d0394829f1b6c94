/** Text of others, made harmless for a terminal, and names that are read as they were meant. */
import { few, IN_A_SENTENCE } from "./few.ts";

/** Nothing but printable ASCII, as most of what is printed. */
const PLAIN = /^[ -~]*$/;

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001B\[[0-9;?]*[ -/]*[@-~]/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;

/** The same of a name, in one line: a file's may hold a line end. */
export function printableName(name: string): string {
  return printable(inOneLine(name));
}

/** A text whose line ends and tabs are told by their letters. */
export function inOneLine(text: string): string {
  return text.replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** Names in a list, each in one line; of very many the first, and how many more there are. */
export function printableNames(names: readonly string[], most = IN_A_SENTENCE): string {
  return few(names.map(printableName), most);
}

/** A name in quotes where it would not be clear without them where it begins and ends, and what is in it. One that is no UTF-8 is in quotes already. */
export function quotedName(name: string): string {
  if (NO_UTF8.test(name) || !UNCLEAR.test(name)) return name;
  return JSON.stringify(name).replaceAll(/[\p{C}\p{Z}]/gu, (sign) =>
    sign === " " ? sign : [...Array(sign.length).keys()].map((at) => unicodeEscape(sign, at)).join(""),
  );
}

/** The same of a file that an agent is to work on: one that is no UTF-8 can be written in a shell, and nowhere else. */
export function nameToType(name: string): string {
  if (!NO_UTF8.test(name)) return quotedName(name);
  return `${name} (no UTF-8; in a shell: $'${name.slice(1, -1).replaceAll("'", "\\'")}')`;
}

const NO_UTF8 = /^".*\\[2-3][0-7]{2}.*"$/;

/** What ends a name in a list or in quotes, what is escaped in them, and what no eye sees. */
const UNCLEAR = /^$|^ | $| {2}|[",;'`\\]|(?! )[\p{C}\p{Z}]/u;

function unicodeEscape(text: string, at: number): string {
  return `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`;
}

/** A name as a word of a command line that a person copies. */
export function shellWord(name: string): string {
  if (/^[\p{L}\p{N}_./@%+,:=-]+$/u.test(name)) return name;
  // eslint-disable-next-line no-control-regex
  if (!/[\u0000-\u001F\u007F-\u009F]/.test(name)) return `'${name.replaceAll("'", "'\\''")}'`;
  const escaped = name.replaceAll(/['\\]/g, "\\$&");
  // eslint-disable-next-line no-control-regex
  return `$'${escaped.replaceAll(/[\u0000-\u001F\u007F-\u009F]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`)}'`;
}

/** Colours stay, everything else that a terminal would obey goes: the last look at what is printed. */
export function withoutOrders(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/(\u001B\[[0-9;]*m)|[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "$1");
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

/** Names in a sentence: `a, b and c`. */
export function listed(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
