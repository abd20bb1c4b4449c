"""Values against libraries that share no code with this one: ml_dtypes, NumPy, gfloat.

The package's own path is judged here, Python in and out; tests/oracles judges the C++ core at length
and pins where the libraries differ by choice.
"""
import binade
import ml_dtypes
import numpy as np
import pytest

np.seterr(all="ignore")
RNG = np.random.default_rng(11)

SMALL = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e3m4",
         "float8_e4m3", "float8_e4m3b11fnuz", "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn",
         "float8_e8m0fnu", "bfloat16"]
#: Formats without NaN, and E8M0 without zero: ml_dtypes has its own rules there.
PECULIAR = {"float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "float8_e8m0fnu"}


def bits(array):
    return array.view(f"u{array.dtype.itemsize}")


def same_values(got, want):
    """Equal bits, but that every NaN is one."""
    nan = np.isnan(want)
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(bits(got)[~nan], bits(want)[~nan])


def inputs():
    """fp32: random bits, and every code of the 16-bit formats with its neighbours."""
    random = RNG.integers(0, 2**32, 1 << 18, dtype=np.uint32)
    halves = np.arange(1 << 16, dtype=np.uint32) << 16
    sixteens = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    edges = np.concatenate([halves, halves + 1, halves + 0x8000, halves - 1, bits(sixteens),
                            bits(sixteens) + 1, bits(sixteens) - 1])
    return np.concatenate([random, edges.astype(np.uint32)]).view(np.float32)


X = inputs()


def codes_of(dtype):
    info = binade.Format(dtype)
    return np.arange(2**info.bits, dtype=f"u{dtype.itemsize}").view(dtype)


@pytest.mark.parametrize("name", SMALL)
def test_every_code_of_ml_dtypes(name):
    codes = codes_of(np.dtype(getattr(ml_dtypes, name)))
    same_values(binade.decode(codes), codes.astype(np.float32))
    same_values(binade.Format(codes.dtype).values().astype(np.float32), codes.astype(np.float32))


@pytest.mark.parametrize("name", SMALL)
def test_fp32_casts_of_ml_dtypes(name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    x = X[np.isfinite(X)] if name in PECULIAR else X
    if name == "float8_e8m0fnu":  # positive normal numbers that are no ties
        x = x[(x >= 2.0**-126) & (bits(x) & 0x7FFFFF != 0x400000)]
    got = binade.encode(x, dtype, overflow="special", nan="keep_sign")
    assert got.dtype == dtype
    np.testing.assert_array_equal(bits(got), bits(x.astype(dtype)))


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"])
def test_bf16_casts_of_ml_dtypes(name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    x = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    got = binade.encode(x, dtype, overflow="special", nan="keep_sign")
    np.testing.assert_array_equal(bits(got), bits(x.astype(dtype)))


def test_all_of_bf16_and_fp16_widen_and_return():
    for dtype in (ml_dtypes.bfloat16, np.float16):
        codes = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        values = codes.astype(np.float32)
        same_values(binade.decode(codes), values)
        back = bits(binade.encode(values, dtype, overflow="special"))
        finite = ~np.isnan(values)
        np.testing.assert_array_equal(back[finite], bits(codes)[finite])


def test_fp16_of_numpy():
    x = X[~np.isnan(X)]
    got = binade.encode(x, "fp16", overflow="special")
    np.testing.assert_array_equal(bits(got), bits(x.astype(np.float16)))
    wide = np.concatenate([x.astype(np.float64), RNG.standard_normal(1 << 17) * np.exp2(
        RNG.uniform(-30, 18, 1 << 17))])
    wide = np.concatenate([wide, np.nextafter(wide, np.inf), np.nextafter(wide, -np.inf)])
    got = binade.encode(wide, "fp16", overflow="special")
    np.testing.assert_array_equal(bits(got), bits(wide.astype(np.float16)))
    got = binade.encode(wide, "fp32", overflow="special")
    np.testing.assert_array_equal(bits(got), bits(wide.astype(np.float32)))


gfloat = pytest.importorskip("gfloat", reason="gfloat is not installed here")
ROUNDINGS = {"nearest_even": gfloat.RoundMode.TiesToEven, "nearest_away": gfloat.RoundMode.TiesToAway,
             "toward_zero": gfloat.RoundMode.TowardZero, "up": gfloat.RoundMode.TowardPositive,
             "down": gfloat.RoundMode.TowardNegative}


def p3109(width):
    from gfloat.formats import Domain, Signedness, format_info_p3109

    for sign, letter in ((Signedness.Signed, "s"), (Signedness.Unsigned, "u")):
        for precision in range(1, width + (letter == "u")):
            for domain, end in ((Domain.Extended, "e"), (Domain.Finite, "f")):
                yield (f"binary{width}p{precision}{letter}{end}",
                       format_info_p3109(width, precision, sign, domain))


@pytest.mark.parametrize("width", range(3, 11))
def test_every_code_of_p3109(width):
    for name, info in p3109(width):
        values = np.array([gfloat.decode_float(info, c).fval for c in range(2**width)])
        same_values(binade.Format(name).values(), values)


@pytest.mark.parametrize("width", [4, 8])
def test_rounding_to_p3109(width):
    for name, info in p3109(width):
        fmt = binade.Format(name)
        values = fmt.values()
        positive = np.unique(values[np.isfinite(values) & (values >= 0)])
        middles = (positive[1:] + positive[:-1]) / 2
        x = np.concatenate([positive, middles, np.nextafter(middles, np.inf),
                            np.nextafter(middles, -np.inf), positive[-1:] * 4])
        x = np.concatenate([x, -x]) if fmt.is_signed else np.abs(x)
        for rounding, mode in ROUNDINGS.items():
            for overflow, saturate in (("sat_finite", True), ("sat_none", False)):
                codes = binade.encode(x, name, rounding=rounding, overflow=overflow)
                want = gfloat.round_ndarray(info, x, mode, saturate)
                same_values(values[bits(codes)], want)


def draws(seed, count, bits_wanted):
    """The documented counter-based draws (Stafford's variant 13 of a 64-bit finaliser), again."""
    mask = 2**64 - 1

    def draw(index):
        z = (index * 0x9E3779B97F4A7C15 + seed * 0xD1342543DE82EF95 + 0x2545F4914F6CDD1D) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return (z >> 32) & ((1 << bits_wanted) - 1)

    return np.array([draw(i) for i in range(count)], np.int64)


@pytest.mark.parametrize("ours, theirs", [("stochastic_a", "StochasticFastest"),
                                          ("stochastic_b", "StochasticFast"),
                                          ("stochastic_c", "Stochastic")])
@pytest.mark.parametrize("random_bits", [1, 3, 8])
def test_stochastic_rounding_draw_by_draw(ours, theirs, random_bits):
    for name, info in p3109(8):
        fmt = binade.Format(name)
        if not fmt.is_signed or info.precision not in (2, 3, 4, 5):
            continue
        # Fractions of few bits decide between the three modes; others are what data looks like.
        x = RNG.choice(fmt.values()[:100], 4096) * (1 + RNG.integers(0, 64, 4096) / 512)
        x = np.concatenate([x, -x, RNG.standard_normal(4096)])
        x = x[np.abs(x) < fmt.max]
        drawn = draws(5, x.size, random_bits)
        got = binade.decode(binade.encode(x, name, rounding=ours, random_bits=random_bits, seed=5),
                            name).astype(np.float64)
        want = gfloat.round_ndarray(info, x, gfloat.RoundMode[theirs], True, drawn, random_bits)
        same_values(got, want)
