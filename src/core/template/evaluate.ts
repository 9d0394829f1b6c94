/** Renders a template, as Go's `text/template` does (exec.go). A template can execute nothing; what it can use up is bounded. */
import { ARITIES, callFunction, CallError, isTrue, shown, typeName } from "./functions.ts";
import { sortedEntries } from "./format.ts";
import {
  type Command,
  type Node,
  type Operand,
  type Pipeline,
  type Template,
  TemplateError,
  type Value,
} from "./nodes.ts";

/** Nodes and calls of one rendering; a prompt needs hundreds. */
const MAX_STEPS = 1_000_000;
/** Characters of the result, and of any text on the way to it. */
const MAX_CHARACTERS = 8_000_000;
const MAX_CALLS = 100;

/** The text. Throws {@link TemplateError} where Go would stop. */
export function evaluate(template: Template, data: Value): string {
  return new Evaluation(template).run(data);
}

type Jump = "break" | "continue" | null;
type Variable = { name: string; value: Value };

/** What stands before a command in its pipeline; undefined where nothing does (null is a value). */
type Final = Value | undefined;

class Evaluation {
  readonly #template: Template;
  readonly #out: string[] = [];
  #length = 0;
  #steps = 0;
  #calls = 0;
  #variables: Variable[] = [];

  constructor(template: Template) {
    this.#template = template;
  }

  run(data: Value): string {
    this.#variables = [{ name: "$", value: data }];
    this.#walkAll(this.#template.bodies.get("") ?? [], data);
    return this.#out.join("");
  }

  #step(at: number): void {
    if (++this.#steps > MAX_STEPS)
      throw new TemplateError(at, "the template takes too long", `at most ${MAX_STEPS} steps`);
  }

