/** Changes the dependencies and the description of a feature in the text of its list. Comments, order, blanks and line ends of everything else stay. */
import { findNodeAtLocation, getNodeValue, type Node, parseTree } from "jsonc-parser";
import { addToList, insert, lineEndBefore, removeFromList } from "./list-edit.ts";
import { cannotEdit, isNeedsKey, type NeedsEdit } from "./plan-edit.ts";

/** The text of the list with the change in it. Throws `plan` when that is not possible without touching more. */
export function editFeatureNeeds(file: string, text: string, id: string, edit: NeedsEdit): string {
  let edited = text;
  for (const need of edit.add) edited = addNeed(file, edited, id, need);
  for (const need of edit.remove) edited = removeNeed(file, edited, id, need);
  const wanted = wantedValue(file, text, id, edit);
  if (canonical(parse(file, edited)) !== wanted) throw cannotEdit(file, `${id} is written in an unusual way`);
  return edited;
}

/** The text of the list with another description of a feature. */
export function editFeatureText(file: string, text: string, id: string, description: string): string {
  const feature = featureOf(file, parse(file, text), id);
  const value = propertyOf(feature, (name) => name === "description")?.children?.[1];
  const written = JSON.stringify(description);
  if (value === undefined) return insertKey(text, feature, `"description": ${written}`);
  return text.slice(0, value.offset) + written + text.slice(value.offset + value.length);
}

/** The prompt file that a feature names; null where it names none. */
export function promptFileOf(file: string, text: string, id: string): string | null {
  const value = propertyOf(featureOf(file, parse(file, text), id), (name) => name === "prompt_file")?.children?.[1];
  return value === undefined || value.type !== "string" ? null : textOf(value);
}

function addNeed(file: string, text: string, id: string, need: string): string {
  const feature = featureOf(file, parse(file, text), id);
  const entry = JSON.stringify(need);
  const value = needsOf(feature);
  if (value?.type === "array") return addToList(text, listOf(value), entry, "json");
  if (value !== undefined) {
    const before = value.type === "null" ? "" : `${text.slice(value.offset, value.offset + value.length)}, `;
    return text.slice(0, value.offset) + `[${before}${entry}]` + text.slice(value.offset + value.length);
  }
  return insertKey(text, feature, `"depends_on": [${entry}]`);
}

/** Behind the id, on a line of its own where the id has one. */
function insertKey(text: string, feature: Node, key: string): string {
  const id = propertyOf(feature, (name) => name === "id")!;
  const lineStart = Math.max(text.lastIndexOf("\n", id.offset - 1), text.lastIndexOf("\r", id.offset - 1)) + 1;
  const indent = text.slice(lineStart, id.offset);
  const hasOwnLine = lineStart > feature.offset && indent.trim() === "";
  return insert(
    text,
    id.offset + id.length,
    hasOwnLine ? `,${lineEndBefore(text, lineStart)}${indent}${key}` : `, ${key}`,
  );
}

function removeNeed(file: string, text: string, id: string, need: string): string {
  for (let left = text; ;) {
    const value = needsOf(featureOf(file, parse(file, left), id));
    if (value === undefined) return left;
    if (value.type !== "array") {
      return textOf(value) === need
        ? left.slice(0, value.offset) + "[]" + left.slice(value.offset + value.length)
        : left;
    }
    const at = (value.children ?? []).findIndex((child) => textOf(child) === need);
    if (at < 0) return left;
    left = removeFromList(left, listOf(value), at, "json");
  }
}

/** What the file shall say afterwards: the same, but for the one list. */
function wantedValue(file: string, text: string, id: string, edit: NeedsEdit): string {
  const tree = parse(file, text);
  const feature = featureOf(file, tree, id);
  const property = needsProperty(feature);
  const key = property === undefined ? "depends_on" : String(property.children![0]!.value);
  const value = property?.children?.[1];
  const items =
    value?.type === "array" ? (value.children ?? []) : value === undefined || value.type === "null" ? [] : [value];
  const left = items.filter((item) => !edit.remove.includes(textOf(item))).map((item) => getNodeValue(item) as unknown);
  return canonical(tree, { feature, key, needs: [...left, ...edit.add] });
}

function parse(file: string, text: string): Node {
  // A byte order mark is one character; as a blank it moves nothing.
  const tree = parseTree(text.replace(/^\uFEFF/, " "), [], { allowTrailingComma: true });
  if (tree === undefined) throw cannotEdit(file, "it is empty");
  return tree;
}

function featureOf(file: string, tree: Node, id: string): Node {
  const features = findNodeAtLocation(tree, ["features"])?.children ?? [];
  const found = features.find((feature) => {
    const value = propertyOf(feature, (name) => name === "id")?.children?.[1];
    return value !== undefined && textOf(value) === id;
  });
  if (found === undefined) throw cannotEdit(file, `${id} was not found in it`);
  return found;
}

function needsOf(feature: Node): Node | undefined {
  return needsProperty(feature)?.children?.[1];
}

/** The exact key counts before other spellings. */
function needsProperty(feature: Node): Node | undefined {
  return propertyOf(feature, (name) => name === "depends_on") ?? propertyOf(feature, isNeedsKey);
}

/** Of a key that stands twice the later one counts. */
function propertyOf(object: Node, isWanted: (name: string) => boolean): Node | undefined {
  if (object.type !== "object") return undefined;
  return object.children?.findLast(({ children }) => children?.length === 2 && isWanted(String(children[0]!.value)));
}

function listOf(array: Node) {
  return {
    inside: { start: array.offset + 1, end: array.offset + array.length - 1 },
    entries: (array.children ?? []).map(({ offset, length }) => ({ start: offset, end: offset + length })),
  };
}

function textOf(node: Node): string {
  return String(node.value).trim();
}

/** A value as one text, whatever the order of its keys; the dependencies of one feature may be replaced. */
function canonical(node: Node, change?: { feature: Node; key: string; needs: readonly unknown[] }): string {
  if (node.type === "array") return `[${(node.children ?? []).map((child) => canonical(child, change)).join()}]`;
  if (node.type !== "object") return JSON.stringify(node.value);
  const entries = new Map(
    (node.children ?? []).map(({ children }) => [String(children![0]!.value), canonical(children![1]!, change)]),
  );
  if (change?.feature === node) entries.set(change.key, JSON.stringify(change.needs));
  return `{${[...entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}:${value}`)
    .join()}}`;
}
