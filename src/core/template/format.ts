/** Values as text, as Go's `fmt` writes them: `print`, `println` and `printf` with its flags, widths and precisions. What is not supported
 *  (`%T`, `%p`, `%#v`, argument numbers, `%x` and `#` on floats) is an error, never another text. */
import { formatFloat } from "./floats.ts";
import { goTypeOf, type Value } from "./nodes.ts";

/** A format that is Go's, but not supported here. */
export class FormatError extends Error {}

/** The value as `fmt.Sprint` writes one. */
export function printed(value: Value): string {
  return new Printer(plainFlags()).write(value, "v");
}

/** `fmt.Sprint`: a space between two values of which neither is a string. */
export function sprint(values: readonly Value[]): string {
  return values
    .map((value, index) => {
      const before = values[index - 1];
      const apart = index > 0 && typeof value !== "string" && typeof before !== "string";
      return (apart ? " " : "") + printed(value);
    })
    .join("");
}

/** `fmt.Sprintln`. */
export function sprintln(values: readonly Value[]): string {
  return `${values.map(printed).join(" ")}\n`;
}

type Flags = {
  sharp: boolean;
  zero: boolean;
  plus: boolean;
  minus: boolean;
  space: boolean;
  plusV: boolean;
  width: number | null;
  precision: number | null;
};

function plainFlags(): Flags {
  return {
    sharp: false,
    zero: false,
    plus: false,
    minus: false,
    space: false,
    plusV: false,
    width: null,
    precision: null,
  };
}

/** Go takes no width or precision above this. */
const MAX_NUMBER = 1_000_000;

