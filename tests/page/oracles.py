"""What the page's tests share: the page itself, and references that share no code with the library."""
import base64
import json
import math
import pathlib
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np

try:
    import ml_dtypes
except ImportError:
    print("skipped: no ml_dtypes here")
    sys.exit(77)

BINARY, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
TENSORS = ROOT / "experiments/data/tiny_lm_layer.safetensors"

# The library's name: the numpy type that others made of the format.
DTYPES = {
    "fp16": np.float16, "bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2, "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "e3m4": ml_dtypes.float8_e3m4,
    "e3m2": ml_dtypes.float6_e3m2fn, "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn, "e8m0": ml_dtypes.float8_e8m0fnu,
}


def write_page(folder: pathlib.Path, tensors: str) -> pathlib.Path:
    path = folder / f"page-{'none' if tensors == 'none' else 'layer'}.html"
    subprocess.run([BINARY, "page", str(path), "--tensors", tensors], check=True, capture_output=True)
    return path


def read_tables(path: pathlib.Path) -> dict:
    found = re.search(r'<script type="application/json" id="tables">(.*?)</script>',
                      path.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(found.group(1))


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)


def bits(text: str, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), bitorder="little")[:count]


def reference_values(name: str) -> np.ndarray:
    """The value of every code, as numpy or ml_dtypes has it."""
    dtype = np.dtype(DTYPES[name])
    if dtype.itemsize == 2:
        return np.arange(1 << 16, dtype=np.uint16).view(dtype).astype(np.float64)
    width = {"e3m2": 6, "e2m3": 6, "e2m1": 4}.get(name, 8)
    return np.arange(1 << width, dtype=np.uint8).view(dtype).astype(np.float64)


def p3109_value(code: int, precision: int) -> float:
    """Signed, extended, eight bits: IEEE P3109 interim report 4.0, with its bias 2^(7-P)."""
    if code == 0x80:
        return math.nan
    sign, magnitude = (-1.0 if code & 0x80 else 1.0), code & 0x7F
    if magnitude == 0x7F:
        return sign * math.inf
    exponent, mantissa = divmod(magnitude, 1 << (precision - 1))
    bias = 1 << (7 - precision)
    lead = 1 if exponent else 0
    return sign * (lead + mantissa / 2 ** (precision - 1)) * 2.0 ** (max(exponent, 1) - bias)


def e5m6_value(code: int) -> float:
    sign, exponent, mantissa = code >> 11, code >> 6 & 31, code & 63
    if exponent == 31:
        return math.nan if mantissa else (-1) ** sign * math.inf
    lead = 1 if exponent else 0
    return (-1) ** sign * (lead + mantissa / 64) * 2.0 ** (max(exponent, 1) - 15)


def floor_log2(x: Fraction) -> int:
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def truncate(x: Fraction, unit_exponent: int) -> Fraction:
    unit = Fraction(2) ** unit_exponent
    whole = abs(x) // unit * unit
    return whole if x >= 0 else -whole


def wgmma_step(a: list, b: list, c: float) -> Fraction:
    """One step of the published model (arXiv 2512.07004), from values, in rational numbers."""
    def exponent(x: float, lowest: int) -> int:
        return max(floor_log2(abs(Fraction(x))), lowest)

    terms = [(Fraction(x) * Fraction(y), exponent(x, -6) + exponent(y, -6))
             for x, y in zip(a, b) if x * y != 0]
    if c != 0:
        terms.append((Fraction(c), exponent(c, -126)))
    largest = max(e for _, e in terms)
    total = sum(truncate(t, largest - 13) for t, _ in terms)
    return total if total == 0 else truncate(total, floor_log2(abs(total)) - 13)


class Report:
    """Counts what was checked and collects what failed."""

    def __init__(self):
        self.checked, self.failures = 0, []

    def equal(self, what: str, got, want):
        self.checked += 1
        if got != want:
            self.failures.append(f"{what}: got {got!r}, want {want!r}")

    def true(self, what: str, holds: bool):
        self.equal(what, bool(holds), True)

    def finish(self, least: int):
        print("\n".join(self.failures[:40]) or f"{self.checked} checks hold")
        if self.checked < least:
            print(f"only {self.checked} checks ran, expected at least {least}")
        sys.exit(1 if self.failures or self.checked < least else 0)
