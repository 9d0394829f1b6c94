/** Finds what would go wrong in a template before it is rendered, in every branch: fields that the data does not have, values that a function
 *  cannot take, templates that are not defined or call themselves. It follows the shape of the data through the template; where a shape
 *  is not known, it says nothing. */
import { nearest } from "../names.ts";
import { checkCount } from "./evaluate.ts";
import { BYTE_OF_TEXT } from "./functions.ts";
import {
  type Command,
  goTypeOf,
  type Node,
  type Operand,
  type Pipeline,
  type Template,
  TemplateError,
} from "./nodes.ts";

/** What is known of a value without having it. `nothing` is nil. */
export type Shape =
  | "string"
  | "int"
  | "float64"
  | "bool"
  | "map"
  | "nothing"
  | "unknown"
  | { listOf: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> };

/** All mistakes that show without data, in the order of the text. */
export function check(template: Template, shape: Shape): TemplateError[] {
  const checker = new Checker(template);
  checker.checkBody("", shape, []);
  return checker.found.toSorted((a, b) => a.at - b.at);
}

type Variable = { name: string; shape: Shape };

class Checker {
  readonly #template: Template;
  readonly found: TemplateError[] = [];
  readonly #seen = new Set<string>();
  /** Bodies that were checked, with the shape they were checked for. */
  readonly #checked = new Set<string>();
  #variables: Variable[] = [];
  #calls: string[] = [];

  constructor(template: Template) {
    this.#template = template;
  }

  #fail(at: number, message: string, hint = ""): void {
    const key = `${at} ${message}`;
    if (!this.#seen.has(key)) this.found.push(new TemplateError(at, message, hint));
    this.#seen.add(key);
  }

  checkBody(name: string, shape: Shape, calls: string[]): void {
    const key = `${name} ${JSON.stringify(shape)}`;
    if (this.#checked.has(key)) return;
    this.#checked.add(key);
    const outer = { variables: this.#variables, calls: this.#calls };
    this.#variables = [{ name: "$", shape }];
    this.#calls = [...calls, name];
    this.#walkAll(this.#template.bodies.get(name) ?? [], shape);
    this.#variables = outer.variables;
    this.#calls = outer.calls;
  }

  #walkAll(nodes: readonly Node[], dot: Shape): void {
    const mark = this.#variables.length;
    for (const node of nodes) this.#walk(node, dot);
    this.#variables.length = mark;
  }

  #walk(node: Node, dot: Shape): void {
    switch (node.kind) {
      case "action":
        this.#pipeline(node.pipeline, dot);
        return;
      case "if":
      case "with":
      case "range":
        this.#control(node, dot);
        return;
      case "template":
        this.#invocation(node, dot);
        return;
      default:
    }
  }

