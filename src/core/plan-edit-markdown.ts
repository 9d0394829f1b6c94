/** Changes the dependencies of a task in the front matter of its file. Comments, order, blanks and line ends of everything else stay. */
import { isMap, isScalar, isSeq, type Pair, parseDocument, type Scalar, type YAMLSeq } from "yaml";
import { addToList, cut, insert, lineEndBefore, removeFromList, type Span } from "./list-edit.ts";
import { cannotEdit, isNeedsKey, type NeedsEdit } from "./plan-edit.ts";
import type { Located } from "./plan-fields.ts";
import { parseMarkdown } from "./plan-front-matter.ts";

/** The text of the file with the change in it. `needs` are the full ids that its depends_on means now, in the order of the file. Throws
 *  `plan` when that is not possible without touching more. */
export function editMarkdownNeeds(file: string, text: string, needs: readonly string[], edit: NeedsEdit): string {
  const written = wordsIn(file, text);
  const wordOf = wordsOfIds(file, written, needs);
  const gone = edit.remove.map((id) => wordOf.get(id)!);
  let edited = text;
  for (const id of edit.add) edited = addWord(file, edited, id);
  for (const word of gone) edited = removeWord(file, edited, word);
  const wanted = [...written.filter((word) => !gone.includes(word)), ...edit.add];
  if (!isSameBut(file, text, edited, wanted)) throw cannotEdit(file, "its front matter is written in an unusual way");
  return edited;
}

/** Which word stands for an id: `5`, `E5` and `shop/E05` may all mean one task. */
function wordsOfIds(file: string, written: readonly string[], needs: readonly string[]): ReadonlyMap<string, string> {
  const words = [...new Set(written)];
  if (words.length !== needs.length) throw cannotEdit(file, "its depends_on names a task twice, in different words");
  return new Map(needs.map((id, at) => [id, words[at]!]));
}

/** The words of depends_on, in the order of the file. */
function wordsIn(file: string, text: string): string[] {
  const { entries } = parseMarkdown(file, text);
  const value = entries.get("depends_on") ?? [...entries].find(([key]) => isNeedsKey(key))?.[1];
  if (value === undefined) return [];
  const items = value.kind === "list" ? value.items : [value];
  return items.flatMap((item) => (item.kind === "scalar" && item.value !== null ? splitWords(textOf(item)) : []));
}

