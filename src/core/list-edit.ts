/** Adds and removes entries of a list that stands in brackets in somebody's file, and leaves every other byte as it was. */

/** A stretch of a text: offsets of its first letter and of the one behind its last. */
export type Span = { start: number; end: number };

/** A list in a text: the stretch between its brackets, and those of its entries. */
export type ListText = { inside: Span; entries: readonly Span[] };

/** How comments begin: `//` and `/*`, or `#`. */
export type CommentStyle = "json" | "yaml";

/** The text with an entry more at the end of the list, in the way in which the last one stands: on a line of its own, or behind the others. */
export function addToList(text: string, list: ListText, entry: string, comments: CommentStyle): string {
  const last = list.entries.at(-1);
  if (last === undefined) return insert(text, list.inside.start, entry);
  const comma = commaBehind(text, list, last, comments);
  const line = ownLine(text, list, last, comma, comments);
  if (line === null)
    return comma === null ? insert(text, last.end, `, ${entry}`) : insert(text, comma + 1, ` ${entry},`);
  const indent = text.slice(line.start, last.start);
  const added = insert(text, line.end, `${indent}${entry}${comma === null ? "" : ","}${lineEndBefore(text, line.end)}`);
  return comma === null ? insert(added, last.end, ",") : added;
}

/** The text without an entry. A comment behind it goes along when the entry stands on a line of its own; every other one stays. */
export function removeFromList(text: string, list: ListText, at: number, comments: CommentStyle): string {
  const entry = list.entries[at]!;
  const comma = commaBehind(text, list, entry, comments);
  const before = list.entries[at - 1];
  // Without a comma behind it, it is the last: then the comma before it has nothing to part any more.
  const parting = comma === null && before !== undefined ? commaBehind(text, list, before, comments) : null;
  const line = ownLine(text, list, entry, comma, comments);
  if (line !== null) return cut(text, [line, ...(parting === null ? [] : [{ start: parting, end: parting + 1 }])]);
  if (comma !== null) {
    const blanks = /^[ \t]*/.exec(text.slice(comma + 1))![0].length;
    return cut(text, joined(text, entry, { start: comma, end: comma + 1 + blanks }));
  }
  if (parting === null) return cut(text, [entry]);
  return cut(text, joined(text, { start: parting, end: parting + 1 }, entry));
}

/** Two stretches as one when only blanks lie between them. */
function joined(text: string, first: Span, second: Span): Span[] {
  const isBlank = text.slice(first.end, second.start).trim() === "";
  return isBlank ? [{ start: first.start, end: second.end }] : [first, second];
}

function commaBehind(text: string, list: ListText, entry: Span, comments: CommentStyle): number | null {
  const at = skipBlanks(text, entry.end, comments);
  return at < list.inside.end && text[at] === "," ? at : null;
}

/** Offset of the next letter that is neither blank nor comment. */
function skipBlanks(text: string, from: number, comments: CommentStyle): number {
  const blank = comments === "json" ? /(?:\s|\/\/[^\r\n]*|\/\*[^]*?\*\/)*/y : /(?:\s|(?<=\s)#[^\r\n]*)*/y;
  blank.lastIndex = from;
  return from + blank.exec(text)![0].length;
}

/** The line of an entry, its end included, when nothing else but its comma and a comment stand there; else null. */
function ownLine(text: string, list: ListText, entry: Span, comma: number | null, comments: CommentStyle): Span | null {
  const start = Math.max(text.lastIndexOf("\n", entry.start - 1), text.lastIndexOf("\r", entry.start - 1)) + 1;
  const behind = comma === null ? entry.end : comma + 1;
  const lineEnd = /\r\n|\r|\n/g;
  lineEnd.lastIndex = behind;
  const found = lineEnd.exec(text);
  if (start < list.inside.start || found === null || lineEnd.lastIndex > list.inside.end) return null;
  const rest = text.slice(behind, found.index);
  const isComment = comments === "json" ? /^\s*(\/\/.*|\/\*((?!\*\/).)*\*\/\s*)?$/ : /^\s*(\s#.*)?$/;
  const isAlone = text.slice(start, entry.start).trim() === "" && isComment.test(rest);
  const isWhole = !/[\r\n]/.test(text.slice(entry.start, behind));
  return isAlone && isWhole ? { start, end: lineEnd.lastIndex } : null;
}

/** The line end that stands right before an offset. */
export function lineEndBefore(text: string, offset: number): string {
  return /\r\n$|\r$|\n$/.exec(text.slice(Math.max(0, offset - 2), offset))?.[0] ?? "\n";
}

/** The text with something put in. */
export function insert(text: string, at: number, what: string): string {
  return text.slice(0, at) + what + text.slice(at);
}

/** The text without some stretches, which do not overlap. */
export function cut(text: string, spans: readonly Span[]): string {
  return spans
    .toSorted((a, b) => b.start - a.start)
    .reduce((left, { start, end }) => left.slice(0, start) + left.slice(end), text);
}
