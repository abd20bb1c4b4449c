"""The traps of a scalar cast, and the behaviours that libraries are known to have in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from ._arrays import (FP64, Array, cast_containers, container_dtype, containers, dtype_of,
                      float_format, to_numpy)
from ._report import Case, Report

_EXHAUSTIVE_CODES = 1 << 10  # of formats with more, the ends of the axis and some codes between


@dataclass(frozen=True)
class _Trap:
    name: str
    why: str
    inputs: Array  # fp64; those that the source format does not hold are left out


def _positive(fmt: _core.FloatFormat) -> Array:
    """The finite numbers of a format from zero up; a sample of them where there are many."""
    last = fmt.max_finite_code
    codes = np.arange(min(last + 1, _EXHAUSTIVE_CODES), dtype=np.uint64)
    if last >= _EXHAUSTIVE_CODES:
        middle = np.random.default_rng(0).integers(0, last, _EXHAUSTIVE_CODES, dtype=np.uint64)
        codes = np.unique(np.concatenate([codes, middle, middle + np.uint64(1),
                                          np.uint64(last) - codes[:64]]))
    held = (codes << np.uint64(fmt.padding_bits)).astype(container_dtype(fmt))
    return cast_containers(held, fmt, FP64).view(np.float64)


def _beside(x: Array, source: _core.FloatFormat) -> Array:
    """The source format's numbers on either side of x, as fp64."""
    held = cast_containers(x.view(np.uint64), FP64, source)
    step = held.dtype.type(1 << source.padding_bits)
    both = np.concatenate([held + step, held - step])
    return cast_containers(both, source, FP64).view(np.float64)


def _signed(x: Array) -> Array:
    return np.concatenate([x, -x])


def _detours(fmt: _core.FloatFormat, ties: Array) -> Iterator[_Trap]:
    """Numbers next to a tie that another format on the way would round onto it."""
    for via, who in (("fp16", "Intel's FP8 emulation toolkit, Triton"), ("bf16", "Microfloats"),
                     ("fp32", "CUTLASS float_e4m3_t(double)")):
        precision = float_format(via).precision
        if precision < fmt.precision + 2:
            continue
        binade = np.exp2(np.floor(np.log2(ties)))
        near = np.concatenate([ties + binade * 2.0**-(precision + 2),
                               ties - binade * 2.0**-(precision + 2)])
        yield _Trap(f"double rounding through {via}",
                    f"a number beside a tie lands on it in {via} and then rounds the wrong way: "
                    f"{who}", _signed(near))


