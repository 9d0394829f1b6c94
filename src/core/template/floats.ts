/** Floats as text, as Go's `strconv.FormatFloat` writes them: exact, and halves to even. */

/** The float in one of the formats e, E, f, F, g, G; `precision` -1 is the shortest text that reads back as the same float. */
export function formatFloat(value: number, verb: string, precision: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  switch (verb) {
    case "e":
    case "E":
      return sign + cased(withExponent(significant(size, precision < 0 ? null : precision + 1), precision), verb);
    case "f":
    case "F":
      return sign + (precision < 0 ? plain(shortest(size), null) : fixed(size, precision));
    default:
      return sign + cased(general(size, precision), verb);
  }
}

/** Digits without leading and trailing zeros, and the place of the decimal point before them: 0.d1d2… × 10^point. */
type Decimal = { digits: string; point: number };

function general(size: number, precision: number): string {
  const wanted = precision === 0 ? 1 : precision;
  const decimal = wanted < 0 ? shortest(size) : trimmed(significant(size, wanted));
  let bound = wanted;
  if (bound > decimal.digits.length && decimal.digits.length >= decimal.point) bound = decimal.digits.length;
  if (wanted < 0) bound = 6;
  const exponent = decimal.point - 1;
  if (size !== 0 && (exponent < -4 || exponent >= bound)) return withExponent(decimal, decimal.digits.length - 1);
  return plain(decimal, null);
}

function withExponent({ digits, point }: Decimal, precision: number): string {
  const exponent = digits === "0" || digits === "" ? 0 : point - 1;
  const wanted = precision < 0 ? digits.length - 1 : precision;
  const all = (digits === "" ? "0" : digits).padEnd(wanted + 1, "0");
  const fraction = all.slice(1, wanted + 1);
  const size = String(Math.abs(exponent)).padStart(2, "0");
  return `${all[0]}${fraction ? `.${fraction}` : ""}e${exponent < 0 ? "-" : "+"}${size}`;
}

function plain({ digits, point }: Decimal, decimals: number | null): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  const fraction = point >= digits.length ? "" : "0".repeat(Math.max(0, -point)) + digits.slice(Math.max(0, point));
  const padded = decimals === null ? fraction : fraction.padEnd(decimals, "0");
  return padded ? `${whole}.${padded}` : whole;
}

function cased(text: string, verb: string): string {
  return verb === "E" || verb === "G" ? text.toUpperCase() : text;
}

function shortest(size: number): Decimal {
  if (size === 0) return { digits: "0", point: 1 };
  const [mantissa, exponent] = size.toExponential().split("e") as [string, string];
  return trimmed({ digits: mantissa.replace(".", ""), point: Number(exponent) + 1 });
}

function trimmed({ digits, point }: Decimal): Decimal {
  const kept = digits.replace(/0+$/, "");
  return kept === "" ? { digits: "0", point: 1 } : { digits: kept, point };
}

/** The first `count` digits, rounded; null asks for the shortest. */
function significant(size: number, count: number | null): Decimal {
  if (count === null || size === 0) return shortest(size);
  // The estimate of the exponent may be one off; rounding may carry into a new digit.
  const estimate = Math.floor(Math.log10(size));
  for (const exponent of [estimate - 1, estimate, estimate + 1, estimate + 2]) {
    const digits: string = String(scaled(size, count - 1 - exponent));
    if (digits.length === count) return { digits, point: exponent + 1 };
  }
  throw new Error(`no digits for ${size}`);
}

function fixed(size: number, decimals: number): string {
  const digits = String(scaled(size, decimals)).padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** `size × 10^power`, exactly rounded to an integer, halves to even. */
function scaled(size: number, power: number): bigint {
  const { mantissa, exponent } = parts(size);
  let top = mantissa;
  let bottom = 1n;
  if (exponent >= 0) top <<= BigInt(exponent);
  else bottom <<= BigInt(-exponent);
  if (power >= 0) top *= 10n ** BigInt(power);
  else bottom *= 10n ** BigInt(-power);
  const whole = top / bottom;
  const twice = (top % bottom) * 2n;
  return twice > bottom || (twice === bottom && whole % 2n === 1n) ? whole + 1n : whole;
}

/** `mantissa × 2^exponent`. */
function parts(size: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, size);
  const bits = view.getBigUint64(0);
  const raw = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return raw === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: raw - 1075 };
}
