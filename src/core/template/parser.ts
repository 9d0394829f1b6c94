/** Parses templates as Go's `text/template/parse` does (parse.go), to the same trees and the same errors on the same lines. One word is
 *  newer than the Go that the tests compare with: `else with` (Go 1.23). */
import { nearest } from "../names.ts";
import { ARITIES } from "./functions.ts";
import { readTokens, type Token, type TokenKind } from "./lexer.ts";
import { LiteralError, readCharacter, readNumber, readString } from "./literals.ts";
import { type Command, lineAt, type Node, type Operand, type Pipeline, type Template, TemplateError } from "./nodes.ts";
import { TokenReader } from "./token-reader.ts";

/** The functions there are; `call` is Go's too, but nothing here could be called. */
const FUNCTIONS = new Set(Object.keys(ARITIES));

/** Deeper nesting is nobody's template, and would end the stack. */
const MAX_DEPTH = 100;

/** Parses a template. Throws {@link TemplateError} for the first mistake. */
export function parse(text: string): Template {
  const bodies = new Map<string, Node[]>();
  const parser = new Parser(text, new TokenReader(text, readTokens(text)), bodies);
  parser.readAll();
  return { text, bodies };
}

type Ending = { kind: "end" | "else"; at: number };
type Control = "if" | "with" | "range";

/** What changes with each `define` and `block`: the variables in sight and whether a range is open. */
type Scope = { variables: string[]; ranges: number };

const OPERANDS = new Set<TokenKind>([
  "bool",
  "character",
  "complex",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "raw-string",
  "string",
  "variable",
  "left-paren",
]);

class Parser {
  readonly #text: string;
  readonly #tokens: TokenReader;
  readonly #bodies: Map<string, Node[]>;
  #scope: Scope = { variables: ["$"], ranges: 0 };
  #depth = 0;

  constructor(text: string, tokens: TokenReader, bodies: Map<string, Node[]>) {
    this.#text = text;
    this.#tokens = tokens;
    this.#bodies = bodies;
  }

  /** Keeps recursion within bounds. */
  #deeper<T>(at: number, read: () => T): T {
    if (++this.#depth > MAX_DEPTH) this.#tokens.fail("nested too deeply", at, `at most ${MAX_DEPTH} levels`);
    const result = read();
    this.#depth--;
    return result;
  }

  readAll(): void {
    const body: Node[] = [];
    while (this.#tokens.peek().kind !== "eof") {
      const before = this.#tokens.mark;
      if (this.#tokens.take().kind === "left-delimiter" && isWord(this.#tokens.takeSolid(), "define")) {
        this.#readDefinition();
        continue;
      }
      this.#tokens.backTo(before);
      const node = this.#readNode();
      if (isEnding(node)) this.#tokens.fail(`unexpected {{${node.kind}}}`, node.at, "it closes nothing");
      body.push(node);
    }
    this.#add("", body, 0);
  }

