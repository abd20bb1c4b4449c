// Exact numbers: a dyadic {n, e} is n * 2^e, a ratio {n, d} is n / d; all of them BigInt.

/** A finite double as a dyadic. */
function dyadic(x) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const n = field ? fraction | (1n << 52n) : fraction;
  return {n: bits >> 63n ? -n : n, e: Math.max(field, 1) - 1075};
}

function times_power_of_two(number, k) {
  return {n: number.n, e: number.e + k};
}

function ratio_of_dyadic({n, e}) {
  return e >= 0 ? {n: n << BigInt(e), d: 1n} : {n, d: 1n << BigInt(-e)};
}

function subtract_ratios(a, b) {
  return {n: a.n * b.d - b.n * a.d, d: a.d * b.d};
}

function absolute(ratio) {
  return {n: ratio.n < 0n ? -ratio.n : ratio.n, d: ratio.d};
}

/** Negative, zero or positive as a < b, a = b or a > b. */
function compare_ratios(a, b) {
  const left = a.n * b.d;
  const right = b.n * a.d;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A ratio for display: about 17 digits, never infinite on the way. */
function ratio_to_number({n, d}) {
  if (n === 0n) return 0;
  const size = (b) => b.toString(2).length;
  const magnitude = n < 0n ? -n : n;
  const shift = 64 - (size(magnitude) - size(d));
  let scaled = shift >= 0 ? (magnitude << BigInt(shift)) / d : magnitude / (d << BigInt(-shift));
  if ((shift >= 0 ? (magnitude << BigInt(shift)) % d : magnitude % (d << BigInt(-shift))) !== 0n) {
    scaled |= 1n;  // far below the last place of a double, but it decides ties
  }
  const value = Number(scaled) * 2 ** Math.max(-shift, -1000) * 2 ** Math.min(-shift + 1000, 0);
  return n < 0n ? -value : value;
}

/** Digits and decimal exponent of a dyadic: the value is digits * 10^exponent, all digits kept. */
function decimal_digits({n, e}) {
  let digits = (e >= 0 ? n << BigInt(e) : n * 5n ** BigInt(-e)).toString();
  let exponent = e >= 0 ? 0 : e;
  const zeros = /0*$/.exec(digits)[0].length;
  digits = digits.slice(0, digits.length - zeros);
  exponent += zeros;
  return {digits, exponent};
}

const kSuperscripts = {
  "-": "⁻",
  0: "⁰",
  1: "¹",
  2: "²",
  3: "³",
  4: "⁴",
  5: "⁵",
  6: "⁶",
  7: "⁷",
  8: "⁸",
  9: "⁹"
};
const superscript = (k) => [...String(k)].map((c) => kSuperscripts[c]).join("");
const power_of_two = (k) => `2${superscript(k)}`;
const minus = (text) => String(text).replace("-", "−");

/** The exact decimal expansion of a dyadic. Long runs of zeros become a power of ten. */
function exact_decimal(number) {
  if (number.n === 0n) return "0";
  const negative = number.n < 0n;
  const {digits, exponent} = decimal_digits({n: negative ? -number.n : number.n, e: number.e});
  const point = digits.length + exponent;  // digits before the decimal point
  const sign = negative ? "−" : "";
  if (point > 24 || point < -11) {
    const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    return `${sign}${mantissa}\u00a0×\u00a010${superscript(point - 1)}`;
  }
  if (exponent >= 0) return sign + digits + "0".repeat(exponent);
  if (point > 0) return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
  return `${sign}0.${"0".repeat(-point)}${digits}`;
}

/** The exact decimal of any double, the specials by name. */
function value_text(x) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return Object.is(x, -0) ? "−0" : "0";
  return exact_decimal(dyadic(x));
}

/** The exact decimal where it is short, else its first digits. */
function brief_text(x) {
  const exact = value_text(x);
  return exact.length <= 16 ? exact : `≈\u00a0${short_number(x)}`;
}

/** Three significant digits, for labels. */
function short_number(x) {
  if (!Number.isFinite(x) || x === 0) return value_text(x);
  const magnitude = Math.abs(x);
  if (magnitude < 1e6 && (Number.isInteger(x) || value_text(x).length < 7)) return value_text(x);
  if (magnitude >= 1e6 || magnitude < 1e-4) {
    const [mantissa, exponent] = x.toExponential(2).split("e");
    return minus(`${Number(mantissa)}×10`) + superscript(Number(exponent));
  }
  return minus(Number(x.toPrecision(3)));
}

function percent_text(share) {
  const percent = 100 * share;
  if (percent === 0) return "0 %";
  const magnitude = Math.abs(percent);
  if (magnitude < 0.005) return percent < 0 ? "> −0.01 %" : "< 0.01 %";
  if (magnitude > 99.995 && magnitude < 100) return "> 99.99 %";
  return minus(`${Number(percent.toFixed(magnitude < 10 ? 2 : 1))} %`);
}

/**
 * What somebody typed: {ratio}, {special: "inf" | "-inf" | "nan"}, {ratio, minusZero: true} or
 * null. Decimals of any length, powers of two as 2^-9, and quotients of them as 1/448.
 */
function parse_number(text) {
  const word = text.trim().replace(/[−–]/g, "-").replace(/[∞]/g, "inf").toLowerCase();
  if (/^[+-]?inf(inity)?$/.test(word)) return {special: word.startsWith("-") ? "-inf" : "inf"};
  if (/^[+-]?nan$/.test(word)) return {special: "nan"};
  const [above, below, ...rest] = word.split("/");
  const top = parse_factor(above);
  const bottom = below === undefined ? {n: 1n, d: 1n} : parse_factor(below);
  if (rest.length || !top || !bottom || bottom.n === 0n) return null;
  const flip = bottom.n < 0n ? -1n : 1n;
  const ratio = {n: top.n * bottom.d * flip, d: top.d * bottom.n * flip};
  // What the platform makes of a plain decimal; NaN for the rest.
  return {ratio, minusZero: ratio.n === 0n && word.startsWith("-"), platform: Number(word)};
}

function parse_factor(text) {
  const word = text.trim();
  const power = /^([+-]?)2\s*(?:\^|\*\*)\s*\(?([+-]?\d{1,4})\)?$/.exec(word);
  if (power) {
    const {n, d} = ratio_of_dyadic({n: 1n, e: Number(power[2])});
    return {n: power[1] === "-" ? -n : n, d};
  }
  const decimal = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d{1,4}))?$/.exec(word);
  if (!decimal || !(decimal[2] + decimal[3])) return null;
  const [, sign, whole, fraction, exponent] = decimal;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const ten = Number(exponent ?? 0) - fraction.length;
  return ten >= 0 ? {n: digits * 10n ** BigInt(ten), d: 1n} : {n: digits, d: 10n ** BigInt(-ten)};
}
