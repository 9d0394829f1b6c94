/** What a parsed template is made of, the one error that all parts of the language throw, and where in the text it stands. */

/** What a value is, as Go's templates see it: an int is a bigint, a float64 a number, a struct a plain object, a map of strings a Map,
 *  and null what Go calls no value. */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | readonly Value[]
  | ReadonlyMap<string, string>
  | { readonly [field: string]: Value };

/** Go's name for the type of a simple value. */
export function goTypeOf(value: string | bigint | number | boolean): "string" | "int" | "float64" | "bool" {
  switch (typeof value) {
    case "bigint":
      return "int";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    default:
      return "string";
  }
}

/** Something that is evaluated to a value; `at` is its offset in the text. */
export type Operand =
  | { kind: "literal"; at: number; value: string | bigint | number | boolean; written: string }
  | { kind: "nil"; at: number }
  | { kind: "dot"; at: number }
  | { kind: "field"; at: number; names: string[] }
  | { kind: "variable"; at: number; name: string; names: string[] }
  | { kind: "function"; at: number; name: string }
  | { kind: "chain"; at: number; of: Operand; names: string[] }
  | Pipeline;

export type Command = { at: number; operands: Operand[] };

export type Pipeline = {
  kind: "pipeline";
  at: number;
  /** Variables that the result is given to. */
  variables: string[];
  /** True for `=`, false for `:=`. */
  assigns: boolean;
  commands: Command[];
};

export type Node =
  | { kind: "text"; at: number; text: string }
  | { kind: "action"; at: number; pipeline: Pipeline }
  | { kind: "if" | "with" | "range"; at: number; pipeline: Pipeline; body: Node[]; otherwise: Node[] | null }
  | { kind: "template"; at: number; name: string; pipeline: Pipeline | null }
  | { kind: "break" | "continue"; at: number };

/** A parsed template, with those it defines; its own body has the name "". */
export type Template = { text: string; bodies: ReadonlyMap<string, Node[]> };

/** Where and why a template is wrong. Lines and columns count from 1, columns in characters. */
export type TemplateProblem = { line: number; column: number; message: string; hint: string };

/** What every part of the language throws. */
export class TemplateError extends Error {
  readonly at: number;
  readonly hint: string;

  constructor(at: number, message: string, hint = "") {
    super(message);
    this.name = "TemplateError";
    this.at = at;
    this.hint = hint;
  }
}

/** The line of an offset, from 1. */
export function lineAt(text: string, at: number): number {
  let line = 1;
  for (let found = text.indexOf("\n"); found !== -1 && found < at; found = text.indexOf("\n", found + 1)) line++;
  return line;
}

/** The error as a problem at its place in the text. */
export function toProblem(text: string, error: TemplateError): TemplateProblem {
  const lineStart = text.lastIndexOf("\n", error.at - 1) + 1;
  const before = error.at === 0 ? "" : text.slice(lineStart, error.at);
  return {
    line: lineAt(text, error.at),
    column: [...before].length + 1,
    message: error.message,
    hint: error.hint,
  };
}