  #readDefinition(): void {
    const token = this.#tokens.takeSolid();
    const name = this.#readTemplateName(token, "define clause");
    this.#tokens.expect("right-delimiter", "define clause");
    this.#inOwnScope("define clause", name, token.at);
  }

  /** A body with no variables but `$`, up to its end. */
  #inOwnScope(context: string, name: string, at: number): void {
    const outer = this.#scope;
    this.#scope = { variables: ["$"], ranges: 0 };
    const opened = this.#tokens.lastAt;
    const { nodes, ending } = this.#readList(at, context);
    if (ending.kind !== "end") {
      const message = `unexpected {{else}} in ${context}`;
      if (context === "define clause") this.#tokens.fail(message, ending.at);
      // Of a block, Go names the line that opens it.
      throw new TemplateError(opened, message, `the {{else}} on line ${lineAt(this.#text, ending.at)} closes nothing`);
    }
    this.#add(name, nodes, at);
    this.#scope = outer;
  }

  /** Of two templates of one name, only one may hold more than space. */
  #add(name: string, nodes: Node[], at: number): void {
    const there = this.#bodies.get(name);
    if (there === undefined || isBlank(there)) this.#bodies.set(name, nodes);
    else if (!isBlank(nodes)) this.#tokens.fail(`multiple definition of template ${JSON.stringify(name)}`, at);
  }

  #readList(openedAt: number, context: string): { nodes: Node[]; ending: Ending } {
    return this.#deeper(openedAt, () => {
      const nodes: Node[] = [];
      while (this.#tokens.peekSolid().kind !== "eof") {
        const node = this.#readNode();
        if (isEnding(node)) return { nodes, ending: node };
        nodes.push(node);
      }
      const what = context.replace(" clause", "");
      const hint = `the {{${what}}} on line ${lineAt(this.#text, openedAt)} has no {{end}}`;
      return this.#tokens.fail("unexpected EOF", this.#tokens.peekSolid().at, hint);
    });
  }

  #readNode(): Node | Ending {
    const token = this.#tokens.takeSolid();
    if (token.kind === "text") return { kind: "text", at: token.at, text: token.value };
    if (token.kind !== "left-delimiter") this.#tokens.unexpected(token, "input");
    this.#tokens.actionAt = token.at;
    const node = this.#readAction();
    this.#tokens.actionAt = null;
    return node;
  }

  #readAction(): Node | Ending {
    const token = this.#tokens.takeSolid();
    const { at } = token;
    switch (token.kind === "keyword" ? token.value : "") {
      case "block":
        return this.#readBlock(at);
      case "break":
      case "continue":
        return this.#readJump(token.value as "break" | "continue", at);
      case "else":
        return this.#readElse(at);
      case "end":
        this.#tokens.expect("right-delimiter", "end");
        return { kind: "end", at };
      case "if":
      case "range":
      case "with":
        return this.#readControl(token.value as Control, at);
      case "template":
        return this.#readInvocation(at);
      default:
        this.#tokens.untake();
        return { kind: "action", at, pipeline: this.#readPipeline("command", "right-delimiter") };
    }
  }

  #readJump(kind: "break" | "continue", at: number): Node {
    const token = this.#tokens.takeSolid();
    if (token.kind !== "right-delimiter") this.#tokens.unexpected(token, `{{${kind}}}`);
    if (this.#scope.ranges === 0) this.#tokens.fail(`{{${kind}}} outside {{range}}`, at);
    return { kind, at };
  }

  /** `{{else if …}}` leaves the second word to be read. */
  #readElse(at: number): Ending {
    const token = this.#tokens.peekSolid();
    if (!isWord(token, "if") && !isWord(token, "with")) this.#tokens.expect("right-delimiter", "else");
    return { kind: "else", at };
  }

  #readControl(kind: Control, at: number): Node {
    const mark = this.#scope.variables.length;
    const pipeline = this.#readPipeline(kind, "right-delimiter");
    if (kind === "range") this.#scope.ranges++;
    const { nodes: body, ending } = this.#readList(at, kind);
    if (kind === "range") this.#scope.ranges--;
    const otherwise = ending.kind === "else" ? this.#readOtherwise(kind, ending) : null;
    this.#scope.variables.length = mark;
    return { kind, at, pipeline, body, otherwise };
  }

  #readOtherwise(kind: Control, ending: Ending): Node[] {
    const token = this.#tokens.peekSolid();
    if (kind !== "range" && isWord(token, kind)) {
      this.#tokens.takeSolid();
      // One {{end}} closes both.
      return [this.#deeper(token.at, () => this.#readControl(kind, token.at))];
    }
    const { nodes, ending: last } = this.#readList(ending.at, "else");
    if (last.kind !== "end") this.#tokens.fail("expected end; found {{else}}", last.at);
    return nodes;
  }

  #readBlock(at: number): Node {
    const token = this.#tokens.takeSolid();
    const name = this.#readTemplateName(token, "block clause");
    const pipeline = this.#readPipeline("block clause", "right-delimiter");
    this.#inOwnScope("block clause", name, at);
    return { kind: "template", at, name, pipeline };
  }

  #readInvocation(at: number): Node {
    const name = this.#readTemplateName(this.#tokens.takeSolid(), "template clause");
    if (this.#tokens.peekSolid().kind === "right-delimiter") {
      this.#tokens.takeSolid();
      return { kind: "template", at, name, pipeline: null };
    }
    return { kind: "template", at, name, pipeline: this.#readPipeline("template clause", "right-delimiter") };
  }

  #readTemplateName(token: Token, context: string): string {
    if (token.kind !== "string" && token.kind !== "raw-string") this.#tokens.unexpected(token, context);
    return this.#literal(token, readString);
  }

  #readPipeline(context: string, end: TokenKind): Pipeline {
    const at = this.#tokens.peekSolid().at;
    const { variables, assigns } = this.#readVariables(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#tokens.takeSolid();
      if (token.kind === end) break;
      if (!OPERANDS.has(token.kind)) this.#tokens.unexpected(token, context);
      this.#tokens.untake();
      commands.push(this.#deeper(token.at, () => this.#readCommand()));
    }
    if (commands.length === 0) this.#tokens.fail(`missing value for ${context}`, this.#tokens.lastAt);
    this.#checkStages(commands);
    return { kind: "pipeline", at, variables, assigns, commands };
  }

  /** `$x :=`, `$x =`, and in a range `$i, $x :=`. */
  #readVariables(context: string): { variables: string[]; assigns: boolean } {
    const variables: string[] = [];
    while (this.#tokens.peekSolid().kind === "variable") {
      const before = this.#tokens.mark;
      const token = this.#tokens.takeSolid();
      const next = this.#tokens.peekSolid();
      const isLast = next.kind === "assign" || next.kind === "declare";
      if (!isLast && !(next.kind === "char" && next.value === ",")) {
        this.#tokens.backTo(before);
        break;
      }
      this.#tokens.takeSolid();
      variables.push(token.value);
      this.#scope.variables.push(token.value);
      if (isLast) return { variables, assigns: next.kind === "assign" };
      if (context !== "range" || variables.length > 1)
        this.#tokens.fail(`too many declarations in ${context}`, token.at);
      const follows = this.#tokens.peekSolid();
      if (!["variable", "right-delimiter", "right-paren"].includes(follows.kind))
        this.#tokens.fail("range can only initialize variables", follows.at);
    }
    return { variables, assigns: false };
  }

  /** Only the first command of a pipeline can be a value; the others are given one. */
  #checkStages(commands: Command[]): void {
    for (const [index, command] of commands.entries()) {
      const first = command.operands[0]!;
      if (index > 0 && ["literal", "dot", "nil"].includes(first.kind))
        this.#tokens.fail(`non executable command in pipeline stage ${index + 1}`, first.at);
    }
  }

  #readCommand(): Command {
    const at = this.#tokens.peekSolid().at;
    const operands: Operand[] = [];
    for (;;) {
      this.#tokens.peekSolid();
      const operand = this.#readOperand();
      if (operand) operands.push(operand);
      const token = this.#tokens.take();
      if (token.kind === "space") continue;
      if (token.kind === "right-delimiter" || token.kind === "right-paren") this.#tokens.untake();
      else if (token.kind !== "pipe") this.#tokens.unexpected(token, "operand");
      break;
    }
    if (operands.length === 0) this.#tokens.fail("empty command", at);
    return { at, operands };
  }

  #readOperand(): Operand | null {
    const term = this.#readTerm();
    if (!term || this.#tokens.peek().kind !== "field") return term;
    const { at } = this.#tokens.peek();
    const names: string[] = [];
    while (this.#tokens.peek().kind === "field") names.push(this.#tokens.take().value.slice(1));
    switch (term.kind) {
      case "field":
      case "variable":
        return { ...term, names: [...term.names, ...names] };
      case "literal":
      case "nil":
      case "dot":
        return this.#tokens.fail(`unexpected . after term ${term.kind === "literal" ? term.written : term.kind}`, at);
      default:
        return { kind: "chain", at, of: term, names };
    }
  }

  #readTerm(): Operand | null {
    const token = this.#tokens.takeSolid();
    const { at, value } = token;
    switch (token.kind) {
      case "identifier":
        this.#checkFunction(token);
        return { kind: "function", at, name: value };
      case "dot":
        return { kind: "dot", at };
      case "nil":
        return { kind: "nil", at };
      case "variable":
        this.#checkVariable(token);
        return { kind: "variable", at, name: value, names: [] };
      case "field":
        return { kind: "field", at, names: [value.slice(1)] };
      case "bool":
        return { kind: "literal", at, value: value === "true", written: value };
      case "character":
        return { kind: "literal", at, value: this.#literal(token, readCharacter), written: value };
      case "complex":
      case "number":
        return { kind: "literal", at, value: this.#literal(token, readNumber), written: value };
      case "string":
      case "raw-string":
        return { kind: "literal", at, value: this.#literal(token, readString), written: value };
      case "left-paren":
        return this.#deeper(at, () => this.#readPipeline("parenthesized pipeline", "right-paren"));
      default:
        this.#tokens.untake();
        return null;
    }
  }

  #checkFunction({ value, at }: Token): void {
    if (FUNCTIONS.has(value)) return;
    if (value === "call") this.#tokens.fail('function "call" is not supported', at, "nothing here can be called");
    const close = nearest(value, FUNCTIONS);
    const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `a field begins with a dot: .${value}`;
    this.#tokens.fail(`function ${JSON.stringify(value)} not defined`, at, hint);
  }

  #checkVariable({ value, at }: Token): void {
    if (this.#scope.variables.includes(value)) return;
    const close = nearest(value, this.#scope.variables);
    const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `declare it first: {{${value} := …}}`;
    this.#tokens.fail(`undefined variable ${JSON.stringify(value)}`, at, hint);
  }

  #literal<T>(token: Token, read: (written: string) => T): T {
    try {
      return read(token.value);
    } catch (error) {
      if (!(error instanceof LiteralError)) throw error;
      return this.#tokens.fail(error.message, token.at);
    }
  }
}

function isWord(token: Token, word: string): boolean {
  return token.kind === "keyword" && token.value === word;
}

function isEnding(node: Node | Ending): node is Ending {
  return node.kind === "end" || node.kind === "else";
}

function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === "text" && node.text.trim() === "");
}
