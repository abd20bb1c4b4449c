"""gfloat as the oracle of P3109 formats: the value of every code, and rounding to each format.

gfloat's unsaturated overflow of a finite format is NaN, as P3109's SatNone; its rounding of negative
numbers to unsigned formats is left out, because it does not define one.
"""
import sys

from judged import Library, Report, hard_floats, np, skip

try:
    import gfloat
    from gfloat.formats import Domain, Signedness, format_info_p3109
except ImportError:
    skip("no gfloat with P3109 names here")

ROUNDINGS = {
    "nearest_even": gfloat.RoundMode.TiesToEven,
    "nearest_away": gfloat.RoundMode.TiesToAway,
    "toward_zero": gfloat.RoundMode.TowardZero,
    "up": gfloat.RoundMode.TowardPositive,
    "down": gfloat.RoundMode.TowardNegative,
}
library, report, later = Library(sys.argv[1]), Report(), []
np.seterr(all="ignore")


def canonical(values):
    """fp64 bits, with all NaNs alike."""
    return np.where(np.isnan(values), np.uint64(0x7ff8 << 48), values.view(np.uint64))


def formats():
    for width in range(3, 11):
        for signedness, letter in ((Signedness.Signed, "s"), (Signedness.Unsigned, "u")):
            for precision in range(1, width + (letter == "u")):
                for domain, end in ((Domain.Extended, "e"), (Domain.Finite, "f")):
                    yield (f"binary{width}p{precision}{letter}{end}",
                           format_info_p3109(width, precision, signedness, domain))


def compare_codes(name, info):
    container = np.uint8 if info.k <= 8 else np.uint16
    codes = np.arange(2 ** info.k, dtype=container)
    values = np.array([gfloat.decode_float(info, int(c)).fval for c in codes], np.float64)
    decoded = library.cast(codes, name, "fp64", np.float64)
    later.append(lambda: report.equal(f"{name} decode", codes, canonical(decoded()),
                                      canonical(values)))
    return values


def compare_rounding(name, info, values):
    x = hard_floats(values)[:: 31 if info.k <= 8 else 997].astype(np.float64)
    x = x[np.isfinite(x) & (np.signbit(x) == 0)] if not info.is_signed else x[~np.isnan(x)]
    for rounding, mode in ROUNDINGS.items():
        for overflow, saturate in (("saturate", True), ("special", False)):
            want = gfloat.round_ndarray(info, x, mode, saturate)
            codes = library.cast(x, "fp64", name, np.uint8 if info.k <= 8 else np.uint16, rounding,
                                 overflow)
            table = canonical(values)
            later.append(lambda c=codes, w=want, r=rounding, o=overflow: report.equal(
                f"fp64 to {name}, {r}, {o}", x, table[c()], canonical(w)))


everything = list(formats())
for name, info in everything:
    values = compare_codes(name, info)
    if info.k in (4, 6, 8):
        compare_rounding(name, info, values)
library.run()
for compare in later:
    compare()
print(f"gfloat: {len(everything)} P3109 formats")
report.finish()
