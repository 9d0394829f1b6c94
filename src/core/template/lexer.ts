/** Cuts a template into tokens, as Go's `text/template/parse` does (lex.go): the same tokens, the same errors, at the same places. */

export type TokenKind =
  | "error"
  | "bool"
  | "char"
  | "character"
  | "complex"
  | "assign"
  | "declare"
  | "eof"
  | "field"
  | "identifier"
  | "left-delimiter"
  | "left-paren"
  | "number"
  | "pipe"
  | "raw-string"
  | "right-delimiter"
  | "right-paren"
  | "space"
  | "string"
  | "text"
  | "variable"
  | "dot"
  | "nil"
  | "keyword";

/** A piece of a template. `at` is its offset in the text; an error's `value` is its message. */
export type Token = { kind: TokenKind; value: string; at: number };

const KEYWORDS = new Set(["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"]);

const LEFT = "{{";
const RIGHT = "}}";

/** All tokens of a template; the last one is `eof` or `error`. */
export function readTokens(text: string): Token[] {
  return new Lexer(text).run();
}

/** The character as Go names it in messages: `U+0040 '@'`. */
function named(character: string): string {
  if (character === "") return "U+FFFFFFFFFFFFFFFF";
  const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  return /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character) ? `U+${code} '${character}'` : `U+${code}`;
}

