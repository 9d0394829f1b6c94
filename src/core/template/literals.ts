/** Reads the literals of templates as Go's `strconv` does. What is wrong is thrown as {@link LiteralError}, for the parser to say where. */

/** A literal that Go would refuse too, or that only Go can hold. */
export class LiteralError extends Error {}

const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

/** The value of a number: an int where its text is one, else a float. */
export function readNumber(text: string): bigint | number {
  if (text.endsWith("i")) throw new LiteralError(`complex numbers are not supported: ${text}`);
  const whole = readInteger(text);
  // Go keeps a hexadecimal number an int only where no sign stands before it: -0x1e holds an e.
  const looksLikeFloat = /[.eEpP]/.test(text) && !(/^0[xX]/.test(text) && !/[pP]/.test(text));
  if (whole !== null && whole >= -MAX_INT - 1n && whole <= MAX_INT) return looksLikeFloat ? Number(whole) : whole;
  if (whole !== null && whole >= 0n && whole <= MAX_UINT) throw new LiteralError(`${text} overflows int`);
  const value = readFloat(text);
  if (value === null) throw new LiteralError(`illegal number syntax: "${text}"`);
  if (!/[.eEpP]/.test(text)) throw new LiteralError(`integer overflow: "${text}"`);
  return value;
}

/** `strconv.ParseInt(text, 0, …)` without a bound; null when it is no integer. */
function readInteger(text: string): bigint | null {
  const parts =
    /^([+-]?)(?:(0[xX])(_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|(0[oO]?)(_?[0-7]+(?:_[0-7]+)*)|(0[bB])(_?[01]+(?:_[01]+)*)|(0|[1-9][0-9]*(?:_[0-9]+)*))$/.exec(
      text,
    );
  if (!parts) return null;
  const [, sign, , hexadecimal, , octal, , binary, decimal] = parts;
  const digits = (some: string) => some.replaceAll("_", "");
  const size =
    hexadecimal !== undefined
      ? BigInt(`0x${digits(hexadecimal)}`)
      : octal !== undefined
        ? BigInt(`0o${digits(octal)}`)
        : binary !== undefined
          ? BigInt(`0b${digits(binary)}`)
          : BigInt(digits(decimal!));
  return sign === "-" ? -size : size;
}

/** `strconv.ParseFloat(text, 64)`; null when it is none or too large. */
function readFloat(text: string): number | null {
  const digits = "[0-9]+(?:_[0-9]+)*";
  const decimal = new RegExp(`^[+-]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:[eE][+-]?[0-9]+)?$`);
  if (decimal.test(text)) {
    const value = Number(text.replaceAll("_", ""));
    return Number.isFinite(value) ? value : null;
  }
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?[0-9]+)$/.exec(text);
  if (!hex || (hex[2] === "" && (hex[3] ?? "") === "")) return null;
  const mantissa = `${hex[2]}${hex[3] ?? ""}`;
  const exponent = Number(hex[4]) - 4 * (hex[3] ?? "").length;
  if (mantissa.length > 13 || Math.abs(exponent) > 900)
    throw new LiteralError(`a hexadecimal number of this size is not supported: ${text}`);
  const value = Number(`0x${mantissa}`) * 2 ** exponent;
  return hex[1] === "-" ? -value : value;
}

/** The text of a quoted or raw string, its quotes included in `written`. */
export function readString(written: string): string {
  const inner = written.slice(1, -1);
  // Go takes carriage returns out of raw strings.
  if (written.startsWith("`")) return inner.replaceAll("\r", "");
  return readEscapes(inner, '"');
}

/** The code point of a character constant. */
export function readCharacter(written: string): bigint {
  const inner = written.slice(1, -1);
  if (inner === "" || inner === "'") throw new LiteralError("invalid syntax");
  const single = /^\\(?:x([0-9a-fA-F]{2})|([0-7]{3}))$/.exec(inner);
  // As a character, \xff is a code point; in a string it would be a byte.
  if (single) return checkedByte(single);
  const [character, ...more] = readEscapes(inner, "'");
  if (more.length > 0) throw new LiteralError(`malformed character constant: ${written}`);
  return BigInt(character!.codePointAt(0)!);
}

function checkedByte(escape: RegExpExecArray): bigint {
  const code = escape[1] === undefined ? Number.parseInt(escape[2]!, 8) : Number.parseInt(escape[1], 16);
  if (code > 255) throw new LiteralError("invalid syntax");
  return BigInt(code);
}

const SIMPLE: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, "\\": 92 };

/** Escapes may name single bytes, so the text is put together from bytes. */
function readEscapes(inner: string, quote: string): string {
  if (!inner.includes("\\")) return inner;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const pattern = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\'"]))|([^\\]+)/gy;
  while (pattern.lastIndex < inner.length) {
    const found = pattern.exec(inner);
    if (!found) throw new LiteralError("invalid syntax");
    const [, byte, octal, short, long, simple, plain] = found;
    if (byte !== undefined || octal !== undefined) bytes.push(Number(checkedByte(found)));
    else if (short !== undefined || long !== undefined) bytes.push(...encoder.encode(character((short ?? long)!)));
    else if (plain !== undefined) for (const each of encoder.encode(plain)) bytes.push(each);
    else if (simple === quote) bytes.push(quote.charCodeAt(0));
    else if (SIMPLE[simple!] !== undefined) bytes.push(SIMPLE[simple!]!);
    else throw new LiteralError("invalid syntax");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    throw new LiteralError("bytes that are no UTF-8 are not supported");
  }
}

function character(hexadecimal: string): string {
  const code = Number.parseInt(hexadecimal, 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new LiteralError("invalid syntax");
  return String.fromCodePoint(code);
}