  #bounded(text: string, at: number): string {
    if (text.length > MAX_CHARACTERS)
      throw new TemplateError(at, "the text becomes too long", `at most ${MAX_CHARACTERS} characters`);
    return text;
  }

  #write(text: string, at: number): void {
    this.#length += text.length;
    if (this.#length > MAX_CHARACTERS)
      throw new TemplateError(at, "the text becomes too long", `at most ${MAX_CHARACTERS} characters`);
    this.#out.push(text);
  }

  #walkAll(nodes: readonly Node[], dot: Value): Jump {
    for (const node of nodes) {
      const jump = this.#walk(node, dot);
      if (jump) return jump;
    }
    return null;
  }

  #walk(node: Node, dot: Value): Jump {
    this.#step(node.at);
    switch (node.kind) {
      case "text":
        this.#write(node.text, node.at);
        return null;
      case "action": {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) this.#write(shown(value), node.at);
        return null;
      }
      case "if":
      case "with":
        return this.#walkBranch(node, dot);
      case "range":
        return this.#walkRange(node, dot);
      case "template":
        this.#walkTemplate(node, dot);
        return null;
      default:
        return node.kind;
    }
  }

  #walkBranch(node: Extract<Node, { pipeline: Pipeline; body: Node[] }>, dot: Value): Jump {
    const mark = this.#variables.length;
    const value = this.#pipeline(node.pipeline, dot);
    const jump = isTrue(value)
      ? this.#walkAll(node.body, node.kind === "with" ? value : dot)
      : this.#walkAll(node.otherwise ?? [], dot);
    this.#variables.length = mark;
    return jump;
  }

  #walkRange(node: Extract<Node, { pipeline: Pipeline; body: Node[] }>, dot: Value): Jump {
    const outer = this.#variables.length;
    const value = this.#pipeline(node.pipeline, dot);
    const entries = entriesOf(value, node.pipeline.at);
    const mark = this.#variables.length;
    const jump = entries.length === 0 ? this.#walkAll(node.otherwise ?? [], dot) : null;
    for (const [key, element] of entries) {
      this.#step(node.at);
      this.#giveRange(node.pipeline, key, element);
      const inner = this.#walkAll(node.body, element);
      this.#variables.length = mark;
      if (inner === "break") break;
    }
    this.#variables.length = outer;
    return jump;
  }

  /** One variable gets the element, two get key and element. */
  #giveRange({ variables, assigns, at }: Pipeline, key: Value, element: Value): void {
    const values = variables.length === 1 ? [element] : [key, element];
    for (const [index, name] of variables.entries()) {
      if (assigns) this.#assign(name, values[index]!, at);
      else this.#variables[this.#variables.length - variables.length + index]!.value = values[index]!;
    }
  }

  #walkTemplate(node: Extract<Node, { kind: "template" }>, dot: Value): void {
    const body = this.#template.bodies.get(node.name);
    if (!body) throw new TemplateError(node.at, `template ${JSON.stringify(node.name)} not defined`);
    const inner = node.pipeline ? this.#pipeline(node.pipeline, dot) : null;
    if (++this.#calls > MAX_CALLS) throw new TemplateError(node.at, "templates call each other too deeply");
    const outer = this.#variables;
    this.#variables = [{ name: "$", value: inner }];
    this.#walkAll(body, inner);
    this.#variables = outer;
    this.#calls--;
  }

  #assign(name: string, value: Value, at: number): void {
    const variable = this.#variables.findLast((each) => each.name === name);
    if (!variable) throw new TemplateError(at, `undefined variable: ${name}`);
    variable.value = value;
  }

  #pipeline(pipeline: Pipeline, dot: Value): Value {
    let value: Final;
    for (const command of pipeline.commands) value = this.#command(command, dot, value);
    for (const name of pipeline.variables) {
      if (pipeline.assigns) this.#assign(name, value!, pipeline.at);
      else this.#variables.push({ name, value: value! });
    }
    return value!;
  }

  #command(command: Command, dot: Value, final: Final): Value {
    const [first, ...rest] = command.operands as [Operand, ...Operand[]];
    if (first.kind === "function") return this.#function(first, command.at, rest, dot, final);
    if (rest.length > 0 || final !== undefined)
      throw new TemplateError(first.at, "an argument is given to something that is no function");
    if (first.kind === "nil") throw new TemplateError(first.at, "nil is not a command");
    return this.#operand(first, dot);
  }

  #operand(operand: Operand, dot: Value): Value {
    this.#step(operand.at);
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "nil":
        return null;
      case "dot":
        return dot;
      case "field":
        return fieldOf(dot, operand.names, operand.at);
      case "variable":
        return fieldOf(this.#variable(operand.name, operand.at), operand.names, operand.at);
      case "chain":
        if (operand.of.kind === "nil") throw new TemplateError(operand.at, "a field of nil");
        return fieldOf(this.#operand(operand.of, dot), operand.names, operand.at);
      case "function":
        return this.#function(operand, operand.at, [], dot, undefined);
      case "pipeline":
        return this.#pipeline(operand, dot);
      default: {
        const never: never = operand;
        return never;
      }
    }
  }

  #variable(name: string, at: number): Value {
    const variable = this.#variables.findLast((each) => each.name === name);
    if (!variable) throw new TemplateError(at, `undefined variable: ${name}`);
    return variable.value;
  }

  #function(
    { name }: Extract<Operand, { kind: "function" }>,
    at: number,
    args: readonly Operand[],
    dot: Value,
    final: Final,
  ): Value {
    checkCount(name, args.length + (final === undefined ? 0 : 1), at);
    if (name === "and" || name === "or") return this.#logic(name, args, dot, final);
    const values = args.map((operand) => this.#operand(operand, dot));
    if (final !== undefined) values.push(final);
    try {
      const value = callFunction(name, values);
      return typeof value === "string" ? this.#bounded(value, at) : value;
    } catch (error) {
      if (error instanceof CallError) throw new TemplateError(at, `error calling ${name}: ${error.message}`);
      throw error;
    }
  }

  /** Stops at the first value that decides. */
  #logic(name: "and" | "or", args: readonly Operand[], dot: Value, final: Final): Value {
    let value: Value = null;
    for (const operand of args) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === (name === "or")) return value;
    }
    return final === undefined ? value : final;
  }
}

/** Throws when a function is given too few or too many values. */
export function checkCount(name: string, given: number, at: number): void {
  const [least, most] = ARITIES[name]!;
  if (given >= least && given <= most) return;
  const wanted = least === most ? `${least}` : `at least ${least}`;
  throw new TemplateError(at, `wrong number of args for ${name}: want ${wanted} got ${given}`);
}

function fieldOf(value: Value, names: readonly string[], at: number): Value {
  let current = value;
  for (const name of names) {
    if (current === null) return null;
    if (current instanceof Map) current = (current as ReadonlyMap<string, string>).get(name) ?? null;
    else if (typeof current === "object" && !Array.isArray(current) && Object.hasOwn(current, name))
      current = (current as Record<string, Value>)[name]!;
    else throw new TemplateError(at, `can't evaluate field ${name} in type ${typeName(current)}`);
  }
  return current;
}

function entriesOf(value: Value, at: number): [Value, Value][] {
  if (value === null) return [];
  if (Array.isArray(value)) return (value as readonly Value[]).map((each, index) => [BigInt(index), each]);
  if (value instanceof Map) return sortedEntries(value as ReadonlyMap<string, string>);
  throw new TemplateError(at, `range can't iterate over ${typeName(value)}`);
}