class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #start = 0;
  #parens = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Token[] {
    while (this.#readText() && this.#readAction());
    return this.#tokens;
  }

  #emit(kind: TokenKind): true {
    this.#tokens.push({ kind, value: this.#text.slice(this.#start, this.#at), at: this.#start });
    this.#start = this.#at;
    return true;
  }

  #skip(): void {
    this.#start = this.#at;
  }

  #fail(message: string): false {
    this.#tokens.push({ kind: "error", value: message, at: this.#start });
    return false;
  }

  /** The character here, "" at the end. */
  #peek(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #next(): string {
    const character = this.#peek();
    this.#at += character.length;
    return character;
  }

  #sees(word: string, offset = 0): boolean {
    return this.#text.startsWith(word, this.#at + offset);
  }

  /** ` -` before a right delimiter trims what follows; `- ` after a left one what stands before. */
  #seesRightTrim(offset = 0): boolean {
    const at = this.#at + offset;
    return isSpace(this.#text[at] ?? "") && this.#text[at + 1] === "-" && this.#sees(RIGHT, offset + 2);
  }

  #seesLeftTrim(): boolean {
    return this.#text[this.#at] === "-" && isSpace(this.#text[this.#at + 1] ?? "");
  }

  /** Text up to the next action, comments left out. False at the end. */
  #readText(): boolean {
    for (;;) {
      const open = this.#text.indexOf(LEFT, this.#at);
      if (open === -1) {
        this.#at = this.#text.length;
        if (this.#at > this.#start) this.#emit("text");
        this.#emit("eof");
        return false;
      }
      this.#at = open + LEFT.length;
      const trims = this.#seesLeftTrim();
      this.#at = trims ? Math.max(this.#start, endOfText(this.#text, open)) : open;
      if (this.#at > this.#start) this.#emit("text");
      this.#at = open;
      this.#skip();
      if (!this.#text.startsWith("/*", open + LEFT.length + (trims ? 2 : 0))) {
        this.#at = open + LEFT.length;
        this.#emit("left-delimiter");
        this.#at += trims ? 2 : 0;
        this.#skip();
        return true;
      }
      this.#at = open + LEFT.length + (trims ? 2 : 0);
      this.#skip();
      if (!this.#readComment()) return false;
    }
  }

  #readComment(): boolean {
    const end = this.#text.indexOf("*/", this.#at + 2);
    if (end === -1) return this.#fail("unclosed comment");
    this.#at = end + 2;
    const trims = this.#seesRightTrim();
    if (!trims && !this.#sees(RIGHT)) return this.#fail("comment ends before closing delimiter");
    this.#at += RIGHT.length + (trims ? 2 : 0);
    if (trims) this.#skipSpaces();
    this.#skip();
    return true;
  }

  #skipSpaces(): void {
    while (isSpace(this.#text[this.#at] ?? "")) this.#at++;
  }

  /** Everything up to the right delimiter. False after an error. */
  #readAction(): boolean {
    this.#parens = 0;
    for (;;) {
      const trims = this.#seesRightTrim();
      if (trims || this.#sees(RIGHT)) {
        if (this.#parens > 0) return this.#fail("unclosed left paren");
        this.#at += trims ? 2 : 0;
        this.#skip();
        this.#at += RIGHT.length;
        this.#emit("right-delimiter");
        if (trims) this.#skipSpaces();
        this.#skip();
        return true;
      }
      if (!this.#readToken()) return false;
    }
  }

  #readToken(): boolean {
    const character = this.#next();
    if (character === "") return this.#fail("unclosed action");
    if (isSpace(character)) return this.#readSpace();
    switch (character) {
      case "=":
        return this.#emit("assign");
      case ":":
        return this.#next() === "=" ? this.#emit("declare") : this.#fail("expected :=");
      case "|":
        return this.#emit("pipe");
      case '"':
        return this.#readQuoted('"', "string", "unterminated quoted string");
      case "'":
        return this.#readQuoted("'", "character", "unterminated character constant");
      case "`":
        return this.#readRaw();
      case "$":
        return this.#readName("variable", "variable");
      case ".":
        if (this.#at < this.#text.length && !/[0-9]/.test(this.#text[this.#at]!)) return this.#readName("field", "dot");
        return this.#readNumber();
      case "(":
        this.#parens++;
        return this.#emit("left-paren");
      case ")":
        this.#emit("right-paren");
        this.#parens--;
        return this.#parens >= 0 || this.#fail(`unexpected right paren ${named(")")}`);
      default:
    }
    if (/[+\-0-9]/.test(character)) return this.#readNumber();
    if (isAlphanumeric(character)) return this.#readWord();
    if (/[\x20-\x7e]/.test(character)) return this.#emit("char");
    return this.#fail(`unrecognized character in action: ${named(character)}`);
  }

  /** A run of spaces; the last one may belong to a trimming right delimiter. */
  #readSpace(): true {
    this.#skipSpaces();
    if (this.#seesRightTrim(-1)) this.#at--;
    if (this.#at > this.#start) this.#emit("space");
    return true;
  }

  #readWord(): boolean {
    while (isAlphanumeric(this.#peek())) this.#next();
    if (!this.#atTerminator()) return this.#fail(`bad character ${named(this.#peek())}`);
    const word = this.#text.slice(this.#start, this.#at);
    if (word === "nil") return this.#emit("nil");
    if (word === "true" || word === "false") return this.#emit("bool");
    return this.#emit(KEYWORDS.has(word) ? "keyword" : "identifier");
  }

  /** `.Name` or `$name`; `bare` is what a lone `.` or `$` is. */
  #readName(kind: TokenKind, bare: TokenKind): boolean {
    if (this.#atTerminator()) return this.#emit(bare);
    while (isAlphanumeric(this.#peek())) this.#next();
    return this.#atTerminator() ? this.#emit(kind) : this.#fail(`bad character ${named(this.#peek())}`);
  }

  /** Whether an identifier may end here. */
  #atTerminator(): boolean {
    const character = this.#peek();
    return character === "" || isSpace(character) || ".,|:)(".includes(character) || this.#sees(RIGHT);
  }

  #readQuoted(quote: string, kind: TokenKind, message: string): boolean {
    for (;;) {
      let character = this.#next();
      if (character === quote) return this.#emit(kind);
      if (character === "\\") character = this.#next();
      if (character === "" || character === "\n") return this.#fail(message);
    }
  }

  #readRaw(): boolean {
    const end = this.#text.indexOf("`", this.#at);
    if (end === -1) return this.#fail("unterminated raw quoted string");
    this.#at = end + 1;
    return this.#emit("raw-string");
  }

  /** Not a perfect scanner, as Go's is none: what it wrongly takes, the parser finds. */
  #readNumber(): boolean {
    this.#at = this.#start;
    const bad = () => this.#fail(`bad number syntax: ${JSON.stringify(this.#text.slice(this.#start, this.#at))}`);
    if (!this.#scanNumber()) return bad();
    if (!/[+-]/.test(this.#peek())) return this.#emit("number");
    return this.#scanNumber() && this.#text[this.#at - 1] === "i" ? this.#emit("complex") : bad();
  }

  #scanNumber(): boolean {
    this.#accept(/[+-]/y);
    if (this.#accept(/0[xX]/y)) this.#accept(/[0-9a-fA-F_]*(\.[0-9a-fA-F_]*)?([pP][+-]?[0-9_]*)?/y);
    else if (this.#accept(/0[oO]/y)) this.#accept(/[0-7_]*(\.[0-7_]*)?/y);
    else if (this.#accept(/0[bB]/y)) this.#accept(/[01_]*(\.[01_]*)?/y);
    else this.#accept(/[0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9_]*)?/y);
    this.#accept(/i/y);
    if (!isAlphanumeric(this.#peek())) return true;
    this.#next();
    return false;
  }

  #accept(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    this.#at += found?.[0].length ?? 0;
    return found !== null;
  }
}

/** Where the text before `end` ends without its spaces. */
function endOfText(text: string, end: number): number {
  let at = end;
  while (isSpace(text[at - 1] ?? "")) at--;
  return at;
}

function isSpace(character: string): boolean {
  return character === " " || character === "\t" || character === "\r" || character === "\n";
}

function isAlphanumeric(character: string): boolean {
  // To make the pattern of all alphabets takes longer than to read a usual template.
  return character <= "\u007F" ? /^\w$/.test(character) : /^[\p{L}\p{Nd}]$/u.test(character);
}