/** `fmt.Sprintf`. */
export function sprintf(format: string, values: readonly Value[]): string {
  let out = "";
  let at = 0;
  let used = 0;
  while (at < format.length) {
    const percent = format.indexOf("%", at);
    if (percent === -1) return withExtra(out + format.slice(at), values, used);
    out += format.slice(at, percent);
    at = percent + 1;
    const flags = plainFlags();
    for (; "#0+- ".includes(format[at] ?? "?"); at++) setFlag(flags, format[at]!);
    if (/^[1-9*.]*\[/.test(format.slice(at))) throw new FormatError("argument numbers in a format are not supported");
    const number = (): number | null | "bad" => {
      if (format[at] === "*") {
        at++;
        const value = values[used++];
        return typeof value === "bigint" && value >= -MAX_NUMBER && value <= MAX_NUMBER ? Number(value) : "bad";
      }
      const digits = /^[0-9]*/.exec(format.slice(at))![0];
      if (digits !== "" && Number(digits) > MAX_NUMBER)
        throw new FormatError(`a width above ${MAX_NUMBER} is not supported`);
      at += digits.length;
      return digits === "" ? null : Number(digits);
    };
    const width = number();
    if (width === "bad") out += "%!(BADWIDTH)";
    else setWidth(flags, width);
    if (format[at] === "." && at + 1 <= format.length - 1) {
      at++;
      const precision = number();
      if (precision === "bad") out += "%!(BADPREC)";
      else flags.precision = precision !== null && precision < 0 ? null : (precision ?? 0);
    }
    if (format[at] === "[") throw new FormatError("argument numbers in a format are not supported");
    if (at >= format.length) return withExtra(`${out}%!(NOVERB)`, values, used);
    const verb = String.fromCodePoint(format.codePointAt(at)!);
    at += verb.length;
    if (verb === "%") out += "%";
    else if (used >= values.length) out += `%!${verb}(MISSING)`;
    else out += new Printer(flags).writeTop(values[used++]!, verb);
  }
  return withExtra(out, values, used);
}

function setFlag(flags: Flags, flag: string): void {
  switch (flag) {
    case "#":
      flags.sharp = true;
      return;
    case "0":
      flags.zero = !flags.minus;
      return;
    case "+":
      flags.plus = true;
      return;
    case "-":
      flags.minus = true;
      flags.zero = false;
      return;
    default:
      flags.space = true;
  }
}

function setWidth(flags: Flags, width: number | null): void {
  flags.width = width === null ? null : Math.abs(width);
  if (width === null || width >= 0) return;
  flags.minus = true;
  flags.zero = false;
}

function withExtra(out: string, values: readonly Value[], used: number): string {
  if (used >= values.length) return out;
  const extra = values
    .slice(used)
    .map((value) => (value === null ? "<nil>" : `${simpleType(value)}=${printed(value)}`))
    .join(", ");
  return `${out}%!(EXTRA ${extra})`;
}

/** Go's name for the type of a simple value. Those of lists and records are not known here. */
function simpleType(value: Value): string {
  if (typeof value === "object") throw new FormatError("printf was given more values than its format takes");
  return goTypeOf(value);
}

class Printer {
  readonly #flags: Flags;

  constructor(flags: Flags) {
    this.#flags = flags;
  }

  writeTop(value: Value, verb: string): string {
    const flags = this.#flags;
    if (verb === "T" || verb === "p") throw new FormatError(`%${verb} is not supported`);
    if (verb === "v") {
      if (flags.sharp) throw new FormatError("%#v is not supported");
      flags.plusV = flags.plus;
      flags.plus = false;
    }
    return this.write(value, verb);
  }

  write(value: Value, verb: string): string {
    if (value === null) return verb === "v" ? this.#pad("<nil>") : `%!${verb}(<nil>)`;
    switch (typeof value) {
      case "boolean":
        return verb === "v" || verb === "t" ? this.#pad(String(value)) : this.#bad(value, verb);
      case "bigint":
        return this.#integer(value, verb);
      case "number":
        return this.#float(value, verb);
      case "string":
        return this.#string(value, verb);
      default:
    }
    if (Array.isArray(value)) return `[${value.map((each: Value) => this.write(each, verb)).join(" ")}]`;
    if (value instanceof Map) {
      const entries = sortedEntries(value as ReadonlyMap<string, string>);
      return `map[${entries.map((entry) => entry.map((each) => this.write(each, verb)).join(":")).join(" ")}]`;
    }
    const fields = Object.entries(value).map(
      ([name, each]) => (this.#flags.plusV ? `${name}:` : "") + this.write(each, verb),
    );
    return `{${fields.join(" ")}}`;
  }

  #bad(value: Value, verb: string): string {
    return `%!${verb}(${simpleType(value)}=${this.write(value, "v")})`;
  }

  /** Go pads with zeros whatever it is asked to, texts too. */
  #pad(text: string, zero = this.#flags.zero): string {
    const { width, minus } = this.#flags;
    const missing = Math.max(0, (width ?? 0) - [...text].length);
    const padding = (zero ? "0" : " ").repeat(missing);
    return minus ? text + padding : padding + text;
  }

  #string(text: string, verb: string): string {
    const { sharp, plus } = this.#flags;
    switch (verb) {
      case "v":
      case "s":
        return this.#pad(this.#cut(text));
      case "q": {
        const cut = this.#cut(text);
        return this.#pad(sharp && canBackquote(cut) ? `\`${cut}\`` : quoted(cut, '"', plus));
      }
      case "x":
      case "X":
        return this.#hexadecimal(text, verb);
      default:
        return this.#bad(text, verb);
    }
  }

  #cut(text: string): string {
    const { precision } = this.#flags;
    return precision === null ? text : [...text].slice(0, precision).join("");
  }

  #hexadecimal(text: string, verb: string): string {
    const { precision, space, sharp } = this.#flags;
    const bytes = [...new TextEncoder().encode(text)].slice(0, precision ?? undefined);
    const prefix = sharp ? `0${verb}` : "";
    const pairs = bytes.map((byte) => byte.toString(16).padStart(2, "0"));
    const cased = pairs.map((pair) => (verb === "X" ? pair.toUpperCase() : pair));
    if (cased.length === 0) return this.#pad("");
    return this.#pad(space ? cased.map((pair) => prefix + pair).join(" ") : prefix + cased.join(""));
  }

  #integer(value: bigint, verb: string): string {
    switch (verb) {
      case "v":
      case "d":
        return this.#digits(value, 10, verb);
      case "b":
        return this.#digits(value, 2, verb);
      case "o":
      case "O":
        return this.#digits(value, 8, verb);
      case "x":
      case "X":
        return this.#digits(value, 16, verb);
      case "c":
        return this.#pad(toCharacter(value));
      case "q":
        return this.#pad(quoted(toCharacter(value), "'", this.#flags.plus));
      case "U":
        return this.#codePoint(value);
      default:
        return this.#bad(value, verb);
    }
  }

  #digits(value: bigint, base: number, verb: string): string {
    const { width, precision, plus, space, sharp, zero } = this.#flags;
    const isNegative = value < 0n;
    if (precision === 0 && value === 0n) return " ".repeat(width ?? 0);
    let digits = (isNegative ? -value : value).toString(base);
    const room = zero && width !== null && precision === null ? width - (isNegative || plus || space ? 1 : 0) : 0;
    digits = digits.padStart(precision ?? room, "0");
    if (verb === "X") digits = digits.toUpperCase();
    if (sharp && base === 2) digits = `0b${digits}`;
    if (sharp && base === 8 && !digits.startsWith("0")) digits = `0${digits}`;
    if (sharp && base === 16) digits = `0${verb}${digits}`;
    if (verb === "O") digits = `0o${digits}`;
    const sign = isNegative ? "-" : plus ? "+" : space ? " " : "";
    return this.#pad(sign + digits, false);
  }

  #codePoint(value: bigint): string {
    const { precision, sharp } = this.#flags;
    const unsigned = BigInt.asUintN(64, value);
    const digits = unsigned
      .toString(16)
      .toUpperCase()
      .padStart(Math.max(4, precision ?? 0), "0");
    const shown = sharp && unsigned <= 0x10ffffn && isPrintable(toCharacter(value)) ? ` '${toCharacter(value)}'` : "";
    return this.#pad(`U+${digits}${shown}`, false);
  }

  #float(value: number, verb: string): string {
    const { precision, plus, space, sharp, zero, width } = this.#flags;
    if (verb === "x" || verb === "X" || verb === "b") throw new FormatError(`%${verb} of a float is not supported`);
    if (!"veEfFgG".includes(verb)) return this.#bad(value, verb);
    if (sharp) throw new FormatError(`%#${verb} of a float is not supported`);
    const kind = verb === "v" ? "g" : verb;
    const written = formatFloat(value, kind, precision ?? ("gG".includes(kind) ? -1 : 6));
    const signed = /^[+-]/.test(written) ? written : `+${written}`;
    const text = space && !plus ? signed.replace(/^\+/, " ") : signed;
    if (!Number.isFinite(value)) return this.#pad(Number.isNaN(value) && !space && !plus ? "NaN" : text, false);
    if (!plus && text.startsWith("+")) return this.#pad(text.slice(1));
    if (zero && width !== null && width > text.length) return text[0] + text.slice(1).padStart(width - 1, "0");
    return this.#pad(text);
  }
}