  #control(node: Extract<Node, { body: Node[] }>, dot: Shape): void {
    const mark = this.#variables.length;
    const shape = this.#pipeline(node.pipeline, dot);
    if (node.kind === "range") {
      const element = this.#elementOf(shape, node.pipeline.at);
      this.#giveRange(node.pipeline, shape, element);
      this.#walkAll(node.body, element);
    } else {
      this.#walkAll(node.body, node.kind === "with" ? shape : dot);
    }
    this.#walkAll(node.otherwise ?? [], dot);
    this.#variables.length = mark;
  }

  #elementOf(shape: Shape, at: number): Shape {
    if (typeof shape === "object" && "listOf" in shape) return shape.listOf;
    if (shape === "map") return "string";
    if (shape !== "unknown" && shape !== "nothing") this.#fail(at, `range can't iterate over ${nameOf(shape)}`);
    return "unknown";
  }

  #giveRange({ variables, assigns }: Pipeline, over: Shape, element: Shape): void {
    const key: Shape = over === "map" ? "string" : over === "unknown" ? "unknown" : "int";
    const shapes = variables.length === 1 ? [element] : [key, element];
    for (const [index, name] of variables.entries()) {
      if (assigns) this.#assign(name);
      else this.#variables[this.#variables.length - variables.length + index]!.shape = shapes[index]!;
    }
  }

  #invocation(node: Extract<Node, { kind: "template" }>, dot: Shape): void {
    const shape = node.pipeline ? this.#pipeline(node.pipeline, dot) : "nothing";
    if (!this.#template.bodies.has(node.name) || node.name === "") {
      const close = nearest(node.name, [...this.#template.bodies.keys()].filter(Boolean));
      const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : "define it in the same file";
      this.#fail(node.at, `template ${JSON.stringify(node.name)} not defined`, hint);
    } else if (this.#calls.includes(node.name)) {
      this.#fail(node.at, `template ${JSON.stringify(node.name)} calls itself`, "use {{range}} to repeat something");
    } else {
      this.checkBody(node.name, shape, this.#calls);
    }
  }

  /** A variable that is given another value may be anything from then on, and in a loop before as well. */
  #assign(name: string): void {
    const variable = this.#variables.findLast((each) => each.name === name);
    if (variable) variable.shape = "unknown";
  }

  #pipeline(pipeline: Pipeline, dot: Shape): Shape {
    let shape: Shape | undefined;
    for (const command of pipeline.commands) shape = this.#command(command, dot, shape);
    for (const name of pipeline.variables) {
      if (pipeline.assigns) this.#assign(name);
      else this.#variables.push({ name, shape: this.#isAssigned(name) ? "unknown" : shape! });
    }
    return shape!;
  }

  /** Whether any `=` gives this name a value, wherever it stands. */
  #isAssigned(name: string): boolean {
    return new RegExp(`\\${name}\\s*(,\\s*\\$\\w+\\s*)?=|,\\s*\\${name}\\s*=`).test(this.#template.text);
  }

  #command(command: Command, dot: Shape, final: Shape | undefined): Shape {
    const [first, ...rest] = command.operands as [Operand, ...Operand[]];
    if (first.kind === "function") return this.#function(first.name, command.at, rest, dot, final);
    const shape = this.#operand(first, dot);
    for (const operand of rest) this.#operand(operand, dot);
    if (rest.length > 0 || final !== undefined)
      this.#fail(first.at, "an argument is given to something that is no function");
    else if (first.kind === "nil") this.#fail(first.at, "nil is not a command");
    return shape;
  }

  #operand(operand: Operand, dot: Shape): Shape {
    switch (operand.kind) {
      case "literal":
        return goTypeOf(operand.value);
      case "nil":
        return "nothing";
      case "dot":
        return dot;
      case "field":
        return this.#field(dot, operand.names, operand.at);
      case "variable":
        return this.#field(this.#variable(operand.name), operand.names, operand.at);
      case "chain":
        if (operand.of.kind === "nil") this.#fail(operand.at, "a field of nil");
        return this.#field(this.#operand(operand.of, dot), operand.names, operand.at);
      case "function":
        return this.#function(operand.name, operand.at, [], dot, undefined);
      case "pipeline":
        return this.#pipeline(operand, dot);
      default: {
        const never: never = operand;
        return never;
      }
    }
  }

  #variable(name: string): Shape {
    return this.#variables.findLast((each) => each.name === name)?.shape ?? "unknown";
  }

  #field(shape: Shape, names: readonly string[], at: number): Shape {
    let current = shape;
    for (const name of names) {
      if (current === "unknown" || current === "nothing") return current;
      // A key that is not there has no value, which is no text.
      if (current === "map") current = "unknown";
      else if (typeof current === "object" && "fields" in current && Object.hasOwn(current.fields, name))
        current = current.fields[name]!;
      else {
        this.#failField(current, name, at);
        return "unknown";
      }
    }
    return current;
  }

  #failField(shape: Shape, name: string, at: number): void {
    if (typeof shape !== "object" || !("fields" in shape)) {
      this.#fail(
        at,
        `can't evaluate field ${name} in type ${nameOf(shape)}`,
        `inside {{range}} and {{with}}, the whole data is $: {{$.${name}}}`,
      );
      return;
    }
    const known = Object.keys(shape.fields);
    const close = nearest(name, known);
    this.#fail(
      at,
      `there is no field .${name}`,
      close.length > 0
        ? `did you mean ${close.map((each) => `.${each}`).join(" or ")}?`
        : `known: ${known.map((each) => `.${each}`).join(" ")}`,
    );
  }

  #function(name: string, at: number, args: readonly Operand[], dot: Shape, final: Shape | undefined): Shape {
    const shapes = args.map((operand) => this.#operand(operand, dot));
    if (final !== undefined) shapes.push(final);
    try {
      checkCount(name, shapes.length, at);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.#fail(at, error.message);
      return "unknown";
    }
    const problem = problemOf(name, shapes);
    if (problem !== null) this.#fail(at, `error calling ${name}: ${problem}`);
    return resultOf(name, shapes);
  }
}

function nameOf(shape: Shape): string {
  return typeof shape === "string" ? shape : "listOf" in shape ? "list" : "record";
}

const BASIC = new Set<Shape>(["string", "int", "float64", "bool"]);

/** Why a function cannot take values of these shapes; null when it may. */
function problemOf(name: string, shapes: readonly Shape[]): string | null {
  const [first = "unknown", ...rest] = shapes;
  switch (name) {
    case "len":
      return mayBe(first, "string", "map", "list") ? null : `len of type ${nameOf(first)}`;
    case "index":
      if (rest.length === 0) return null;
      if (first === "string") return BYTE_OF_TEXT;
      return mayBe(first, "map", "list") ? null : `can't index item of type ${nameOf(first)}`;
    case "slice":
      return mayBe(first, "string", "list") ? null : `can't slice item of type ${nameOf(first)}`;
    case "printf":
      return first !== "unknown" && first !== "string" ? `expected string; got ${nameOf(first)}` : null;
    case "eq":
    case "ne":
      if (rest.length === 0) return "missing argument for comparison";
      // What stands behind the first may never be looked at.
      return cannotEqual(first, rest[0]!) ? "incompatible types for comparison" : null;
    case "lt":
    case "le":
    case "gt":
    case "ge": {
      const known = shapes.filter((shape) => shape !== "unknown");
      if (known.some((shape) => shape === "bool" || !BASIC.has(shape))) return "invalid type for comparison";
      return known.length === 2 && known[0] !== known[1] ? "incompatible types for comparison" : null;
    }
    default:
      return null;
  }
}

function mayBe(shape: Shape, ...names: string[]): boolean {
  return shape === "unknown" || names.includes(nameOf(shape));
}

function cannotEqual(a: Shape, b: Shape): boolean {
  if ([a, b].some((shape) => shape === "unknown" || shape === "nothing")) return false;
  return a !== b || !BASIC.has(a);
}

function resultOf(name: string, shapes: readonly Shape[]): Shape {
  const [first = "unknown", ...rest] = shapes;
  switch (name) {
    case "and":
    case "or":
      return rest.every((shape) => JSON.stringify(shape) === JSON.stringify(first)) ? first : "unknown";
    case "len":
      return "int";
    case "index":
      return rest.reduce<Shape>(elementShape, first);
    case "slice":
      return first;
    case "print":
    case "printf":
    case "println":
    case "html":
    case "js":
    case "urlquery":
      return "string";
    default:
      return "bool";
  }
}

function elementShape(shape: Shape): Shape {
  if (typeof shape === "object" && "listOf" in shape) return shape.listOf;
  return shape === "map" ? "string" : "unknown";
}
