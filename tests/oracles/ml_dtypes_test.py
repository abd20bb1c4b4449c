"""ml_dtypes as the oracle: every code of each of its formats, and casts from fp32 to each.

The two libraries differ by choice in three places, and each is pinned here, so that a change on
either side shows:
- NaN to a format without NaN (E2M1, E2M3, E3M2): ours follows PTX, the largest number; ml_dtypes
  gives zero of the opposite sign.
- E8M0, which has neither sign nor zero: ours takes what rounds to zero to 2^-127, as cuda_fp8.h
  does; ml_dtypes takes zero to NaN. Negative numbers are an overflow for us (2^-127 or NaN), NaN
  for ml_dtypes, and lose their sign in cuda_fp8.h.
- E8M0 ties: to the even code for us (P3109 with precision 1), upward in ml_dtypes; cuda_fp8.h has
  no rounding to nearest. ml_dtypes also takes all of the upper three quarters of (2^-127, 2^-126),
  where its fp32 is subnormal, up.
"""
import sys

from judged import Library, Report, hard_floats, np, skip

try:
    import ml_dtypes
except ImportError:
    skip("no ml_dtypes here")

FORMATS = {  # ml_dtypes' name: ours
    "bfloat16": "bf16",
    "float4_e2m1fn": "e2m1",
    "float6_e2m3fn": "e2m3",
    "float6_e3m2fn": "e3m2",
    "float8_e3m4": "e3m4",
    "float8_e4m3": "e4m3ieee",
    "float8_e4m3b11fnuz": "e4m3b11fnuz",
    "float8_e4m3fn": "e4m3",
    "float8_e4m3fnuz": "e4m3fnuz",
    "float8_e5m2": "e5m2",
    "float8_e5m2fnuz": "e5m2fnuz",
    "float8_e8m0fnu": "e8m0",
}
BITS = {"bf16": 16, "e2m1": 4, "e2m3": 6, "e3m2": 6}
NO_NAN = {"e2m1", "e2m3", "e3m2"}

library, report, later = Library(sys.argv[1]), Report(), []
np.seterr(all="ignore")


def canonical(values):
    """fp32 bits, with all NaNs alike: ml_dtypes does not keep their sign in every format."""
    return np.where(np.isnan(values), np.uint32(0x7fc00000), values.view(np.uint32))


def compare_codes(ours, dtype, container):
    codes = np.arange(2 ** BITS.get(ours, 8), dtype=container)
    values = codes.view(dtype).astype(np.float32)
    decoded = library.cast(codes, ours, "fp32", np.float32)
    later.append(lambda: report.equal(f"{ours} decode", codes, canonical(decoded()),
                                      canonical(values)))
    return values


def compare_casts(ours, dtype, container, values):
    x = hard_floats(values)
    want = x.astype(dtype).view(container)
    if ours in NO_NAN:
        nan = np.isnan(x)
        sign = container(1 << (BITS[ours] - 1))
        assert np.array_equal(want[nan], np.where(np.signbit(x[nan]), container(0), sign)), \
            "ml_dtypes no longer makes zeros of NaN"
        x, want = x[~nan], want[~nan]
    elif ours == "e8m0":
        magnitude = x.view(np.uint32) & 0x7fffffff
        tie = magnitude & 0x7fffff == 0x400000
        odd = ~np.signbit(x) & (magnitude >= 0x800000) & ~tie | np.isnan(x)
        x, want = x[odd], want[odd]
    got = library.cast(x, "fp32", ours, container)
    later.append(lambda: report.equal(f"fp32 to {ours}", x, got(), want))


def pin_e8m0(dtype):
    """Where E8M0 differs: input, our saturating code, our special code, that of ml_dtypes."""
    rows = [(0.0, 0, 0, 255), (-0.0, 0, 0, 255), (-1.0, 0, 255, 255), (-np.inf, 0, 255, 255),
            (2.0**-130, 0, 0, 0), (1.25 * 2.0**-127, 0, 0, 1), (1.5, 128, 128, 128),
            (3.0, 128, 128, 129), (6.0, 130, 130, 130), (12.0, 130, 130, 131),
            (1.5 * 2.0**127, 254, 254, 255), (np.inf, 254, 255, 255)]
    x, saturating, special, theirs = (np.array(column) for column in zip(*rows))
    x = x.astype(np.float32)
    saturated = library.cast(x, "fp32", "e8m0", np.uint8, overflow="saturate")
    specials = library.cast(x, "fp32", "e8m0", np.uint8)
    later.append(lambda: report.equal("E8M0 saturating", x, saturated(), saturating))
    later.append(lambda: report.equal("E8M0 special", x, specials(), special))
    later.append(lambda: report.equal("E8M0 of ml_dtypes", x, x.astype(dtype).view(np.uint8),
                                      theirs))


def pin_nan_without_nan():
    x = np.array([0x7fc00000, 0xffc00000], np.uint32).view(np.float32)
    for ours, largest, sign in (("e2m1", 7, 8), ("e2m3", 31, 32), ("e3m2", 31, 32)):
        plain = library.cast(x, "fp32", ours, np.uint8, nan="canonical")
        kept = library.cast(x, "fp32", ours, np.uint8, nan="keep_sign")
        later.append(lambda a=plain, v=largest, n=ours: report.equal(f"NaN to {n}", x, a(),
                                                                     np.array([v, v])))
        later.append(lambda a=kept, v=largest, s=sign, n=ours: report.equal(
            f"NaN to {n}, sign kept", x, a(), np.array([v, v | s])))


present = [name for name in FORMATS if hasattr(ml_dtypes, name)]
for name in present:
    dtype = getattr(ml_dtypes, name)
    container = np.uint16 if name == "bfloat16" else np.uint8
    values = compare_codes(FORMATS[name], dtype, container)
    compare_casts(FORMATS[name], dtype, container, values)
half = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
halves = hard_floats(half)
halves = halves[~np.isnan(halves)]
got_half = library.cast(halves, "fp32", "fp16", np.uint16)
later.append(lambda: report.equal("fp32 to fp16 (numpy)", halves, got_half(),
                                  halves.astype(np.float16).view(np.uint16)))
if "float8_e8m0fnu" in present:
    pin_e8m0(ml_dtypes.float8_e8m0fnu)
pin_nan_without_nan()
library.run()
for compare in later:
    compare()
print(f"ml_dtypes {ml_dtypes.__version__}: {', '.join(present)}")
report.finish()
