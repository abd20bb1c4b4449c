"""Does a cast do what it should? The canonical traps, put to anybody's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._arrays import container_dtype, float_format
from .formats import decode, encode


@dataclass(frozen=True)
class Case:
    """One trap: what went in, what should come out, what did."""

    name: str
    why: str
    given: float
    expected: int
    got: int

    @property
    def passed(self) -> bool:
        return self.expected == self.got


@dataclass(frozen=True)
class Report:
    """The outcome of `check`. Printing it shows the cases that failed."""

    format: str
    behaves_like: list[str]
    cases: list[Case] = field(repr=False)

    @property
    def passed(self) -> bool:
        return all(case.passed for case in self.cases)

    def __str__(self) -> str:
        failed = [case for case in self.cases if not case.passed]
        head = (f"{self.format}: {len(self.cases) - len(failed)} of {len(self.cases)} cases pass; "
                f"behaves like {', '.join(self.behaves_like) or 'nothing known'}")
        lines = [f"  {c.name}: {float(c.given)!r} ({c.given.hex()}) gave 0x{c.got:02x}, expected "
                 f"0x{c.expected:02x}: {c.why}" for c in failed]
        return "\n".join([head, *lines])


#: Behaviours that libraries are known to have, as rules of `encode`.
BEHAVIOURS: dict[str, dict[str, str]] = {
    "cvt.rn.satfinite (CUDA, saturating)": {"overflow": "saturate", "nan": "canonical"},
    "CUDA, __NV_NOSAT": {"overflow": "special", "nan": "canonical"},
    "ml_dtypes and torch (special, NaN keeps its sign)": {"overflow": "special",
                                                          "nan": "keep_sign"},
    "saturating, NaN keeps its sign": {"overflow": "saturate", "nan": "keep_sign"},
    "truncation": {"rounding": "toward_zero", "overflow": "saturate", "nan": "canonical"},
    "ties away from zero": {"rounding": "nearest_away", "overflow": "saturate", "nan": "canonical"},
}


def _probes(name: str) -> list[tuple[str, str, float]]:
    """Inputs at which implementations were seen to go wrong, for any format: name, why, value."""
    fmt = float_format(name)
    top, first = fmt.decode(fmt.max_finite_code), fmt.decode(1)
    ulp_top = top - fmt.decode(fmt.max_finite_code - 1)
    tie = float(np.float32(first / 2))
    above = float(np.nextafter(np.float32(first / 2), np.float32(np.inf)))
    probes = [
        ("zero", "+0 is code 0", 0.0),
        ("negative zero", "the sign of zero stays where the format has -0", -0.0),
        ("largest finite", "must be exact", top),
        ("half an ulp above the largest", "a tie: to even", top + ulp_top / 2),
        ("beyond the largest", "the overflow rule decides", top * 2),
        ("negative overflow", "the sign stays", -top * 2),
        ("infinity", "the infinity rule decides", float("inf")),
        ("NaN", "NaN is never a number", float("nan")),
        ("half the smallest subnormal", "a tie: to even, which is zero", tie),
        ("just above that", "rounds up to the smallest subnormal", above),
        ("negative underflow", "keeps its sign where the format has -0", -tie / 2),
        ("three halves of the smallest subnormal", "a tie between codes 1 and 2: to even",
         1.5 * first),
        ("subnormal boundary", "the largest subnormal's successor is the smallest normal",
         2.0**fmt.emin - first / 4),
        ("1.3", "the hand example", 1.3),
    ]
    if fmt.mantissa_bits < 10:
        u = 2.0 ** -(fmt.mantissa_bits + 1)
        probes.append(("double rounding through fp16", "1 + u + 2**-14 lies above the tie: up",
                       1.0 + u + 2.0**-14))
        probes.append(("double rounding through bf16", "1 + u + 2**-12 lies above the tie: up",
                       1.0 + u + 2.0**-12))
    # Every tie between neighbours in the subnormal range and the first binades.
    for code in range(1, min(40, fmt.max_finite_code)):
        middle = (fmt.decode(code) + fmt.decode(code + 1)) / 2
        probes.append((f"tie between codes {code} and {code + 1}", "to the even code", middle))
    return [(label, why, value) for label, why, value in probes
            if np.isnan(value) or float(np.float32(value)) == value or np.isinf(value)]


def check(cast: Callable[[Any], Any], to: Any = "e4m3", *, overflow: str = "saturate",
          nan: str = "canonical", rounding: str = "nearest_even") -> Report:
    """Put a cast function to the traps that other implementations fell into.

    Parameters
    ----------
    cast : callable
        Takes a float32 array; returns codes (ml_dtypes, torch or unsigned integers) or fp32 values
        of the same shape.
    to : str, Format or dtype
        The format it claims to cast to.
    rounding, overflow, nan : str
        What it claims to do; the cases expect this. Whatever it claims, `behaves_like` names the
        known behaviours that its answers equal.

    Returns
    -------
    Report

    Examples
    --------
    >>> import ml_dtypes
    >>> report = check(lambda x: x.astype(ml_dtypes.float8_e4m3fn), "e4m3", overflow="special",
    ...                nan="keep_sign")
    >>> report.passed, report.behaves_like
    (True, ['ml_dtypes and torch (special, NaN keeps its sign)'])
    """
    fmt = float_format(to)
    probes = _probes(fmt.name)
    x = np.array([value for _, _, value in probes], np.float32)
    got = _codes_of(cast(x.copy()), fmt)
    if got.shape != x.shape:
        raise ValueError(f"the cast gave shape {got.shape} for {x.shape}")
    expected = _rules_codes(x, fmt, {"rounding": rounding, "overflow": overflow, "nan": nan})
    cases = [Case(label, why, float(value), int(want), int(have))
             for (label, why, value), want, have in zip(probes, expected, got, strict=True)]
    alike = [label for label, rules in BEHAVIOURS.items()
             if np.array_equal(_rules_codes(x, fmt, rules), got)]
    return Report(fmt.name, alike, cases)


def _rules_codes(x: Any, fmt: Any, rules: dict[str, str]) -> Any:
    return encode(x, fmt, **rules).view(container_dtype(fmt))


def _codes_of(result: Any, fmt: Any) -> Any:
    """The cast's answer as codes. fp32 values become the codes of their values, NaN by its sign."""
    from ._arrays import to_numpy

    array, _ = to_numpy(result)
    if array.dtype.itemsize * 8 == fmt.container_bits and array.dtype != np.float32:
        return array.view(container_dtype(fmt))
    values = np.asarray(array, np.float32)
    codes = encode(values, fmt, overflow="special", nan="keep_sign").view(container_dtype(fmt))
    back = decode(codes, fmt)
    wrong = ~((back == values) | (np.isnan(back) & np.isnan(values)))
    if wrong.any():
        raise ValueError(f"the cast gave {values[wrong][0]!r}, which is no value of {fmt.name}")
    return codes