/** The entries of a map, by key, in the order of Go's strings: by bytes. */
export function sortedEntries(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => compareStrings(a, b));
}

/** Below 0, 0 or above 0 as Go compares strings: by bytes, which is by code points. */
export function compareStrings(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function toCharacter(value: bigint): string {
  const isValid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn);
  return isValid ? String.fromCodePoint(Number(value)) : "\ufffd";
}

/** What Go's `strconv.IsPrint` takes for printable. */
export function isPrintable(character: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character);
}

function canBackquote(text: string): boolean {
  return !/[`\u007f\ufeff]/.test(text) && ![...text].some((each) => each < " " && each !== "\t");
}

const ESCAPES: Record<string, string> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** `strconv.Quote` and its like. */
function quoted(text: string, quote: string, ascii: boolean): string {
  const inner = [...text].map((each) => {
    if (each === quote) return `\\${each}`;
    if (ESCAPES[each] !== undefined) return ESCAPES[each];
    if (isPrintable(each) && !(ascii && each > "~")) return each;
    const code = each.codePointAt(0)!;
    if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
    const hexadecimal = code.toString(16);
    return code > 0xffff ? `\\U${hexadecimal.padStart(8, "0")}` : `\\u${hexadecimal.padStart(4, "0")}`;
  });
  return quote + inner.join("") + quote;
}
