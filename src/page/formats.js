// The formats as the library wrote them: values of codes, and the fences between codes.

function unpack_base64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function unpack_floats(text) {
  const view = new DataView(unpack_base64(text).buffer);
  return Float32Array.from({length: view.byteLength / 4}, (_, i) => view.getFloat32(4 * i, true));
}

/** One format: its record from the library, with the tables unpacked. Codes are BigInt. */
class Format {
  constructor(record) {
    Object.assign(this, record);
    this.tabulated = record.values !== undefined;
    if (this.tabulated) {
      this.values = unpack_floats(record.values);
      this.boundaries = unpack_floats(record.boundaries);
      this.ties = unpack_base64(record.ties);
    }
    this.magnitudeBits = this.exponentBits + this.mantissaBits;
    this.magnitudeMask = (1n << BigInt(this.magnitudeBits)) - 1n;
    this.signMask = this.signed ? 1n << BigInt(this.magnitudeBits) : 0n;
    this.codeMask = this.magnitudeMask | this.signMask;
  }

  /** The value of a code, from the table, or as the platform reads an fp32 or fp64 word. */
  value(code) {
    if (this.tabulated) return this.values[Number(code)];
    const view = new DataView(new ArrayBuffer(8));
    if (this.bits === 64) {
      view.setBigUint64(0, code);
      return view.getFloat64(0);
    }
    view.setUint32(0, Number(code << BigInt(this.paddingBits)));
    return view.getFloat32(0);
  }

  hex(code) {
    return `0x${code.toString(16).padStart(Math.ceil(this.bits / 4), "0")}`;
  }

  /** "sign", "exponent" or "mantissa" of a bit, counted from the least. */
  field(bit) {
    return bit < this.mantissaBits ? "mantissa" : bit < this.magnitudeBits ? "exponent" : "sign";
  }

  parts(code) {
    const mask = (1n << BigInt(this.mantissaBits)) - 1n;
    return {
      negative: (code & this.signMask) !== 0n,
      exponent: Number((code & this.magnitudeMask) >> BigInt(this.mantissaBits)),
      mantissa: code & mask,
    };
  }

  class_of(code) {
    const x = this.value(code);
    if (Number.isNaN(x)) return "NaN";
    if (!Number.isFinite(x)) return "infinity";
    if (x === 0) return "zero";
    return Math.abs(x) < this.minNormal ? "subnormal" : "normal";
  }

  /** The exponent of the last place of a finite code: the step to the next number is 2^this. */
  ulp_exponent(code) {
    const {exponent} = this.parts(code);
    return (this.hasZero ? Math.max(exponent, 1) : exponent) - this.bias - this.mantissaBits;
  }

  /** The code of the next number up (direction 1) or down (-1); null past the last number. */
  neighbour(code, direction) {
    const x = this.value(code);
    if (Number.isNaN(x)) return null;
    const magnitude = code & this.magnitudeMask;
    const place = (code & this.signMask ? -magnitude : magnitude) + BigInt(direction);
    if (place > this.magnitudeMask || -place > this.magnitudeMask) return null;
    if (place < 0n && !this.signed) return null;
    const next = place < 0n ? this.signMask | -place : place;
    return Number.isNaN(this.value(next)) ? null : next;
  }

  /** Whether the fence above magnitude code `i` itself belongs to the code above it. */
  tie_goes_up(i) {
    return (this.ties[i >> 3] >> (i & 7) & 1) === 1;
  }

  /**
   * The code that a ratio rounds to, found among the library's fences; `overflow` is "saturate" or
   * "special". Gives {code}, and over: true for a finite number past the last fence.
   */
  lookup(parsed, overflow) {
    const exits = this.exits[overflow];
    const special = {"inf": exits.infinity, "-inf": exits.minusInfinity, "nan": exits.nan};
    if (parsed.special) return {code: BigInt(special[parsed.special])};
    if (parsed.minusZero) return {code: BigInt(exits.minusZero)};
    const negative = parsed.ratio.n < 0n;
    const magnitude = absolute(parsed.ratio);
    const found = this.#count_fences_below(magnitude);
    const over = found > this.maxFiniteCode;
    if (negative && !this.signed) return {code: BigInt(this.#negative_exit(magnitude, exits))};
    if (over) return {code: BigInt(negative ? exits.under : exits.over), over};
    if (found === 0 && negative) return {code: BigInt(exits.minusZero)};
    return {code: BigInt(found) | (negative ? this.signMask : 0n)};
  }

  /** Unsigned formats: a negative number that does not round to zero is an overflow. */
  #negative_exit(magnitude, exits) {
    const {at, tieIsZero} = this.negativeFence;
    const side = compare_ratios(magnitude, ratio_of_dyadic(dyadic(at)));
    return side < 0 || (side === 0 && tieIsZero) ? exits.minusZero : exits.minusOne;
  }

  /** How many fences a magnitude has passed: the magnitude code it rounds to. */
  #count_fences_below(magnitude) {
    let low = 0;
    let high = this.boundaries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const side = compare_ratios(magnitude, ratio_of_dyadic(dyadic(this.boundaries[middle])));
      if (side > 0 || (side === 0 && this.tie_goes_up(middle))) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The precision of the normal numbers, in words. */
  precision_text() {
    const steps = 2 ** this.mantissaBits;
    return this.mantissaBits > 10 ? `${power_of_two(this.mantissaBits)} steps an octave` :
        steps === 1 ? "1 step an octave" :
                      `${steps} steps an octave`;
  }
}