def _traps(fmt: _core.FloatFormat, source: _core.FloatFormat) -> Iterator[_Trap]:
    values = _positive(fmt)
    ties = (values[:-1] + values[1:]) / 2
    ties = ties[ties > 0]
    top, first = values[-1], values[values > 0][0]
    ulp = top - values[-2]
    inf, nan = np.inf, np.nan
    subnormal = np.arange(1, 256) * (2.0**fmt.emin / 128)
    edge = np.array([top, top + ulp / 4, top + ulp / 2, top + ulp * 0.53125, top + ulp,
                     top + 1.5 * ulp, 2 * top, 4 * top, 1e30])
    yield _Trap("zeros", "the sign of zero is lost: QPyTorch, microxcaling", np.array([0.0, -0.0]))
    yield _Trap("values", "numbers of the format must stay: tt-metal lost 132 of 256 codes",
                _signed(values))
    yield _Trap("ties", "half-way between neighbours, to the even code: QPyTorch, DeepGEMM's FP4",
                _signed(ties))
    yield _Trap("beside ties", "one step of the source from half-way: to the nearer neighbour",
                _signed(_beside(ties, source)))
    yield _Trap("subnormals", "the step is constant below the smallest normal number: Intel's "
                "toolkit keeps all significand bits", _signed(subnormal))
    yield _Trap("half the smallest number", "a tie between zero and the smallest number: cut-offs "
                "at that number flush what rounds up",
                np.concatenate([np.array([first / 4, first / 2, 0.75 * first, 1.5 * first]),
                                _beside(np.array([first / 2]), source)]))
    yield _Trap("negative underflow", "-tiny is -0 where the format has it: DeepGEMM's FP4, "
                "microxcaling", -np.array([first / 2, first / 4, first * 2.0**-20, 1e-37]))
    yield _Trap("overflow", "the rules decide beyond the largest number, which is no other than the "
                "format's (480 for E4M3: cpfloat)",
                _signed(np.concatenate([edge, _beside(edge[2:3], source)])))
    yield _Trap("infinities", "the infinity rule decides", np.array([inf, -inf]))
    yield _Trap("NaN", "NaN became a number in QPyTorch (480), Intel's toolkit (448)",
                np.array([nan]))
    yield _Trap("negative NaN", "CUDA writes the positive NaN, ml_dtypes keeps the sign",
                np.array([-nan]))
    yield from _detours(fmt, ties)
    yield _Trap("numbers known for trouble", "1.3; detours through bf16, fp16, fp32",
                _signed(np.array([1.3, 1.31640625, float.fromhex("0x1.5fep-7"), 58000.0, 61439.0,
                                  61440.0, 65504.0, 431.99999999999994, 1.0625 + 1e-12])))
    bits = np.random.default_rng(1).integers(0, 2**63, 4096, dtype=np.uint64)
    spread = np.random.default_rng(2).standard_normal(4096) * np.exp2(
        np.linspace(fmt.emin - 8, fmt.emax + 2, 4096))
    random = np.concatenate([(bits >> np.uint64(3)).view(np.float64), spread])
    yield _Trap("random numbers", "over the range of the format and beyond",
                _rounded(random[np.isfinite(random)], source))


def _rounded(x: Array, source: _core.FloatFormat) -> Array:
    """Arbitrary numbers moved to numbers of the source format."""
    held = cast_containers(x.view(np.uint64), FP64, source)
    back = cast_containers(held, source, FP64).view(np.float64)
    kept: Array = back[np.isfinite(back)]
    return kept


def _held_by(x: Array, source: _core.FloatFormat) -> Array:
    """Those of x that the source format holds, as containers of it; the sign of NaN is kept."""
    x = np.ascontiguousarray(x, np.float64)
    held = cast_containers(x.view(np.uint64), FP64, source)
    back = cast_containers(held, source, FP64).view(np.float64)
    kept: Array = held[(back == x) | np.isnan(x)]
    return kept


# Behaviours: what a known cast makes of containers of the source, as codes or as fp64 values.
_Rules = dict[str, str]


def _by_rules(x: Array, source: _core.FloatFormat, fmt: _core.FloatFormat, rules: _Rules) -> Array:
    return cast_containers(x, source, fmt, rules.get("rounding", "nearest_even"),
                           rules.get("overflow", "special"), rules.get("nan", "keep_sign"))


_RULES: dict[str, _Rules] = {
    "CUDA, __NV_SATFINITE": {"overflow": "saturate", "nan": "canonical"},
    "CUDA, __NV_NOSAT": {"overflow": "special", "nan": "canonical"},
    "saturating, NaN keeps its sign": {"overflow": "saturate", "nan": "keep_sign"},
    "toward zero, saturating": {"rounding": "toward_zero", "overflow": "saturate",
                                "nan": "canonical"},
    "ties away from zero, saturating": {"rounding": "nearest_away", "overflow": "saturate",
                                        "nan": "canonical"},
    "upward, saturating": {"rounding": "up", "overflow": "saturate", "nan": "canonical"},
    "downward, saturating": {"rounding": "down", "overflow": "saturate", "nan": "canonical"},
}
_P3109 = {"P3109 SatFinite": "sat_finite", "P3109 SatPropagate": "sat_propagate",
          "P3109 SatNone": "sat_none"}


#: torch by its version: 2.15 saturates E4M3, where 2.11 made NaN of overflow.
_TORCH = {"float8_e4m3fn": {"torch 2.11": "special", "torch 2.15": "saturate"},
          "float8_e5m2": {"torch": "special"}, "float8_e4m3fnuz": {"torch": "special"},
          "float8_e5m2fnuz": {"torch": "special"}}