function splitWords(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function textOf(item: Extract<Located, { kind: "scalar" }>): string {
  return typeof item.value === "string" ? item.value : item.source;
}

function addWord(file: string, text: string, word: string): string {
  const matter = frontMatterOf(text);
  if (matter === null) return withNewMatter(text, word);
  const pair = needsPair(file, text, matter);
  if (pair === null)
    return insert(text, matter.end, `${indentOf(text, matter)}depends_on: [${word}]${lineEndBefore(text, matter.end)}`);
  const { value } = pair;
  if (isSeq(value)) return addToSequence(file, text, matter, value, word);
  if (!isScalar(value) && value !== null) throw cannotEdit(file, "its depends_on is neither a list nor a text");
  const written = isScalar(value) && value.value !== null ? splitWords(String(value.source ?? value.value)) : [];
  if (written.length > 0) return replace(text, spanOf(matter, value as Scalar), `[${[...written, word].join(", ")}]`);
  return insert(text, colonBehind(text, matter, pair), ` [${word}]`);
}

function addToSequence(file: string, text: string, matter: Span, list: YAMLSeq, word: string): string {
  if (list.flow) return addToList(text, flowList(matter, list), word, "yaml");
  const line = blockLine(file, text, matter, list.items.at(-1) as Scalar);
  return insert(text, line.end, `${line.dash}${word}${lineEndBefore(text, line.end)}`);
}

function removeWord(file: string, text: string, word: string): string {
  for (let left = text; ;) {
    const matter = frontMatterOf(left);
    const value = matter && needsPair(file, left, matter)?.value;
    if (!matter || !value) return left;
    const next = isSeq(value)
      ? removeFromSequence(file, left, matter, value, word)
      : removeFromText(left, matter, value, word);
    if (next === null) return left;
    left = next;
  }
}

/** Null when the word does not stand there. */
function removeFromSequence(file: string, text: string, matter: Span, list: YAMLSeq, word: string): string | null {
  const items = list.items as Scalar[];
  const at = items.findIndex((item) => isScalar(item) && wordsOf(item).includes(word));
  if (at < 0) return null;
  const rest = wordsOf(items[at]!).filter((each) => each !== word);
  if (rest.length > 0) {
    const quote = /^["']/.exec(text.slice(spanOf(matter, items[at]!).start))?.[0] ?? "";
    return replace(text, spanOf(matter, items[at]!), `${quote}${rest.join(", ")}${quote}`);
  }
  if (list.flow) return removeFromList(text, flowList(matter, list), at, "yaml");
  const { start, end } = blockLine(file, text, matter, items[at]!);
  return cut(text, [{ start, end }]);
}

function removeFromText(text: string, matter: Span, value: unknown, word: string): string | null {
  if (!isScalar(value) || !wordsOf(value).includes(word)) return null;
  const rest = wordsOf(value).filter((each) => each !== word);
  return replace(text, spanOf(matter, value), `[${rest.join(", ")}]`);
}

function wordsOf(item: Scalar): string[] {
  return item.value === null
    ? []
    : splitWords(typeof item.value === "string" ? item.value : String(item.source ?? item.value));
}

/** The lines between the two of ---, as a stretch of the file; null where the file has none. */
function frontMatterOf(text: string): Span | null {
  const opening = /^\uFEFF?---[ \t]*(?:ya?ml)?[ \t]*(?:\r\n|\r|\n)/i.exec(text);
  if (opening === null) return null;
  const closing = /^(?:---|\.\.\.)[ \t]*$/gm;
  closing.lastIndex = opening[0].length;
  const end = closing.exec(text);
  return end === null ? null : { start: opening[0].length, end: end.index };
}

function withNewMatter(text: string, word: string): string {
  const lineEnd = /\r\n|\r|\n/.exec(text)?.[0] ?? "\n";
  const start = text.startsWith("\uFEFF") ? 1 : 0;
  return insert(text, start, ["---", `depends_on: [${word}]`, "---", ""].join(lineEnd));
}

/** The exact key counts before other spellings. */
function needsPair(file: string, text: string, matter: Span): Pair | null {
  const { contents, errors } = parseDocument(text.slice(matter.start, matter.end), {
    schema: "core",
    logLevel: "silent",
  });
  if (errors.length > 0) throw cannotEdit(file, "its front matter is not YAML");
  if (contents === null || (isScalar(contents) && contents.value === null)) return null;
  if (!isMap(contents)) throw cannotEdit(file, "its front matter is not a list of keys");
  const keyed = contents.items.filter((pair) => isScalar(pair.key));
  const named = (isWanted: (key: string) => boolean) =>
    keyed.find((pair) => isWanted(String((pair.key as Scalar).value)));
  return named((key) => key === "depends_on") ?? named(isNeedsKey) ?? null;
}

function spanOf(matter: Span, node: Pick<Scalar, "range">): Span {
  const [start, end] = node.range!;
  return { start: matter.start + start, end: matter.start + end };
}

function flowList(matter: Span, list: YAMLSeq) {
  const { start, end } = spanOf(matter, list);
  return {
    inside: { start: start + 1, end: end - 1 },
    entries: (list.items as Scalar[]).map((item) => spanOf(matter, item)),
  };
}

/** The line of an entry `- word`, its end included. */
function blockLine(file: string, text: string, matter: Span, item: Scalar): Span & { dash: string } {
  const span = spanOf(matter, item);
  const start = Math.max(text.lastIndexOf("\n", span.start - 1), text.lastIndexOf("\r", span.start - 1)) + 1;
  const dash = text.slice(start, span.start);
  const behind = /^[^\r\n]*(?:\r\n|\r|\n)/.exec(text.slice(span.end));
  if (!/^[ \t]*-[ \t]+$/.test(dash) || behind === null)
    throw cannotEdit(file, "its depends_on is laid out in an unusual way");
  return { start, end: span.end + behind[0].length, dash };
}

function colonBehind(text: string, matter: Span, pair: Pair): number {
  return text.indexOf(":", spanOf(matter, pair.key as Scalar).end) + 1;
}

/** Keys may be indented, all alike. */
function indentOf(text: string, matter: Span): string {
  return /^([ \t]*)[^\s#]/m.exec(text.slice(matter.start, matter.end))?.[1] ?? "";
}

function replace(text: string, span: Span, by: string): string {
  return text.slice(0, span.start) + by + text.slice(span.end);
}

function isSameBut(file: string, before: string, after: string, wanted: readonly string[]): boolean {
  const [was, is] = [parseMarkdown(file, before), parseMarkdown(file, after)];
  const others = ({ entries }: typeof was) =>
    JSON.stringify([...entries].filter(([key]) => !isNeedsKey(key)).map(([key, value]) => [key, plain(value)]));
  return (
    is.problems.length === was.problems.length &&
    is.body === was.body &&
    others(is) === others(was) &&
    wordsIn(file, after).join() === wanted.join()
  );
}

function plain(value: Located): unknown {
  if (value.kind === "scalar") return [value.value, value.source];
  return value.kind === "list" ? value.items.map(plain) : [...value.entries].map(([key, each]) => [key, plain(each)]);
}
