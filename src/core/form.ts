/** The form of what people write in files: tables whose unknown keys are all told, and problems in words. */
import * as v from "valibot";

/** Whether a value is a table: no list, no date, as TOML has them. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

const anyTable = v.custom<Record<string, unknown>>(isTable, ({ received }) => `expected object, received ${received}`);

/** A table of these keys. Each other key is a problem of its own. (valibot's own strict objects tell only the first one, and all of its
 *  objects take lists for tables.) */
export function table<const Entries extends v.ObjectEntries>(
  entries: Entries,
): v.GenericSchema<unknown, v.InferOutput<v.StrictObjectSchema<Entries, undefined>>> {
  return v.pipe(anyTable, v.objectWithRest(entries, v.never("unknown key"))) as never;
}

/** A table of these keys, in which others may stand as well, with values of the form `rest`. */
export function openTable<const Entries extends v.ObjectEntries, const Rest extends v.GenericSchema>(
  entries: Entries,
  rest: Rest,
) {
  return v.pipe(anyTable, v.objectWithRest(entries, rest));
}

/** A table of any keys, all with values of one form. */
export function tableOf<const Value extends v.GenericSchema>(
  value: Value,
  name: v.GenericSchema<string, string> = v.string(),
) {
  return v.pipe(anyTable, v.record(name, value));
}

/** Where a problem stands: key by key, list items by their number. */
export function keyOf({ path }: v.BaseIssue<unknown>): string[] {
  return (path ?? []).map(({ key }) => String(key));
}

/** What a form expects, in the words that people know from the files. */
const EXPECTED: Record<string, string> = { integer: "a whole number", array: "a list", min_length: "at least one" };

const BOUNDS: Record<string, string> = { ">=": "at least", "<=": "at most", ">": "more than", "<": "less than" };

/** A problem in words: what was expected, and what stands there. A form that brings words of its own is told in these. */
export function describeIssue({ type, message, expected, received }: v.BaseIssue<unknown>): string {
  if (!message.startsWith("Invalid ")) return message;
  const bound = /^([<>]=?)(.+)$/.exec(expected ?? "");
  const what = bound
    ? `${BOUNDS[bound[1]!]} ${bound[2]}`
    : (EXPECTED[type] ?? expected?.replaceAll(" | ", "|").replaceAll(/^\(|\)$/g, ""));
  return `expected ${what ?? "something else"}, received ${received}`;
}