def _torch(x: Array, source: _core.FloatFormat, fmt: _core.FloatFormat, overflow: str) -> Array:
    """Nearest even, and NaN is the all-ones code under its sign."""
    codes = _by_rules(x, source, fmt, {"overflow": overflow, "nan": "keep_sign"})
    values = cast_containers(x, source, FP64).view(np.float64)
    nan = fmt.canonical_nan_code | np.where(np.signbit(values), 1 << (fmt.bits - 1), 0)
    return np.where(np.isnan(values), nan.astype(codes.dtype), codes)


def _is_p3109(fmt: _core.FloatFormat) -> bool:
    names = (f"binary{fmt.bits}p{fmt.precision}{'s' if fmt.is_signed else 'u'}{end}" for end in "ef")
    return 3 <= fmt.bits <= 16 and any(_core.FloatFormat.parse(name) == fmt for name in names)


def _siblings(fmt: _core.FloatFormat, as_codes: bool) -> list[_core.FloatFormat]:
    """Formats of the same fields that the name of this one is mistaken for. As codes, a format
    without special values cannot be told from one with them."""
    stem = f"e{fmt.exponent_bits}m{fmt.mantissa_bits}"
    found: list[_core.FloatFormat] = []
    for name in [stem, *(stem + end for end in ("ieee", "fn", "fnuz")),
                 *([] if as_codes else [stem + "finite"]), f"binary{fmt.bits}p{fmt.precision}se", f"binary{fmt.bits}p{fmt.precision}sf"]:
        try:
            other = _core.FloatFormat.parse(name)
        except ValueError:  # no such format
            continue
        if other != fmt and other not in found and other.bits == fmt.bits:
            found.append(other)
    return found


def _behaviours(x: Array, source: _core.FloatFormat, fmt: _core.FloatFormat,
                as_codes: bool) -> Iterator[tuple[str, _core.FloatFormat, Array]]:
    """Name, format and codes of every known behaviour."""
    for name, rules in _RULES.items():
        yield name, fmt, _by_rules(x, source, fmt, rules)
    dtype = dtype_of(fmt)
    if dtype.kind != "u" and dtype_of(source).kind != "u":
        with np.errstate(all="ignore"):
            own = x.view(dtype_of(source)).astype(dtype).view(container_dtype(fmt))
        yield ("numpy" if hasattr(np, dtype.name) else "ml_dtypes"), fmt, own
    for name, overflow in _TORCH.get(dtype.name, {}).items():
        yield name, fmt, _torch(x, source, fmt, overflow)
    if _is_p3109(fmt):
        for name, overflow in _P3109.items():
            yield name, fmt, _by_rules(x, source, fmt, {"overflow": overflow, "nan": "canonical"})
    for via_name in ("bf16", "fp16", "fp32"):
        via = float_format(via_name)
        if via.precision <= fmt.precision or source.embeds_in(via):
            continue
        middle = _by_rules(x, source, via, {})
        for overflow in ("saturate", "special"):
            for nan in ("canonical", "keep_sign"):
                rules = {"overflow": overflow, "nan": nan}
                yield (f"through {via_name}, {overflow}, NaN {nan}", fmt,
                       _by_rules(middle, via, fmt, rules))
    for other in _siblings(fmt, as_codes):
        for overflow in ("saturate", "special"):
            for nan in ("canonical", "keep_sign"):
                rules = {"overflow": overflow, "nan": nan}
                yield f"the format {other.name}, {overflow}", other, _by_rules(x, source, other, rules)


