/** The tokens of a template as its parser reads them: one after the other, some looked at before they are taken, and what is wrong with one told on the line that
 *  Go's parser tells it on. */
import type { Token, TokenKind } from "./lexer.ts";
import { lineAt, TemplateError } from "./nodes.ts";

export class TokenReader {
  readonly #text: string;
  readonly #tokens: Token[];
  #next = 0;
  /** The furthest token that was looked at: errors are reported on its line, as Go's are. */
  #furthest = 0;
  /** Where the action that is being read began; null between actions. */
  actionAt: number | null = null;

  constructor(text: string, tokens: Token[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  /** Where it stands, to go back to. */
  get mark(): number {
    return this.#next;
  }

  backTo(mark: number): void {
    this.#next = mark;
  }

  /** The token that was taken last is the next one again. */
  untake(): void {
    this.#next--;
  }

  /** Where the token stands that was taken last. */
  get lastAt(): number {
    return this.#tokens[this.#next - 1]!.at;
  }

  take(): Token {
    const token = this.peek();
    this.#next = Math.min(this.#next + 1, this.#tokens.length);
    return token;
  }

  peek(): Token {
    const index = Math.min(this.#next, this.#tokens.length - 1);
    this.#furthest = Math.max(this.#furthest, index);
    return this.#tokens[index]!;
  }

  takeSolid(): Token {
    for (;;) {
      const token = this.take();
      if (token.kind !== "space") return token;
    }
  }

  peekSolid(): Token {
    const token = this.takeSolid();
    this.#next--;
    return token;
  }

  fail(message: string, at: number, hint = ""): never {
    const furthest = this.#tokens[this.#furthest]!.at;
    const sameLine = lineAt(this.#text, at) === lineAt(this.#text, furthest);
    throw new TemplateError(sameLine ? at : furthest, message, hint);
  }

  unexpected(token: Token, context: string): never {
    if (token.kind !== "error") this.fail(`unexpected ${written(token)} in ${context}`, token.at);
    const started = this.actionAt === null ? 0 : lineAt(this.#text, this.actionAt);
    const elsewhere = started !== 0 && started !== lineAt(this.#text, token.at);
    const where = token.value.endsWith(" action") ? "started" : "in action started";
    this.fail(elsewhere ? `${token.value} ${where} on line ${started}` : token.value, token.at);
  }

  expect(kind: TokenKind, context: string): Token {
    const token = this.takeSolid();
    return token.kind === kind ? token : this.unexpected(token, context);
  }
}

/** A token as a message names it. */
function written(token: Token): string {
  if (token.kind === "eof") return "EOF";
  if (token.kind === "keyword" || token.kind === "dot" || token.kind === "nil") return `<${token.value}>`;
  const characters = [...token.value];
  return characters.length > 10
    ? `${JSON.stringify(characters.slice(0, 10).join(""))}...`
    : JSON.stringify(token.value);
}
