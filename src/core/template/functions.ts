/** The functions of templates, as Go's `text/template` has them (funcs.go). `and` and `or` stop early and are the evaluator's. */
import { compareStrings, FormatError, isPrintable, printed, sprint, sprintf, sprintln } from "./format.ts";
import { goTypeOf, type Value } from "./nodes.ts";

/** Why a function could not be called with these values. */
export class CallError extends Error {}

/** Go's bytes have a type of their own, which would show in what is printed. */
export const BYTE_OF_TEXT = "index of a text, which gives a byte, is not supported: use slice";

/** How many values a function takes. */
export const ARITIES: Record<string, [least: number, most: number]> = {
  and: [1, Infinity],
  or: [1, Infinity],
  eq: [1, Infinity],
  ne: [2, 2],
  lt: [2, 2],
  le: [2, 2],
  gt: [2, 2],
  ge: [2, 2],
  not: [1, 1],
  len: [1, 1],
  index: [1, Infinity],
  slice: [1, Infinity],
  print: [0, Infinity],
  println: [0, Infinity],
  printf: [1, Infinity],
  html: [0, Infinity],
  js: [0, Infinity],
  urlquery: [0, Infinity],
};

/** Calls a function. Throws {@link CallError} where Go would fail, or does something that is not supported. */
export function callFunction(name: string, args: readonly Value[]): Value {
  const [first = null, ...rest] = args;
  switch (name) {
    case "not":
      return !isTrue(first);
    case "eq":
      return isEqualToAny(first, rest);
    case "ne":
      return !isEqualToAny(first, rest);
    case "lt":
      return isLess(first, rest[0]!);
    case "le":
      return isLess(first, rest[0]!) || isEqualToAny(first, rest);
    case "gt":
      return !(isLess(first, rest[0]!) || isEqualToAny(first, rest));
    case "ge":
      return !isLess(first, rest[0]!);
    case "len":
      return BigInt(lengthOf(first));
    case "index":
      return elementOf(first, rest);
    case "slice":
      return sliceOf(first, rest);
    case "print":
      return sprint(args);
    case "println":
      return sprintln(args);
    case "printf":
      return formatted(first, rest);
    case "html":
      return escapeHtml(joined(args));
    case "js":
      return escapeJavaScript(joined(args));
    case "urlquery":
      return escapeQuery(joined(args));
    default:
      throw new CallError(`function ${name} is not supported`);
  }
}

/** Whether `if` takes the value for true: not the zero of its type. */
export function isTrue(value: Value): boolean {
  if (value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return typeof value === "object" || Boolean(value);
}

/** The type of a value in messages. */
export function typeName(value: Value): string {
  if (value === null) return "nil";
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "map";
  return typeof value === "object" ? "record" : goTypeOf(value);
}

function isBasic(value: Value): value is string | bigint | number | boolean {
  return value !== null && typeof value !== "object";
}

function isEqualToAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new CallError("missing argument for comparison");
  return others.some((other) => isEqual(first, other));
}

function isEqual(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  if (isBasic(a) && isBasic(b) && typeof a === typeof b) return a === b;
  if (isBasic(a) || isBasic(b)) throw new CallError("incompatible types for comparison");
  throw new CallError(`a ${typeName(a)} cannot be compared`);
}

function isLess(a: Value, b: Value): boolean {
  if (!isBasic(a) || !isBasic(b)) throw new CallError("invalid type for comparison");
  if (typeof a !== typeof b) throw new CallError("incompatible types for comparison");
  if (typeof a === "boolean") throw new CallError("invalid type for comparison");
  return typeof a === "string" ? compareStrings(a, b as string) < 0 : a < (b as typeof a);
}

const encoder = new TextEncoder();

/** The length as Go counts it: of a text in bytes. */
function lengthOf(value: Value): number {
  if (typeof value === "string") return encoder.encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  throw new CallError(value === null ? "len of nil" : `len of type ${typeName(value)}`);
}

function elementOf(value: Value, indexes: readonly Value[]): Value {
  if (value === null) throw new CallError("index of untyped nil");
  let item: Value = value;
  for (const index of indexes) {
    if (Array.isArray(item)) {
      const at = toIndex(index, item.length);
      if (at === item.length) throw new CallError(`index out of range: ${at}`);
      item = (item as readonly Value[])[at]!;
    } else if (item instanceof Map) {
      if (typeof index !== "string") throw new CallError(`value has type ${typeName(index)}; should be string`);
      item = (item as ReadonlyMap<string, string>).get(index) ?? "";
    } else if (typeof item === "string") {
      throw new CallError(BYTE_OF_TEXT);
    } else {
      throw new CallError(`can't index item of type ${typeName(item)}`);
    }
  }
  return item;
}

function toIndex(index: Value, most: number): number {
  if (typeof index !== "bigint") throw new CallError(`cannot index with type ${typeName(index)}`);
  if (index < 0n || index > BigInt(most)) throw new CallError(`index out of range: ${index}`);
  return Number(index);
}

function sliceOf(value: Value, indexes: readonly Value[]): Value {
  if (value === null) throw new CallError("slice of untyped nil");
  if (indexes.length > 3) throw new CallError(`too many slice indexes: ${indexes.length}`);
  const isText = typeof value === "string";
  if (!isText && !Array.isArray(value)) throw new CallError(`can't slice item of type ${typeName(value)}`);
  if (isText && indexes.length === 3) throw new CallError("cannot 3-index slice a string");
  const length = lengthOf(value);
  const places = indexes.map((index) => toIndex(index, length));
  const [from = 0, to = length, capacity = length] = places;
  if (from > to) throw new CallError(`invalid slice index: ${from} > ${to}`);
  if (to > capacity) throw new CallError(`invalid slice index: ${to} > ${capacity}`);
  return isText ? sliceText(value, from, to) : (value as readonly Value[]).slice(from, to);
}

/** Go slices a text by bytes. Half a character is no text here. */
function sliceText(text: string, from: number, to: number): string {
  const bytes = encoder.encode(text).subarray(from, to);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CallError("the slice ends inside a character (texts are counted in bytes), which is not supported");
  }
}

function formatted(format: Value, values: readonly Value[]): string {
  if (typeof format !== "string") throw new CallError(`expected string; got ${typeName(format)}`);
  try {
    return sprintf(format, values);
  } catch (error) {
    if (error instanceof FormatError) throw new CallError(error.message);
    throw error;
  }
}

/** The one text, or all values as `print` writes them. */
function joined(args: readonly Value[]): string {
  return sprint(args.map((value) => value ?? "<no value>"));
}

const HTML: Record<string, string> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[\0"'&<>]/g, (each) => HTML[each]!);
}

const JAVASCRIPT: Record<string, string> = { "\\": "\\\\", "'": "\\'", '"': '\\"' };

function escapeJavaScript(text: string): string {
  return [...text]
    .map((each) => {
      if (JAVASCRIPT[each] !== undefined) return JAVASCRIPT[each];
      const isPlain = each >= " " && !"<>&=".includes(each);
      return isPlain && (each < "\u0080" || isPrintable(each))
        ? each
        : `\\u${each.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
    })
    .join("");
}

/** `url.QueryEscape`. */
function escapeQuery(text: string): string {
  return [...encoder.encode(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[A-Za-z0-9\-_.~]/.test(character)) return character;
      return byte === 32 ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/** The value as an action prints it. */
export function shown(value: Value): string {
  return value === null ? "<no value>" : printed(value);
}