class _Answers:
    """What a function gave: codes of the format, or values."""

    def __init__(self, result: Any, fmt: _core.FloatFormat, count: int) -> None:
        array = to_numpy(result)
        if array.shape != (count,):
            raise ValueError(f"the cast gave shape {array.shape} for ({count},)")
        self.are_codes = array.dtype.kind == "u" or array.dtype == dtype_of(fmt)
        self._array, found = containers(array, fmt if self.are_codes else None)
        self._values = cast_containers(self._array, found, FP64).view(np.float64)

    def differ(self, fmt: _core.FloatFormat, codes: Array) -> Array:
        """Where the answers are not these codes of `fmt` (or their values; NaN is one value)."""
        if self.are_codes:
            return np.asarray(self._array != codes)
        want = cast_containers(codes, fmt, FP64).view(np.float64)
        same = (self._values == want) & (np.signbit(self._values) == np.signbit(want))
        return np.asarray(~(same | (np.isnan(want) & np.isnan(self._values))))

    def shown(self) -> Array:
        return self._array if self.are_codes else self._values


def check(function: Callable[[Any], Any], fmt: _core.FloatFormat, source: _core.FloatFormat,
          rules: _Rules) -> Report:
    traps = list(_traps(fmt, source))
    with np.errstate(all="ignore"):
        pieces = [_held_by(trap.inputs, source) for trap in traps]
    x = np.concatenate(pieces)
    given = x.view(dtype_of(source))
    answers = _Answers(function(given.copy()), fmt, x.size)
    want = _by_rules(x, source, fmt, rules)
    wrong, got = answers.differ(fmt, want), answers.shown()
    expected = want if answers.are_codes else cast_containers(want, fmt, FP64).view(np.float64)
    cases, start = [], 0
    for trap, piece in zip(traps, pieces, strict=True):
        part = slice(start, start + piece.size)
        start += piece.size
        if piece.size:
            cases.append(Case(trap.name, trap.why, given[part], expected[part], got[part],
                              wrong[part]))
    alike = [name for name, other, codes in _behaviours(x, source, fmt, answers.are_codes)
             if codes.dtype == want.dtype and not answers.differ(other, codes).any()]
    return Report(f"cast to {fmt.name}", list(dict.fromkeys(alike)), cases)


_DRAWS = 4096


def check_stochastic(function: Callable[[Any], Any], fmt: _core.FloatFormat,
                     source: _core.FloatFormat, rounding: str) -> Report:
    """Exact numbers never move, others go to a neighbour, and up as often as they lie high."""
    values = _positive(fmt)
    low, high = values[len(values) // 2], values[len(values) // 2 + 1]
    shares = np.arange(1, 8) / 8
    exact = np.tile(_signed(values), 16)
    between = _rounded(np.random.default_rng(3).uniform(0, values[-1], 4096), source)
    repeated = np.repeat(low + shares * (high - low), _DRAWS)
    x = np.concatenate([_held_by(part, source) for part in (exact, between, repeated)])
    given = x.view(dtype_of(source))
    answers = _Answers(function(given.copy()), fmt, x.size)
    down, up = (_by_rules(x, source, fmt, {"rounding": towards, "overflow": "saturate",
                                           "nan": "canonical"}) for towards in ("down", "up"))
    wrong = answers.differ(fmt, down) & answers.differ(fmt, up)
    got = answers.shown()
    shown = down if answers.are_codes else cast_containers(down, fmt, FP64).view(np.float64)
    head, tail = slice(0, exact.size), slice(exact.size, x.size - repeated.size)
    went_up = ~answers.differ(fmt, up)[-repeated.size:].reshape(len(shares), _DRAWS)
    rate = went_up.mean(axis=1)
    bound = 6 * np.sqrt(shares * (1 - shares) / _DRAWS)
    return Report(f"{rounding} cast to {fmt.name}", [], [
        Case("exact numbers", "what needs no rounding must not move: StochasticRounding.jl",
             given[head], shown[head], got[head], wrong[head]),
        Case("neighbours", "only the two numbers around the input can come out",
             given[tail], shown[tail], got[tail], wrong[tail]),
        Case("probability", "upward as often as the fraction says, within six standard deviations: "
             "gfloat's fast mode is biased", low + shares * (high - low), shares, rate,
             np.abs(rate - shares) > bound),
    ])


